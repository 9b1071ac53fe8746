/* How many deliveries at once? */
#include "../check.h"

#include "base/macros.h"
#include "policy/concurrency.h"

#define T CONCURRENCY_TOOK
#define A CONCURRENCY_ANSWERED
#define S CONCURRENCY_STRAINED
#define U CONCURRENCY_UNREACHED

static const struct {
    const char *name;
    struct concurrency from;
    enum concurrency_sign sign;
    uint32_t in_hand, most;
    struct concurrency to;
} cases[] = {
    { "QUE-9 grows with success", { 2, 0, false }, T, 2, 10, { 3, 0, false } },
    { "QUE-9 up to the limit", { 9, 0, false }, T, 9, 10, { 10, 0, false } },
    { "QUE-9 and not above", { 10, 0, false }, T, 10, 10, { 10, 0, false } },
    { "QUE-9 not where it was not used", { 4, 0, false }, T, 3, 10, { 4, 0, false } },
    { "QUE-9 an answer changes nothing", { 4, 3, true }, A, 4, 10, { 4, 3, true } },
    { "QUE-9 strain halves", { 10, 0, false }, S, 10, 10, { 5, 0, true } },
    { "QUE-9 rounded down", { 5, 2, true }, S, 5, 10, { 2, 0, true } },
    { "QUE-9 never none", { 1, 0, false }, S, 1, 10, { 1, 0, true } },
    { "QUE-9 once for what was begun together", { 5, 0, true }, S, 9, 10, { 5, 0, true } },
    { "QUE-9 careful: not at once", { 2, 14, true }, T, 2, 10, { 2, 15, true } },
    { "QUE-9 careful: after eight windows", { 2, 15, true }, T, 2, 10, { 3, 0, true } },
    { "QUE-9 careful no more at the limit", { 9, 71, true }, T, 9, 10, { 10, 0, false } },
    { "QUE-9 one connection too many", { 6, 0, false }, U, 6, 10, { 3, 0, true } },
    { "QUE-5 nobody there: a probe", { 6, 4, true }, U, 1, 10, { 1, 0, false } },
    { "QUE-9 a lower limit counts at once", { 10, 0, false }, A, 10, 3, { 3, 0, false } },
    { "QUE-9 a limit of one", { 1, 0, false }, T, 1, 1, { 1, 0, false } },
};

static void test_learn(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct concurrency c = cases[i].from;
        const struct concurrency *to = &cases[i].to;

        concurrency_learn(&c, cases[i].sign, cases[i].in_hand, cases[i].most);
        if (c.window != to->window || c.taken != to->taken || c.is_careful != to->is_careful)
            fail_msg("%s: %u %u %d", cases[i].name, c.window, c.taken, c.is_careful);
    }
}

/* QUE-9: a server that bears four and refuses the fifth by 421 settles below five, and is rarely
 * asked for too much. */
static void test_settles(void **state)
{
    struct concurrency c = { .window = CONCURRENCY_FIRST };
    unsigned refused = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        bool is_too_much = c.window > 4;
        refused += is_too_much;
        concurrency_learn(&c, is_too_much ? S : T, c.window, 10);
        assert_true(c.window >= 1 && c.window <= 5);
    }
    assert_true(refused <= 40);
}

/* QUE-9: whatever comes, never none and never above the limit. */
static void test_bounds(void **state)
{
    struct concurrency c = { .window = CONCURRENCY_FIRST };
    uint32_t chance = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        chance = chance * 1664525 + 1013904223;
        uint32_t most = 1 + (chance >> 8) % 20;
        concurrency_learn(&c, (chance >> 16) % CONCURRENCY_SIGNS, 1 + (chance >> 24) % 20, most);
        assert_true(c.window >= 1 && c.window <= most);
    }
}

static void test_dead(void **state)
{
    (void)state;
    assert_true(concurrency_is_dead(U, 1));
    assert_false(concurrency_is_dead(U, 2));
    assert_false(concurrency_is_dead(S, 1));
}

static void test_strain(void **state)
{
    (void)state;
    assert_true(concurrency_is_strain(421, slice_text("4.7.0")));
    assert_true(concurrency_is_strain(421, slice_text("")));
    assert_true(concurrency_is_strain(451, slice_text("4.3.2")));
    assert_true(concurrency_is_strain(450, slice_text("4.4.5")));
    assert_true(concurrency_is_strain(450, slice_text("4.7.28")));
    assert_false(concurrency_is_strain(451, slice_text("4.7.1"))); /* greylisting */
    assert_false(concurrency_is_strain(452, slice_text("4.2.2")));
    assert_false(concurrency_is_strain(550, slice_text("5.3.2")));
    assert_false(concurrency_is_strain(0, slice_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learn),
        cmocka_unit_test(test_settles),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_strain),
    };

    return cmocka_run_group_tests_name("policy/concurrency", tests, NULL, NULL);
}
