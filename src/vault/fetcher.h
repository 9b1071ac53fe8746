/* vault/fetcher.h: the vault's end of the channel to the fetch room: questions go out, each is
 * answered once, within a time, also when the room is not there or dies meanwhile. */
#ifndef VAULT_FETCHER_H
#define VAULT_FETCHER_H

#include "base/macros.h"
#include "ipc/messages.h"

struct channel;
struct fetcher;
struct loop;

/* More than the fetch room takes for an answer of its own, and far less than a client waits. */
enum { FETCHER_WAIT_MS = 10000 };

/* Embedded in its owner. */
struct fetch_ask {
    struct fetch_ask *prev, *next; /* the fetcher's own, like the next three */
    uint64_t request;
    int64_t until; /* 0: nothing is asked */
    uint64_t snapshot;
    enum fetch_target target;
    struct slice token; /* FETCH_TOKEN; lives until done */
    /* In the loop, never from inside fetcher_ask; nothing is asked any more. document: NULL where
     * there was none in time; else it lives until this returns. */
    void (*done)(struct fetch_ask *ask, const struct msg_fetched *answer);
};

/* NULL without memory. */
MUST_CHECK struct fetcher *fetcher_new(struct loop *loop);
/* Nothing may be asked. */
void fetcher_free(struct fetcher **fetcher);
/* A (new) channel, or NULL: it is gone. Borrowed. What is asked is asked again on it. */
void fetcher_connect(struct fetcher *fetcher, struct channel *channel);
/* What came over it. */
void fetcher_take(struct fetcher *fetcher, const struct msg_fetched *message);
/* The number of the configuration in whose name is asked from now on. */
void fetcher_set_snapshot(struct fetcher *fetcher, uint64_t number);
/* target, token and done are set. */
void fetcher_ask(struct fetcher *fetcher, struct fetch_ask *ask);
/* done will not be called. Harmless where nothing is asked. */
void fetcher_cancel(struct fetcher *fetcher, struct fetch_ask *ask);

#endif
