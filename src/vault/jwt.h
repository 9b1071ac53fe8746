/* vault/jwt.h: access tokens: JSON Web Tokens (RFC 7519) signed with RS256, ES256 or EdDSA, and the
 * key sets (RFC 7517) that they are checked against. Pure: no file, no clock. Not for the loop: a
 * signature takes a while to check. */
#ifndef VAULT_JWT_H
#define VAULT_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "users/login.h"

enum { JWKS_FILE_MAX = 256 << 10, JWKS_KEYS_MAX = 64, JWT_MAX = 9216, JWT_LEEWAY_MAX = 3600 };

/* Keys for signatures. */
struct jwks;

/* Keys of other kinds and uses (use, key_ops) are left out; a set of which none is left is no
 * error. ERR_INVALID: the text is no key set, or a key for signatures is broken or too weak (RSA
 * below 2048 bits); ERR_NOMEM. */
MUST_CHECK enum err jwks_parse(struct slice text, struct jwks **out_jwks);
void jwks_free(struct jwks **jwks);

struct jwt_rules {
    struct slice issuer;   /* iss must be exactly this */
    struct slice audience; /* aud must be or hold exactly this */
    struct slice claim;    /* names the user: a login name */
    int64_t leeway;        /* seconds by which clocks may differ */
};

/* Why a token was refused; NULL: it was not, and *out_login is whose it is. Signature, iss, aud,
 * exp (which must be there), nbf and iat are all checked; no crit; typ is missing or an access
 * token's; an email whose email_verified is false is nobody's. now: seconds since 1970. */
const char *jwt_check(const struct jwks *jwks, const struct jwt_rules *rules, struct slice token,
    int64_t now, struct login *out_login);

#endif
