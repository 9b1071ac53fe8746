/* Content on the wire: every way not to end it, dot transparency both ways, and what content holds;
 * at every cut. */
#include "cases.h"

#include "smtp/data.h"

/* What follows CRLF.CRLF in the input must be left alone. */
#define NEXT "QUIT\r\n"
#define END  "\r\n.\r\n" NEXT

static const struct {
    const char *name;
    struct slice input; /* ends with the true end and NEXT, unless has_no_end */
    struct slice content;
    const char *marks; /* r bare CR, l bare LF, n NUL, 8 8-bit */
    uint64_t lines, longest;
    bool has_no_end;
} cases[] = {
    { "DATA-1", OCTETS("a\r\nbc" END), OCTETS("a\r\nbc\r\n"), "", 2, 2 },
    { "empty message", OCTETS(".\r\n" NEXT), OCTETS(""), "", 0, 0 },
    { "DATA-11 no blank line added", OCTETS("a" END), OCTETS("a\r\n"), "", 1, 1 },
    { "blank lines", OCTETS("\r\n\r\n" END), OCTETS("\r\n\r\n\r\n"), "", 3, 0 },
    { "DATA-2 leading dot", OCTETS("..x" END), OCTETS(".x\r\n"), "", 1, 2 },
    { "DATA-2 leading dot that was not doubled", OCTETS(".x" END), OCTETS("x\r\n"), "", 1, 1 },
    { "DATA-2 line of a dot", OCTETS("a\r\n.." END), OCTETS("a\r\n.\r\n"), "", 2, 1 },
    { "DATA-2 dots inside", OCTETS("a.b..\r\nc.\r\n...d." END), OCTETS("a.b..\r\nc.\r\n..d.\r\n"),
        "", 3, 5 },
    { "DATA-2 every line", OCTETS("..\r\n..\r\n.." END), OCTETS(".\r\n.\r\n.\r\n"), "", 3, 1 },
    { "DATA-3 LF.LF", OCTETS("a\n.\nb" END), OCTETS("a\n.\nb\r\n"), "l", 1, 5 },
    { "DATA-3 LF.CRLF", OCTETS("a\n.\r\nb" END), OCTETS("a\n.\r\nb\r\n"), "l", 2, 3 },
    { "DATA-3 CRLF.LF", OCTETS("a\r\n.\nb" END), OCTETS("a\r\n\nb\r\n"), "l", 2, 2 },
    { "DATA-3 CR.CR", OCTETS("a\r.\rb" END), OCTETS("a\r.\rb\r\n"), "r", 1, 5 },
    { "DATA-3 CR.CRLF", OCTETS("a\r.\r\nb" END), OCTETS("a\r.\r\nb\r\n"), "r", 2, 3 },
    { "DATA-3 CRLF.CR", OCTETS("a\r\n.\rb" END), OCTETS("a\r\n\rb\r\n"), "r", 2, 2 },
    { "DATA-3 CRLF.CR.CRLF", OCTETS("a\r\n.\r.\r\nb" END), OCTETS("a\r\n\r.\r\nb\r\n"), "r", 3, 2 },
    { "DATA-3 CRLF.CRCRLF", OCTETS("a\r\n.\r\r\nb" END), OCTETS("a\r\n\r\r\nb\r\n"), "r", 3, 1 },
    { "DATA-3 CRCRLF.CRCRLF", OCTETS("a\r\r\n.\r\r\nb" END), OCTETS("a\r\r\n\r\r\nb\r\n"), "r", 3,
        2 },
    { "DATA-3 LF.CR", OCTETS("a\n.\rb" END), OCTETS("a\n.\rb\r\n"), "rl", 1, 5 },
    { "DATA-3 LFCR.CRLF", OCTETS("a\n\r.\r\nb" END), OCTETS("a\n\r.\r\nb\r\n"), "rl", 2, 4 },
    { "DATA-3 CRLF NUL.CRLF", OCTETS("a\r\n\0.\r\nb" END), OCTETS("a\r\n\0.\r\nb\r\n"), "n", 3, 2 },
    { "DATA-3 CRLF.NUL CRLF", OCTETS("a\r\n.\0\r\nb" END), OCTETS("a\r\n\0\r\nb\r\n"), "n", 3, 1 },
    { "DATA-3 CR NUL LF.CRLF", OCTETS("a\r\0\n.\r\nb" END), OCTETS("a\r\0\n.\r\nb\r\n"), "rln", 2,
        5 },
    { "DATA-3 dot and LF first", OCTETS(".\nb" END), OCTETS("\nb\r\n"), "l", 1, 2 },
    { "DATA-3 dot and CR first", OCTETS(".\rb" END), OCTETS("\rb\r\n"), "r", 1, 2 },
    { "DATA-3 CRLF. and no more", OCTETS("a\r\n."), OCTETS("a\r\n"), "", 1, 1, true },
    { "DATA-3 CRLF.CR and no more", OCTETS("a\r\n.\r"), OCTETS("a\r\n"), "", 1, 1, true },
    { "DATA-8 NUL", OCTETS("a\0b" END), OCTETS("a\0b\r\n"), "n", 1, 3 },
    { "EXT-8BITMIME-2", OCTETS("\xe9 long enough for a word" END),
        OCTETS("\xe9 long enough for a word\r\n"), "8", 1, 24 },
    { "8-bit late in the line", OCTETS("twelve octets \xff" END), OCTETS("twelve octets \xff\r\n"),
        "8", 1, 15 },
};

static void marks_of(const struct content *content, char out[8])
{
    snprintf(out, 8, "%s%s%s%s", content->has_bare_cr ? "r" : "", content->has_bare_lf ? "l" : "",
        content->has_nul ? "n" : "", content->has_8bit ? "8" : "");
}

/* Feeds step octets at a time, keeping nothing that was consumed; gives the octets taken. */
static size_t decode(
    struct data_decoder *decoder, struct slice input, size_t step, struct buffer *out)
{
    enum data_answer answer = DATA_MORE;
    struct buffer stream;
    size_t taken = 0;

    buffer_init(&stream, 1 << 20);
    for (size_t at = 0; at < input.len && answer != DATA_END; at += step) {
        buffer_put_slice(&stream, slice_first(slice_from(input, at), step));
        do {
            struct slice run;
            size_t consumed;

            answer = data_decode(decoder, buffer_slice(&stream), &run, &consumed);
            buffer_put_slice(out, run);
            buffer_consume(&stream, consumed);
            taken += consumed;
        } while (answer == DATA_RUN);
        if (answer == DATA_MORE)
            assert_int_equal(stream.len, 0);
    }
    buffer_clear(&stream);
    return taken;
}

static void check_table(size_t step)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct data_decoder decoder = { 0 };
        struct slice input = cases[i].input;
        struct buffer out;
        char marks[8];
        size_t taken;

        buffer_init(&out, 1 << 20);
        taken = decode(&decoder, input, step ? step : input.len, &out);
        marks_of(&decoder.content, marks);
        expect_octets(cases[i].name, buffer_slice(&out), cases[i].content);
        expect_number(cases[i].name, decoder.state == DATA_ENDED, !cases[i].has_no_end);
        expect_number(cases[i].name, input.len - taken, cases[i].has_no_end ? 0 : sizeof NEXT - 1);
        expect_text(cases[i].name, slice_text(marks), cases[i].marks);
        expect_number(cases[i].name, decoder.content.octets, cases[i].content.len);
        expect_number(cases[i].name, decoder.content.lines, cases[i].lines);
        expect_number(cases[i].name, decoder.content.longest_line, cases[i].longest);
        buffer_clear(&out);
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

static void test_steps(void **state UNUSED)
{
    for (size_t step = 2; step < 12; step++)
        check_table(step);
}

/* After the end the decoder takes nothing. */
static void test_after_end(void **state UNUSED)
{
    struct data_decoder decoder = { 0 };
    struct slice run;
    size_t consumed;

    assert_int_equal(data_decode(&decoder, slice_text(".\r\nQUIT\r\n"), &run, &consumed), DATA_END);
    assert_int_equal(consumed, 3);
    assert_int_equal(data_decode(&decoder, slice_text("QUIT\r\n"), &run, &consumed), DATA_END);
    assert_int_equal(consumed, 0);
}

/* BDAT: no dots, and the last line may lack its CRLF (DATA-11, DATA-15, EXT-CHUNKING-5). */
static void test_content(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct slice bytes;
        bool is_complete;
        const char *marks;
        uint64_t octets, lines, longest;
    } contents[] = {
        { "empty", OCTETS(""), true, "", 0, 0, 0 },
        { "EXT-CHUNKING-5 lone dot", OCTETS("a\r\n.\r\nb\r\n"), true, "", 9, 3, 1 },
        { "DATA-11 no CRLF", OCTETS("a\r\nbc"), false, "", 7, 2, 2 },
        { "DATA-11 CR at the end", OCTETS("a\r"), false, "r", 4, 1, 2 },
        { "DATA-15 bare LF", OCTETS("a\nb\r\n"), true, "l", 5, 1, 3 },
        { "DATA-15 bare LF at the end", OCTETS("a\n"), false, "l", 4, 1, 2 },
        { "DATA-15 bare CR", OCTETS("a\rb\r\n"), true, "r", 5, 1, 3 },
        { "CR CR LF", OCTETS("a\r\r\n"), true, "r", 4, 1, 2 },
        { "LF CR", OCTETS("\n\r"), false, "rl", 4, 1, 2 },
        { "NUL", OCTETS("\0\r\n"), true, "n", 3, 1, 1 },
    };

    for (size_t i = 0; i < LENGTH_OF(contents); i++)
        for (size_t step = 1; step < 12; step++) {
            struct content content = { 0 };
            char marks[8];

            for (size_t at = 0; at < contents[i].bytes.len; at += step)
                content_inspect(&content, slice_first(slice_from(contents[i].bytes, at), step));
            expect_number(contents[i].name, content_finish(&content), contents[i].is_complete);
            marks_of(&content, marks);
            expect_text(contents[i].name, slice_text(marks), contents[i].marks);
            expect_number(contents[i].name, content.octets, contents[i].octets);
            expect_number(contents[i].name, content.lines, contents[i].lines);
            expect_number(contents[i].name, content.longest_line, contents[i].longest);
        }
}

/* DATA-9: 998 and 999 octets. */
static void test_longest_line(void **state UNUSED)
{
    for (size_t len = 998; len <= 999; len++) {
        struct content content = { 0 };
        char *text = repeated('x', len);

        content_inspect(&content, slice_of(text, len));
        content_inspect(&content, slice_text("\r\nshort\r\n"));
        expect_number("DATA-9", content.longest_line, len);
        free(text);
    }
}

/* OUT-15, DATA-6 */
static void test_encode(void **state UNUSED)
{
    static const struct {
        const char *name;
        const char *content;
        const char *wire; /* NULL: must not be sent */
    } encodings[] = {
        { "OUT-15 empty", "", ".\r\n" },
        { "OUT-15 plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n" },
        { "OUT-15 final CRLF", "a\r\nb", "a\r\nb\r\n.\r\n" },
        { "OUT-15 dots", ".\r\n..\r\na.\r\n.b\r\n", "..\r\n...\r\na.\r\n..b\r\n.\r\n" },
        { "OUT-15 dot last", "a\r\n.", "a\r\n..\r\n.\r\n" },
        { "DATA-6 bare LF", "a\n.\r\n", NULL },
        { "DATA-6 bare CR", "a\r.\r\n", NULL },
        { "DATA-6 bare CR at the end", "a\r", NULL },
        { "DATA-6 LF first", "\n", NULL },
    };

    for (size_t i = 0; i < LENGTH_OF(encodings); i++)
        for (size_t step = 1; step < 12; step++) {
            struct slice content = slice_text(encodings[i].content);
            struct data_encoder encoder = { 0 };
            bool is_good = true;
            struct buffer out;

            buffer_init(&out, 4096);
            for (size_t at = 0; at < content.len && is_good; at += step)
                is_good = data_encode(&encoder, slice_first(slice_from(content, at), step), &out);
            is_good = is_good && data_encode_end(&encoder, &out);
            expect_number(encodings[i].name, is_good, encodings[i].wire != NULL);
            if (is_good)
                expect_text(encodings[i].name, buffer_slice(&out), encodings[i].wire);
            buffer_clear(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_after_end),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_encode),
    };

    return cmocka_run_group_tests_name("smtp/data", tests, NULL, NULL);
}
