/* What an IMAP server says: whole, and octet by octet with the same result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/imap_reply.h"

#define OCTETS(text)                                                                               \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/* want: parts in the notation of `note`. */
static const struct {
    const char *name;
    struct slice input;
    const char *want;
} cases[] = {
    { "a greeting", OCTETS("* OK ready\r\n"), "L(* OK ready)" },
    { "two responses", OCTETS("* OK x\r\ns1 OK y\r\n"), "L(* OK x)L(s1 OK y)" },
    { "a literal", OCTETS("* URLFETCH u {5}\r\nab\r\nc\r\ns1 OK\r\n"),
        "B5(* URLFETCH u )O(ab\r\nc)C()L(s1 OK)" },
    { "a literal that looks like a response", OCTETS("* X {9}\r\ns1 NO x\r\n)\r\n"),
        "B9(* X )O(s1 NO x\r\n)C())" },
    { "an empty literal", OCTETS("* X {0}\r\n\r\n"), "B0(* X )C()" },
    { "two literals", OCTETS("* X {1}\r\na {2}\r\nbc\r\n"), "B1(* X )O(a)c2( )O(bc)C()" },
    { "a literal+", OCTETS("* X {1+}\r\na\r\n"), "B1(* X )O(a)C()" },
    { "a literal8", OCTETS("* X ~{1}\r\n\x80\r\n"), "B1(* X )O(\x80)C()" },
    { "a literal with NUL", OCTETS("* X {1}\r\n\0\r\n"), "B1(* X )O(?)C()" },
    { "braces without a number are text", OCTETS("* OK {x} y\r\n"), "L(* OK {x} y)" },
    { "no size", OCTETS("* OK {x}\r\n"), "!" },
    { "a negative size", OCTETS("* OK {-1}\r\n"), "!" },
    { "a size of twenty digits", OCTETS("* OK {99999999999999999999}\r\n"), "!" },
    { "the largest size", OCTETS("* OK {9223372036854775807}\r\n"), "B9223372036854775807(* OK )" },
    { "a closing brace alone", OCTETS("* OK x}\r\n"), "L(* OK x})" },
    { "a bare LF", OCTETS("* OK x\n"), "!" },
    { "a bare CR", OCTETS("* OK \rx\r\n"), "!" },
    { "a NUL", OCTETS("* OK \0\r\n"), "!" },
    { "an escape", OCTETS("* OK \x1b[2J\r\n"), "!" },
    { "an empty line", OCTETS("\r\n"), "L()" },
    { "LF alone", OCTETS("\n"), "!" },
    { "half a line", OCTETS("* OK x\r"), "" },
};

/* Writes what came: L line, B line before a literal of N, C and c the same inside a response, O
 * octets, which are put together. */
static void note(char *out, size_t room, enum imap_answer answer, const struct imap_part *part)
{
    size_t len = strlen(out);
    char text[200];

    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(part->text));
    if (part->text.len == 1 && part->text.data[0] == '\0')
        snprintf(text, sizeof text, "?");
    if (answer == IMAP_LINE)
        snprintf(out + len, room - len, "%c(%s)", part->is_first ? 'L' : 'C', text);
    else if (answer == IMAP_LITERAL)
        snprintf(out + len, room - len, "%c%llu(%s)", part->is_first ? 'B' : 'c',
            (unsigned long long)part->size, text);
    else if (len > 0 && out[len - 1] == '~')
        snprintf(out + len - 2, room - len + 2, "%s)~", text);
    else
        snprintf(out + len, room - len, "O(%s)~", text);
}

/* The mark behind octets that more may join. */
static void unmark(char *out)
{
    size_t len = strlen(out);

    if (len > 0 && out[len - 1] == '~')
        out[len - 1] = '\0';
}

static void feed(struct slice input, size_t step, char *out, size_t room)
{
    struct imap_reader reader = { 0 };
    size_t seen = step < input.len ? step : input.len;
    size_t taken = 0;

    out[0] = '\0';
    while (true) {
        struct imap_part part;
        size_t consumed;
        enum imap_answer answer =
            imap_read(&reader, slice_of(input.data + taken, seen - taken), &consumed, &part);

        taken += consumed;
        if (answer == IMAP_BROKEN) {
            unmark(out);
            strcat(out, "!");
            return;
        }
        if (answer == IMAP_MORE && seen == input.len) {
            unmark(out);
            return;
        }
        if (answer == IMAP_MORE) {
            seen = seen + step < input.len ? seen + step : input.len;
            continue;
        }
        if (answer != IMAP_OCTETS)
            unmark(out);
        note(out, room, answer, &part);
    }
}

static void test_parts(void **state)
{
    char got[1000];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        for (size_t step = 1; step <= cases[i].input.len; step++) {
            feed(cases[i].input, step, got, sizeof got);
            if (strcmp(got, cases[i].want) != 0)
                fail_msg("%s, %zu octets at once: got %s, want %s", cases[i].name, step, got,
                    cases[i].want);
        }
}

/* SEC-5: the longest line, and one octet more. */
static void test_long(void **state)
{
    static char line[IMAP_LINE_MAX + 2];
    struct imap_reader reader = { 0 };
    struct imap_part part;
    size_t consumed;

    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line + IMAP_LINE_MAX - 2, "\r\n", 2);
    assert_int_equal(
        imap_read(&reader, slice_of(line, IMAP_LINE_MAX), &consumed, &part), IMAP_LINE);
    assert_int_equal(consumed, IMAP_LINE_MAX);
    assert_int_equal(part.text.len, IMAP_LINE_MAX - 2);
    memcpy(line + IMAP_LINE_MAX - 2, "xx", 2);
    assert_int_equal(
        imap_read(&reader, slice_of(line, IMAP_LINE_MAX - 1), &consumed, &part), IMAP_MORE);
    assert_int_equal(
        imap_read(&reader, slice_of(line, IMAP_LINE_MAX), &consumed, &part), IMAP_BROKEN);
}

static void test_response(void **state)
{
    static const struct {
        const char *text;
        enum imap_kind kind;
        enum imap_condition condition;
        const char *name, *rest;
    } rows[] = {
        { "* OK ready", IMAP_UNTAGGED, IMAP_OK, "OK", "ready" },
        { "* ok", IMAP_UNTAGGED, IMAP_OK, "ok", "" },
        { "* BYE x", IMAP_UNTAGGED, IMAP_BYE, "BYE", "x" },
        { "* PREAUTH x", IMAP_UNTAGGED, IMAP_PREAUTH, "PREAUTH", "x" },
        { "* CAPABILITY IMAP4rev1", IMAP_UNTAGGED, IMAP_OTHER, "CAPABILITY", "IMAP4rev1" },
        { "s1 NO [UNAVAILABLE] x", IMAP_TAGGED, IMAP_NO, "NO", "[UNAVAILABLE] x" },
        { "s1 BAD", IMAP_TAGGED, IMAP_BAD, "BAD", "" },
        { "s12 OK x", IMAP_FOREIGN, IMAP_OTHER, "", "OK x" },
        { "S1 OK x", IMAP_FOREIGN, IMAP_OTHER, "", "OK x" },
        { "+ abc", IMAP_CONTINUE, IMAP_OTHER, "", "abc" },
        { "+", IMAP_CONTINUE, IMAP_OTHER, "", "" },
        { "", IMAP_FOREIGN, IMAP_OTHER, "", "" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct imap_response got = imap_response_parse(slice_text(rows[i].text), "s1");

        if (got.kind != rows[i].kind || got.condition != rows[i].condition ||
            !slice_is(got.name, rows[i].name) || !slice_is(got.rest, rows[i].rest))
            fail_msg("%s: kind %d, condition %d, rest \"%.*s\"", rows[i].text, got.kind,
                got.condition, SLICE_ARGS(got.rest));
    }
    assert_true(imap_has_code(slice_text("[UNAVAILABLE] x"), "UNAVAILABLE"));
    assert_true(imap_has_code(slice_text("[unavailable x] y"), "UNAVAILABLE"));
    assert_false(imap_has_code(slice_text("[UNAVAILABLES] x"), "UNAVAILABLE"));
    assert_false(imap_has_code(slice_text("UNAVAILABLE"), "UNAVAILABLE"));
    assert_false(imap_has_code(slice_text(""), "UNAVAILABLE"));
}

static void test_values(void **state)
{
    static const struct {
        const char *text;
        enum imap_value_kind kind;
        const char *value, *plain, *rest;
    } rows[] = {
        { "", IMAP_VALUE_NONE, "", "", "" },
        { "  ", IMAP_VALUE_NONE, "", "", "" },
        { "NIL", IMAP_VALUE_ATOM, "NIL", "NIL", "" },
        { " a b", IMAP_VALUE_ATOM, "a", "a", " b" },
        { "\"a b\" c", IMAP_VALUE_QUOTED, "a b", "a b", " c" },
        { "\"\"", IMAP_VALUE_QUOTED, "", "", "" },
        { "\"a\\\"b\\\\\"", IMAP_VALUE_QUOTED, "a\\\"b\\\\", "a\"b\\", "" },
        { "\"a", IMAP_VALUE_BAD, "", "", "" },
        { "\"a\\\"", IMAP_VALUE_BAD, "", "", "" },
        { "\"a\"b", IMAP_VALUE_BAD, "", "", "" },
        { "a\"b", IMAP_VALUE_BAD, "", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct slice rest = slice_text(rows[i].text), value = { 0 };
        enum imap_value_kind kind = imap_value_take(&rest, &value);
        struct buffer plain;

        if (kind != rows[i].kind)
            fail_msg("%s: kind %d", rows[i].text, kind);
        if (kind == IMAP_VALUE_BAD)
            continue;
        buffer_init(&plain, 100);
        imap_unquote(&plain, value);
        if (!slice_is(value, rows[i].value) || !slice_is(buffer_slice(&plain), rows[i].plain) ||
            !slice_is(slice_trim(rest), slice_trim(slice_text(rows[i].rest)).len > 0
                                            ? slice_trim(slice_text(rows[i].rest)).data
                                            : ""))
            fail_msg("%s: \"%.*s\"", rows[i].text, SLICE_ARGS(value));
        buffer_clear(&plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
