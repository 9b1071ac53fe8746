/* vault/introspection.h: what the identity provider says of a token (RFC 7662 section 2.2). Pure.
 */
#ifndef VAULT_INTROSPECTION_H
#define VAULT_INTROSPECTION_H

#include "base/error.h"
#include "vault/claims.h"

/* *out_why: why the token is refused; NULL: it is not, and the last two are as of claims_check.
 * ERR_INVALID: the document is no such answer (a JSON object with a boolean `active`), so it says
 * nothing of the token. */
MUST_CHECK enum err introspection_read(struct slice document, const struct claim_rules *rules,
    int64_t now, const char **out_why, struct login *out_login, int64_t *out_until);

#endif
