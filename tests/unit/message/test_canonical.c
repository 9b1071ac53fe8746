/* tests/unit/message/test_canonical.c: where a CR or LF alone is content and where it is a fault
 * (EXT-BINARYMIME-4). Each case whole, octet by octet and in threes. */
#include "../check.h"

#include "base/buffer.h"
#include "message/canonical.h"

#define MULTI(boundary) "Content-Type: multipart/mixed; boundary=" boundary "\r\n\r\n"
#define OCTETS          "Content-Type: application/octet-stream\r\n\r\n"
#define FORM(text)      text, sizeof(text) - 1

static const struct {
    const char *name;
    const char *content;
    size_t len;
    enum canonical_fault fault;
    uint64_t line;
} cases[] = {
    { "nothing", FORM(""), CANONICAL_SOUND, 0 },
    { "text", FORM("A: b\r\n\r\ntext\r\nlast"), CANONICAL_SOUND, 0 },
    { "no type is text", FORM("A: b\r\n\r\none\ntwo\r\n"), CANONICAL_NEWLINE, 3 },
    { "bare CR", FORM("A: b\r\n\r\none\r\ntwo\rthree\r\n"), CANONICAL_NEWLINE, 4 },
    { "CR CR LF", FORM("A: b\r\n\r\none\r\r\n"), CANONICAL_NEWLINE, 3 },
    { "CR at the end", FORM("A: b\r\n\r\none\r"), CANONICAL_NEWLINE, 3 },
    { "CR at the end of octets", FORM(OCTETS "one\r"), CANONICAL_SOUND, 0 },
    { "LF at the end", FORM("A: b\r\n\r\none\r\n\n"), CANONICAL_NEWLINE, 4 },
    { "text/html", FORM("Content-Type: text/html; charset=utf-8\r\n\r\n<p>\n"), CANONICAL_NEWLINE,
        3 },
    { "any case", FORM("CONTENT-TYPE: TEXT/Plain\r\n\r\n\n"), CANONICAL_NEWLINE, 3 },
    { "octets", FORM(OCTETS "\0\1\n\r\r\n\n--x\r\n\377"), CANONICAL_SOUND, 0 },
    { "a comment before the type", FORM("Content-Type: (a (b)) application/x\r\n\r\n\n"),
        CANONICAL_SOUND, 0 },
    { "folded", FORM("Content-Type:\r\n application/x;\r\n\tname=y\r\n\r\n\n"), CANONICAL_SOUND,
        0 },
    { "not folded", FORM("Content-Type:\r\nA: application/x\r\n\r\n\n"), CANONICAL_NEWLINE, 4 },
    { "the first type counts",
        FORM("Content-Type: text/plain\r\nContent-Type: image/png\r\n\r\n\n"), CANONICAL_NEWLINE,
        4 },
    { "a type that is none", FORM("Content-Type: image\r\n\r\n\n"), CANONICAL_NEWLINE, 3 },
    { "a bare LF in the header", FORM("A: b\nC: d\r\n\r\n"), CANONICAL_NEWLINE, 1 },
    { "parts",
        FORM(MULTI("b") "ahead\n\r\n--b\r\n" OCTETS "\n\n\r\n--b\r\n\r\ntext\r\n--b--\r\n\n"),
        CANONICAL_SOUND, 0 },
    { "text behind octets",
        FORM(MULTI("b") "--b\r\n" OCTETS "\n\r\n--b\r\n\r\nte\nxt\r\n--b--\r\n"), CANONICAL_NEWLINE,
        9 },
    { "a bare LF in a part's header", FORM(MULTI("b") "--b\r\nA: b\n\r\n\r\n--b--\r\n"),
        CANONICAL_NEWLINE, 4 },
    { "a delimiter behind a bare LF", FORM(MULTI("b") "--b\r\n" OCTETS "x\n--b\r\n\r\n\n"),
        CANONICAL_SOUND, 0 },
    { "padding behind a delimiter", FORM(MULTI("b") "--b \t\r\n\r\n\n"), CANONICAL_NEWLINE, 5 },
    { "quoted", FORM(MULTI("\"a b\\\"c\"") "--a b\"c\r\n\r\n\n"), CANONICAL_NEWLINE, 5 },
    { "behind other parameters",
        FORM("Content-Type: multipart/mixed; x=y; z=\"1;boundary=q\" ; "
             "boundary=b\r\n\r\n--b\r\n\r\n\n"),
        CANONICAL_NEWLINE, 5 },
    { "no boundary: text", FORM("Content-Type: multipart/mixed\r\n\r\n\n"), CANONICAL_NEWLINE, 3 },
    { "an empty boundary: text", FORM(MULTI("\"\"") "\n"), CANONICAL_NEWLINE, 3 },
    { "a boundary of 70",
        FORM(MULTI("1234567890123456789012345678901234567890123456789012345678901234567890") "\n"),
        CANONICAL_SOUND, 0 },
    { "one of 71: text",
        FORM(MULTI("12345678901234567890123456789012345678901234567890123456789012345678901") "\n"),
        CANONICAL_NEWLINE, 3 },
    { "inner and outer",
        FORM(MULTI("a") "--a\r\n" MULTI("b") "--b\r\n" OCTETS "\n\r\n--a\r\n\r\n\n"),
        CANONICAL_NEWLINE, 12 },
    { "behind the inner end", FORM(MULTI("a") "--a\r\n" MULTI("b") "--b--\r\n\n\r\n--a\r\n\r\n\n"),
        CANONICAL_NEWLINE, 10 },
    { "the inner one is closed by the outer",
        FORM(MULTI("a") "--a\r\n" MULTI("b") "--a--\r\n--b\r\n\n"), CANONICAL_SOUND, 0 },
    { "the longer boundary counts",
        FORM(MULTI("ab") "--ab\r\n" MULTI("a") "--ab--\r\n--a\r\n\r\n\n"), CANONICAL_SOUND, 0 },
    { "the same boundary twice is the inner one's",
        FORM(MULTI("a") "--a\r\n" MULTI("a") "--a--\r\n--a\r\n\r\n\n"), CANONICAL_NEWLINE, 9 },
    { "a message", FORM("Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\n\n"), CANONICAL_NEWLINE,
        5 },
    { "octets in a message", FORM("Content-Type: message/rfc822\r\n\r\n" OCTETS "\n"),
        CANONICAL_SOUND, 0 },
    { "a digest",
        FORM("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" OCTETS
             "\n\r\n--b--\r\n"),
        CANONICAL_SOUND, 0 },
    { "text in a digest",
        FORM("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nContent-Type: "
             "text/plain\r\n\r\n\n"),
        CANONICAL_NEWLINE, 6 },
    { "base64 is text too",
        FORM("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\n"),
        CANONICAL_NEWLINE, 4 },
};

static struct canonical *feed(struct slice content, size_t step)
{
    struct canonical *c = canonical_new();

    assert_non_null(c);
    for (size_t at = 0; at < content.len; at += step)
        canonical_feed(c, slice_first(slice_from(content, at), step));
    canonical_end(c);
    return c;
}

static void test_cases(void **state UNUSED)
{
    static const size_t steps[] = { SIZE_MAX / 2, 1, 3 };

    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        for (size_t j = 0; j < LENGTH_OF(steps); j++) {
            struct canonical *c = feed(slice_of(cases[i].content, cases[i].len), steps[j]);
            if (canonical_fault(c) != cases[i].fault || canonical_fault_line(c) != cases[i].line)
                fail_msg("%s, in steps of %zu: fault %d in line %llu", cases[i].name, steps[j],
                    canonical_fault(c), (unsigned long long)canonical_fault_line(c));
            canonical_free(&c);
        }
}

/* DATA-14: a hundred multiparts in each other, and one more. */
static void test_depth(void **state UNUSED)
{
    struct buffer content;
    struct canonical *c;

    buffer_init(&content, 1 << 16);
    for (int i = 0; i < CANONICAL_DEPTH_MAX; i++)
        buffer_printf(&content, MULTI("b%d") "--b%d\r\n", i, i);
    c = feed(buffer_slice(&content), 7);
    assert_int_equal(canonical_fault(c), CANONICAL_SOUND);
    canonical_free(&c);
    buffer_put_text(&content, MULTI("one-more"));
    c = feed(buffer_slice(&content), 7);
    assert_int_equal(canonical_fault(c), CANONICAL_DEEP);
    assert_int_equal(canonical_fault_line(c), 3 * CANONICAL_DEPTH_MAX + 2);
    canonical_free(&c);
    buffer_clear(&content);
}

/* A type that does not fit reads as its beginning; without its boundary a multipart is text. */
static void test_long(void **state UNUSED)
{
    struct buffer content;
    struct canonical *c;

    buffer_init(&content, 1 << 16);
    buffer_put_text(&content, "Content-Type: multipart/mixed;\r\n");
    for (int i = 0; i < 100; i++)
        buffer_printf(&content, " x%d=\"%080d\";\r\n", i, i);
    buffer_put_text(&content, " boundary=b\r\n\r\n--b\r\n" OCTETS "\n");
    c = feed(buffer_slice(&content), 11);
    assert_int_equal(canonical_fault(c), CANONICAL_NEWLINE);
    canonical_free(&c);
    buffer_clear(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("message/canonical", tests, NULL, NULL);
}
