/* spool/journal_clock.h: the wall clock as the journal saw it go. Times on disk are wall clock, and
 * that may jump by years while messages wait; the gaps between entries show it. Pure. */
#ifndef SPOOL_JOURNAL_CLOCK_H
#define SPOOL_JOURNAL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing seen yet. */
struct journal_clock {
    int64_t last_us;  /* the latest entry's time */
    int64_t moved_us; /* sum of the jumps so far */
    bool has_last;
};

/* The next entry was written at that wall time; at last: it is that late now. A step back counts as
 * a jump, and so does what a step forward has above a day: nobody was there to try, so that time
 * ends no message (QUE-4). Entries that change places by less than an hour are no jump. */
void journal_clock_note(struct journal_clock *clock, int64_t at_us);

/* Wraps: a nonsensical time does no more than that. */
static inline int64_t journal_clock_add(int64_t time_us, uint64_t by_us)
{
    return (int64_t)((uint64_t)time_us + by_us);
}

/* What a time that was written down when moved_us was `then` is by the clock as it goes now. */
static inline int64_t journal_clock_shift(
    const struct journal_clock *clock, int64_t time_us, int64_t then)
{
    return journal_clock_add(time_us, (uint64_t)clock->moved_us - (uint64_t)then);
}

#endif
