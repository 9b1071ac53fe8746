/* spool/recover_private.h: what recover.c (messages, start-up) and recover_segment.c (files behind
 * their writers) share. */
#ifndef SPOOL_RECOVER_PRIVATE_H
#define SPOOL_RECOVER_PRIVATE_H

#include "spool/known.h"

struct live_segment {
    uint64_t generation;
    uint64_t size;
    uint64_t offset;           /* everything before it has been handed over */
    uint64_t batch;            /* where the batch begins that was read last; 0: not known */
    int file;                  /* -1: not opened yet */
    uint64_t pieces;           /* set aside one by one */
    struct recover_aside rest; /* the others together; length 0: none */
    bool is_sure;              /* the writer is gone, and what it wrote last is on the disk */
    bool is_waiting;           /* alive at start, or not to be read, and nothing new since */
    bool is_owned;             /* the writer is gone and on_owned was called */
    UT_hash_handle hh;
};

struct recover {
    struct store *store;
    const struct recover_events *events;
    struct known_set known;
    struct live_segment *segments;
    size_t waiting;
    struct segment_reader reader;
    struct arena arena;
    struct known *next;  /* of those that are handed over without their records */
    bool is_known_ready; /* next is set */
    enum err stop;       /* what on_message said */
};

/* Hands a record over unless it is closed, held or known to be handed over. settled: the octet of
 * the segment before which a record that the journal does not know is closed. */
MUST_CHECK enum err recover_hand_over(struct recover *recover, const struct live_segment *segment,
    uint64_t settled, const struct segment_item *item);

/* NULL when it was never looked at. */
struct live_segment *live_find(const struct recover *recover, uint64_t generation);
/* NULL without memory. */
struct live_segment *live_find_or_add(struct recover *recover, uint64_t generation);
/* Opens it for reading if it is not open. */
MUST_CHECK enum err live_open(struct recover *recover, struct live_segment *segment);
void live_drop(struct recover *recover, struct live_segment *segment);

#endif
