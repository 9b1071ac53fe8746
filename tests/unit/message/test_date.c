/* tests/unit/message/test_date.c: dates made and read. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "message/date.h"

static const struct {
    int64_t wall;
    const char *text;
} made[] = {
    { 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
    { 86399, "Thu, 01 Jan 1970 23:59:59 +0000" },
    { 86400, "Fri, 02 Jan 1970 00:00:00 +0000" },
    { 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
    { 951868800, "Wed, 01 Mar 2000 00:00:00 +0000" },
    { 1772532000, "Tue, 03 Mar 2026 10:00:00 +0000" }, /* SUB-8.2-1 */
    { 1798761599, "Thu, 31 Dec 2026 23:59:59 +0000" },
    { 1798761600, "Fri, 01 Jan 2027 00:00:00 +0000" },
    { 4107542400, "Mon, 01 Mar 2100 00:00:00 +0000" },
    { INT64_C(253402300799), "Fri, 31 Dec 9999 23:59:59 +0000" },
    { INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
    { -1, "Thu, 01 Jan 1970 00:00:00 +0000" },
};

static void test_format(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(made); i++) {
        char text[DATE_TEXT + 1];

        date_format(made[i].wall, text);
        assert_string_equal(text, made[i].text);
    }
}

static void test_round_trip(void **state UNUSED)
{
    for (int64_t wall = 0; wall < INT64_C(253402300800); wall += INT64_C(86400) * 97 + 12345) {
        char text[DATE_TEXT + 1];
        int64_t back;

        date_format(wall, text);
        assert_true(date_parse(slice_of(text, DATE_TEXT), &back));
        assert_int_equal(back, wall);
    }
}

/* MSG-4 */
static const struct {
    const char *text;
    int64_t wall;
} good[] = {
    { "Tue, 03 Mar 2026 10:00:00 +0000", 1772532000 },
    { " Tue, 3 Mar 2026 10:00:00 +0000", 1772532000 },
    { "3 Mar 2026 10:00 +0000", 1772532000 },
    { "tue, 03 MAR 2026 12:30:00 +0230", 1772532000 },
    { "Mon, 02 Mar 2026 23:00:00 -1100", 1772532000 },
    { "Tue, 03 Mar 2026 10:00:00 -0000", 1772532000 },
    { "29 Feb 2024 00:00:00 +0000", 1709164800 },
    { "29 Feb 2000 00:00:00 +0000", 951782400 },
    { "31 Dec 1998 23:59:60 +0000", 915148800 },
    { "1 Jan 1900 00:00:00 +0000", -2208988800 },
    { "31 Dec 9999 23:59:59 +0000", INT64_C(253402300799) },
    { "Tue, 03 Mar 2026 10:00:00 +0000 (UTC)", 1772532000 },
    { "Tue,\r\n 03 Mar 2026\r\n\t10:00:00 +0000", 1772532000 },
    /* obsolete, RFC 5322 section 4.3 */
    { "Tue, 03 Mar 2026 10:00:00 GMT", 1772532000 },
    { "Tue, 03 Mar 2026 10:00:00 ut", 1772532000 },
    { "Tue, 03 Mar 2026 05:00:00 EST", 1772532000 },
    { "Tue, 03 Mar 2026 03:00:00 PDT", 1772532000 },
    { "Tue, 03 Mar 2026 10:00:00 Z", 1772532000 },
    { "Tue, 03 Mar 2026 10:00:00 a", 1772532000 },
    { "Tue, 03 Mar 26 10:00:00 +0000", 1772532000 },
    { "Tue, 03 Mar 126 10:00:00 +0000", 1772532000 },
    { "31 Dec 98 23:59:59 +0000", 915148799 },
    { "1 Jan 50 00:00:00 +0000", -631152000 },
    { "1 Jan 49 00:00:00 +0000", 2493072000 },
    { "Tue , (a (nested) \\) one) 03Mar2026 10 : 00 : 00 (x) GMT(y)", 1772532000 },
};

static const char *const bad[] = {
    "",
    " ",
    "yesterday",
    "31 Feb 2026 10:00:00 +0000",
    "29 Feb 2023 10:00:00 +0000",
    "29 Feb 2100 10:00:00 +0000",
    "0 Mar 2026 10:00:00 +0000",
    "32 Mar 2026 10:00:00 +0000",
    "31 Apr 2026 10:00:00 +0000",
    "003 Mar 2026 10:00:00 +0000",
    "Mon, 03 Mar 2026 10:00:00 +0000" /* it was a Tuesday */,
    "Xyz, 03 Mar 2026 10:00:00 +0000",
    "Tue 03 Mar 2026 10:00:00 +0000",
    "Tuesday, 03 Mar 2026 10:00:00 +0000",
    "03 March 2026 10:00:00 +0000",
    "03 Foo 2026 10:00:00 +0000",
    "03 Mar 1899 10:00:00 +0000",
    "03 Mar 10000 10:00:00 +0000",
    "03 Mar 2 10:00:00 +0000",
    "03 Mar 2026 24:00:00 +0000",
    "03 Mar 2026 10:60:00 +0000",
    "03 Mar 2026 10:00:61 +0000",
    "03 Mar 2026 1:00:00 +0000",
    "03 Mar 2026 10:0:00 +0000",
    "03 Mar 2026 10 +0000",
    "03 Mar 2026 10:00:00",
    "03 Mar 2026 10:00:00 +000",
    "03 Mar 2026 10:00:00 +00000",
    "03 Mar 2026 10:00:00 +0060",
    "03 Mar 2026 10:00:00+0000",
    "03 Mar 2026 10:00:00 0000",
    "03 Mar 2026 10:00:00 CET",
    "03 Mar 2026 10:00:00 J",
    "03 Mar 2026 10:00:00 +0000 x",
    "03 Mar 2026 10:00:00 +0000 (x",
    "03 Mar 2026 10:00:00 +0000 )",
    "Tue, 03 Mar 2026\r\n10:00:00 +0000",
    "Tue, 03 Mar 2026\n 10:00:00 +0000",
    "2026-03-03T10:00:00Z",
    "03 Mar -026 10:00:00 +0000",
    "Tue Mar  3 10:00:00 2026",
    "99999999999999999999 Mar 2026 10:00:00 +0000",
};

/* An exact copy for the sanitizer. */
static bool parse(const char *text, int64_t *out_wall)
{
    size_t len = strlen(text);
    char *copy = malloc(len + (len == 0));
    bool ok;

    assert_non_null(copy);
    memcpy(copy, text, len);
    ok = date_parse(slice_of(copy, len), out_wall);
    free(copy);
    return ok;
}

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        int64_t wall = 1;

        if (!parse(good[i].text, &wall))
            fail_msg("refused: %s", good[i].text);
        if (wall != good[i].wall)
            fail_msg("%s: %lld", good[i].text, (long long)wall);
    }
}

static void test_parse_refuses(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        int64_t wall = 42;

        if (parse(bad[i], &wall))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(wall, 42);
    }
    assert_false(date_parse(slice_of("3 Mar 2026 10:00:00 +0000\0", 26), &(int64_t){ 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
    };

    return cmocka_run_group_tests_name("message/date", tests, NULL, NULL);
}
