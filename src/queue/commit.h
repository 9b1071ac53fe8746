/* queue/commit.h: the journal's group commit: facts are collected on the loop and become durable in
 * batches on a hand of their own. What must wait for that says so. */
#ifndef QUEUE_COMMIT_H
#define QUEUE_COMMIT_H

#include "net/hands.h"
#include "net/loop.h"
#include "spool/journal.h"

/* Embedded in whatever waits. */
struct commit_wait {
    struct commit_wait *next;
    void (*done)(struct commit_wait *wait); /* on the loop; may free what it lies in */
};

struct commit {
    struct loop *loop;
    struct hands *hands;
    struct store *store; /* the journal's own; used by the hand alone */
    struct journal journal;
    struct journal_batch filling;
    struct journal_batch working;
    struct commit_wait *filling_waits, **filling_last;
    struct commit_wait *working_waits;
    struct hand_job job;
    struct deferred start;
    struct timer lazy; /* for facts that nobody waits for; also the pause after a failure */
    int64_t lazy_ms, pause_ms;
    enum err result;
    struct journal_tally tally; /* as of the last commit, like all below */
    uint64_t floor;             /* journal files below are not read at a start */
    int64_t clock_offset_us;    /* wall minus monotonic, as the journal knows it */
    bool has_begun;             /* it knows of this life */
    bool is_open;
    bool is_busy;
    bool is_failing;
};

/* lazy_ms: facts that nobody waits for are synced after that; pause_ms: after a failure. ERR_NOMEM.
 * Until commit_open facts are only collected. */
MUST_CHECK enum err commits_init(struct commit *commit, struct loop *loop, struct store *store,
    int64_t lazy_ms, int64_t pause_ms);
/* The journal continues behind the file and the end that the replay found. file_size: octets of its
 * files. */
void commit_open(
    struct commit *commit, const struct journal_replayed *replayed, uint64_t file_size);
/* Waits for the commit under way; what was not given to it is dropped, and who waited for it is
 * told all the same: nobody must be left whom that could deceive. */
void commits_clear(struct commit *commit);

/* Takes a copy of the fact, and its time from the clock. It becomes durable with the next commit,
 * soon. */
void commit_put(struct commit *commit, const struct journal_entry *entry);
/* The fact that it is now: of what lies between two entries that are further apart than a day, a
 * start could not say that the queue ran. */
void commit_note_time(struct commit *commit);
/* done is called when all that was put until now is synced. A failing disk delays it for as long as
 * it fails: a fact is never given up. */
void commit_await(struct commit *commit, struct commit_wait *wait);
/* Nothing is collected and nothing under way. */
bool commit_is_idle(const struct commit *commit);
/* So much is collected that no new mail should be read until the disk has taken it. */
bool commit_is_full(const struct commit *commit);

#endif
