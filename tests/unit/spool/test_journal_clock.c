/* unit/spool/test_journal_clock.c: what of the wall clock's steps counts as time (QUE-4). */
#include "spool/journal_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

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
        if (clock.mark.moved_us != cases[i].moved)
            fail_msg("%s: moved %lld", cases[i].name, (long long)clock.mark.moved_us);
    }
}

/* ---- steps with their true time ---- */

/* The world: what time it is, how far the wall clock is off, and a message with an eye on it. */
struct world {
    struct journal_clock clock;
    int64_t time_us;
    int64_t off_us;
    int64_t arrival_us; /* by the wall clock of then */
    struct journal_mark then;
    int64_t true_us;  /* its age */
    int64_t lived_us; /* of that, with a queue that runs */
    int64_t wrong_starts;
};

static void world_begin(struct world *world)
{
    *world = (struct world){ .time_us = NOW };
    journal_clock_begin(&world->clock, NOW);
}

static int64_t wall(const struct world *world)
{
    return world->time_us + world->off_us;
}

static void arrive(struct world *world)
{
    world->arrival_us = wall(world);
    world->then = world->clock.mark;
    world->true_us = world->lived_us = world->wrong_starts = 0;
}

static void live(struct world *world, int64_t by_us)
{
    world->time_us += by_us;
    world->true_us += by_us;
    world->lived_us += by_us;
    journal_clock_note(&world->clock, wall(world));
}

/* The running queue sees the clock set. */
static void set_off(struct world *world, int64_t off_us)
{
    int64_t was_us = wall(world);

    world->off_us = off_us;
    journal_clock_set(&world->clock, was_us, wall(world));
}

/* Nobody is there for so long, and then the clock is so far off. */
static void start_after(struct world *world, int64_t by_us, int64_t off_us)
{
    world->wrong_starts += off_us > world->off_us;
    world->time_us += by_us;
    world->true_us += by_us;
    world->off_us = off_us;
    journal_clock_begin(&world->clock, wall(world));
}

static int64_t age(const struct world *world)
{
    return wall(world) - journal_clock_shift(&world->clock, world->arrival_us, world->then);
}

/* K of the last review: set wrong and right again, each time within a second. */
static void test_flaps_cost_nothing(void **state)
{
    static const int64_t by[] = { 30 * HOUR, -30 * HOUR, 12 * HOUR, 10 * YEAR, -10 * YEAR };

    (void)state;
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        struct world world;
        world_begin(&world);
        arrive(&world);
        for (int flap = 0; flap < 100; flap++) {
            set_off(&world, by[i]);
            live(&world, SECOND);
            set_off(&world, 0);
            live(&world, SECOND);
        }
        assert_int_equal(age(&world), 200 * SECOND);
        start_after(&world, SECOND, 0);
        assert_int_equal(age(&world), 201 * SECOND);
    }
}

/* A hardware clock that is wrong at each boot, and put right a little later. */
static void test_wrong_at_each_boot(void **state)
{
    static const int64_t off[] = { 30 * HOUR, -30 * HOUR, 3 * HOUR, YEAR, -YEAR, 100 - NOW };

    (void)state;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        struct world world;
        world_begin(&world);
        arrive(&world);
        for (int boot = 0; boot < 100; boot++) {
            start_after(&world, HOUR, off[i]);
            assert_true(age(&world) <= world.true_us + DAY);
            live(&world, 5 * SECOND);
            set_off(&world, 0);
            live(&world, HOUR);
            assert_in_range(age(&world), world.lived_us, world.true_us);
        }
    }
}

/* Time that has truly passed while nobody was there. */
static void test_away(void **state)
{
    struct world world;

    (void)state;
    world_begin(&world);
    arrive(&world);
    for (int night = 0; night < 5; night++) {
        live(&world, 8 * HOUR);
        start_after(&world, 16 * HOUR, 0);
    }
    assert_int_equal(age(&world), 5 * DAY);
    start_after(&world, 10 * YEAR, 0);
    assert_int_equal(age(&world), 6 * DAY);
}

/* What is told under a wrong clock waits as long as it was to, when that is put right. */
static void test_told_under_a_wrong_clock(void **state)
{
    struct world world;

    (void)state;
    world_begin(&world);
    start_after(&world, SECOND, 30 * HOUR);
    arrive(&world);
    live(&world, HOUR);
    set_off(&world, 0);
    start_after(&world, 0, 0);
    assert_int_equal(age(&world), HOUR);
}

/* A batch whose sync failed may be there twice. */
static void test_written_twice(void **state)
{
    static const int64_t by[] = { YEAR, -YEAR, 30 * HOUR, -30 * HOUR };

    (void)state;
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        struct journal_clock clock = { 0 };
        for (int again = 0; again < 2; again++) {
            journal_clock_begin(&clock, NOW);
            journal_clock_note(&clock, NOW + 1);
            journal_clock_set(&clock, NOW + 2, NOW + 2 + by[i]);
            journal_clock_note(&clock, NOW + 3 + by[i]);
        }
        assert_in_range(NOW + 3 + by[i] - clock.mark.moved_us, NOW + 3, NOW + 7);
    }
}

static int64_t any(const int64_t *of, size_t count)
{
    return of[(size_t)random() % count];
}

#define ANY(of) any(of, sizeof(of) / sizeof(of)[0])

/* Never less than what was lived through; never more than has passed, plus a day for each start
 * that found the clock further ahead than it was left. Where each life puts the clock right that
 * day is taken back, so it stays one, and is none when the clock is right. */
static void random_world(bool is_put_right)
{
    static const int64_t spans[] = { 0, SECOND, 60 * SECOND, HOUR, 5 * HOUR, 16 * HOUR, DAY };
    static const int64_t away[] = { 0, SECOND, HOUR, 7 * HOUR, DAY, 30 * DAY, 10 * YEAR };
    static const int64_t offs[] = { 0, HOUR, -HOUR, 12 * HOUR, -12 * HOUR, 30 * HOUR, -30 * HOUR,
        YEAR, -YEAR, 40 * YEAR, -40 * YEAR };
    struct world world;

    world_begin(&world);
    for (int step = 0; step < 300; step++) {
        int64_t most = is_put_right ? world.off_us != 0 : world.wrong_starts;
        assert_true(age(&world) >= world.lived_us || world.arrival_us == 0);
        assert_true(age(&world) <= world.true_us + most * DAY || world.arrival_us == 0);
        switch (random() % 8) {
        case 0:
            if (is_put_right)
                set_off(&world, 0);
            start_after(&world, ANY(away), ANY(offs));
            break;
        case 1:
        case 2:
            set_off(&world, random() % 2 ? 0 : ANY(offs));
            break;
        case 3:
            if (random() % 8 == 0)
                arrive(&world);
            break;
        default:
            live(&world, ANY(spans));
        }
    }
}

static void test_bounds(void **state)
{
    (void)state;
    srandom(7);
    for (int i = 0; i < 5000; i++)
        random_world(i % 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_flaps_cost_nothing),
        cmocka_unit_test(test_wrong_at_each_boot),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_told_under_a_wrong_clock),
        cmocka_unit_test(test_written_twice),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
