/* net/tls_sign.c: what a handshake's signed text looks like. Pure; the vault asks before it signs.
 */
#include "net/tls_sign.h"

#include "base/macros.h"

enum { RANDOMS = 64, NAMED_CURVE = 3 };

/* RFC 8446 section 4.4.3: 64 spaces, the context, a zero octet, the hash of the transcript. */
static bool is_tls13(struct slice input)
{
    static const char context[] =
        "TLS 1.3, server CertificateVerify"; /* its NUL is the zero octet */
    size_t hash = input.len - RANDOMS - sizeof context;

    if (input.len < RANDOMS + sizeof context || (hash != 32 && hash != 48))
        return false;
    for (size_t i = 0; i < RANDOMS; i++)
        if (input.data[i] != ' ')
            return false;
    return memcmp(input.data + RANDOMS, context, sizeof context) == 0;
}

/* RFC 8422 section 5.4: client random, server random, curve type, curve, the length of the point
 * and the point. */
static bool is_tls12(struct slice input)
{
    static const struct {
        unsigned char curve;
        unsigned char point;
    } curves[] = { { 0x17, 65 }, { 0x18, 97 }, { 0x19, 133 }, { 0x1d, 32 }, { 0x1e, 56 } };
    const unsigned char *at = (const unsigned char *)input.data + RANDOMS;

    if (input.len < RANDOMS + 4 || at[0] != NAMED_CURVE || at[1] != 0)
        return false;
    for (size_t i = 0; i < LENGTH_OF(curves); i++)
        if (curves[i].curve == at[2])
            return at[3] == curves[i].point && input.len == RANDOMS + 4u + curves[i].point;
    return false;
}

bool tls_sign_input_is_handshake(struct slice input)
{
    return is_tls13(input) || is_tls12(input);
}
