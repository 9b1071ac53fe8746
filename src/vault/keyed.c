/* vault/keyed.c: HMAC-SHA-256 over length-prefixed parts. */
#include "vault/keyed.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/buffer.h"

enum { INPUT_MAX = 64 << 10 };

bool keyed_make(struct digest *out_key)
{
    return getrandom(out_key->octets, DIGEST, 0) == DIGEST;
}

struct digest keyed_digest(
    const struct digest *key, const char *label, const struct slice *parts, size_t part_count)
{
    struct digest digest;
    struct buffer input;
    unsigned int len = DIGEST;

    buffer_init(&input, INPUT_MAX);
    /* In one piece from the start: a buffer that grows leaves copies of a password behind. */
    if (!buffer_reserve(&input, 4096))
        abort();
    buffer_put_text(&input, label);
    for (size_t i = 0; i < part_count; i++) {
        buffer_put_u32(&input, (uint32_t)parts[i].len);
        buffer_put_slice(&input, parts[i]);
    }
    if (input.error != ERR_OK ||
        !HMAC(EVP_sha256(), key->octets, DIGEST, (const unsigned char *)buffer_slice(&input).data,
            input.len, digest.octets, &len))
        abort();
    explicit_bzero(input.data, input.size);
    buffer_clear(&input);
    return digest;
}
