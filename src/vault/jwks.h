/* vault/jwks.h: the public keys of who issues tokens: JSON Web Key Sets (RFC 7517) for RS256, ES256
 * and EdDSA. Pure. Not for the loop: a signature takes a while to check. */
#ifndef VAULT_JWKS_H
#define VAULT_JWKS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

struct json_t;

enum { JWKS_TEXT_MAX = 256 << 10, JWKS_KEYS_MAX = 64, JWKS_SIGNATURE_MAX = 1024 };

/* Keys for signatures. */
struct jwks;

/* Keys of other kinds and uses (use, key_ops) are left out, and so are those for signatures that
 * are broken or too weak (RSA below 2048 bits), as RFC 7517 section 5 wants it. A set of which none
 * is left is no error, unless one was broken. ERR_INVALID: that, or the text is no key set;
 * ERR_NOMEM.
 */
MUST_CHECK enum err jwks_parse(struct slice text, struct jwks **out_jwks);
void jwks_free(struct jwks **jwks);
/* Is no key left in it? */
bool jwks_is_empty(const struct jwks *jwks);

enum jwks_verdict {
    JWKS_GOOD,
    JWKS_WRONG,   /* signed by none of the keys that could have */
    JWKS_UNKNOWN, /* the header names a key that is not in the set: perhaps a newer one */
};

/* Is this text signed by the key that the header names, or by any of its kind where it names none?
 * header: a JSON object (RFC 7515 section 4); signature: at most JWKS_SIGNATURE_MAX octets. */
enum jwks_verdict jwks_check(const struct jwks *jwks, const struct json_t *header,
    struct slice text, struct slice signature);

/* base64url without padding (RFC 7515 section 2), strictly. */
MUST_CHECK bool jwks_decode(struct slice text, struct buffer *out);

#endif
