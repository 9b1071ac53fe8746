/* vault/proofs.h: passwords that were right a moment ago, so that a busy client does not pay the
 * price of a hash for every session. Holds keyed digests only. An entry names the record it was
 * checked against, so a changed record forgets by itself. Pure: time is an argument. */
#ifndef VAULT_PROOFS_H
#define VAULT_PROOFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "users/file.h"

enum { PROOFS_LIFE_MS = 300000, PROOFS_ENTRIES_MAX = 4096 };

struct proofs;

/* entries: the bound; above it the one that was not used for longest is forgotten. NULL without
 * memory or randomness. */
MUST_CHECK struct proofs *proofs_new(size_t entries);
void proofs_free(struct proofs **proofs);
/* Was this prepared password found right for exactly this record (login, hash, verifier) within
 * PROOFS_LIFE_MS? A hit begins its life anew. */
bool proofs_hit(struct proofs *proofs, const struct user *user, struct slice password, int64_t now);
/* Without memory nothing is remembered. */
void proofs_add(struct proofs *proofs, const struct user *user, struct slice password, int64_t now);

#endif
