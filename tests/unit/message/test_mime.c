/* tests/unit/message/test_mime.c: encodings and the need for them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/mime.h"

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static const struct {
    struct slice text;
    const char *want;
} quoted[] = {
    { SLICE_LITERAL(""), "" },
    { SLICE_LITERAL("a\r\n"), "a\r\n" },
    { SLICE_LITERAL("a"), "a=\r\n" },
    { SLICE_LITERAL("a=b\r\n"), "a=3Db\r\n" },
    { SLICE_LITERAL("a b \r\n"), "a b=20\r\n" },
    { SLICE_LITERAL("a\t\r\n"), "a=09\r\n" },
    { SLICE_LITERAL("caf\303\251\r\n"), "caf=C3=A9\r\n" },
    { SLICE_LITERAL("a\rb\nc\0d\177\r\n"), "a=0Db=0A=\r\nc=00d=7F\r\n" },
    { SLICE_LITERAL("\r\n\r\n"), "\r\n\r\n" },
    { SLICE_LITERAL(X70 "123456\r\n"), X70 "123456\r\n" },
    { SLICE_LITERAL(X70 "1234567\r\n"), X70 "12345=\r\n67\r\n" },
    { SLICE_LITERAL(X70 "12345="), X70 "12345=\r\n=3D=\r\n" },
    { SLICE_LITERAL(X70 "123=\r\n"), X70 "123=3D\r\n" },
    { SLICE_LITERAL(X70 "1234=\r\n"), X70 "1234=\r\n=3D\r\n" },
    { SLICE_LITERAL(X70 "123456"), X70 "12345=\r\n6=\r\n" },
    { SLICE_LITERAL("a\r"), "a=0D=\r\n" },
};

static void test_quoted_printable(void **state UNUSED)
{
    struct buffer out;

    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < LENGTH_OF(quoted); i++) {
        buffer_reset(&out);
        mime_put_quoted_printable(&out, quoted[i].text);
        buffer_put_char(&out, '\0');
        assert_string_equal(out.data, quoted[i].want);
    }
    buffer_clear(&out);
}

static void check_long_line(size_t len, enum mime_need need)
{
    struct buffer text;

    buffer_init(&text, 1 << 16);
    for (size_t i = 0; i < len; i++)
        buffer_put_char(&text, 'x');
    buffer_put_text(&text, "\r\n");
    assert_int_equal(mime_need_of(buffer_slice(&text)), need);
    buffer_truncate(&text, len);
    assert_int_equal(mime_need_of(buffer_slice(&text)), need);
    buffer_clear(&text);
}

static void test_need(void **state UNUSED)
{
    assert_int_equal(mime_need_of(slice_text("")), MIME_7BIT);
    assert_int_equal(mime_need_of(slice_text("a\r\nb")), MIME_7BIT);
    assert_int_equal(mime_need_of(slice_text("a\303\251\r\n")), MIME_8BIT);
    assert_int_equal(mime_need_of(slice_text("a\n")), MIME_ENCODED);
    assert_int_equal(mime_need_of(slice_text("a\rb\r\n")), MIME_ENCODED);
    assert_int_equal(mime_need_of(slice_text("a\r\r\n")), MIME_ENCODED);
    assert_int_equal(mime_need_of(slice_text("a\r")), MIME_ENCODED);
    assert_int_equal(mime_need_of(slice_of("a\0\r\n", 4)), MIME_ENCODED);
    check_long_line(998, MIME_7BIT);
    check_long_line(999, MIME_ENCODED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_need),
    };

    return cmocka_run_group_tests_name("message/mime", tests, NULL, NULL);
}
