/* vault/keyset.h: a key set that lies at an address: fetched before anybody needs it, and again
 * before it is out of date. A set that was good stays until a newer one is. */
#ifndef VAULT_KEYSET_H
#define VAULT_KEYSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "net/loop.h"
#include "vault/fetcher.h"

enum {
    KEYSET_LEAST_S = 300, /* between two fetches, whatever the server says */
    KEYSET_MOST_S = 86400,
    KEYSET_PRESET_S = 3600,   /* where it says nothing */
    KEYSET_RETRY_S = 60,      /* after one that failed */
    KEYSET_DEMAND_MS = 60000, /* between two fetches because of an unknown key */
    KEYSET_HASTE_MS = 2000,   /* the same while there is no set at all */
};

/* Embedded in its owner, who hands the documents to a thread. */
struct keyset {
    struct fetcher *fetcher;
    struct timer refresh;
    struct fetch_ask ask;
    bool is_on;      /* there is an address */
    bool is_reading; /* a document is with the owner */
    bool is_stale;   /* that was asked for by the configuration before */
    bool has_demand; /* demanded_ms is set */
    int64_t demanded_ms;
    uint64_t age_s;      /* of the document with the owner: when to ask again */
    struct buffer good;  /* the last that was good; empty: none yet */
    struct buffer fresh; /* with the owner */
    /* To be read: keyset_read follows, later. */
    void (*read)(struct keyset *keyset);
    /* No fetch is under way any more, and there is a set, or there is none. */
    void (*settled)(struct keyset *keyset);
};

/* When to ask again, in seconds, after an answer with this age. Pure. */
uint64_t keyset_pause(bool has_age, uint64_t age_most);

/* read and settled are the owner's to set. */
void keyset_init(struct keyset *keyset, struct loop *loop, struct fetcher *fetcher);
void keyset_clear(struct keyset *keyset);
/* Another configuration. is_same: with the same address, so that the set stays; else it is
 * forgotten. Asks at once. */
void keyset_begin(struct keyset *keyset, bool is_same);
/* There is no address (any more). */
void keyset_end(struct keyset *keyset);
/* What became of the document: ERR_OK, or why it is of no use. */
void keyset_read(struct keyset *keyset, enum err result);
bool keyset_has_keys(const struct keyset *keyset);
/* Somebody needs a set where there is none, or a newer one: asks, unless that was done lately. Is a
 * fetch under way now, after which `settled` comes? */
MUST_CHECK bool keyset_demand(struct keyset *keyset);

#endif
