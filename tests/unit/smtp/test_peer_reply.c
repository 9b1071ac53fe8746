/* Replies of a next hop, and its EHLO: whole and byte by byte. */
#include "cases.h"

#include "smtp/ehlo.h"
#include "smtp/peer_reply.h"

static const struct {
    const char *name;
    struct slice input;
    enum peer_reply_answer answer; /* of the last call that was not MORE, or MORE */
    enum peer_reply_fault fault;
    unsigned code;
    unsigned class;
    const char *status;
    size_t lines;
    const char *text;
} cases[] = {
    { "one line", OCTETS("250 ok\r\n"), PEER_REPLY_READY, 0, 250, 2, "", 1, "ok" },
    { "OUT-10 several lines", OCTETS("250-a\r\n250-b\r\n250 c\r\n"), PEER_REPLY_READY, 0, 250, 2,
        "", 3, "a\nb\nc" },
    { "code alone", OCTETS("250\r\n"), PEER_REPLY_READY, 0, 250, 2, "", 1, "" },
    { "empty continuation", OCTETS("250-\r\n250 \r\n"), PEER_REPLY_READY, 0, 250, 2, "", 2, "\n" },
    { "not whole yet", OCTETS("250-a\r\n250-b\r\n"), PEER_REPLY_MORE, 0 },
    { "OUT-10 299", OCTETS("299 x\r\n"), PEER_REPLY_READY, 0, 299, 2, "", 1, "x" },
    { "OUT-10 499", OCTETS("499 x\r\n"), PEER_REPLY_READY, 0, 499, 4, "", 1, "x" },
    { "OUT-10 599", OCTETS("599 x\r\n"), PEER_REPLY_READY, 0, 599, 5, "", 1, "x" },
    { "OUT-10 out of range, 150", OCTETS("150 x\r\n"), PEER_REPLY_READY, 0, 150, 0, "", 1, "x" },
    { "OUT-10 out of range, 600", OCTETS("600 x\r\n"), PEER_REPLY_READY, 0, 600, 0, "", 1, "x" },
    { "OUT-10 out of range, 000", OCTETS("000 x\r\n"), PEER_REPLY_READY, 0, 0, 0, "", 1, "x" },
    { "OUT-10 different codes", OCTETS("250-a\r\n251 b\r\n"), PEER_REPLY_BROKEN,
        PEER_REPLY_FAULT_CODES },
    { "no code", OCTETS("hello\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_SYNTAX },
    { "two digits", OCTETS("25 ok\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_SYNTAX },
    { "four digits", OCTETS("2500 ok\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_SYNTAX },
    { "sign", OCTETS("-25 ok\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_SYNTAX },
    { "empty line", OCTETS("\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_SYNTAX },
    { "bare LF", OCTETS("250 ok\n250 ok\r\n"), PEER_REPLY_BROKEN, PEER_REPLY_FAULT_BARE_LF },
    { "EXT-ESC-4 enhanced code", OCTETS("550 5.1.1 no\r\n"), PEER_REPLY_READY, 0, 550, 5, "5.1.1",
        1, "5.1.1 no" },
    { "EXT-ESC-4 of another class", OCTETS("550 4.1.1 no\r\n"), PEER_REPLY_READY, 0, 550, 5, "", 1,
        "4.1.1 no" },
    { "EXT-ESC-4 something like it", OCTETS("550 5.1.1.1 no\r\n"), PEER_REPLY_READY, 0, 550, 5, "",
        1, "5.1.1.1 no" },
    { "DSN-7 both lines kept", OCTETS("550-5.1.1 no\r\n550 5.1.1 such user\r\n"), PEER_REPLY_READY,
        0, 550, 5, "5.1.1", 2, "5.1.1 no\n5.1.1 such user" },
    { "controls are shown, not kept", OCTETS("250 a\x1b[2J\0b\rc\xff\r\n"), PEER_REPLY_READY, 0,
        250, 2, "", 1, "a\\x1B[2J\\x00b\\x0Dc\\xFF" },
};

struct run {
    struct peer_reply_reader reader;
    struct buffer stream;
    struct peer_reply reply;
    enum peer_reply_answer answer;
};

static void run_start(struct run *run)
{
    *run = (struct run){ .answer = PEER_REPLY_MORE };
    peer_reply_reader_init(&run->reader);
    buffer_init(&run->stream, 1 << 20);
}

static void run_end(struct run *run)
{
    peer_reply_reader_clear(&run->reader);
    buffer_clear(&run->stream);
}

/* Feeds step octets at a time until a whole reply or a fault. */
static void feed(struct run *run, struct slice input, size_t step)
{
    for (size_t at = 0; at < input.len && run->answer == PEER_REPLY_MORE; at += step) {
        size_t consumed;

        buffer_put_slice(&run->stream, slice_first(slice_from(input, at), step));
        run->answer =
            peer_reply_read(&run->reader, buffer_slice(&run->stream), &consumed, &run->reply);
        buffer_consume(&run->stream, consumed);
        if (step == 1)
            assert_true(run->stream.len <= PEER_REPLY_BUFFER_MIN);
    }
}

static void check_table(size_t step)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct run run;

        run_start(&run);
        feed(&run, cases[i].input, step ? step : cases[i].input.len);
        expect_number(cases[i].name, run.answer, cases[i].answer);
        expect_number(cases[i].name, run.reader.fault, cases[i].fault);
        if (run.answer == PEER_REPLY_READY) {
            expect_number(cases[i].name, run.reply.code, cases[i].code);
            expect_number(cases[i].name, peer_reply_class(&run.reply), cases[i].class);
            expect_number(cases[i].name, run.reply.lines, cases[i].lines);
            expect_text(cases[i].name, run.reply.text, cases[i].text);
            expect_status(cases[i].name, run.reply.status, cases[i].status);
            assert_int_equal(run.stream.len, 0);
        }
        run_end(&run);
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

/* EXT-PIPELINING-5: replies that came in one read are met one by one. */
static void test_pipelined(void **state UNUSED)
{
    static const struct slice input = OCTETS("250 2.1.0 a\r\n550 5.1.1 b\r\n354 c\r\n");
    static const unsigned codes[] = { 250, 550, 354 };
    struct run run;
    size_t consumed;

    run_start(&run);
    buffer_put_slice(&run.stream, input);
    for (size_t i = 0; i < LENGTH_OF(codes); i++) {
        assert_int_equal(
            peer_reply_read(&run.reader, buffer_slice(&run.stream), &consumed, &run.reply),
            PEER_REPLY_READY);
        assert_int_equal(run.reply.code, codes[i]);
        buffer_consume(&run.stream, consumed);
    }
    assert_int_equal(peer_reply_read(&run.reader, buffer_slice(&run.stream), &consumed, &run.reply),
        PEER_REPLY_MORE);
    assert_false(status_is_set(run.reply.status));
    run_end(&run);
}

/* A line of length octets of text after "250 ", whole and in steps. */
static void check_long_line(size_t length, size_t step, size_t want)
{
    char *text = repeated('x', length);
    struct buffer input;
    struct run run;

    buffer_init(&input, 1 << 20);
    run_start(&run);
    buffer_put_text(&input, "250 ");
    buffer_put(&input, text, length);
    buffer_put_text(&input, "\r\n");
    feed(&run, buffer_slice(&input), step);
    assert_int_equal(run.answer, PEER_REPLY_READY);
    expect_number("long line", run.reply.text.len, want);
    run_end(&run);
    buffer_clear(&input);
    free(text);
}

/* First, last, one past: the rest of a long line is dropped, the reply is not. */
static void test_long_lines(void **state UNUSED)
{
    enum { LAST = PEER_REPLY_LINE_MAX - 4 };
    static const size_t steps[] = { 1, 7, 1000, 1 << 20 };

    for (size_t i = 0; i < LENGTH_OF(steps); i++) {
        check_long_line(LAST, steps[i], LAST);
        check_long_line(LAST + 1, steps[i], LAST);
        check_long_line(LAST + 2, steps[i], LAST);
        check_long_line(20000, steps[i], LAST);
    }
}

static enum peer_reply_fault many_lines(size_t count, const char *line, size_t step)
{
    enum peer_reply_fault fault;
    struct buffer input;
    struct run run;

    buffer_init(&input, 1 << 24);
    run_start(&run);
    for (size_t i = 0; i + 1 < count; i++)
        buffer_printf(&input, "250-%s\r\n", line);
    buffer_printf(&input, "250 %s\r\n", line);
    feed(&run, buffer_slice(&input), step);
    fault = run.reader.fault;
    assert_int_equal(run.answer, fault ? PEER_REPLY_BROKEN : PEER_REPLY_READY);
    run_end(&run);
    buffer_clear(&input);
    return fault;
}

static void test_bounds(void **state UNUSED)
{
    static const size_t steps[] = { 1, 1 << 24 };
    char *line = repeated('\xff', 994);
    char *endless = repeated('x', 1000);
    struct run run;

    for (size_t i = 0; i < LENGTH_OF(steps); i++) {
        assert_int_equal(many_lines(128, "x", steps[i]), PEER_REPLY_FAULT_NONE);
        assert_int_equal(many_lines(129, "x", steps[i]), PEER_REPLY_FAULT_LINES);
        assert_int_equal(many_lines(65, line, steps[i]), PEER_REPLY_FAULT_NONE);
        assert_int_equal(many_lines(66, line, steps[i]), PEER_REPLY_FAULT_TOTAL);
    }
    run_start(&run);
    feed(&run, slice_text("250 "), 4);
    for (int i = 0; i < 100 && run.answer == PEER_REPLY_MORE; i++)
        feed(&run, slice_of(endless, 1000), 1000);
    assert_int_equal(run.answer, PEER_REPLY_BROKEN);
    assert_int_equal(run.reader.fault, PEER_REPLY_FAULT_TOTAL);
    run_end(&run);
    free(line);
    free(endless);
}

static void test_stays_broken(void **state UNUSED)
{
    struct run run;
    size_t consumed;

    run_start(&run);
    feed(&run, slice_text("junk\r\n"), 6);
    assert_int_equal(run.answer, PEER_REPLY_BROKEN);
    assert_int_equal(peer_reply_read(&run.reader, slice_text("250 ok\r\n"), &consumed, &run.reply),
        PEER_REPLY_BROKEN);
    assert_int_equal(consumed, 0);
    for (enum peer_reply_fault fault = 0; fault <= PEER_REPLY_FAULT_COUNT; fault++)
        assert_non_null(peer_reply_fault_text(fault));
    run_end(&run);
}

#define BIT(name)  EXTENSION_BIT(EXTENSION_##name)
#define MECH(name) MECHANISM_BIT(MECHANISM_##name)

static const struct {
    const char *name;
    const char *input;
    struct peer_extensions want;
} ehlos[] = {
    { "name alone", "250 mx.example.org\r\n", { 0 } },
    { "the first line is no keyword", "250 PIPELINING\r\n", { 0 } },
    { "many",
        "250-mx.example.org Hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8bitmime\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-STARTTLS\r\n"
        "250-REQUIRETLS\r\n250-X-OTHER thing\r\n250 SMTPUTF8\r\n",
        { .set = BIT(PIPELINING) | BIT(SIZE) | BIT(8BITMIME) | BIT(ENHANCEDSTATUSCODES) | BIT(DSN) |
                 BIT(CHUNKING) | BIT(BINARYMIME) | BIT(STARTTLS) | BIT(REQUIRETLS) | BIT(SMTPUTF8),
            .size = 1000 } },
    { "EXT-SIZE-6 no number", "250-x\r\n250 SIZE\r\n", { .set = BIT(SIZE) } },
    { "EXT-SIZE-6 no limit", "250-x\r\n250 SIZE 0\r\n", { .set = BIT(SIZE) } },
    { "EXT-SIZE-6 not a number", "250-x\r\n250 SIZE 1k\r\n", { 0 } },
    { "EXT-SIZE-6 huge", "250-x\r\n250 SIZE 99999999999999999999999\r\n",
        { .set = BIT(SIZE), .size = UINT64_MAX } },
    { "AUTH", "250-x\r\n250 AUTH PLAIN login SCRAM-SHA-256 FOO\r\n",
        { .set = BIT(AUTH), .mechanisms = MECH(PLAIN) | MECH(LOGIN) | MECH(SCRAM_SHA_256) } },
    { "AUTH in both forms", "250-x\r\n250-AUTH=LOGIN\r\n250 AUTH PLAIN\r\n",
        { .set = BIT(AUTH), .mechanisms = MECH(PLAIN) | MECH(LOGIN) } },
    { "trailing spaces", "250-x\r\n250 PIPELINING  \r\n", { .set = BIT(PIPELINING) } },
    { "DELIVERBY", "250-x\r\n250-MT-PRIORITY MIXER\r\n250-MTRK\r\n250-RRVS\r\n250 DELIVERBY 60\r\n",
        { .set = BIT(DELIVERBY) | BIT(MT_PRIORITY) | BIT(MTRK) | BIT(RRVS),
            .deliver_by_min = 60 } },
    { "LIMITS", "250-x\r\n250 LIMITS MAILMAX=5 RCPTMAX=10 RCPTDOMAINMAX=1\r\n",
        { .set = BIT(LIMITS), .mail_max = 5, .rcpt_max = 10, .rcpt_domain_max = 1 } },
    { "EXT-LIMITS-3 a malformed limit alone",
        "250-x\r\n250 LIMITS MAILMAX=0 RCPTMAX=10 RCPTDOMAINMAX=x FOO=1\r\n",
        { .set = BIT(LIMITS), .rcpt_max = 10 } },
    { "EXT-LIMITS-3 seven digits", "250-x\r\n250 LIMITS MAILMAX=999999 RCPTMAX=1000000\r\n",
        { .set = BIT(LIMITS), .mail_max = 999999 } },
    { "EXT-LIMITS-3 leading zero", "250-x\r\n250 LIMITS RCPTMAX=010\r\n", { .set = BIT(LIMITS) } },
    { "EXT-LIMITS-3 bad base syntax", "250-x\r\n250 LIMITS RCPTMAX=10 MAILMAX\r\n", { 0 } },
    { "EXT-LIMITS-3 bad base syntax, semicolon", "250-x\r\n250 LIMITS RCPTMAX=10;MAILMAX=1\r\n",
        { 0 } },
    { "EXT-LIMITS-3 bad name", "250-x\r\n250 LIMITS RCPT:MAX=10\r\n", { 0 } },
    { "hostile octets", "250-x\r\n250 PIPELINING\x01\r\n", { 0 } },
};

static void check_ehlo(size_t step)
{
    for (size_t i = 0; i < LENGTH_OF(ehlos); i++) {
        /* What an earlier EHLO said is gone (EXT-LIMITS-3). */
        struct peer_extensions peer;
        struct run run;

        memset(&peer, 0xff, sizeof peer);
        run_start(&run);
        feed(&run, slice_text(ehlos[i].input), step);
        assert_int_equal(run.answer, PEER_REPLY_READY);
        peer_extensions_read(&run.reply, &peer);
        expect_number(ehlos[i].name, peer.set, ehlos[i].want.set);
        expect_number(ehlos[i].name, peer.size, ehlos[i].want.size);
        expect_number(ehlos[i].name, peer.mechanisms, ehlos[i].want.mechanisms);
        expect_number(ehlos[i].name, peer.mail_max, ehlos[i].want.mail_max);
        expect_number(ehlos[i].name, peer.rcpt_max, ehlos[i].want.rcpt_max);
        expect_number(ehlos[i].name, peer.rcpt_domain_max, ehlos[i].want.rcpt_domain_max);
        expect_number(ehlos[i].name, peer.deliver_by_min, ehlos[i].want.deliver_by_min);
        run_end(&run);
    }
}

static void test_ehlo_whole(void **state UNUSED)
{
    check_ehlo(4096);
}

static void test_ehlo_byte_by_byte(void **state UNUSED)
{
    check_ehlo(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_stays_broken),
        cmocka_unit_test(test_ehlo_whole),
        cmocka_unit_test(test_ehlo_byte_by_byte),
    };

    return cmocka_run_group_tests_name("smtp/peer_reply", tests, NULL, NULL);
}
