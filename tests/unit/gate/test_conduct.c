/* gate/conduct: counts, at their limit and one past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/conduct.h"

/* LSN-12 */
static void test_errors(void **state)
{
    struct conduct conduct = { 0 };
    uint32_t delay = 77;

    (void)state;
    for (int i = 0; i < ERRORS_BEFORE_DELAY; i++) {
        assert_true(conduct_reply(&conduct, 500, &delay));
        assert_int_equal(delay, 0);
    }
    assert_true(conduct_reply(&conduct, 250, &delay));
    assert_int_equal(delay, ERROR_DELAY_MS);
    assert_true(conduct_reply(&conduct, 452, &delay)); /* 4yz is no error, but late all the same */
    for (int i = ERRORS_BEFORE_DELAY; i < ERRORS_MAX - 1; i++)
        assert_true(conduct_reply(&conduct, 503, &delay));
    assert_false(conduct_reply(&conduct, 503, &delay));
}

static void test_clean_sheet(void **state)
{
    struct conduct conduct = { .errors = ERRORS_MAX - 1, .idle_commands = IDLE_COMMANDS_FREE };
    uint32_t delay;

    (void)state;
    conduct_accepted(&conduct);
    conduct_command(&conduct, true, true);
    assert_true(conduct_reply(&conduct, 503, &delay));
    assert_int_equal(delay, 0);
}

/* LSN-16: the 101st counts, the 120th is one too many */
static void test_idle(void **state)
{
    struct conduct conduct = { 0 };
    uint32_t delay;
    int last = 0;

    (void)state;
    for (int i = 1; i <= 121 && last == 0; i++) {
        conduct_command(&conduct, true, true);
        if (!conduct_reply(&conduct, 250, &delay))
            last = i;
    }
    assert_int_equal(last, 120);
}

/* LSN-14 */
static void test_preauth(void **state)
{
    struct conduct conduct = { 0 };

    (void)state;
    for (int i = 0; i < PREAUTH_COMMANDS_MAX; i++)
        conduct_command(&conduct, true, false);
    assert_false(conduct_is_prolix(&conduct));
    assert_int_equal(conduct.errors, 0);
    conduct_command(&conduct, false, false);
    assert_true(conduct_is_prolix(&conduct));
    conduct = (struct conduct){ 0 };
    conduct_octets(&conduct, PREAUTH_OCTETS_MAX);
    assert_false(conduct_is_prolix(&conduct));
    conduct_octets(&conduct, 1);
    assert_true(conduct_is_prolix(&conduct));
}

/* AUTH-17 */
static void test_logins(void **state)
{
    struct conduct conduct = { 0 };

    (void)state;
    for (int i = 1; i < AUTH_FAILURES_MAX; i++)
        assert_true(conduct_auth_failed(&conduct));
    assert_false(conduct_auth_failed(&conduct));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_clean_sheet),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_preauth),
        cmocka_unit_test(test_logins),
    };

    return cmocka_run_group_tests_name("gate/conduct", tests, NULL, NULL);
}
