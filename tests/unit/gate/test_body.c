/* gate/body: content as a table, whole and octet by octet, by DATA and by BDAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/body.h"

static void never(void *owner)
{
    (void)owner;
    fail();
}

struct row {
    const char *content; /* as BDAT has it */
    enum body_fault fault;
    uint64_t line;
    size_t header; /* octets of the block, when there is one */
    const char *body;
};

static char long_998[1100] = "From: a\r\n\r\n";
static char long_999[1100] = "From: a\r\n\r\nok\r\n";

static const struct row rows[] = {
    { "From: a\r\n\r\nx\r\n", BODY_SOUND, 0, 9, "x\r\n" },
    { "From: a\r\n\r\nx", BODY_SOUND, 0, 9, "x\r\n" }, /* DATA-11 */
    { "From: a\r\n\r\n", BODY_SOUND, 0, 9, "" },
    { "From: a\r\n", BODY_SOUND, 0, 9, "" },
    { "From: a", BODY_SOUND, 0, 9, "" },
    { "From: a\r\n\r\n.\r\n..\r\n.x", BODY_SOUND, 0, 9, ".\r\n..\r\n.x\r\n" },
    { "From: a\r\n\r\nx\ny\r\n", BODY_BARE_LF, 3, 0, NULL }, /* DATA-4, DATA-15 */
    { "From: a\r\n\r\nx\r\ny\r\rz\r\n", BODY_BARE_CR, 4, 0, NULL },
    { "From: a\r\n\r\nx\r\r\n", BODY_BARE_CR, 3, 0, NULL },
    { "From: a\n\r\nx\r\n", BODY_BARE_LF, 1, 0, NULL },
    { long_998, BODY_SOUND, 0, 9, long_998 + 11 }, /* DATA-9, GRM-13 */
    { long_999, BODY_LONG_LINE, 4, 0, NULL },
};

static void check(const struct body *body, const struct row *row)
{
    assert_int_equal(body->fault, row->fault);
    if (row->fault != BODY_SOUND) {
        assert_int_equal(body->fault_line, row->line);
        assert_int_equal(body->state, BODY_DROPPING);
        return;
    }
    assert_int_equal(body->state, BODY_DONE);
    assert_int_equal(header_scan_block(&body->header).len, row->header);
    assert_int_equal(body->small.len, strlen(row->body));
    assert_memory_equal(buffer_slice(&body->small).data ? buffer_slice(&body->small).data : "",
        row->body, strlen(row->body));
}

static const struct body_limits limits = { .size = 5000, .large = 4000 };

/* step: octets at a time */
static void feed_chunks(struct body *body, struct slice content, size_t step)
{
    for (size_t at = 0; at < content.len; at += step)
        body_take_chunk(body, slice_first(slice_from(content, at), step));
    body_end(body);
}

static void test_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        for (size_t step = 1; step < 2000; step += step < 12 ? 1 : 700) {
            struct body body = { 0 };

            body_open(&body, NULL, &limits, never, NULL);
            feed_chunks(&body, slice_text(rows[i].content), step);
            check(&body, &rows[i]);
            body_clear(&body);
        }
}

/* The same with dots doubled and an end; a last line without CRLF is none with DATA. */
static void stuff(struct buffer *out, const char *content)
{
    bool is_start = true;

    for (; *content; content++) {
        if (is_start && *content == '.')
            buffer_put_char(out, '.');
        buffer_put_char(out, *content);
        is_start = *content == '\n' && out->data[out->len - 2] == '\r';
    }
    buffer_put_text(out, is_start ? ".\r\n" : "\r\n.\r\n");
}

static void feed_data(struct body *body, struct slice wire, size_t step)
{
    bool is_end = false;
    size_t at = 0;

    while (!is_end) {
        size_t taken = body_take_data(body, slice_first(slice_from(wire, at), step), &is_end);
        assert_true(taken > 0);
        at += taken;
    }
    assert_int_equal(at, wire.len);
}

static void test_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        for (size_t step = 1; step < 2000; step += step < 12 ? 1 : 700) {
            struct body body = { 0 };
            struct buffer wire;

            buffer_init(&wire, 10000);
            stuff(&wire, rows[i].content);
            body_open(&body, NULL, &limits, never, NULL);
            feed_data(&body, buffer_slice(&wire), step);
            check(&body, &rows[i]);
            body_clear(&body);
            buffer_clear(&wire);
        }
}

/* DATA-8 */
static void test_nul(void **state)
{
    struct body body = { 0 };

    (void)state;
    body_open(&body, NULL, &limits, never, NULL);
    body_take_chunk(&body, slice_of("From: a\r\n\r\nx\r\n\0\r\n", 17));
    body_end(&body);
    assert_int_equal(body.fault, BODY_NUL);
    assert_int_equal(body.fault_line, 4);
    body_clear(&body);
}

/* DATA-10, EXT-CHUNKING-7: at the limit and one past */
static void test_size(void **state)
{
    static char filler[5001];

    (void)state;
    for (size_t size = 100; size <= 101; size++) {
        struct body body = { 0 };
        const struct body_limits small = { .size = 100, .large = 4000 };

        memset(filler, 'x', sizeof filler);
        memcpy(filler, "From: a\r\n\r\n", 11);
        memcpy(filler + size - 2, "\r\n", 2);
        body_open(&body, NULL, &small, never, NULL);
        body_take_chunk(&body, slice_of(filler, size));
        body_end(&body);
        assert_int_equal(body.fault, size > 100 ? BODY_TOO_BIG : BODY_SOUND);
        body_clear(&body);
    }
}

#define OCTETS "From: a\r\nContent-Type: application/x\r\n\r\n"

static const struct {
    struct slice content;
    enum body_fault fault;
    uint64_t line;
} binary[] = {
    { SLICE_LITERAL(OCTETS "\0\n\r\377 and no end"), BODY_SOUND, 0 }, /* DATA-8, EXT-BINARYMIME-1 */
    { SLICE_LITERAL("From: a\r\n\r\ntext\r\n"), BODY_SOUND, 0 },
    { SLICE_LITERAL("From: a\r\n\r\nte\nxt\r\n"), BODY_TEXT, 3 }, /* EXT-BINARYMIME-4 */
    { SLICE_LITERAL("From: a\r\n\r\ntext\r"), BODY_TEXT, 3 },
    { SLICE_LITERAL("From: a\nX: y\r\n\r\ntext\r"), BODY_TEXT, 1 },
};

/* What is binary is kept to the octet, and nothing is added (EXT-BINARYMIME-2). */
static void test_binary(void **state)
{
    const struct body_limits any = { .size = 5000, .large = 4000, .is_binary = true };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(binary); i++)
        for (size_t step = 1; step < 100; step += step < 12 ? 1 : 70) {
            struct body body = { 0 };
            size_t start;

            body_open(&body, NULL, &any, never, NULL);
            feed_chunks(&body, binary[i].content, step);
            assert_int_equal(body.fault, binary[i].fault);
            assert_int_equal(body.fault_line, binary[i].line);
            assert_int_equal(body.state, binary[i].fault == BODY_SOUND ? BODY_DONE : BODY_DROPPING);
            if (body.state == BODY_DONE) {
                start = header_scan_block(&body.header).len + 2;
                assert_int_equal(body.size, binary[i].content.len - start);
                assert_true(
                    slice_equals(buffer_slice(&body.small), slice_from(binary[i].content, start)));
            }
            body_clear(&body);
        }
}

/* The first fault counts, and the limit on size holds. DATA-10 */
static void test_binary_size(void **state)
{
    const struct body_limits small = {
        .size = sizeof OCTETS + 10, .large = 4000, .is_binary = true
    };
    struct body body = { 0 };

    (void)state;
    body_open(&body, NULL, &small, never, NULL);
    feed_chunks(&body, slice_text(OCTETS "01234567890123456789\n"), 1);
    assert_int_equal(body.fault, BODY_TOO_BIG);
    body_clear(&body);
}

/* EXT-CKPT-3: what is kept after so many octets, cut off at any of them: the first of them, up to
 * the start of a line, or to the octet where that is all there is. Empty: nothing is kept. */
static struct buffer keep(struct body *body, struct slice came, const struct body_limits *any)
{
    uint64_t octets = body_content(body);
    struct body_kept kept = { 0 };

    if (!body_keep(body, &kept))
        return (struct buffer){ 0 };
    assert_null(kept.file);
    assert_int_equal(kept.front.len, kept.octets);
    assert_true(kept.octets > 0 &&
                slice_equals(buffer_slice(&kept.front), slice_first(came, (size_t)kept.octets)));
    if (any->is_binary)
        assert_int_equal(kept.octets, octets);
    else
        assert_int_equal(came.data[kept.octets - 1], '\n');
    return kept.front;
}

/* Goes on behind it with the rest, in two pieces. */
static void go_on(struct body *body, struct buffer *front, struct slice content, size_t middle,
    const struct body_limits *any)
{
    struct slice rest = slice_from(content, front->len);

    body_open(body, NULL, any, never, NULL);
    body_replay(body, buffer_slice(front), -1, 0);
    assert_int_equal(body_content(body), front->len);
    assert_false(body_is_stuck(body));
    if (middle > front->len) {
        body_take_chunk(body, slice_first(rest, middle - front->len));
        rest = slice_from(content, middle);
    }
    body_take_chunk(body, rest);
    body_end(body);
}

/* Whatever is wrong on either side of the cut, or across it, is found as without one. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct slice content = slice_text(rows[i].content);
        for (size_t cut = 1; cut <= content.len; cut += cut < 40 ? 1 : 97)
            for (int is_ended = 0; is_ended < 2; is_ended++) {
                struct body first = { 0 }, body = { 0 };
                struct buffer front;

                body_open(&first, NULL, &limits, never, NULL);
                body_take_chunk(&first, slice_first(content, cut));
                if (is_ended)
                    body_end(&first);
                front = keep(&first, content, &limits);
                body_clear(&first);
                go_on(&body, &front, content, cut, &limits);
                check(&body, &rows[i]);
                body_clear(&body);
                buffer_clear(&front);
            }
    }
}

/* A last line without CRLF is none with DATA. */
static void test_cut_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer whole, wire;
        struct slice sent;

        buffer_init(&whole, 10000);
        buffer_init(&wire, 10000);
        buffer_put_text(&whole, rows[i].content);
        if (whole.data[whole.len - 1] != '\n')
            buffer_put_text(&whole, "\r\n");
        buffer_put_char(&whole, '\0');
        stuff(&wire, whole.data);
        sent = buffer_slice(&wire);
        for (size_t cut = 1; cut <= sent.len; cut += cut < 40 ? 1 : 97) {
            struct body first = { 0 }, body = { 0 };
            struct buffer front, rest;
            bool is_end;

            body_open(&first, NULL, &limits, never, NULL);
            (void)body_take_data(&first, slice_first(sent, cut), &is_end);
            front = keep(&first, buffer_slice(&whole), &limits);
            body_clear(&first);
            body_open(&body, NULL, &limits, never, NULL);
            body_replay(&body, buffer_slice(&front), -1, 0);
            buffer_init(&rest, 10000);
            stuff(&rest, whole.data + front.len);
            feed_data(&body, buffer_slice(&rest), 7);
            check(&body, &rows[i]);
            body_clear(&body);
            buffer_clear(&front);
            buffer_clear(&rest);
        }
        buffer_clear(&whole);
        buffer_clear(&wire);
    }
}

static void test_cut_binary(void **state)
{
    const struct body_limits any = { .size = 5000, .large = 4000, .is_binary = true };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(binary); i++)
        for (size_t cut = 1; cut <= binary[i].content.len; cut++) {
            struct body first = { 0 }, body = { 0 };
            struct buffer front;

            body_open(&first, NULL, &any, never, NULL);
            body_take_chunk(&first, slice_first(binary[i].content, cut));
            front = keep(&first, binary[i].content, &any);
            body_clear(&first);
            go_on(&body, &front, binary[i].content, cut, &any);
            assert_int_equal(body.fault, binary[i].fault);
            assert_int_equal(body.fault_line, binary[i].line);
            body_clear(&body);
            buffer_clear(&front);
        }
}

/* A refused header keeps nothing and counts on. MSG-3 */
static void test_header(void **state)
{
    struct body body = { 0 };

    (void)state;
    body_open(&body, NULL, &limits, never, NULL);
    body_take_chunk(&body, slice_text("no header\r\n\r\nx\r\n"));
    body_end(&body);
    assert_int_equal(body.state, BODY_DROPPING);
    assert_int_equal(body.fault, BODY_SOUND);
    assert_int_equal(body.header.state, HEADER_REFUSED);
    assert_null(body.small.data);
    body_clear(&body);
    assert_int_equal(body.state, BODY_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_binary_size),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_data),
        cmocka_unit_test(test_cut_binary),
        cmocka_unit_test(test_header),
    };

    memset(long_998 + 11, 'y', 998);
    memcpy(long_998 + 11 + 998, "\r\n", 3);
    memset(long_999 + 15, 'y', 999);
    memcpy(long_999 + 15 + 999, "\r\n", 3);
    return cmocka_run_group_tests_name("gate/body", tests, NULL, NULL);
}
