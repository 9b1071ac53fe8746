/* gate/held_segment.h: a segment in this gate's hands, and what commit.c (which moves it) and
 * commit_queue.c (which talks to the queue about it) ask of each other. For these two alone. */
#ifndef GATE_HELD_SEGMENT_H
#define GATE_HELD_SEGMENT_H

#include "gate/commit.h"
#include "spool/segment.h"

/* The list it is in is its state. */
struct held_segment {
    struct held_segment *prev, *next;
    struct commit *commit;
    struct segment_writer writer; /* the sync thread's while in_hand > 0 */
    uint64_t generation;
    uint64_t size;
    uint64_t reserved;     /* where the next record will go, if all before it succeed */
    uint64_t good;         /* kept up to here */
    uint64_t rung;         /* stated up to here */
    size_t in_hand;        /* entries and `spare` given to the sync thread */
    struct hand_job spare; /* zeros for what comes later */
    bool is_failed;        /* its result: the writer is spoiled */
    struct entry *refused; /* cut only */
    int64_t cut_since_ms;
    bool is_cut; /* the queue has it in its journal */
};

/* commit_queue.c: what the queue is told. None of it can fail: a new channel hears all of it again.
 */

/* Everything before `good` is kept; is_final: and nothing more will come. */
void commit_ring(struct commit *commit, struct held_segment *segment, bool is_final);
/* What lies behind `good` was refused. */
void commit_tell_cut(struct commit *commit, const struct held_segment *segment);
/* Doorbells that are due, and what is wanted (deferred_fn). */
void commit_speak(void *owner);

/* commit.c: what follows from the queue's words. */

/* Gives what waits to the sync thread, as far as there is room. */
void commit_feed(struct commit *commit);
/* The cut is in the queue's journal: the refusals may be told. */
void commit_cut_known(struct commit *commit, struct held_segment *segment);

#endif
