/* Is a notification due? */
#include "../check.h"

#include "base/macros.h"
#include "policy/notify.h"

static const struct {
    const char *name;
    struct notify_case notify;
    enum notify_verdict failure;
    bool delay; /* is told of one, once it is time */
} cases[] = {
    { "EXT-DSN-10 NOTIFY absent", { false, false, 0 }, NOTIFY_DUE, true },
    { "EXT-DSN-10 NOTIFY=FAILURE", { false, false, NOTIFY_FAILURE }, NOTIFY_DUE, false },
    { "EXT-DSN-10 NOTIFY=SUCCESS", { false, false, NOTIFY_SUCCESS }, NOTIFY_UNWANTED, false },
    { "EXT-DSN-11 NOTIFY=DELAY", { false, false, NOTIFY_DELAY }, NOTIFY_UNWANTED, true },
    { "EXT-DSN-11 NOTIFY=FAILURE,DELAY", { false, false, NOTIFY_FAILURE | NOTIFY_DELAY },
        NOTIFY_DUE, true },
    { "EXT-DSN-2 NOTIFY=NEVER", { false, false, NOTIFY_NEVER }, NOTIFY_UNWANTED, false },
    { "EXT-DSN-12 DSN-2 null sender", { true, false, 0 }, NOTIFY_NOBODY, false },
    { "EXT-DSN-12 null sender, NOTIFY=FAILURE", { true, false, NOTIFY_FAILURE }, NOTIFY_NOBODY,
        false },
    { "EXT-DSN-12 null sender, NOTIFY=NEVER", { true, false, NOTIFY_NEVER }, NOTIFY_UNWANTED,
        false },
    { "QUE-7 a bounce never bounces", { true, true, 0 }, NOTIFY_NOBODY, false },
    { "QUE-7 whatever it asks next hops for", { true, true, NOTIFY_NEVER }, NOTIFY_NOBODY, false },
    { "QUE-7 not even with a sender", { false, true, 0 }, NOTIFY_NOBODY, false },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct notify_case *notify = &cases[i].notify;

        if (notify_on_failure(notify) != cases[i].failure ||
            notify_delay_time(notify, 0, 100, false) != (cases[i].delay ? 100 : INT64_MAX))
            fail_msg("%s", cases[i].name);
    }
}

/* EXT-DSN-8: only who asked for it, and where nobody else tells him. */
static void test_success(void **state)
{
    static const struct {
        struct notify_case notify;
        bool is_reported;
        enum notify_verdict verdict;
    } rows[] = {
        { { false, false, 0 }, false, NOTIFY_UNWANTED },
        { { false, false, NOTIFY_FAILURE | NOTIFY_DELAY }, false, NOTIFY_UNWANTED },
        { { false, false, NOTIFY_NEVER }, false, NOTIFY_UNWANTED },
        { { false, false, NOTIFY_SUCCESS }, false, NOTIFY_DUE },
        { { false, false, NOTIFY_SUCCESS | NOTIFY_FAILURE }, false, NOTIFY_DUE },
        { { false, false, NOTIFY_SUCCESS }, true, NOTIFY_UNWANTED },
        { { true, false, NOTIFY_SUCCESS }, false, NOTIFY_UNWANTED },
        { { false, true, NOTIFY_SUCCESS }, false, NOTIFY_UNWANTED },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_int_equal(notify_on_success(&rows[i].notify, rows[i].is_reported), rows[i].verdict);
}

/* EXT-DSN-11: once, at its time; never where it is switched off. */
static void test_delay(void **state)
{
    const struct notify_case notify = { false, false, 0 };
    const struct notify_case never = { false, false, NOTIFY_NEVER };

    (void)state;
    assert_int_equal(notify_delay_time(&notify, 1000, 14400, false), 15400);
    assert_int_equal(notify_delay_time(&notify, 1000, 14400, true), INT64_MAX);
    assert_int_equal(notify_delay_time(&notify, 1000, 0, false), INT64_MAX);
    assert_int_equal(notify_delay_time(&never, 1000, 14400, false), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_delay),
    };

    return cmocka_run_group_tests_name("policy/notify", tests, NULL, NULL);
}
