/* gate/limits: connections over all gates, and lines in the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "gate/limits.h"

static struct limits ours, theirs; /* two gates */

static int open_gates(void **state)
{
    int fd;

    (void)state;
    ours = theirs = (struct limits){ 0 };
    assert_int_equal(counters_create(2, &fd), ERR_OK);
    assert_int_equal(limits_open(&ours, fd, 0), ERR_OK);
    assert_int_equal(limits_open(&theirs, fd, 1), ERR_OK);
    assert_int_equal(limits_open(&theirs, fd, 2), ERR_INVALID);
    close(fd);
    return 0;
}

static int close_gates(void **state)
{
    (void)state;
    limits_clear(&ours);
    limits_clear(&theirs);
    return 0;
}

static struct peer client(const char *text)
{
    struct peer peer;

    assert_true(peer_parse(slice_text(text), 1, &peer));
    return peer;
}

/* LSN-8 */
static void test_per_client(void **state)
{
    struct conf_limits conf = { .connections = 100, .connections_per_client = 3 };
    struct peer alice = client("192.0.2.1"), bob = client("192.0.2.2");

    (void)state;
    assert_int_equal(limits_enter(&ours, &conf, &alice), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&theirs, &conf, &alice), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&ours, &conf, &alice), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&theirs, &conf, &alice), ADMISSION_CLIENT_FULL);
    assert_int_equal(limits_enter(&ours, &conf, &bob), ADMISSION_GRANTED);
    limits_leave(&ours, &alice);
    assert_int_equal(limits_enter(&theirs, &conf, &alice), ADMISSION_GRANTED);
}

static void test_total(void **state)
{
    struct conf_limits conf = { .connections = 2 };
    struct peer alice = client("192.0.2.1"), bob = client("192.0.2.2");

    (void)state;
    assert_int_equal(limits_enter(&ours, &conf, &alice), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&theirs, &conf, &bob), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&ours, &conf, &bob), ADMISSION_FULL);
    conf.connections = 0; /* no limit */
    assert_int_equal(limits_enter(&ours, &conf, &bob), ADMISSION_GRANTED);
}

/* A client has a whole IPv6 network. */
static void test_networks(void **state)
{
    struct conf_limits conf = { .connections_per_client = 1 };
    struct peer one = client("2001:db8:0:1::1"), same = client("2001:db8:0:1:ffff::2"),
                other = client("2001:db8:0:2::1");

    (void)state;
    assert_int_equal(limits_enter(&ours, &conf, &one), ADMISSION_GRANTED);
    assert_int_equal(limits_enter(&ours, &conf, &same), ADMISSION_CLIENT_FULL);
    assert_int_equal(limits_enter(&ours, &conf, &other), ADMISSION_GRANTED);
}

/* SUB-5.2-3: per session, per client and minute, the rest is counted */
static void test_lines(void **state)
{
    struct peer alice = client("192.0.2.1"), bob = client("192.0.2.2");
    uint32_t session = 0, written = 0;

    (void)state;
    for (int i = 0; i < LOG_LINES_PER_SESSION; i++)
        assert_true(limits_may_log(&ours, &alice, 600, &session));
    assert_int_equal(line_limit_told(&ours.lines, 600), 0);
    assert_false(limits_may_log(&ours, &alice, 600, &session));
    assert_int_equal(line_limit_told(&ours.lines, 659), 0);
    assert_int_equal(line_limit_told(&ours.lines, 660), 1);
    assert_int_equal(line_limit_told(&ours.lines, 720), 0);
    for (int i = 0; i < 1000; i++) {
        session = 0;
        written += limits_may_log(&ours, &alice, 659, &session);
    }
    assert_int_equal(written + LOG_LINES_PER_SESSION, LINE_LIMIT_PER_CLIENT / 2); /* of two gates */
    session = 0;
    assert_true(limits_may_log(&ours, &bob, 659, &session));
    assert_true(limits_may_log(&ours, &alice, 660, &session));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_per_client, open_gates, close_gates),
        cmocka_unit_test_setup_teardown(test_total, open_gates, close_gates),
        cmocka_unit_test_setup_teardown(test_networks, open_gates, close_gates),
        cmocka_unit_test_setup_teardown(test_lines, open_gates, close_gates),
    };

    return cmocka_run_group_tests_name("gate/limits", tests, NULL, NULL);
}
