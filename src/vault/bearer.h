/* vault/bearer.h: the messages of OAUTHBEARER (RFC 7628 section 3.1) and XOAUTH2. Pure. */
#ifndef VAULT_BEARER_H
#define VAULT_BEARER_H

#include "base/macros.h"
#include "base/slice.h"
#include "vault/scram.h"

struct bearer {
    bool has_user; /* of OAUTHBEARER the authorization identity */
    struct scram_name user;
    struct slice token; /* points into the message; b64token of RFC 6750 */
};

/* n,[a=USER],^Ahost=…^Aport=…^Aauth=Bearer TOKEN^A^A. Unknown keys are ignored,
 * auth may come once, and a port must be a number. False: *out_bearer untouched. */
MUST_CHECK bool bearer_read(struct slice message, struct bearer *out_bearer);
/* user=USER^Aauth=Bearer TOKEN^A^A. */
MUST_CHECK bool bearer_read_x(struct slice message, struct bearer *out_bearer);

#endif
