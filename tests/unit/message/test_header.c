/* tests/unit/message/test_header.c: the header block as it is taken in, whole and octet by octet,
 * indexed and judged. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "message/header.h"

#define FROM "From: alice@example.net\r\n"

struct scan_case {
    const char *name;
    struct slice content;
    enum header_state state; /* after header_scan_end */
    enum header_fault fault;
    size_t header; /* octets that the feeding took for the header; without meaning when refused */
    size_t fields;
    const char *text; /* of the verdict, NULL: not looked at */
};

#define C(text) SLICE_LITERAL(text)

static const struct scan_case scan_cases[] = {
    { "MSG-3 header and body", C(FROM "\r\nbody\r\n"), HEADER_COMPLETE, HEADER_SOUND, 27, 1, NULL },
    { "MSG-3 header alone, empty line", C(FROM "\r\n"), HEADER_COMPLETE, HEADER_SOUND, 27, 1,
        NULL },
    { "MSG-3 header alone, no empty line", C(FROM), HEADER_COMPLETE, HEADER_SOUND, 25, 1, NULL },
    { "DATA-11 last line without CRLF", C("From: a@b.example"), HEADER_COMPLETE, HEADER_SOUND, 17,
        1, NULL },
    { "nothing at all", C(""), HEADER_COMPLETE, HEADER_SOUND, 0, 0, NULL },
    { "empty line first", C("\r\nbody"), HEADER_COMPLETE, HEADER_SOUND, 2, 0, NULL },
    { "MSG-3 folds", C("Subject: a\r\n b\r\n\tc\r\n" FROM "\r\n"), HEADER_COMPLETE, HEADER_SOUND,
        47, 2, NULL },
    { "MSG-3 a line of blanks is a fold", C("Subject: a\r\n \r\n" FROM "\r\nx"), HEADER_COMPLETE,
        HEADER_SOUND, 42, 2, NULL },
    { "MSG-3 empty body", C("Subject:\r\n\r\n"), HEADER_COMPLETE, HEADER_SOUND, 12, 1, NULL },
    { "MSG-3 first and last octet of a name", C("!~: x\r\n\r\n"), HEADER_COMPLETE, HEADER_SOUND, 9,
        1, NULL },
    { "MSG-3 blank in the name", C("Bad Header: x\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0, 0,
        "Header line 1 is neither a field nor a continuation" },
    { "MSG-3 blank before the colon", C("Subject : x\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0,
        0, NULL },
    { "MSG-3 no name", C(": x\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0, 0, NULL },
    { "MSG-3 DEL in the name", C("a\177: x\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0, 0, NULL },
    { "MSG-3 8-bit name", C("caf\303\251: x\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0, 0,
        NULL },
    { "MSG-3 no colon", C("hello\r\n\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0, 0, NULL },
    { "MSG-3 text before any header", C("hello world\r\n" FROM "\r\n"), HEADER_REFUSED,
        HEADER_BAD_LINE, 0, 0, NULL },
    { "MSG-3 fold before any header", C(" x\r\n" FROM "\r\n"), HEADER_REFUSED, HEADER_BAD_LINE, 0,
        0, NULL },
    { "MSG-3 one missing blank line is not repaired", C(FROM "Hello Bob,\r\nhow are you\r\n"),
        HEADER_REFUSED, HEADER_BAD_LINE, 0, 0,
        "Header line 2 is neither a field nor a continuation" },
    { "mbox line", C("From alice Tue Mar  3 10:00:00 2026\r\n" FROM "\r\n"), HEADER_REFUSED,
        HEADER_BAD_LINE, 0, 0, NULL },
    { "DATA-4 bare LF", C("From: a@b.example\n\r\n"), HEADER_REFUSED, HEADER_BARE_NEWLINE, 0, 0,
        "Bare CR or LF not allowed, seen in header line 1" },
    { "DATA-4 bare LF as the empty line", C(FROM "\nbody"), HEADER_REFUSED, HEADER_BARE_NEWLINE, 0,
        0, NULL },
    { "DATA-4 bare CR", C("Subject: a\rb\r\n\r\n"), HEADER_REFUSED, HEADER_BARE_NEWLINE, 0, 0,
        NULL },
    { "DATA-4 CR CR LF", C("Subject: a\r\r\n\r\n"), HEADER_REFUSED, HEADER_BARE_NEWLINE, 0, 0,
        NULL },
    { "DATA-4 CR at the end of all", C("Subject: a\r"), HEADER_REFUSED, HEADER_BARE_NEWLINE, 0, 0,
        NULL },
    { "DATA-8 NUL", C("Subject: a\0b\r\n\r\n"), HEADER_REFUSED, HEADER_NUL, 0, 0, NULL },
    { "8-bit body", C("Subject: caf\303\251\r\n\r\n"), HEADER_COMPLETE, HEADER_SOUND, 18, 1, NULL },
};

/* Feeds runs of the given length, as the gate would. Returns the octets taken for the header. */
static size_t feed(struct header_scan *scan, struct slice content, size_t step)
{
    size_t used = 0;

    header_scan_init(scan);
    while (used < content.len && scan->state != HEADER_COMPLETE) {
        struct slice run = slice_first(slice_from(content, used), step);
        /* An exact copy, so that the sanitizer sees a read behind it. */
        char *copy = malloc(run.len);

        assert_non_null(copy);
        memcpy(copy, run.data, run.len);
        used += header_scan_feed(scan, slice_of(copy, run.len));
        free(copy);
    }
    header_scan_end(scan);
    return used;
}

static void check_scan(const struct scan_case *c, size_t step)
{
    struct header_scan scan;
    size_t used = feed(&scan, c->content, step);

    if (scan.state != c->state || scan.verdict.fault != c->fault)
        fail_msg("%s, step %zu: state %d fault %d", c->name, step, scan.state, scan.verdict.fault);
    if (c->state == HEADER_COMPLETE && (used != c->header || scan.fields != c->fields))
        fail_msg("%s, step %zu: header %zu, fields %zu", c->name, step, used, scan.fields);
    if (c->text)
        assert_string_equal(scan.verdict.text, c->text);
    if (c->state == HEADER_REFUSED) {
        assert_int_equal(scan.verdict.code, 554);
        assert_string_equal(scan.verdict.status, "5.6.0");
        assert_int_equal(scan.text.size, 0);
    }
    header_scan_clear(&scan);
}

static void test_scan(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(scan_cases); i++)
        for (size_t step = 1; step < 64; step = step < 4 ? step + 1 : step * 4)
            check_scan(&scan_cases[i], step);
}

static void test_scan_whole(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(scan_cases); i++)
        check_scan(&scan_cases[i], SIZE_MAX);
}

static void test_complete_takes_no_more(void **state UNUSED)
{
    struct header_scan scan;

    header_scan_init(&scan);
    assert_int_equal(header_scan_feed(&scan, slice_text(FROM "\r\nbody")), strlen(FROM) + 2);
    assert_int_equal(header_scan_feed(&scan, slice_text("more")), 0);
    header_scan_end(&scan);
    assert_true(slice_is(header_scan_block(&scan), FROM));
    header_scan_clear(&scan);
}

static void test_refused_drops(void **state UNUSED)
{
    struct header_scan scan;

    header_scan_init(&scan);
    assert_int_equal(header_scan_feed(&scan, slice_text("x\r\ny")), 4);
    assert_int_equal(scan.state, HEADER_REFUSED);
    assert_int_equal(header_scan_feed(&scan, slice_text("z\r\n\r\n")), 5);
    assert_int_equal(header_scan_block(&scan).len, 0);
    header_scan_clear(&scan);
}

/* Appends a line of len octets with its CRLF. */
static void put_line(struct buffer *out, const char *start, size_t len)
{
    buffer_put_text(out, start);
    for (size_t i = strlen(start); i < len - 2; i++)
        buffer_put_char(out, 'x');
    buffer_put_text(out, "\r\n");
}

/* Scans the content in runs of many lengths, and frees it. */
static void check_limit(const char *name, struct buffer *content, enum header_fault fault)
{
    for (size_t step = 1; step < 1 << 22; step = step * 7 + 1) {
        struct header_scan scan;

        feed(&scan, buffer_slice(content), step);
        if (scan.verdict.fault != fault)
            fail_msg("%s, step %zu: fault %d", name, step, scan.verdict.fault);
        assert_int_equal(scan.state, fault == HEADER_SOUND ? HEADER_COMPLETE : HEADER_REFUSED);
        header_scan_clear(&scan);
    }
    buffer_clear(content);
}

static void check_line(size_t len, bool ended, enum header_fault fault)
{
    struct buffer content;

    buffer_init(&content, 1 << 20);
    put_line(&content, "a:", len + 2);
    if (ended)
        buffer_put_text(&content, "\r\n");
    else
        buffer_truncate(&content, len);
    check_limit("line", &content, fault);
}

static void test_line_limit(void **state UNUSED)
{
    check_line(998, true, HEADER_SOUND);
    check_line(999, true, HEADER_LINE_TOO_LONG);
    check_line(1000, true, HEADER_LINE_TOO_LONG);
    check_line(1001, true, HEADER_LINE_TOO_LONG);
    check_line(998, false, HEADER_SOUND);
    check_line(999, false, HEADER_LINE_TOO_LONG);
    check_line(300000, false, HEADER_LINE_TOO_LONG);
}

/* DATA-14: 2000 fields. */
static void test_count_limit(void **state UNUSED)
{
    for (size_t count = HEADER_FIELDS_MAX; count <= HEADER_FIELDS_MAX + 1; count++) {
        struct buffer content;

        buffer_init(&content, 1 << 20);
        for (size_t i = 0; i < count; i++)
            put_line(&content, "a:", 4);
        check_limit(
            "fields", &content, count == HEADER_FIELDS_MAX ? HEADER_SOUND : HEADER_TOO_MANY_FIELDS);
    }
}

/* DATA-14: 100 KiB behind the colon, the last CRLF not counted. */
static void test_field_limit(void **state UNUSED)
{
    for (size_t more = 0; more <= 1; more++) {
        struct buffer content;

        buffer_init(&content, 1 << 20);
        put_line(&content, "a:", 4);
        for (size_t i = 0; i < 102; i++)
            put_line(&content, " ", 1000);
        put_line(&content, " ", 400 + more);
        assert_int_equal(content.len, 2 + HEADER_BODY_MAX + 2 + more);
        check_limit("field", &content, more ? HEADER_FIELD_TOO_LARGE : HEADER_SOUND);
    }
}

/* DATA-14: 256 KiB without the empty line. */
static void test_size_limit(void **state UNUSED)
{
    static const struct {
        size_t last;
        const char *tail;
        enum header_fault fault;
    } cases[] = {
        { 256, "\r\nbody", HEADER_SOUND },
        { 256, "", HEADER_SOUND },
        { 257, "\r\nbody", HEADER_TOO_LARGE },
        { 258, "\r\n", HEADER_TOO_LARGE },
        { 259, "\r\n", HEADER_TOO_LARGE },
        { 256, "b:\r\n", HEADER_TOO_LARGE },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct buffer content;

        buffer_init(&content, 1 << 20);
        for (size_t j = 0; j < 1023; j++)
            put_line(&content, "a:", 256);
        put_line(&content, "a:", cases[i].last);
        buffer_put_text(&content, cases[i].tail);
        check_limit("block", &content, cases[i].fault);
    }
}

static void index_of(const char *text, struct arena *arena, struct header_index *out_index)
{
    arena_init(arena, 1 << 20);
    assert_int_equal(header_index_build(slice_text(text), arena, out_index), ERR_OK);
}

static void test_index(void **state UNUSED)
{
    struct arena arena;
    struct header_index index;

    index_of("fRoM: a@b.example\r\nX-Any:1\r\n\t2 \r\nSUBJECT:\r\nX-submitd-Trace: 1\r\n\r\n",
        &arena, &index);
    assert_int_equal(index.count, 4);
    assert_int_equal(index.charset, HEADER_ASCII);
    assert_int_equal(index.seen[HEADER_FROM], 1);
    assert_int_equal(index.seen[HEADER_OTHER], 1);
    assert_int_equal(index.seen[HEADER_PRIVATE], 1);
    assert_true(slice_is(index.fields[0].whole, "fRoM: a@b.example\r\n"));
    assert_true(slice_is(index.fields[1].name, "X-Any"));
    assert_true(slice_is(index.fields[1].body, "1\r\n\t2 "));
    assert_true(slice_is(index.fields[1].whole, "X-Any:1\r\n\t2 \r\n"));
    assert_true(slice_is(header_value(&index.fields[1]), "1\r\n\t2"));
    assert_int_equal(index.fields[2].id, HEADER_SUBJECT);
    assert_int_equal(index.fields[2].body.len, 0);
    assert_int_equal(index.seen[HEADER_TO], 0);
    arena_clear(&arena);
}

static void test_index_refuses(void **state UNUSED)
{
    static const char *const blocks[] = { "hello\r\n", " fold\r\n", "a: b", "a: b\n", ":\r\n",
        "\r\n\r\n" };
    struct header_index index;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < LENGTH_OF(blocks); i++)
        assert_int_equal(header_index_build(slice_text(blocks[i]), &arena, &index), ERR_INVALID);
    assert_int_equal(header_index_build(slice_text(""), &arena, &index), ERR_OK);
    assert_int_equal(index.count, 0);
    assert_int_equal(header_index_build(slice_text("\r\n"), &arena, &index), ERR_OK);
    assert_int_equal(index.count, 0);
    arena_clear(&arena);
    arena_init(&arena, 0);
    assert_int_equal(header_index_build(slice_text("a: b\r\n"), &arena, &index), ERR_NOMEM);
    arena_clear(&arena);
}

static void test_names_round_trip(void **state UNUSED)
{
    for (int id = HEADER_FROM; id < HEADER_PRIVATE; id++)
        assert_int_equal(header_id_of(slice_text(header_id_name((enum header_id)id))), id);
    assert_int_equal(header_id_of(slice_text("X-Submitd-")), HEADER_PRIVATE);
    assert_int_equal(header_id_of(slice_text("X-Submitd")), HEADER_OTHER);
    assert_int_equal(header_id_of(slice_text("")), HEADER_OTHER);
}

struct check_case {
    const char *header;
    bool smtputf8;
    enum header_fault fault;
    const char *status;
    const char *text;
};

static const struct check_case check_cases[] = {
    { FROM, false, HEADER_SOUND, NULL, "" },
    /* MSG-2 */
    { "Subject: x\r\n", false, HEADER_NO_FROM, "5.6.0", "Missing From" },
    { "", false, HEADER_NO_FROM, "5.6.0", "Missing From" },
    { "From: \r\n \r\n", false, HEADER_NO_FROM, "5.6.0", "Missing From" },
    /* MSG-1: two of each that may come once */
    { FROM "from: b@c.example\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one From field" },
    { FROM "Date: x\r\nDate: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Date field" },
    { FROM "Sender: x\r\nSender: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Sender field" },
    { FROM "Reply-To: x\r\nReply-To: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Reply-To field" },
    { FROM "To: x\r\nTO: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0", "More than one To field" },
    { FROM "Cc: x\r\nCC: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0", "More than one Cc field" },
    { FROM "Bcc: x\r\nBcc: y\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Bcc field" },
    { FROM "Message-Id: <a@b>\r\nMessage-ID: <a@b>\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Message-ID field" },
    { FROM "In-Reply-To: <a@b>\r\nIn-Reply-To: <a@b>\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one In-Reply-To field" },
    { FROM "References: <a@b>\r\nReferences: <a@b>\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one References field" },
    { FROM "Subject: x\r\nSubject: x\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one Subject field" },
    /* RTLS-6: one field that says whether TLS is needed, by either name */
    { FROM "TLS-Required: No\r\n", false, HEADER_SOUND, NULL, "" },
    { FROM "TLS-Required: No\r\ntls-required: No\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one TLS-Required field" },
    { FROM "TLS-Required: No\r\nRequireTLS: NO\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one RequireTLS field" },
    { FROM "RequireTLS: NO\r\nRequireTLS: x\r\n", false, HEADER_REPEATED_FIELD, "5.6.0",
        "More than one RequireTLS field" },
    /* others may be repeated */
    { FROM "X-A: 1\r\nX-A: 2\r\nComments: 1\r\nComments: 2\r\nResent-To: a\r\nResent-To: b\r\n",
        false, HEADER_SOUND, NULL, "" },
    /* MSG-14, MSG-21 */
    { "Received: (((\r\nReceived:\r\nReceived: \377\r\n" FROM, false, HEADER_SOUND, NULL, "" },
    /* EXT-SMTPUTF8-12 */
    { "From: \303\251@example.net\r\n", false, HEADER_8BIT_ADDRESS, "5.6.7",
        "Non-ASCII From field needs SMTPUTF8" },
    { "From: \303\251@example.net\r\n", true, HEADER_SOUND, NULL, "" },
    { FROM "Subject: \303\251\r\n", false, HEADER_SOUND, NULL, "" },
    { FROM "To: \303\251@example.net\r\n", false, HEADER_8BIT_ADDRESS, "5.6.7",
        "Non-ASCII To field needs SMTPUTF8" },
    { FROM "Subject: \351t\351\r\n", false, HEADER_NOT_UTF8, "5.6.0",
        "Octets in the Subject field are neither ASCII nor UTF-8" },
    { FROM "Subject: \300\200\r\n", true, HEADER_NOT_UTF8, "5.6.0",
        "Octets in the Subject field are neither ASCII nor UTF-8" },
    { FROM "X-Long-Name-That-Goes-On-And-On-And-On-And-On: \377\r\n", true, HEADER_NOT_UTF8,
        "5.6.0",
        "Octets in the X-Long-Name-That-Goes-On-And-On- field are neither ASCII nor UTF-8" },
};

static void test_check(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(check_cases); i++) {
        const struct check_case *c = &check_cases[i];
        struct header_verdict verdict;
        struct header_index index;
        struct arena arena;

        index_of(c->header, &arena, &index);
        assert_int_equal(header_check(&index, c->smtputf8, &verdict), c->fault == HEADER_SOUND);
        assert_int_equal(verdict.fault, c->fault);
        assert_string_equal(verdict.text, c->text);
        assert_int_equal(verdict.code, c->status ? 554 : 0);
        if (c->status)
            assert_string_equal(verdict.status, c->status);
        arena_clear(&arena);
    }
}

/* DATA-12: 100 Received fields pass, 101 are a loop. */
static void test_loop(void **state UNUSED)
{
    for (size_t count = 100; count <= 101; count++) {
        struct header_verdict verdict;
        struct header_index index;
        struct buffer block;
        struct arena arena;

        buffer_init(&block, 1 << 20);
        buffer_put_text(&block, FROM);
        for (size_t i = 0; i < count; i++)
            buffer_put_text(&block, "Received: by x\r\n");
        arena_init(&arena, 1 << 20);
        assert_int_equal(header_index_build(buffer_slice(&block), &arena, &index), ERR_OK);
        assert_int_equal(header_check(&index, false, &verdict), count == 100);
        assert_int_equal(verdict.fault, count == 100 ? HEADER_SOUND : HEADER_LOOP);
        if (count == 101)
            assert_string_equal(verdict.status, "5.4.6");
        arena_clear(&arena);
        buffer_clear(&block);
    }
}

static void test_charset(void **state UNUSED)
{
    struct arena arena;
    struct header_index index;

    index_of(FROM "Subject: \303\251\r\n", &arena, &index);
    assert_int_equal(index.charset, HEADER_UTF8);
    assert_int_equal(index.fields[0].charset, HEADER_ASCII);
    arena_clear(&arena);
    index_of("Subject: \303\251\r\nX: \377\r\n", &arena, &index);
    assert_int_equal(index.charset, HEADER_MIXED);
    arena_clear(&arena);
}

static void test_every_fault_has_words(void **state UNUSED)
{
    for (int fault = HEADER_SOUND + 1; fault < HEADER_FAULTS; fault++) {
        struct header_verdict v = header_verdict_of(
            (enum header_fault)fault, slice_text("12345678901234567890123456789012345"));

        assert_int_equal(v.code, 554);
        assert_non_null(v.status);
        assert_true(strlen(v.text) > 8 && strlen(v.text) < sizeof v.text - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_whole),
        cmocka_unit_test(test_complete_takes_no_more),
        cmocka_unit_test(test_refused_drops),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_count_limit),
        cmocka_unit_test(test_field_limit),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_index_refuses),
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_charset),
        cmocka_unit_test(test_every_fault_has_words),
    };

    return cmocka_run_group_tests_name("message/header", tests, NULL, NULL);
}
