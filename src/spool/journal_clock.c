/* spool/journal_clock.c: what of a step counts. */
#include "spool/journal_clock.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US  (24 * HOUR_US)

/* A step that does not count, but for what one back takes of the time between lives. */
static void move(struct journal_clock *clock, int64_t step_us)
{
    struct journal_mark *mark = &clock->mark;
    uint64_t back_us = step_us < 0 ? -(uint64_t)step_us : 0;

    if (back_us > (uint64_t)mark->away_us)
        back_us = (uint64_t)mark->away_us;
    mark->away_us -= (int64_t)back_us;
    mark->moved_us = journal_clock_add(mark->moved_us, (uint64_t)step_us + back_us);
}

/* How much of the step to that time counts. */
static int64_t advance(struct journal_clock *clock, int64_t at_us, int64_t tolerance_us)
{
    int64_t step = journal_clock_add(at_us, -(uint64_t)clock->last_us);
    int64_t counted = step < 0 ? 0 : step < DAY_US ? step : DAY_US;
    bool is_first = !clock->has_last;

    if (!is_first && step <= 0 && step >= -tolerance_us)
        return 0;
    clock->last_us = at_us;
    clock->has_last = true;
    if (is_first)
        return 0;
    move(clock, step - counted);
    return counted;
}

void journal_clock_note(struct journal_clock *clock, int64_t at_us)
{
    (void)advance(clock, at_us, HOUR_US);
}

void journal_clock_begin(struct journal_clock *clock, int64_t at_us)
{
    clock->mark.away_us += advance(clock, at_us, 0);
}

void journal_clock_set(struct journal_clock *clock, int64_t was_us, int64_t at_us)
{
    (void)advance(clock, was_us, HOUR_US);
    move(clock, journal_clock_add(at_us, -(uint64_t)was_us));
    clock->last_us = at_us;
}

int64_t journal_clock_shift(
    const struct journal_clock *clock, int64_t time_us, struct journal_mark then)
{
    const struct journal_mark *now = &clock->mark;
    int64_t taken_us = then.away_us > now->away_us ? then.away_us - now->away_us : 0;

    return journal_clock_add(
        time_us, (uint64_t)now->moved_us - (uint64_t)then.moved_us - (uint64_t)taken_us);
}
