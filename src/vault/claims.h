/* vault/claims.h: what a token claims, whether it says so itself or who issued it does (RFC 7519
 * section 4, RFC 7662 section 2.2), against what we want. Pure. */
#ifndef VAULT_CLAIMS_H
#define VAULT_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "users/login.h"

struct json_t;

/* Empty: it does not matter. */
struct claim_rules {
    struct slice issuer;   /* iss must be exactly this */
    struct slice audience; /* aud must be or hold exactly this */
    struct slice scope;    /* must be one of the words of scope */
    struct slice claim;    /* names the user: a login name. Never empty */
    int64_t leeway;        /* seconds by which clocks may differ */
    bool must_end;         /* exp must be there */
};

/* No end. */
#define CLAIMS_FOREVER INT64_MAX

/* Why the token is refused; NULL: it is not, *out_login is whose it is and *out_until the second
 * since 1970 from which on it is no longer good, leeway included. exp, nbf and iat are always
 * checked where they are there; an email whose email_verified is false is nobody's. claims: a JSON
 * object; now: seconds since 1970. */
MUST_CHECK const char *claims_check(const struct json_t *claims, const struct claim_rules *rules,
    int64_t now, struct login *out_login, int64_t *out_until);

#endif
