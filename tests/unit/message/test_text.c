/* tests/unit/message/test_text.c: harmless text, folds, comments and atoms. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/cfws.h"
#include "message/text.h"

static void test_safe(void **state UNUSED)
{
    static const struct {
        struct slice text;
        const char *ascii;
        const char *utf8;
    } cases[] = {
        { SLICE_LITERAL(""), "", "" }, { SLICE_LITERAL("a b~"), "a b~", "a b~" },
        { SLICE_LITERAL("a\tb\r\nc\0\033[1m\177"), "a b??c??[1m?", "a b??c??[1m?" },
        { SLICE_LITERAL("\303\251\360\237\230\200"), "??", "\303\251\360\237\230\200" },
        { SLICE_LITERAL("\302\205x"), "?x", "?x" },      /* a C1 control */
        { SLICE_LITERAL("\377\303"), "??", "??" },       /* malformed, cut */
        { SLICE_LITERAL("\300\200"), "??", "??" },       /* overlong */
        { SLICE_LITERAL("\355\240\200"), "???", "???" }, /* a surrogate */
    };
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        buffer_reset(&out);
        text_put_safe(&out, cases[i].text, false);
        buffer_put_char(&out, '\0');
        assert_string_equal(out.data, cases[i].ascii);
        buffer_reset(&out);
        text_put_safe(&out, cases[i].text, true);
        buffer_put_char(&out, '\0');
        assert_string_equal(out.data, cases[i].utf8);
    }
    buffer_clear(&out);
}

static void fold(struct buffer *out, struct slice line, size_t keep)
{
    buffer_init(out, 1 << 16);
    text_put_folded(out, line, keep);
    assert_int_equal(out->error, ERR_OK);
}

static void test_fold(void **state UNUSED)
{
    static const char words[] =
        "Name: 345678901234567890123456789012345678901234567890123456789012345"
        "678 12345 one  two ";
    struct buffer out;

    fold(&out, slice_text(words), 6);
    assert_true(slice_is(buffer_slice(&out),
        "Name: 345678901234567890123456789012345678901234567890123456789012345678 12345\r\n"
        " one  two\r\n"));
    buffer_clear(&out);
    fold(&out, slice_text("a: b   "), 3);
    assert_true(slice_is(buffer_slice(&out), "a: b\r\n"));
    buffer_clear(&out);
    fold(&out, slice_text(""), 0);
    assert_true(slice_is(buffer_slice(&out), "\r\n"));
    buffer_clear(&out);
}

/* A fold of exactly 78 and of 79 columns. */
static void test_fold_edge(void **state UNUSED)
{
    struct buffer line, out;

    for (size_t last = 8; last <= 9; last++) {
        buffer_init(&line, 4096);
        buffer_put_text(&line, "a: ");
        for (size_t i = 3; i < 69; i++)
            buffer_put_char(&line, 'x');
        buffer_put_char(&line, ' ');
        for (size_t i = 0; i < last; i++)
            buffer_put_char(&line, 'y');
        fold(&out, buffer_slice(&line), 3);
        assert_int_equal(out.len, last == 8 ? 80 : 83);
        buffer_clear(&out);
        buffer_clear(&line);
    }
}

/* A word that no line holds is cut, and not within a character. */
static void test_fold_long(void **state UNUSED)
{
    struct buffer line, out;
    struct slice rest;

    buffer_init(&line, 1 << 16);
    buffer_put_text(&line, "a: ");
    for (size_t i = 0; i < 1500; i++)
        buffer_put_text(&line, "\303\251");
    fold(&out, buffer_slice(&line), 3);
    for (rest = buffer_slice(&out); rest.len > 0;) {
        size_t newline = slice_find(rest, '\n');

        assert_true(newline <= 999 && newline < rest.len);
        assert_true(text_is_utf8(slice_first(rest, newline)));
        rest = slice_from(rest, newline + 1);
        assert_true(rest.len == 0 || rest.data[0] == ' ');
    }
    buffer_clear(&out);
    buffer_clear(&line);
}

/* Blanks without end never make a line of blanks. */
static void test_fold_blanks(void **state UNUSED)
{
    struct buffer line, out;

    buffer_init(&line, 1 << 16);
    buffer_put_text(&line, "a: b");
    for (size_t i = 0; i < 3000; i++)
        buffer_put_char(&line, ' ');
    buffer_put_text(&line, "c");
    fold(&out, buffer_slice(&line), 3);
    assert_int_equal(out.len, 6 + 78 + 3);
    buffer_clear(&out);
    buffer_clear(&line);
}

static void test_cfws(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool ok;
        size_t at;
    } cases[] = {
        { "", true, 0 },
        { "x", true, 0 },
        { " \tx", true, 2 },
        { "\r\n x", true, 3 },
        { "(a)x", true, 3 },
        { " (a (b) \\) c) \r\n\t(d)x", true, 20 },
        { "(a", false, 2 },
        { "(a\\", false, 2 },
        { "\r\nx", false, 0 },
        { "\nx", false, 0 },
        { "(a\001)", false, 2 },
        { "((((((((((", false, 10 },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        size_t at = 0;

        assert_int_equal(cfws_skip(slice_text(cases[i].text), &at), cases[i].ok);
        assert_int_equal(at, cases[i].at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_fold_edge),
        cmocka_unit_test(test_fold_long),
        cmocka_unit_test(test_fold_blanks),
        cmocka_unit_test(test_cfws),
    };

    return cmocka_run_group_tests_name("message/text", tests, NULL, NULL);
}
