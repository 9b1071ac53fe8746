/* The line reader: whole and byte by byte. */
#include "cases.h"

#include "smtp/command.h"
#include "smtp/line.h"

enum { MAX = 10 };

static const struct {
    const char *name;
    struct slice input;
    /* One letter for each event: L a line, T too long, B bare LF; the texts of the lines joined by
     * '|'. */
    const char *events;
    struct slice texts;
    const char *marks; /* of the last line: n NUL, c control, 8 8-bit, r bare CR */
} cases[] = {
    { "nothing", OCTETS(""), "", OCTETS(""), "" },
    { "no end yet", OCTETS("NOOP"), "", OCTETS(""), "" },
    { "CR alone is no end", OCTETS("NOOP\r"), "", OCTETS(""), "" },
    { "one line", OCTETS("NOOP\r\n"), "L", OCTETS("NOOP|"), "" },
    { "empty line", OCTETS("\r\n"), "L", OCTETS("|"), "" },
    { "two lines and a half", OCTETS("A\r\nB\r\nC"), "LL", OCTETS("A|B|"), "" },
    { "CMD-22 longest line", OCTETS("0123456789\r\n"), "L", OCTETS("0123456789|"), "" },
    { "CMD-22 one octet more", OCTETS("01234567890\r\nB\r\n"), "TL", OCTETS("B|"), "" },
    { "CMD-22 far too long", OCTETS("0123456789012345678901234567890\r\nB\r\n"), "TL", OCTETS("B|"),
        "" },
    { "too long with CR at its border", OCTETS("0123456789\r1\r\nB\r\n"), "TL", OCTETS("B|"), "" },
    { "too long, ended by CR CR LF", OCTETS("01234567890\r\r\nB\r\n"), "TL", OCTETS("B|"), "" },
    { "DATA-7 bare LF", OCTETS("NOOP\nQUIT\r\n"), "B", OCTETS(""), "" },
    { "DATA-7 bare LF first", OCTETS("\n"), "B", OCTETS(""), "" },
    { "DATA-7 bare LF after a line", OCTETS("A\r\nB\nC\r\n"), "LB", OCTETS("A|"), "" },
    { "DATA-7 bare LF in a line that is too long", OCTETS("01234567890123\nB\r\n"), "B", OCTETS(""),
        "" },
    { "DATA-7 LF CR", OCTETS("A\n\rB\r\n"), "B", OCTETS(""), "" },
    { "CMD-23 NUL", OCTETS("A\0B\r\n"), "L", OCTETS("A\0B|"), "nc" },
    { "CMD-23 bare CR", OCTETS("A\rB\r\n"), "L", OCTETS("A\rB|"), "cr" },
    { "CMD-23 CR CR LF", OCTETS("A\r\r\n"), "L", OCTETS("A\r|"), "cr" },
    { "CMD-23 8-bit", OCTETS("A\xe9\r\n"), "L", OCTETS("A\xe9|"), "8" },
    { "CMD-23 control", OCTETS("A\x07\r\n"), "L", OCTETS("A\x07|"), "c" },
    { "CMD-23 DEL", OCTETS("\x7f\r\n"), "L", OCTETS("\x7f|"), "c" },
    { "HTAB is white space", OCTETS("A\t\r\n"), "L", OCTETS("A\t|"), "" },
};

struct run {
    char events[16];
    struct buffer texts;
    char marks[8];
};

static void mark(struct run *run, const struct line *line)
{
    snprintf(run->marks, sizeof run->marks, "%s%s%s%s", line->has_nul ? "n" : "",
        line->has_control ? "c" : "", line->has_8bit ? "8" : "", line->has_bare_cr ? "r" : "");
}

/* Feeds step octets at a time, as a connection would. */
static void feed(struct slice input, size_t step, struct run *run)
{
    static const char letters[] = {
        [LINE_READY] = 'L', [LINE_TOO_LONG] = 'T', [LINE_BARE_LF] = 'B'
    };
    struct line_reader reader = { 0 };
    struct buffer stream;

    buffer_init(&stream, 4096);
    buffer_init(&run->texts, 4096);
    for (size_t at = 0; at < input.len; at += step) {
        enum line_answer answer;

        buffer_put_slice(&stream, slice_first(slice_from(input, at), step));
        do {
            struct line line;

            answer = line_read(&reader, buffer_slice(&stream), MAX, &line);
            if (answer != LINE_MORE)
                run->events[strlen(run->events)] = letters[answer];
            if (answer == LINE_READY) {
                buffer_put_slice(&run->texts, line.text);
                buffer_put_char(&run->texts, '|');
                mark(run, &line);
            }
            buffer_consume(&stream, line.consumed);
            if (answer == LINE_MORE)
                assert_true(stream.len <= MAX + 2);
        } while (answer != LINE_MORE && answer != LINE_BARE_LF);
        if (answer == LINE_BARE_LF)
            break;
    }
    buffer_clear(&stream);
}

static void check_table(size_t step)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct run run = { 0 };

        feed(cases[i].input, step ? step : cases[i].input.len + 1, &run);
        expect_text(cases[i].name, slice_text(run.events), cases[i].events);
        expect_octets(cases[i].name, buffer_slice(&run.texts), cases[i].texts);
        expect_text(cases[i].name, slice_text(run.marks), cases[i].marks);
        buffer_clear(&run.texts);
    }
}

static void test_whole(void **state UNUSED)
{
    check_table(0);
}

static void test_byte_by_byte(void **state UNUSED)
{
    check_table(1);
}

static void test_threes(void **state UNUSED)
{
    check_table(3);
}

/* CMD-22, AUTH-13: the limit follows the verb. */
static void test_limits(void **state UNUSED)
{
    static const struct {
        const char *start;
        size_t max;
    } limits[] = {
        { "MAIL FROM:<", 4096 },
        { "rcpt TO:<", 4096 },
        { "BURL imap://", 4096 },
        { "AUTH PLAIN ", 12288 },
        { "auth", 12288 },
        { "NOOP x", 1024 },
        { "STARTTLSX", 1024 },
        { "MAI", 1024 },
        { "MAILX", 1024 },
        { "", 1024 },
    };

    for (size_t i = 0; i < LENGTH_OF(limits); i++)
        expect_number(
            limits[i].start, command_line_max(slice_text(limits[i].start)), limits[i].max);
}

/* CMD-22: first, last, one past, for each class of command, with the limit decided from the octets
 * at hand. */
static void test_borders(void **state UNUSED)
{
    static const char *const starts[] = { "NOOP ", "MAIL FROM:", "AUTH PLAIN " };

    for (size_t i = 0; i < LENGTH_OF(starts); i++)
        for (size_t past = 0; past < 2; past++) {
            size_t max = command_line_max(slice_text(starts[i]));
            struct line_reader reader = { 0 };
            char *text = repeated('x', max + past + 2);
            struct slice input = slice_of(text, max + past + 2);
            struct line line;

            memcpy(text, starts[i], strlen(starts[i]));
            memcpy(text + max + past, "\r\n", 2);
            assert_int_equal(line_read(&reader, input, command_line_max(input), &line),
                past ? LINE_TOO_LONG : LINE_READY);
            expect_number(starts[i], line.consumed, input.len);
            free(text);
        }
}

/* A client that never ends its line costs no memory, and it can be seen how much was dropped. */
static void test_endless(void **state UNUSED)
{
    struct line_reader reader = { 0 };
    char *text = repeated('x', 100);
    struct line line;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(line_read(&reader, slice_of(text, 100), MAX, &line), LINE_MORE);
        expect_number("endless", line.consumed, 100);
    }
    expect_number("endless", reader.dropped, 100000);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_threes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests_name("smtp/line", tests, NULL, NULL);
}
