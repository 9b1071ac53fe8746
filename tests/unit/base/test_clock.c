/* A time as it is shown: fixed in length whatever the number, since it may come from a damaged
 * file. */
#include "../check.h"

#include "base/clock.h"
#include "base/macros.h"

static void test_format(void **state)
{
    static const struct {
        int64_t wall_us;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.000Z" },
        { 999999, "1970-01-01T00:00:00.999Z" },
        { INT64_C(1774828799000000), "2026-03-29T23:59:59.000Z" },
        { INT64_C(951782400001000), "2000-02-29T00:00:00.001Z" },
        { INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000000, "1969-12-31T23:59:59.000Z" },
    };
    static const int64_t ends[] = { INT64_MIN, INT64_MAX, INT64_C(253402300800000000) };
    char text[25];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        clock_format(cases[i].wall_us, text);
        assert_string_equal(text, cases[i].text);
    }
    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        clock_format(ends[i], text);
        assert_int_equal(strlen(text), 24);
        assert_int_equal(strspn(text, "0123456789-T:.Z"), 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_format) };

    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
