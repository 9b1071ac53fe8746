/* Slices: numbers near their limits, comparing, finding. */
#include "../check.h"

#include "base/macros.h"
#include "base/slice.h"

static const struct {
    const char *text;
    uint64_t max;
    bool good;
    uint64_t value;
} numbers[] = {
    { "0", 10, true, 0 },
    { "10", 10, true, 10 },
    { "11", 10, false, 0 },
    { "", 10, false, 0 },
    { "+1", 10, false, 0 },
    { "-1", 10, false, 0 },
    { " 1", 10, false, 0 },
    { "1 ", 10, false, 0 },
    { "007", 10, true, 7 },
    { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
    { "18446744073709551616", UINT64_MAX, false, 0 },
    { "99999999999999999999", UINT64_MAX, false, 0 },
    { "184467440737095516150", UINT64_MAX, false, 0 },
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        uint64_t value = 77;
        assert_int_equal(
            slice_number(slice_text(numbers[i].text), numbers[i].max, &value), numbers[i].good);
        assert_true(value == (numbers[i].good ? numbers[i].value : 77));
    }
}

static void test_comparing(void **state)
{
    (void)state;
    assert_true(slice_is_nocase(slice_text("STARTtls"), "startTLS"));
    assert_false(slice_is(slice_text("a"), "A"));
    assert_true(slice_starts_nocase(slice_text("MAIL FROM:"), "mail "));
    assert_false(slice_starts_nocase(slice_text("MAI"), "mail"));
    assert_true(slice_equals(slice_of(NULL, 0), slice_text("")));
}

static void test_finding(void **state)
{
    struct slice s = slice_of("a@b@\0c", 6);

    (void)state;
    assert_int_equal(slice_find(s, '@'), 1);
    assert_int_equal(slice_find_last(s, '@'), 3);
    assert_int_equal(slice_find(s, '\0'), 4);
    assert_int_equal(slice_find(s, 'x'), 6);
    assert_int_equal(slice_from(s, 100).len, 0);
    assert_true(slice_is(slice_trim(slice_text("\t a b \t")), "a b"));
    assert_int_equal(slice_trim(slice_text("   ")).len, 0);
    assert_true(slice_is(slice_line(slice_text("a b\r\nc\n")), "a b"));
    assert_true(slice_is(slice_line(slice_text("a\rb\nc")), "a\rb"));
    assert_true(slice_is(slice_line(slice_text("a b")), "a b"));
    assert_true(slice_is(slice_line(slice_text("a\r\r\n")), "a\r"));
    assert_int_equal(slice_line(slice_text("\nb")).len, 0);
    assert_int_equal(slice_line(slice_of(NULL, 0)).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_comparing), cmocka_unit_test(test_finding) };

    return cmocka_run_group_tests_name("base/slice", tests, NULL, NULL);
}
