/* vault/jwt.h: access tokens that say themselves what they are good for: JSON Web Tokens (RFC 7519)
 * with a signature. Pure: no file, no clock. Not for the loop: a signature takes a while to check.
 */
#ifndef VAULT_JWT_H
#define VAULT_JWT_H

#include "vault/claims.h"
#include "vault/jwks.h"

enum { JWT_MAX = 9216 };

/* The reason of a token whose kid is that of no key in the set: perhaps of a newer one. Compared by
 * its address. */
extern const char jwt_unknown_key[];

/* Why a token was refused; NULL: it was not, and *out_login is whose it is. The signature, and what
 * claims_check checks; no crit; typ is missing or an access token's. now: seconds since 1970. */
const char *jwt_check(const struct jwks *jwks, const struct claim_rules *rules, struct slice token,
    int64_t now, struct login *out_login);

#endif
