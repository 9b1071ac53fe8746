/* unit/spool/test_journal_clock.c: which gaps between entries are jumps of the clock (QUE-4). */
#include "spool/journal_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)
#define NOW    (INT64_C(1800000000) * SECOND)

static void test_gaps(void **state)
{
    static const struct {
        const char *name;
        int64_t at[5];
        size_t count;
        int64_t moved;
    } cases[] = {
        { "nothing", { 0 }, 0, 0 },
        { "one entry", { NOW }, 1, 0 },
        { "time goes", { NOW, NOW + 1, NOW + HOUR, NOW + HOUR + DAY }, 4, 0 },
        { "a day", { NOW, NOW + DAY }, 2, 0 },
        { "a day and a microsecond", { NOW, NOW + DAY + 1 }, 2, 1 },
        { "ten years", { NOW, NOW + 10 * YEAR }, 2, 10 * YEAR - DAY },
        { "entries change places", { NOW, NOW - 5, NOW + 1, NOW - HOUR + 1, NOW + DAY }, 5, 0 },
        { "just an hour back", { NOW, NOW - HOUR }, 2, 0 },
        { "more than an hour back", { NOW, NOW - HOUR - 1 }, 2, -HOUR - 1 },
        { "ten years back", { NOW, NOW - 10 * YEAR, NOW - 10 * YEAR + 1 }, 3, -10 * YEAR },
        { "there and back", { NOW, NOW + YEAR, NOW + 5 }, 3, 5 - DAY },
        { "to the beginning of time", { NOW, 0, 1 }, 3, -NOW },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct journal_clock clock = { 0 };
        for (size_t j = 0; j < cases[i].count; j++)
            journal_clock_note(&clock, cases[i].at[j]);
        if (clock.moved_us != cases[i].moved)
            fail_msg("%s: moved %lld", cases[i].name, (long long)clock.moved_us);
    }
}

static void test_shift(void **state)
{
    struct journal_clock clock = { 0 };
    int64_t then;

    (void)state;
    journal_clock_note(&clock, NOW);
    journal_clock_note(&clock, NOW + YEAR);
    then = clock.moved_us;
    journal_clock_note(&clock, NOW - YEAR);
    assert_int_equal(journal_clock_shift(&clock, NOW + YEAR - 7, then), NOW - YEAR - 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_gaps), cmocka_unit_test(test_shift) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
