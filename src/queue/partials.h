/* queue/partials.h: messages whose connection was cut, kept until their clients come back (RFC
 * 1845, docs/decisions/0011-checkpoint.md). Embedded in the queue. The gates say what is kept and
 * what has ended; that a promise is true is found out here, by reading the octets. */
#ifndef QUEUE_PARTIALS_H
#define QUEUE_PARTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "net/hands.h"
#include "spool/store.h"

struct gate;
struct partial;
struct partial_chore;
struct queue;

enum {
    PARTIALS_MOST = 4096,    /* kept at once, whosever they are */
    PARTIALS_OF_USER = 16,   /* kept at once; then the user's oldest goes */
    PARTIALS_OF_GATE = 4096, /* transactions that a gate may have under way with a TRANSID */
    PARTIALS_DISK_PART = 20, /* of the disk, for all; a quarter of that for one user */
    PARTIALS_USER_PART = 4,
    PARTIALS_MEMORY = 64 << 20, /* octets of what waits to be written */
};

/* Octets, about. */
struct partial_cost {
    uint64_t disk;
    uint64_t memory; /* while it is being written */
};

struct partials {
    struct queue *queue;
    struct hands *hands;
    struct store store;     /* the thread's, once it runs */
    _Atomic bool is_ending; /* what it has not begun is not done any more */
    struct partial *by_key;
    size_t count;                    /* on disk */
    uint64_t octets;                 /* of these */
    size_t writing;                  /* on their way there */
    struct partial_cost coming;      /* of these */
    struct partial_chore *held;      /* to be given to the thread when all that lies in the spool
                                        is known */
    uint64_t kept, resumed, expired; /* in this life */
};

/* Reads what is there, the only time that the loop waits for it; what is too old or damaged goes.
 */
MUST_CHECK enum err partials_open(struct queue *queue);
void partials_close(struct queue *queue);
/* What has waited too long: clients for an answer, partials for their clients. */
void partials_tick(struct queue *queue);
/* All that lies in the spool is known: questions are answered from now on. */
void partials_begin(struct queue *queue);
bool partials_are_idle(const struct queue *queue);

/* What gates say (ipc/messages.h). */
void partials_ask(struct gate *gate, const struct msg_partial_ask *ask);
void partials_keep(struct gate *gate, const struct msg_partial_keep *keep);
void partials_end(struct gate *gate, const struct msg_partial_end *end);
/* Its channel is gone: it has none under way any more, as far as can be known. */
void partials_forget_gate(struct gate *gate);

/* Is that body file a partial's? */
bool partials_have_body(const struct queue *queue, uint64_t number);
/* Their body files, those that are being kept included; returns how many. Of numbers there is room
 * for partials_bodies_most. */
size_t partials_bodies(const struct queue *queue, uint64_t *out_numbers);
size_t partials_bodies_most(const struct queue *queue);

#endif
