/* vault/proofs.c: a map and a list in the order of use. */
#include "vault/proofs.h"

#include <stdlib.h>

#include "base/map.h"
#include "vault/keyed.h"

struct entry {
    struct digest name;
    struct entry *prev, *next; /* the one used longest ago first */
    int64_t used;
    UT_hash_handle hh;
};

struct proofs {
    struct digest key;
    size_t entries_max;
    struct entry *by_name;
    struct entry *oldest;
};

struct proofs *proofs_new(size_t entries)
{
    struct proofs *proofs = calloc(1, sizeof *proofs);

    if (!proofs || !keyed_make(&proofs->key)) {
        free(proofs);
        return NULL;
    }
    proofs->entries_max = entries;
    return proofs;
}

static void forget(struct proofs *proofs, struct entry *entry)
{
    HASH_DELETE(hh, proofs->by_name, entry);
    DL_DELETE(proofs->oldest, entry);
    free(entry);
}

void proofs_free(struct proofs **proofs)
{
    if (!*proofs)
        return;
    while ((*proofs)->oldest)
        forget(*proofs, (*proofs)->oldest);
    explicit_bzero(*proofs, sizeof **proofs);
    free(*proofs);
    *proofs = NULL;
}

static struct digest name_of(
    const struct proofs *proofs, const struct user *user, struct slice password)
{
    const struct slice parts[] = {
        user->login,
        user->hash,
        slice_of(user->scram.stored_key, user->scram.iterations > 0 ? SCRAM_KEY : 0),
        password,
    };

    return keyed_digest(&proofs->key, "proof", parts, LENGTH_OF(parts));
}

static struct entry *find(struct proofs *proofs, const struct digest *name, int64_t now)
{
    struct entry *entry;

    while (proofs->oldest && now - proofs->oldest->used >= PROOFS_LIFE_MS)
        forget(proofs, proofs->oldest);
    HASH_FIND(hh, proofs->by_name, name, sizeof *name, entry);
    return entry;
}

static void use(struct proofs *proofs, struct entry *entry, int64_t now)
{
    entry->used = now;
    DL_DELETE(proofs->oldest, entry);
    DL_APPEND(proofs->oldest, entry);
}

bool proofs_hit(struct proofs *proofs, const struct user *user, struct slice password, int64_t now)
{
    struct digest name = name_of(proofs, user, password);
    struct entry *entry = find(proofs, &name, now);

    if (entry)
        use(proofs, entry, now);
    return entry != NULL;
}

void proofs_add(struct proofs *proofs, const struct user *user, struct slice password, int64_t now)
{
    struct digest name = name_of(proofs, user, password);
    struct entry *entry = find(proofs, &name, now);

    if (entry) {
        use(proofs, entry, now);
        return;
    }
    if (HASH_COUNT(proofs->by_name) >= proofs->entries_max)
        forget(proofs, proofs->oldest);
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return;
    entry->name = name;
    entry->used = now;
    HASH_ADD(hh, proofs->by_name, name, sizeof entry->name, entry);
    DL_APPEND(proofs->oldest, entry);
}
