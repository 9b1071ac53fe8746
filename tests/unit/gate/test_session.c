/* gate: whole dialogues on a socketpair, as tables of what is said and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gate/transaction.h"
#include "house.h"

struct step {
    const char *say;    /* a line, without CRLF; NULL: nothing */
    const char *expect; /* the reply's beginning; NULL: none is waited for */
};

/* Ends with { NULL, NULL }; END also requires that the connection ends. */
#define DONE                                                                                       \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

static void run(struct client *c, const struct step *steps)
{
    for (; steps->say || steps->expect; steps++) {
        if (steps->say) {
            client_say(c, steps->say);
            client_say(c, "\r\n");
        }
        if (steps->expect)
            client_expect(c, steps->expect);
    }
}

static struct house house;

static int open_house(void **state)
{
    (void)state;
    house = (struct house){ 0 };
    house_open(&house, "postmaster = \"admin@local.example\"\n"
                       "limits { message_size = 400000 }\n");
    house.gate.snapshot->conf->limits.recipients = 4; /* below what the file may say */
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_turn(&house, 5);
    assert_null(house.gate.sessions);
    house_close(&house);
    return 0;
}

/* A trusted client in clear text; ends with QUIT. */
static void dialogue(const struct step *steps)
{
    struct client c;

    client_open(&c, &house, LISTENER_CLEAR, "192.0.2.9");
    client_expect(&c, "220 msa.example.net ESMTP\r\n"); /* LSN-1, LSN-2 */
    run(&c, steps);
    client_ask(&c, "QUIT", "221 2.0.0 msa.example.net");
    client_expect_end(&c);
    client_close(&c);
}

/* The same for a dialogue that the gate ends. */
static void dialogue_to_end(
    enum house_listener listener, const char *address, const struct step *steps)
{
    struct client c;

    client_open(&c, &house, listener, address);
    client_expect(&c, "220 ");
    run(&c, steps);
    client_expect_end(&c);
    client_close(&c);
}

struct kept {
    struct buffer text; /* header and body of every record */
    size_t recipients;
    struct slice last_recipient;
    char recipient[256];
    bool is_8bit;
    bool smtputf8;
};

static void keep(void *owner, const struct record *record)
{
    struct kept *kept = owner;
    const struct envelope *envelope = &record->envelope;
    struct slice last = envelope->recipients[envelope->recipient_count - 1].address;

    buffer_put_slice(&kept->text, record->header);
    buffer_put_slice(&kept->text, record->body);
    kept->recipients = envelope->recipient_count;
    kept->is_8bit = envelope->eight_bit_body;
    kept->smtputf8 = envelope->smtputf8;
    snprintf(kept->recipient, sizeof kept->recipient, "%.*s", SLICE_ARGS(last));
}

/* All that was kept, which must be `count` messages; the text is NUL-ended. */
static const char *kept_text(size_t count, struct kept *out_kept)
{
    static char text[1 << 20];
    struct kept kept = { 0 };

    buffer_init(&kept.text, sizeof text - 1);
    house_turn(&house, 5);
    assert_int_equal(house_records(&house, keep, &kept), count);
    if (kept.text.len > 0)
        memcpy(text, kept.text.data, kept.text.len);
    text[kept.text.len] = '\0';
    buffer_clear(&kept.text);
    if (out_kept)
        *out_kept = kept;
    return text;
}

#define GREET                                                                                      \
    {                                                                                              \
        "EHLO c.example", "250-msa.example.net"                                                    \
    }
#define MAIL                                                                                       \
    {                                                                                              \
        "MAIL FROM:<alice@example.net>", "250 2.1.0"                                               \
    }
#define RCPT                                                                                       \
    {                                                                                              \
        "RCPT TO:<bob@local.example>", "250 2.1.5"                                                 \
    }
#define MESSAGE_HEAD                                                                               \
    {                                                                                              \
        "From: alice@example.net\r\nSubject: x\r\n", NULL                                          \
    }

/* CMD-1, CMD-31, DATA-1, DATA-2, DATA-3, DATA-13, MSG-6, MSG-9, EXT-ESC-1, SUB-4.3-2, AUTH-23 */
static void test_small_message(void **state)
{
    const char *text;

    (void)state;
    dialogue((const struct step[]){ GREET, MAIL, RCPT, { "DATA", "354 End data" },
        { "From: alice@example.net\r\nSubject: x\r\nBcc: eve@example.org\r\n", NULL },
        { "..dot\r\nend\r\n.", "250 2.0.0 Ok: queued as " }, DONE });
    text = kept_text(1, NULL);
    assert_non_null(strstr(text, "Received: from c.example "));
    assert_non_null(strstr(text, "with ESMTP"));
    assert_non_null(strstr(text, "\r\n\r\n.dot\r\nend\r\n"));
    assert_null(strstr(text, "eve@"));
    assert_non_null(strstr(text, "Message-ID: <"));
}

/* CMD-2, CMD-4, CMD-6, CMD-7, EXT-LIMITS-1, TLS-3: no certificate, no STARTTLS */
static void test_greetings(void **state)
{
    struct client c;
    const char *reply;

    (void)state;
    client_open(&c, &house, LISTENER_CLEAR, "192.0.2.9");
    client_expect(&c, "220 ");
    reply = client_ask(&c, "EHLO c.example", "250-msa.example.net Hello c.example\r\n");
    assert_string_equal(reply,
        "250-msa.example.net Hello c.example\r\n250-PIPELINING\r\n250-SIZE 400000\r\n"
        "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
        "250-LIMITS RCPTMAX=4\r\n250 HELP\r\n");
    client_ask(&c, "STARTTLS", "454 4.7.0");
    client_ask(&c, "HELO c", "250 msa.example.net\r\n");
    client_ask(&c, "MAIL FROM:<> SIZE=1", "555 5.5.4");
    client_ask(&c, "EHLO", "501 5.5.4");
    client_ask(&c, "EHLO a b", "501 5.5.4");
    client_ask(&c, "EHLO [IPv6:1::2::3]", "501 5.5.4");
    client_ask(&c, "EHLO foo.invalid", "250-");
    client_close(&c);
}

/* CMD-5, CMD-8 to CMD-14, CMD-18 to CMD-21, CMD-23, EXT-NEG-1, SUB-7-2 */
static void test_order(void **state)
{
    (void)state;
    dialogue((const struct step[]){ { "MAIL FROM:<alice@example.net>", "503 5.5.1" },
        { "RSET", "250 2.0.0" }, { "NOOP hi", "250 2.0.0" }, { "HELP", "214-2.0.0" },
        { "hElO c", "250 msa" }, { "DATA", "503 5.5.1" }, { "RSET  ", "250 2.0.0" }, GREET,
        { "RCPT TO:<bob@local.example>", "503 5.5.1" }, MAIL,
        { "MAIL FROM:<alice@example.net>", "503 5.5.1" }, { "DATA", "503 5.5.1" }, DONE });
    dialogue((const struct step[]){ GREET, MAIL, { "RCPT TO:<bob@sales>", "554 5.1.2" },
        { "DATA", "554 5.5.1 No valid recipients" }, RCPT, GREET,
        { "RCPT TO:<bob@local.example>", "503 5.5.1" }, MAIL, { "RSET x", "501 5.5.4" },
        { "DATA x", "501 5.5.4" }, { "QUIT now", "501 5.5.4" }, DONE });
    dialogue((const struct step[]){ GREET, { "FOO", "500 5.5.2" }, { "XFOO", "500 5.5.2" },
        { "ETRN x", "502 5.5.1" }, { "ATRN", "502 5.5.1" }, { "TURN", "502 5.5.1" },
        { "BURL x", "502 5.5.1" }, { "NOOP \xe9", "500 5.5.2" }, { "", "500 5.5.2" }, DONE });
}

/* SUB-2-1, SUB-4.2-1, SUB-4.2-3, SUB-4.2-7, SUB-5.1-1, SUB-5.1-3, GRM-1, GRM-3, GRM-4, GRM-6,
 * GRM-9, CMD-20, CMD-25, CMD-26, AUTH-21, EXT-SIZE-2, EXT-8BITMIME-1, EXT-SMTPUTF8-2,
 * EXT-SMTPUTF8-4 */
static void test_envelope(void **state)
{
    (void)state;
    dialogue((const struct step[]){ GREET, { "MAIL FROM:<alice@sales>", "554 5.1.8" },
        { "MAIL FROM:<alice@[192.0.2.1]>", "554 5.1.8" }, { "MAIL FROM:<a@b@c>", "501 5.1.7" },
        { "MAIL FROM:alice@example.net", "501 5.1.7" },
        { "MAIL FROM:<alice@example.net> SIZE=400001", "552 5.3.4" },
        { "MAIL FROM:<> FOO=1", "555 5.5.4" }, { "MAIL FROM:<> SIZE=1 SIZE=2", "501 5.5.4" },
        DONE });
    dialogue((const struct step[]){ GREET, { "MAIL FROM:<> BODY=FOO", "501 5.5.4" },
        { "MAIL FROM:<\xce\xb4@example.net>", "550 5.6.7" },
        { "MAIL FROM:<> SMTPUTF8=1", "501 5.5.4" }, { "MAIL FROM:<> AUTH=<>", "555 5.5.4" },
        { "mAiL fRoM:<Alice@example.net> bOdY=7bit", "250 2.1.0 <Alice@example.net>" },
        { "RCPT TO:<>", "501 5.1.3" }, { "RCPT TO:<.bob@example.org>", "501 5.1.3" },
        { "RCPT TO:<a@ex_ample.org>", "501 5.1.3" }, DONE });
    dialogue((const struct step[]){ GREET, { "MAIL FROM: <>", "250 2.1.0" },
        { "RCPT TO:<bob@[192.0.2.1]>", "554 5.1.2" },
        { "RCPT TO:<\xce\xb4@local.example>", "553 5.6.7" },
        { "RCPT TO:<\"a b\"@local.example>", "250 2.1.5" },
        { "RCPT TO:<@a.example,@b.example:bob@local.example>", "250 2.1.5" }, DONE });
}

/* CMD-27, CMD-28, CMD-33, EXT-LIMITS-2, SUB-6.4-2, GRM-5, SUB-3.2-4 */
static void test_recipients(void **state)
{
    struct kept kept;

    (void)state;
    dialogue((const struct step[]){ GREET, { "MAIL FROM:<>", "250 2.1.0" }, RCPT,
        { "RCPT TO:<\"bob\"@LOCAL.example>", "250 2.1.5" }, { "RCPT TO:<PostMaster>", "250 2.1.5" },
        { "RCPT TO:<carl@sales>", "554 5.1.2" }, { "RCPT TO:<dora@local.example>", "452 4.5.3" },
        { "DATA", "354" }, MESSAGE_HEAD, { ".", "250 2.0.0" }, DONE });
    kept_text(1, &kept);
    assert_int_equal(kept.recipients, 2);
    assert_string_equal(kept.recipient, "admin@local.example");
}

/* SUB-4.2-6, OPS-7, OUT-3, SUB-3.2-3: what DNS says of a domain */
static void test_domains(void **state)
{
    (void)state;
    dialogue((const struct step[]){ GREET, { "MAIL FROM:<a@missing.example>", "550 5.1.8" },
        { "MAIL FROM:<a@null.example>", "550 5.7.27" },
        { "MAIL FROM:<a@failing.example>", "451 4.4.3" },
        { "MAIL FROM:<a@silent.example>", "250 2.1.0" },
        { "RCPT TO:<a@missing.example>", "554 5.1.2" },
        { "RCPT TO:<a@null.example>", "556 5.1.10" },
        { "RCPT TO:<a@failing.example>", "250 2.1.5" },
        { "RCPT TO:<a@silent.example>", "250 2.1.5" }, DONE });
    assert_int_equal(
        house.domain_asks, 6); /* the sure ones are remembered, the others asked twice */
    dialogue((const struct step[]){ GREET, MAIL, RCPT, DONE });
    assert_int_equal(house.domain_asks, 6); /* neither our own domain nor one with its own route */
}

/* DATA-4, DATA-8, DATA-9, DATA-10, MSG-1 to MSG-3, DATA-12, EXT-SIZE-4, SUB-3.2-2 */
static void test_refused_content(void **state)
{
    static const struct {
        const char *content;
        const char *reply;
    } rows[] = {
        { "From: a@example.net\r\n\r\nx\ny\r\n.",
            "554 5.6.0 Bare CR or LF not allowed: line 3 holds an LF without CR" },
        { "From: a@example.net\r\n\r\nx\ry\r\n.",
            "554 5.6.0 Bare CR or LF not allowed: line 3 holds a CR without LF" },
        { "From: a@example.net\nTo: b\n\nx\r\n.",
            "554 5.6.0 Bare CR or LF not allowed: line 1 holds an LF without CR" },
        { "From: a@example.net\r\nFrom: b@example.net\r\n\r\n.", "554 5.6.0" },
        { "Subject: x\r\n\r\n.", "554 5.6.0 Missing From" },
        { "Bad Header: x\r\n\r\n.", "554 5.6.0" },
        { "hello\r\n.", "554 5.6.0" },
        { ".", "554 5.6.0" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        dialogue((const struct step[]){ GREET,
            { "MAIL FROM:<alice@example.net> SIZE=10", "250 2.1.0" }, RCPT, { "DATA", "354" },
            { rows[i].content, rows[i].reply }, { "DATA", "503 5.5.1" }, DONE });
    kept_text(0, NULL);
}

static void say_lines(struct client *c, size_t octets)
{
    static const char line[] =
        "0123456789012345678901234567890123456789012345678901234567890123\r\n";

    for (size_t i = 0; i < octets; i += sizeof line - 1)
        client_say(c, line);
}

/* DATA-9, DATA-10: too long a line, too large a message; what follows the end is a command */
static void test_too_much_content(void **state)
{
    char line[1002];
    struct client c;

    (void)state;
    memset(line, 'x', sizeof line);
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    client_say(&c, "From: a@example.net\r\n\r\n");
    client_send(&c, line, 998);
    client_say(&c, "\r\n");
    client_ask(&c, ".", "250 2.0.0");
    run(&c, (const struct step[]){ MAIL, RCPT, { "DATA", "354" }, DONE });
    client_say(&c, "From: a@example.net\r\n\r\nfirst\r\n");
    client_send(&c, line, 999);
    client_say(&c, "\r\n");
    client_ask(&c, ".", "554 5.6.0 Line 4 is longer than 998 octets");
    run(&c, (const struct step[]){ MAIL, RCPT, { "DATA", "354" }, DONE });
    client_say(&c, "From: a@example.net\r\n\r\n");
    say_lines(&c, 500000);
    client_ask(&c, ".\r\nNOOP", "552 5.3.4");
    client_expect(&c, "250 2.0.0");
    client_close(&c);
    kept_text(1, NULL);
}

/* DATA-11, DATA-15, EXT-CHUNKING-1 to EXT-CHUNKING-7, SUB-7-8 */
static void test_chunks(void **state)
{
    const char *text;

    (void)state;
    dialogue((const struct step[]){ GREET, MAIL, RCPT, { "BDAT 23", NULL },
        { "From: a@example.net\r\n", "250 2.0.0 23 octets received" }, /* and an empty line */
        { "DATA", "503 5.5.1" }, { "BDAT 9 LAST\r\n.\r\n..\r\nabNOOP", "250 2.0.0 Ok: queued as" },
        { NULL, "250 2.0.0 Ok\r\n" }, { "BDAT 0 LAST", "503 5.5.1" }, DONE });
    text = kept_text(1, NULL);
    assert_non_null(strstr(text, "\r\n\r\n.\r\n..\r\nab\r\n"));
    dialogue((const struct step[]){ GREET, { "BDAT 6\r\nQUIT", "503 5.5.1" }, MAIL,
        { "BDAT 6\r\nQUIT", "503 5.5.1" }, { "BDAT 6\r\nQUIT", "503 5.5.1" },
        { "RCPT TO:<bob@local.example>", "503 5.5.1" }, { "RSET", "250 2.0.0" }, MAIL,
        { "RCPT TO:<bob@sales>", "554 5.1.2" }, { "BDAT 4\r\n12", "554 5.5.1" },
        { "HELO c", "250" }, MAIL, RCPT, { "BDAT 6\r\nQUIT", "503 5.5.1" }, DONE });
    dialogue((const struct step[]){ GREET, MAIL, RCPT, { "BDAT x", "501 5.5.4" },
        { "BDAT 5 FIRST\r\nabc", "501 5.5.4" }, { "RSET", "250" }, MAIL, RCPT,
        { "BDAT 5\r\na\nb", "250 2.0.0" }, { "BDAT 0 LAST", "554 5.6.0" }, MAIL, DONE });
    dialogue_to_end(LISTENER_CLEAR, "192.0.2.9",
        (const struct step[]){ GREET, MAIL, RCPT, { "BDAT 99999999999999999999", "501 5.5.4" },
            { NULL, "421 4.7.0" }, DONE });
    kept_text(1, NULL);
}

/* EXT-CHUNKING-7: the chunk that passes the limit, its octets eaten */
static void test_chunk_too_big(void **state)
{
    struct client c;

    (void)state;
    client_begin(&c, &house);
    client_say(&c, "BDAT 23\r\nFrom: a@example.net\r\n\r\n");
    client_expect(&c, "250 2.0.0");
    client_say(&c, "BDAT 400000\r\n");
    for (int i = 0; i < 40000; i++)
        client_say(&c, "RSET \r\nQUI");
    client_expect(&c, "552 5.3.4");
    client_ask(&c, "BDAT 0 LAST", "503 5.5.1");
    client_ask(&c, "RSET", "250 2.0.0");
    client_close(&c);
}

/* EXT-PIPELINING-1, EXT-PIPELINING-4, CMD-24: one write, the replies in order */
static void test_pipeline(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_CLEAR, "192.0.2.9");
    client_expect(&c, "220");
    client_ask(&c, "EHLO c.example", "250-");
    client_say(&c, "MAIL FROM:<a@silent.example>\r\nRCPT TO:<b@failing.example>\r\n"
                   "RCPT TO:<bob@sales>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n");
    client_expect(&c, "250 2.1.0");
    client_expect(&c, "250 2.1.5 <b@failing.example> Recipient ok");
    client_expect(&c, "554 5.1.2");
    client_expect(&c, "250 2.1.5");
    client_expect(&c, "354");
    client_say(&c, "From: a@example.net\r\n\r\nx\r\n.\r\nMAIL FROM:<a@silent.example>\r\nQUIT\r\n");
    client_expect(&c, "250 2.0.0 Ok: queued");
    client_expect(&c, "250 2.1.0");
    client_expect(&c, "221");
    client_expect_end(&c);
    client_close(&c);
    kept_text(1, NULL);
}

/* The same dialogue octet by octet. */
static void test_trickle(void **state)
{
    static const char text[] = "EHLO c.example\r\nMAIL FROM:<alice@example.net>\r\nRCPT "
                               "TO:<bob@local.example>\r\nBDAT 23\r\n"
                               "From: a@example.net\r\n\r\nBDAT 3 LAST\r\nx\r\nMAIL "
                               "FROM:<>\r\nRCPT TO:<bob@local.example>\r\n"
                               "DATA\r\nFrom: a@example.net\r\n\r\n..x\r\n.\r\nQUIT\r\n";
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_CLEAR, "192.0.2.9");
    for (size_t i = 0; i < sizeof text - 1; i++) {
        client_send(&c, text + i, 1);
        loop_turn(house.loop, 0);
        loop_turn(house.loop, 0);
    }
    client_expect(&c, "220");
    client_expect(&c, "250-");
    client_expect(&c, "250 2.1.0");
    client_expect(&c, "250 2.1.5");
    client_expect(&c, "250 2.0.0 23");
    client_expect(&c, "250 2.0.0 Ok");
    client_expect(&c, "250 2.1.0");
    client_expect(&c, "250 2.1.5");
    client_expect(&c, "354");
    client_expect(&c, "250 2.0.0 Ok");
    client_expect(&c, "221");
    client_expect_end(&c);
    client_close(&c);
    kept_text(2, NULL);
}

/* A large body goes to a file, which the record names; memory and disk tell the same. SEC-3 */
static void test_large_message(void **state)
{
    struct client c;
    struct slice body;
    static char file[1 << 19];
    struct house_spare *spare = &house.spares[0];

    (void)state;
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    client_say(&c, "From: a@example.net\r\n\r\n");
    say_lines(&c, 300000);
    client_ask(&c, ".", "250 2.0.0 Ok: queued as ");
    client_close(&c);
    kept_text(1, NULL);
    body = slice_of(file, (size_t)pread(spare->file, file, sizeof file, 0));
    assert_int_equal(body.len, (300000 / 66 + 1) * 66);
    for (size_t at = 0; at < body.len; at += 66)
        assert_memory_equal(body.data + at, "0123456789", 10);
}

/* EXT-SMTPUTF8-1, EXT-SMTPUTF8-3, EXT-8BITMIME-2, EXT-8BITMIME-5, D-35 */
static void test_8bit(void **state)
{
    struct kept kept;
    const char *text;

    (void)state;
    dialogue((const struct step[]){ GREET, MAIL, RCPT, { "DATA", "354" }, MESSAGE_HEAD,
        { "caf\xe9\r\n.", "250 2.0.0" }, DONE });
    text = kept_text(1, &kept);
    assert_true(kept.is_8bit && !kept.smtputf8);
    assert_non_null(strstr(text, "caf\xe9\r\n"));
    dialogue(
        (const struct step[]){ GREET, { "MAIL FROM:<\xce\xb4@example.net> SMTPUTF8", "250 2.1.0" },
            { "RCPT TO:<\xce\xb4@local.example>", "250 2.1.5" }, { "DATA", "354" },
            { "From: \xce\xb4@example.net\r\nSubject: \xce\xb4\r\n\r\nx\r\n.", "250 2.0.0" }, MAIL,
            RCPT, { "DATA", "354" }, { "From: \xce\xb4@example.net\r\n\r\nx\r\n.", "554 5.6.7" },
            DONE });
    kept_text(2, &kept);
    assert_true(kept.smtputf8 && !kept.is_8bit);
    assert_string_equal(kept.recipient, "\xce\xb4@local.example");
}

/* DATA-7, D-17, LSN-15, LSN-4 */
static void test_foreign_protocols(void **state)
{
    static const char *const lines[] = { "POST / HTTP/1.1\r\nMAIL FROM:<a@example.net>", "Host: x",
        "GET /", "NOOP\nMAIL FROM:<>" };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(lines); i++)
        dialogue_to_end(LISTENER_CLEAR, "192.0.2.9",
            (const struct step[]){ { lines[i], "421 4.7.0 Protocol error" }, DONE });
}

/* CMD-22: limits of lines, the rest of the line discarded */
static void test_long_lines(void **state)
{
    static char line[20000];

    (void)state;
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "NOOP ", 5);
    dialogue((const struct step[]){ GREET, { line, "500 5.5.2" }, { "NOOP", "250" }, DONE });
    line[1024] = '\0';
    dialogue((const struct step[]){ GREET, { line, "250 2.0.0" }, DONE });
    line[1024] = 'x';
    line[1025] = '\0';
    dialogue((const struct step[]){ GREET, { line, "500 5.5.2 Line too long" }, DONE });
}

/* SUB-4.3-1, SUB-4.3-3, SUB-3.3-5, SUB-7-4, SUB-9-1, CMD-16, SEC-6: nobody in clear text on a
 * listener that allows it, without a login */
static void test_strangers(void **state)
{
    (void)state;
    dialogue_to_end(LISTENER_CLEAR, "198.51.100.1",
        (const struct step[]){ GREET,
            { "MAIL FROM:<alice@example.net>", "530 5.7.0 Authentication" },
            { "RCPT TO:<user%example.org@example.net>", "530 5.7.0 Authentication" },
            { "DATA", "530 5.7.0" }, { "BDAT 6\r\nQUIT", "530 5.7.0" }, { "VRFY bob", "530 5.7.0" },
            { "EXPN x", "530 5.7.0" }, { "AUTH PLAIN AGFsaWNlAHg=", "538 5.7.11" },
            { "AUTH FOO", "504 5.5.4" }, { "NOOP", "250" }, { "HELP", "214-" }, { "QUIT", "221" },
            DONE });
}

/* TLS-7, D-5, AUTH-2, AUTH-3, RTLS-1 */
static void test_tls_is_required(void **state)
{
    (void)state;
    dialogue_to_end(LISTENER_STARTTLS, "192.0.2.9",
        (const struct step[]){ { "MAIL FROM:<>", "503 5.5.1" }, GREET,
            { "MAIL FROM:<>", "530 5.7.0 Must issue a STARTTLS command first" },
            { "AUTH PLAIN AGFsaWNlAHg=", "530 5.7.0 Must issue" },
            { "BDAT 6 LAST\r\nQUIT", "530 5.7.0" }, { "HELO x", "250 msa" }, { "RSET", "250" },
            { "HELP", "214-" }, { "NOOP", "250" }, { "QUIT", "221" }, DONE });
}

/* LSN-14: commands and octets before a login; not for the trusted */
static void test_preauth_limits(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_CLEAR, "198.51.100.1");
    client_expect(&c, "220");
    for (int i = 0; i < 30; i++)
        client_ask(&c, "NOOP", "250 2.0.0");
    client_ask(&c, "NOOP", "421 4.7.0");
    client_expect_end(&c);
    client_close(&c);
    client_open(&c, &house, LISTENER_CLEAR, "198.51.100.1");
    client_expect(&c, "220");
    client_ask(&c, "EHLO c", "250-");
    client_say(&c, "BDAT 100000\r\n");
    say_lines(&c, 80000);
    client_expect(&c, "421 4.7.0");
    client_expect_end(&c);
    client_close(&c);
}

/* LSN-16: commands that lead nowhere */
static void test_idle_commands(void **state)
{
    struct client c;
    int i;

    (void)state;
    client_begin(&c, &house);
    house.gate.sessions->conduct.errors = 8; /* so that no reply is late here */
    for (i = 0; i < 99; i++)
        client_ask(&c, "NOOP", "250 2.0.0");
    house.gate.sessions->conduct.errors = 18;
    house.gate.sessions->conduct.idle_commands = 101;
    client_ask(&c, "NOOP", "250 2.0.0");
    client_ask(&c, "NOOP", "421 4.7.0");
    client_expect_end(&c);
    client_close(&c);
}

/* LSN-12: after ten errors replies are late, at twenty the session ends */
static void test_errors(void **state)
{
    struct client c;
    int64_t began;

    (void)state;
    client_begin(&c, &house);
    for (int i = 0; i < 10; i++)
        client_ask(&c, "FOO", "500 5.5.2");
    began = clock_mono_ms();
    client_ask(&c, "NOOP", "250 2.0.0");
    assert_true(clock_mono_ms() - began >= 900);
    house.gate.sessions->conduct.errors = 19;
    client_ask(&c, "FOO", "421 4.7.0 Too many errors");
    client_expect_end(&c);
    client_close(&c);
}

/* LSN-9: a cut inside DATA keeps nothing; one that comes while the message goes to the disk changes
 * nothing */
static void test_cut(void **state)
{
    struct client c;

    (void)state;
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    client_say(&c, "From: a@example.net\r\n\r\nx\r\n");
    house_turn(&house, 5);
    client_close(&c);
    kept_text(0, NULL);
    house.disk.sync_delay_ms = 50;
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    client_say(&c, "From: a@example.net\r\n\r\nx\r\n.\r\n");
    house_turn(&house, 5);
    client_close(&c);
    house_turn(&house, 100);
    house.disk.sync_delay_ms = 0;
    kept_text(1, NULL);
}

/* DATA-16 */
static void test_disk_full(void **state)
{
    struct msg_disk full = { .full = true };

    (void)state;
    assert_int_equal(channel_send(house.queue, MSG_DISK, &full, -1), ERR_OK);
    house_turn(&house, 5);
    dialogue(
        (const struct step[]){ GREET, { "MAIL FROM:<alice@example.net>", "452 4.3.1" }, DONE });
    full.full = false;
    assert_int_equal(channel_send(house.queue, MSG_DISK, &full, -1), ERR_OK);
    house_turn(&house, 5);
    dialogue((const struct step[]){ GREET, MAIL, DONE });
}

/* LSN-6: idle clients are told to go, one inside a message may finish */
static void test_drain(void **state)
{
    struct client idle, busy;

    (void)state;
    client_begin(&idle, &house);
    client_begin(&busy, &house);
    client_ask(&busy, "DATA", "354");
    gate_drain(&house.gate);
    client_expect(&idle, "421 4.3.2");
    client_expect_end(&idle);
    client_ask(&busy, "From: a@example.net\r\n\r\nx\r\n.", "250 2.0.0");
    client_expect(&busy, "421 4.3.2");
    client_expect_end(&busy);
    client_close(&idle);
    client_close(&busy);
    kept_text(1, NULL);
}

/* Rule 8 of the design: without a supervisor nobody is told 250 */
static void test_orphan(void **state)
{
    struct client c;

    (void)state;
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    house.gate.state = GATE_ORPHANED;
    client_say(&c, "From: a@example.net\r\n\r\nx\r\n.\r\n");
    client_expect_end(&c);
    client_close(&c);
}

/* LSN-7 */
static void test_idle(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_CLEAR, "192.0.2.9");
    client_expect(&c, "220");
    timer_set(&house.gate.sessions->timer, 0);
    client_expect(&c, "421 4.4.2");
    client_expect_end(&c);
    client_close(&c);
}

/* Content that comes a few octets a minute does not hold its place for ever. */
static void test_slow_content(void **state)
{
    struct client c;

    (void)state;
    client_begin(&c, &house);
    client_ask(&c, "DATA", "354");
    client_say(&c, "From: a@example.net\r\n");
    house_turn(&house, 5);
    house.gate.sessions->transaction->content_since_ms -= 700000;
    client_say(&c, "Subject: x\r\n");
    client_expect(&c, "421 4.4.2");
    client_expect_end(&c);
    client_close(&c);
    client_begin(&c, &house);
    client_say(&c, "BDAT 100 FIRST\r\nx");
    house_turn(&house, 5);
    house.gate.sessions->chunk.since_ms -= 700000;
    client_say(&c, "x");
    client_expect(&c, "421 4.4.2");
    client_expect_end(&c);
    client_close(&c);
}

/* A client that never reads: its commands stop being taken, and memory with them */
static void test_never_reading(void **state)
{
    struct client c;

    (void)state;
    house.gate.snapshot->conf->limits.recipients = 100000;
    client_begin(&c, &house);
    stream_pause(c.stream);
    for (int i = 0; i < 20000; i++)
        client_say(&c, "RCPT TO:<bob@local.example>\r\n");
    for (int i = 0; i < 500 && house.gate.sessions->wait != WAIT_OUTPUT; i++)
        loop_turn(house.loop, 10);
    assert_int_equal(house.gate.sessions->wait, WAIT_OUTPUT);
    assert_true(stream_output_pending(house.gate.sessions->stream) < 64 << 10);
    stream_free(&c.stream);
    buffer_clear(&c.heard);
    session_settle(
        house.gate.sessions, (session_woken(house.gate.sessions, WAIT_OUTPUT), ANSWER_VANISH));
    house_turn(&house, 5);
}

#define DIALOGUE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE(test_small_message),
        DIALOGUE(test_greetings),
        DIALOGUE(test_order),
        DIALOGUE(test_envelope),
        DIALOGUE(test_recipients),
        DIALOGUE(test_domains),
        DIALOGUE(test_refused_content),
        DIALOGUE(test_too_much_content),
        DIALOGUE(test_chunks),
        DIALOGUE(test_chunk_too_big),
        DIALOGUE(test_pipeline),
        DIALOGUE(test_trickle),
        DIALOGUE(test_large_message),
        DIALOGUE(test_8bit),
        DIALOGUE(test_foreign_protocols),
        DIALOGUE(test_long_lines),
        DIALOGUE(test_strangers),
        DIALOGUE(test_tls_is_required),
        DIALOGUE(test_preauth_limits),
        DIALOGUE(test_idle_commands),
        DIALOGUE(test_errors),
        DIALOGUE(test_cut),
        DIALOGUE(test_disk_full),
        DIALOGUE(test_drain),
        DIALOGUE(test_orphan),
        DIALOGUE(test_idle),
        DIALOGUE(test_slow_content),
        DIALOGUE(test_never_reading),
    };

    return cmocka_run_group_tests_name("gate/session", tests, NULL, NULL);
}
