/* spool/journal_clock.h: the wall clock as the journal saw it go. Times on disk are wall clock, and
 * that may jump by years while messages wait. Pure.
 *
 * The rule: time in which the queue ran counts as it was, for the queue writes down itself how the
 * clock was set meanwhile. Of the time between two of its lives, which only that clock tells, a day
 * counts at most, and when the clock is set back, what has counted so is taken back first (QUE-4).
 */
#ifndef SPOOL_JOURNAL_CLOCK_H
#define SPOOL_JOURNAL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The clock at the moment at which something was written down. */
struct journal_mark {
    int64_t moved_us; /* sum of what does not count so far */
    int64_t away_us;  /* time between lives that counts so far */
};

/* Zeroed: nothing seen yet. */
struct journal_clock {
    int64_t last_us; /* the latest entry's time */
    struct journal_mark mark;
    bool has_last;
};

/* The next entry was written at that wall time, in the life of the one before. Entries that change
 * places by less than an hour are no jump. A step that nobody has explained, as damage leaves them:
 * no more than a day counts. */
void journal_clock_note(struct journal_clock *clock, int64_t at_us);
/* The queue has begun a life at that time. */
void journal_clock_begin(struct journal_clock *clock, int64_t at_us);
/* The running queue saw the clock, which would have shown was_us, show at_us. */
void journal_clock_set(struct journal_clock *clock, int64_t was_us, int64_t at_us);

/* Wraps: a nonsensical time does no more than that. */
static inline int64_t journal_clock_add(int64_t time_us, uint64_t by_us)
{
    return (int64_t)((uint64_t)time_us + by_us);
}

/* What a time that was written down at the mark is by the clock as it goes now. What was taken back
 * since is no older for it than it has lived through, and no younger. */
int64_t journal_clock_shift(
    const struct journal_clock *clock, int64_t time_us, struct journal_mark then);

#endif
