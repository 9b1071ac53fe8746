/* vault/known_tokens.c: a map, and a list in the order of age. */
#include "vault/known_tokens.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/map.h"
#include "vault/keyed.h"

struct entry {
    struct digest name;
    struct entry *prev, *next; /* the oldest first */
    int64_t added_ms;
    int64_t until;
    struct login login;
    UT_hash_handle hh;
};

struct known_tokens {
    struct digest key;
    size_t entries_max;
    struct entry *by_name;
    struct entry *oldest;
};

struct known_tokens *known_tokens_new(size_t entries)
{
    struct known_tokens *known = calloc(1, sizeof *known);

    if (!known || !keyed_make(&known->key)) {
        free(known);
        return NULL;
    }
    known->entries_max = entries;
    return known;
}

static void forget(struct known_tokens *known, struct entry *entry)
{
    HASH_DELETE(hh, known->by_name, entry);
    DL_DELETE(known->oldest, entry);
    free(entry);
}

void known_tokens_forget(struct known_tokens *known)
{
    while (known->oldest)
        forget(known, known->oldest);
}

void known_tokens_free(struct known_tokens **known)
{
    if (!*known)
        return;
    known_tokens_forget(*known);
    explicit_bzero(*known, sizeof **known);
    free(*known);
    *known = NULL;
}

/* Of a digest, since a keyed one is made for short parts. */
static struct digest name_of(const struct known_tokens *known, struct slice token)
{
    unsigned char octets[DIGEST];
    const struct slice part = slice_of(octets, sizeof octets);

    if (EVP_Digest(token.data, token.len, octets, NULL, EVP_sha256(), NULL) != 1)
        abort();
    return keyed_digest(&known->key, "token", &part, 1);
}

static struct entry *find(struct known_tokens *known, const struct digest *name, int64_t now_ms)
{
    struct entry *entry;

    while (known->oldest && now_ms - known->oldest->added_ms >= KNOWN_TOKENS_LIFE_MS)
        forget(known, known->oldest);
    HASH_FIND(hh, known->by_name, name, sizeof *name, entry);
    return entry;
}

bool known_tokens_find(struct known_tokens *known, struct slice token, int64_t now_ms, int64_t now,
    struct login *out_login)
{
    struct digest name = name_of(known, token);
    struct entry *entry = find(known, &name, now_ms);

    if (!entry || now >= entry->until)
        return false;
    *out_login = entry->login;
    return true;
}

void known_tokens_add(struct known_tokens *known, struct slice token, const struct login *login,
    int64_t until, int64_t now_ms)
{
    struct digest name = name_of(known, token);
    struct entry *entry = find(known, &name, now_ms);

    if (entry)
        forget(known, entry);
    else if (HASH_COUNT(known->by_name) >= known->entries_max)
        forget(known, known->oldest);
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return;
    *entry = (struct entry){ .name = name, .added_ms = now_ms, .until = until, .login = *login };
    HASH_ADD(hh, known->by_name, name, sizeof entry->name, entry);
    DL_APPEND(known->oldest, entry);
}
