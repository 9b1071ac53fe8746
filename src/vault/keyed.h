/* vault/keyed.h: digests under a key that never leaves the process: names for table entries that
 * tell a memory reader nothing, and stable inventions for users that do not exist. */
#ifndef VAULT_KEYED_H
#define VAULT_KEYED_H

#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { DIGEST = 32 };

struct digest {
    unsigned char octets[DIGEST];
};

/* A random key. False without randomness. */
MUST_CHECK bool keyed_make(struct digest *out_key);
/* HMAC-SHA-256 under the key of the label and the parts, each with its length, so that no two lists
 * of parts mean the same. Ends the process when the library cannot compute it: no decision may rest
 * on half a digest. */
struct digest keyed_digest(
    const struct digest *key, const char *label, const struct slice *parts, size_t part_count);

#endif
