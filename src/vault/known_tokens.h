/* vault/known_tokens.h: tokens that the identity provider said were good a moment ago, so that it
 * is not asked for every session of a busy client. Holds keyed digests only. Pure: time is an
 * argument.
 */
#ifndef VAULT_KNOWN_TOKENS_H
#define VAULT_KNOWN_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "users/login.h"

enum { KNOWN_TOKENS_LIFE_MS = 60000, KNOWN_TOKENS_MAX = 4096 };

struct known_tokens;

/* entries: the bound; above it the oldest is forgotten. NULL without memory or randomness. */
MUST_CHECK struct known_tokens *known_tokens_new(size_t entries);
void known_tokens_free(struct known_tokens **known);
/* now_ms: monotonic; now: seconds since 1970. Was it added in the last KNOWN_TOKENS_LIFE_MS, and is
 * its end not reached? A hit does not make it last longer. */
bool known_tokens_find(struct known_tokens *known, struct slice token, int64_t now_ms, int64_t now,
    struct login *out_login);
/* until: as of claims_check. Without memory nothing is remembered. */
void known_tokens_add(struct known_tokens *known, struct slice token, const struct login *login,
    int64_t until, int64_t now_ms);
/* Other rules hold. */
void known_tokens_forget(struct known_tokens *known);

#endif
