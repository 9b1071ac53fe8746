/* vault/failures.h: how often a client or an account failed to log in lately (AUTH-18). Pure: time
 * is an argument. */
#ifndef VAULT_FAILURES_H
#define VAULT_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "vault/client.h"
#include "vault/keyed.h"

enum { FAILURES_WINDOW_MS = 600000, FAILURES_ENTRIES_MAX = 65536 };

struct failures;

struct failure_limits {
    uint64_t per_client;  /* in FAILURES_WINDOW_MS; 0: no limit */
    uint64_t per_account; /* the same */
};

/* entries: the table's bound; above it the entry whose window began first is forgotten. NULL
 * without memory or randomness. */
MUST_CHECK struct failures *failures_new(size_t entries);
void failures_free(struct failures **failures);
void failures_set_limits(struct failures *failures, struct failure_limits limits);

/* account: the name that the client gave, whether or not there is such a user, so that a limit says
 * nothing about that; empty: none was given. now: clock_mono_ms. */
bool failures_over(
    struct failures *failures, const struct client_key *client, struct slice account, int64_t now);
/* Counts one for both. Without memory nothing is counted. */
void failures_count(
    struct failures *failures, const struct client_key *client, struct slice account, int64_t now);
size_t failures_entries(const struct failures *failures);

#endif
