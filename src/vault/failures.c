/* vault/failures.c: a window opens with the first failure and closes ten minutes later. */
#include "vault/failures.h"

#include <stdlib.h>

#include "base/map.h"

struct entry {
    struct digest name;
    struct entry *prev, *next; /* in the order in which the windows began */
    int64_t began;
    uint64_t count;
    UT_hash_handle hh;
};

struct failures {
    struct digest key;
    struct failure_limits limits;
    size_t entries_max;
    struct entry *by_name;
    struct entry *oldest;
};

struct failures *failures_new(size_t entries)
{
    struct failures *failures = calloc(1, sizeof *failures);

    if (!failures || !keyed_make(&failures->key)) {
        free(failures);
        return NULL;
    }
    failures->entries_max = entries;
    return failures;
}

static void forget(struct failures *failures, struct entry *entry)
{
    HASH_DELETE(hh, failures->by_name, entry);
    DL_DELETE(failures->oldest, entry);
    free(entry);
}

void failures_free(struct failures **failures)
{
    if (!*failures)
        return;
    while ((*failures)->oldest)
        forget(*failures, (*failures)->oldest);
    free(*failures);
    *failures = NULL;
}

void failures_set_limits(struct failures *failures, struct failure_limits limits)
{
    failures->limits = limits;
}

static struct digest client_name(const struct failures *failures, const struct client_key *client)
{
    struct slice part = slice_of(client->octets, sizeof client->octets);

    return keyed_digest(&failures->key, "client", &part, 1);
}

static struct digest account_name(const struct failures *failures, struct slice account)
{
    return keyed_digest(&failures->key, "account", &account, 1);
}

static struct entry *find(struct failures *failures, const struct digest *name, int64_t now)
{
    struct entry *entry;

    while (failures->oldest && now - failures->oldest->began >= FAILURES_WINDOW_MS)
        forget(failures, failures->oldest);
    HASH_FIND(hh, failures->by_name, name, sizeof *name, entry);
    return entry;
}

static bool is_over(struct failures *failures, struct digest name, uint64_t limit, int64_t now)
{
    const struct entry *entry = limit > 0 ? find(failures, &name, now) : NULL;

    return entry && entry->count >= limit;
}

bool failures_over(
    struct failures *failures, const struct client_key *client, struct slice account, int64_t now)
{
    return is_over(failures, client_name(failures, client), failures->limits.per_client, now) ||
           (account.len > 0 && is_over(failures, account_name(failures, account),
                                   failures->limits.per_account, now));
}

static void count(struct failures *failures, struct digest name, int64_t now)
{
    struct entry *entry = find(failures, &name, now);

    if (!entry) {
        if (HASH_COUNT(failures->by_name) >= failures->entries_max)
            forget(failures, failures->oldest);
        entry = calloc(1, sizeof *entry);
        if (!entry)
            return;
        entry->name = name;
        entry->began = now;
        HASH_ADD(hh, failures->by_name, name, sizeof entry->name, entry);
        DL_APPEND(failures->oldest, entry);
    }
    entry->count++;
}

void failures_count(
    struct failures *failures, const struct client_key *client, struct slice account, int64_t now)
{
    if (failures->limits.per_client > 0)
        count(failures, client_name(failures, client), now);
    if (failures->limits.per_account > 0 && account.len > 0)
        count(failures, account_name(failures, account), now);
}

size_t failures_entries(const struct failures *failures)
{
    return HASH_COUNT(failures->by_name);
}
