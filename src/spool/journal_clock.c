/* spool/journal_clock.c: finds the jumps. */
#include "spool/journal_clock.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US  (24 * HOUR_US)

void journal_clock_note(struct journal_clock *clock, int64_t at_us)
{
    int64_t step = journal_clock_add(at_us, -(uint64_t)clock->last_us);
    bool is_first = !clock->has_last;

    if (!is_first && step <= 0 && step >= -HOUR_US)
        return;
    clock->last_us = at_us;
    clock->has_last = true;
    if (is_first)
        return;
    if (step < 0)
        clock->moved_us = journal_clock_add(clock->moved_us, (uint64_t)step);
    else if (step > DAY_US)
        clock->moved_us = journal_clock_add(clock->moved_us, (uint64_t)(step - DAY_US));
}
