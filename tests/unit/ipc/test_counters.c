/* ipc/counters: sums over gates, wiping, damage. LSN-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/counters.h"

static struct counters *make(unsigned gates)
{
    struct counters *counters = NULL;
    int fd = -1;

    assert_int_equal(counters_create(gates, &fd), ERR_OK);
    assert_int_equal(counters_open(fd, &counters), ERR_OK);
    assert_int_equal(close(fd), 0);
    return counters;
}

static const struct slice alice = SLICE_LITERAL("alice");
static const struct slice bob = SLICE_LITERAL("bob");

static void test_sum_over_gates(void **state)
{
    struct counters *counters = make(3);

    (void)state;
    assert_int_equal(counters_gates(counters), 3);
    for (unsigned gate = 0; gate < 3; gate++)
        counters_enter(counters, gate, alice);
    counters_enter(counters, 2, bob);
    assert_int_equal(counters_read(counters, alice).client, 3);
    assert_int_equal(counters_read(counters, bob).client, 1);
    assert_int_equal(counters_read(counters, bob).total, 4);
    counters_leave(counters, 1, alice);
    assert_int_equal(counters_read(counters, alice).client, 2);
    counters_free(&counters);
    assert_null(counters);
}

static void test_wipe_is_one_column(void **state)
{
    struct counters *counters = make(2);

    (void)state;
    counters_enter(counters, 0, alice);
    counters_enter(counters, 1, alice);
    counters_wipe(counters, 0);
    assert_int_equal(counters_read(counters, alice).client, 1);
    assert_int_equal(counters_read(counters, alice).total, 1);
    counters_free(&counters);
}

static void test_no_wrap(void **state)
{
    struct counters *counters = make(1);

    (void)state;
    counters_leave(counters, 0, alice);
    assert_int_equal(counters_read(counters, alice).client, 0);
    assert_int_equal(counters_read(counters, alice).total, 0);
    counters_free(&counters);
}

static void test_outside_columns(void **state)
{
    struct counters *counters = make(1);

    (void)state;
    counters_enter(counters, 1, alice);
    counters_enter(counters, UINT32_MAX, alice);
    counters_wipe(counters, 7);
    assert_int_equal(counters_read(counters, alice).total, 0);
    counters_free(&counters);
}

static void test_surplus(void **state)
{
    struct counters *counters = make(3);

    (void)state;
    assert_int_equal(counters_surplus(counters, 0), 0);
    for (int i = 0; i < 7; i++)
        counters_enter(counters, 1, alice);
    counters_enter(counters, 2, alice);
    assert_int_equal(counters_surplus(counters, 0), 0);
    assert_int_equal(counters_surplus(counters, 1), 7 - 8 / 3);
    assert_int_equal(counters_surplus(counters, 2), 0);
    assert_int_equal(counters_surplus(counters, 3), 0);
    counters_free(&counters);
}

/* Many clients, each counted at least as often as it is there. */
static void test_never_too_low(void **state)
{
    struct counters *counters = make(2);
    char name[32];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int len = snprintf(name, sizeof name, "client %d", i % 5000);
        counters_enter(counters, (unsigned)i % 2, slice_of(name, (size_t)len));
    }
    for (int i = 0; i < 5000; i++) {
        int len = snprintf(name, sizeof name, "client %d", i);
        assert_true(counters_read(counters, slice_of(name, (size_t)len)).client >= 4);
    }
    assert_int_equal(counters_read(counters, alice).total, 20000);
    counters_free(&counters);
}

static void test_shared_between_maps(void **state)
{
    struct counters *one = NULL;
    struct counters *two = NULL;
    int fd = -1;

    (void)state;
    assert_int_equal(counters_create(2, &fd), ERR_OK);
    assert_int_equal(counters_open(fd, &one), ERR_OK);
    assert_int_equal(counters_open(fd, &two), ERR_OK);
    counters_enter(one, 0, alice);
    counters_enter(two, 1, alice);
    assert_int_equal(counters_read(one, alice).client, 2);
    assert_int_equal(counters_read(two, alice).client, 2);
    counters_free(&one);
    counters_free(&two);
    close(fd);
}

static void test_bounds(void **state)
{
    struct counters *counters = NULL;
    int fd = -1;

    (void)state;
    assert_int_equal(counters_create(0, &fd), ERR_LIMIT);
    assert_int_equal(counters_create(COUNTERS_GATES_MAX + 1, &fd), ERR_LIMIT);
    assert_int_equal(fd, -1);
    counters = make(COUNTERS_GATES_MAX);
    counters_free(&counters);
    fd = memfd_create("foreign", 0);
    assert_int_equal(counters_open(fd, &counters), ERR_INVALID);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(counters_open(fd, &counters), ERR_INVALID);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_over_gates),
        cmocka_unit_test(test_wipe_is_one_column),
        cmocka_unit_test(test_no_wrap),
        cmocka_unit_test(test_outside_columns),
        cmocka_unit_test(test_surplus),
        cmocka_unit_test(test_never_too_low),
        cmocka_unit_test(test_shared_between_maps),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
