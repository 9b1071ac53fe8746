/* When to try again and when to give up (QUE-3, QUE-4, QUE-5). */
#include "../check.h"

#include "policy/retry.h"

static struct conf_number reply[] = { { 300 }, { 600 }, { 1200 }, { 1800 }, { 3600 }, { 7200 } };
static struct conf_number connection[] = { { 1800 }, { 1800 }, { 3600 }, { 7200 }, { 10800 } };
static const struct conf_queue queue = {
    .retry = reply,
    .retry_count = LENGTH_OF(reply),
    .retry_connect = connection,
    .retry_connect_count = LENGTH_OF(connection),
    .lifetime = 432000,
    .bounce_lifetime = 172800,
    .dead_host = 300,
};

/* QUE-3: without jitter the list itself, the last one repeating; failures 0 counts as 1. */
static const struct {
    enum retry_reason reason;
    uint64_t failures;
    int64_t delay;
} delays[] = {
    { RETRY_REPLY, 0, 300 },
    { RETRY_REPLY, 1, 300 },
    { RETRY_REPLY, 2, 600 },
    { RETRY_REPLY, 6, 7200 },
    { RETRY_REPLY, 7, 7200 },
    { RETRY_REPLY, UINT64_MAX, 7200 },
    { RETRY_CONNECTION, 1, 1800 },
    { RETRY_CONNECTION, 2, 1800 },
    { RETRY_CONNECTION, 3, 3600 },
    { RETRY_CONNECTION, 5, 10800 },
    { RETRY_CONNECTION, 6, 10800 },
};

static void test_delays(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(delays); i++)
        assert_int_equal(
            retry_delay(&queue, delays[i].reason, delays[i].failures, 0), delays[i].delay);
}

/* QUE-3: jitter of 0 to 10 per cent, never less than the list says. */
static void test_jitter(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (uint32_t random = 0; random < 1000; random++) {
        int64_t delay = retry_delay(&queue, RETRY_REPLY, 6, random * 2654435761u);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_int_equal(least, 7200);
    assert_int_equal(most, 7920);
    assert_in_range(retry_delay(&queue, RETRY_REPLY, 1, UINT32_MAX), 300, 330);
}

/* QUE-4: five days, bounces two; the last attempt falls on the expiry. */
static void test_expiry(void **state)
{
    (void)state;
    assert_int_equal(retry_expiry(&queue, 1000, false), 1000 + 432000);
    assert_int_equal(retry_expiry(&queue, 1000, true), 1000 + 172800);
    assert_int_equal(retry_next(&queue, RETRY_REPLY, 6, 0, 1000, 8199), 8199);
    assert_int_equal(retry_next(&queue, RETRY_REPLY, 6, 0, 1000, 8200), 8200);
    assert_int_equal(retry_next(&queue, RETRY_REPLY, 6, 0, 1000, 8201), 8200);
    assert_int_equal(retry_next(&queue, RETRY_REPLY, 6, 0, 9000, 8200), 8200);
}

/* QUE-5: doubled up to an hour. */
static void test_dead_host(void **state)
{
    static const int64_t wanted[] = { 0, 300, 600, 1200, 2400, 3600, 3600 };
    struct conf_queue other = queue;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(wanted); i++)
        assert_int_equal(retry_dead_host(&queue, i), wanted[i]);
    assert_int_equal(retry_dead_host(&queue, UINT64_MAX), 3600);
    other.dead_host = 3600;
    assert_int_equal(retry_dead_host(&other, 1), 3600);
    assert_int_equal(retry_dead_host(&other, 9), 3600);
    other.dead_host = 0;
    assert_int_equal(retry_dead_host(&other, 9), 0);
    assert_int_equal(retry_dead_host(&other, UINT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_dead_host),
    };

    return cmocka_run_group_tests_name("policy/retry", tests, NULL, NULL);
}
