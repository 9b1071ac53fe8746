/* vault/scram.h: the form of a SCRAM client's two messages (RFC 5802 section 7), checked before GNU
 * SASL sees them: the library lets stray "=" in names, "m=" behind the nonce and "p=" without a
 * binding pass its parser. Pure. */
#ifndef VAULT_SCRAM_H
#define VAULT_SCRAM_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/slice.h"

enum { SCRAM_NAME_MAX = 255, SCRAM_NONCE_MAX = 512 };

/* A decoded name ("=2C" is a comma, "=3D" an equals sign). */
struct scram_name {
    char text[SCRAM_NAME_MAX + 1];
    size_t len;
};

struct scram_first {
    char binding;              /* 'n', 'y' or 'p' */
    struct slice binding_name; /* with 'p': of the channel binding; points into the message */
    bool has_authzid;
    struct scram_name authzid;
    struct scram_name user;
};

/* A saslname: "=2C" and "=3D" decoded, no other equals sign, no NUL, 1 to SCRAM_NAME_MAX octets.
 * *out_name undefined on failure. */
MUST_CHECK bool scram_decode_name(struct slice value, struct scram_name *out_name);
/* client-first-message. Names decode to 1 to SCRAM_NAME_MAX octets, the nonce has at most
 * SCRAM_NONCE_MAX. "m=" anywhere fails, other extensions are ignored, as the RFC wants it. False:
 * *out_first untouched. */
MUST_CHECK bool scram_read_first(struct slice message, struct scram_first *out_first);
/* client-final-message: c=, r=, extensions without "m=", p= last; c and p strict base64. */
bool scram_final_is_valid(struct slice message);

#endif
