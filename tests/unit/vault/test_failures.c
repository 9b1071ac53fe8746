/* tests/unit/vault/test_failures.c: limits on failed logins, by client and by account (AUTH-18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "vault/failures.h"

static const struct {
    const char *one, *other;
    bool same;
} clients[] = {
    { "192.0.2.1", "192.0.2.1", true },
    { "192.0.2.1", "192.0.2.2", false },
    { "192.0.2.1", "::ffff:192.0.2.1", true },
    { "2001:db8::1", "2001:db8::ffff", true }, /* one customer has a /64 to themselves */
    { "2001:db8:0:1::1", "2001:db8:0:2::1", false },
    { "", "", true },
    { "", "192.0.2.1", false },
    { "unix", "unix", true },
    { "unix", "other", false },
};

static void test_client_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(clients); i++) {
        struct client_key one = client_key_of(slice_text(clients[i].one));
        struct client_key other = client_key_of(slice_text(clients[i].other));

        if ((memcmp(&one, &other, sizeof one) == 0) != clients[i].same)
            fail_msg("row %zu", i);
    }
}

static struct failures *with_limits(uint64_t per_client, uint64_t per_account, size_t entries)
{
    struct failures *failures = failures_new(entries);

    assert_non_null(failures);
    failures_set_limits(failures, (struct failure_limits){ per_client, per_account });
    return failures;
}

/* AUTH-18: 20 failures of a client in ten minutes, whatever the account. */
static void test_by_client(void **state)
{
    struct failures *failures = with_limits(20, 10, 100);
    struct client_key bad = client_key_of(slice_text("192.0.2.1"));
    struct client_key good = client_key_of(slice_text("192.0.2.2"));
    char account[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_false(failures_over(failures, &bad, slice_text("alice"), 1000));
        snprintf(account, sizeof account, "user%d", i);
        failures_count(failures, &bad, slice_text(account), 1000);
    }
    assert_true(failures_over(failures, &bad, slice_text("alice"), 1000));
    assert_true(failures_over(failures, &bad, slice_text(""), 1000));
    assert_false(failures_over(failures, &good, slice_text("alice"), 1000));
    assert_true(failures_over(failures, &bad, slice_text("alice"), 1000 + FAILURES_WINDOW_MS - 1));
    assert_false(failures_over(failures, &bad, slice_text("alice"), 1000 + FAILURES_WINDOW_MS));
    failures_free(&failures);
    assert_null(failures);
}

/* AUTH-18: 10 failures of an account, whatever the client. */
static void test_by_account(void **state)
{
    struct failures *failures = with_limits(20, 10, 100);
    char address[16];

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct client_key client;

        snprintf(address, sizeof address, "192.0.2.%d", i);
        client = client_key_of(slice_text(address));
        assert_false(failures_over(failures, &client, slice_text("alice"), 5));
        failures_count(failures, &client, slice_text("alice"), 5);
    }
    for (int i = 0; i < 2; i++) {
        struct client_key client = client_key_of(slice_text("198.51.100.1"));

        assert_true(failures_over(failures, &client, slice_text("alice"), 5));
        assert_false(failures_over(failures, &client, slice_text("bob"), 5));
        assert_false(failures_over(failures, &client, slice_text(""), 5));
    }
    failures_free(&failures);
}

static void test_no_limit(void **state)
{
    struct failures *failures = with_limits(0, 0, 100);
    struct client_key client = client_key_of(slice_text("192.0.2.1"));

    (void)state;
    for (int i = 0; i < 100; i++)
        failures_count(failures, &client, slice_text("alice"), 0);
    assert_false(failures_over(failures, &client, slice_text("alice"), 0));
    assert_int_equal(failures_entries(failures), 0);
    failures_free(&failures);
}

/* SEC-3: a stranger with many addresses costs a bounded table, the oldest window first. */
static void test_bounded(void **state)
{
    struct failures *failures = with_limits(1, 0, 4);
    struct client_key client;
    char address[32];

    (void)state;
    for (int i = 0; i < 6; i++) {
        snprintf(address, sizeof address, "192.0.2.%d", i);
        client = client_key_of(slice_text(address));
        failures_count(failures, &client, slice_text(""), i);
        assert_true(failures_entries(failures) <= 4);
    }
    client = client_key_of(slice_text("192.0.2.1"));
    assert_false(failures_over(failures, &client, slice_text(""), 6));
    client = client_key_of(slice_text("192.0.2.2"));
    assert_true(failures_over(failures, &client, slice_text(""), 6));
    failures_free(&failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_keys),
        cmocka_unit_test(test_by_client),
        cmocka_unit_test(test_by_account),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests_name("vault/failures", tests, NULL, NULL);
}
