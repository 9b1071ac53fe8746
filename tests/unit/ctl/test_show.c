/* What people see: times, sizes, and text that can do nothing to a terminal. */
#include "../check.h"

#include <time.h>

#include "base/macros.h"
#include "ctl/command.h"
#include "ctl/show.h"

static void test_text(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        { "plain", "plain" },
        { "b\xc3\xbc"
          "cher \xe2\x82\xac \xf0\x9f\x93\xa7",
            "b\xc3\xbc"
            "cher \xe2\x82\xac \xf0\x9f\x93\xa7" },
        { "\x1b[2J", "\\x1b[2J" },
        { "a\r\nb\t\x7f", "a\\x0d\\x0ab\\x09\\x7f" },
        { "\xc2\x9b"
          "2J",
            "\\xc2\\x9b2J" },
        { "\xc2\xa0", "\xc2\xa0" },
        { "\xff\xc3", "\\xff\\xc3" },
        { "\xe2\x82", "\\xe2\\x82" },
        { "\xc0\x80", "\\xc0\\x80" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char *shown = NULL;
        size_t size;
        FILE *to = open_memstream(&shown, &size);

        assert_non_null(to);
        show_text(to, slice_text(cases[i].text));
        fclose(to);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

/* In JSON too: only ASCII leaves, so no control character above 127 does. */
static void test_json(void **state)
{
    char *shown = NULL;
    size_t size;
    struct invocation call = { .out = open_memstream(&shown, &size) };

    (void)state;
    assert_non_null(call.out);
    assert_int_equal(call_json(&call, json_pack("[s]", "\x1b[2J \xc2\x9b"
                                                       "2J b\xc3\xbc")),
        0);
    fclose(call.out);
    assert_string_equal(shown, "[\n  \"\\u001B[2J \\u009B2J b\\u00FC\"\n]\n");
    free(shown);
}

static void test_time(void **state)
{
    static const struct {
        const char *utc;
        bool fractions;
        const char *shown;
    } cases[] = {
        { "2026-03-03T10:00:00.123Z", false, "2026-03-03 11:00:00 +0100" },
        { "2026-03-03T10:00:00.007Z", true, "2026-03-03 11:00:00.007 +0100" },
        { "2026-12-31T23:30:00Z", false, "2027-01-01 00:30:00 +0100" },
        { "2026-03-03", false, "-" },
        { "2026-3-3T1:0:0Z", false, "-" },
        { "nonsense", true, "-" },
        { "2026-03-03T10:00:00.xZ", true, "-" },
        { "", false, "-" },
        { NULL, false, "-" },
    };
    char text[SHOW_TIME];

    (void)state;
    setenv("TZ", "XYZ-1", 1);
    tzset();
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        show_time(cases[i].utc, cases[i].fractions, text);
        assert_string_equal(text, cases[i].shown);
    }
}

static void test_size(void **state)
{
    static const struct {
        json_int_t octets;
        const char *shown;
    } cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 KiB" },
        { 4200, "4.1 KiB" },
        { 52428800, "50 MiB" },
        { INT64_MAX, "8388608 TiB" },
    };
    char text[SHOW_TIME];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        show_size(cases[i].octets, text);
        assert_string_equal(text, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests_name("ctl/show", tests, NULL, NULL);
}
