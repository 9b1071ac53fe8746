/* gate: BURL, with a fetch room that says and writes what each case wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "house.h"
#include "house_tls.h"

#define TOKEN "91354a473744909de610943775f92038"
#define URL                                                                                        \
    "imap://alice%40example.net@imap.example.net/Sent/;UID=7;URLAUTH=submit+alice%40example.net:"  \
    "INTERNAL:" TOKEN
#define PLAIN_GOOD "AGFsaWNlQGV4YW1wbGUubmV0AHNlY3JldA=="

static const char content[] =
    "From: <alice@example.net>\r\nTo: <bob@local.example>\r\nSubject: url\r\n\r\nHello.\r\n";
enum { CONTENT = sizeof content - 1 };

static struct house house;

static int open_house(void **state)
{
    (void)state;
    house = (struct house){ .tls = house_tls_new() };
    house_open(&house, "spool { large_message = 4096 }\nlimits { message_size = 65536 }\n"
                       "extensions { burl = true  burl_timeout = 1 }\n");
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_turn(&house, 5);
    assert_null(house.gate.sessions);
    house_close(&house);
    house_tls_free(&house.tls);
    return 0;
}

/* Logged in, with a recipient. */
static void begin(struct client *c)
{
    client_open(c, &house, LISTENER_IMPLICIT, "198.51.100.7");
    client_secure(c, house.tls);
    client_expect(c, "220 ");
    client_ask(c, "EHLO c.example", "250-");
    client_ask(c, "AUTH PLAIN " PLAIN_GOOD, "235 2.7.0");
    client_ask(c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(c, "RCPT TO:<bob@local.example>", "250 2.1.5");
}

/* Says it, and turns until the fetch room was asked. */
static void ask_url(struct client *c, const char *line)
{
    int before = house.url_asks;

    client_say(c, line);
    client_say(c, "\r\n");
    for (int i = 0; i < 2000 && house.url_asks == before; i++)
        house_turn(&house, 1);
    assert_int_equal(house.url_asks, before + 1);
    assert_true(house.has_url_pipe);
}

/* What was asked for failed: nothing but RSET helps, then the session is as before. */
static void recover(struct client *c)
{
    client_ask(c, "BURL " URL " LAST", "503 5.5.1");
    client_say(c, "BDAT 3 LAST\r\nabc");
    client_expect(c, "503 5.5.1");
    client_ask(c, "RSET", "250 2.0.0");
    client_ask(c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(c, "RCPT TO:<bob@local.example>", "250 2.1.5");
}

/* burl_timeout is over. */
static void end_time(void)
{
    assert_int_equal(house.gate.sessions->wait, WAIT_FETCH);
    timer_set(&house.gate.sessions->timer, 0);
}

static void read_body(void *owner, const struct record *record)
{
    struct buffer *body = owner;

    buffer_reset(body);
    buffer_put_slice(body, record->body);
}

static void expect_body(const char *want)
{
    struct buffer body;

    buffer_init(&body, 1 << 20);
    house_turn(&house, 20);
    assert_true(house_records(&house, read_body, &body) > 0);
    assert_true(slice_is(buffer_slice(&body), want));
    buffer_clear(&body);
}

/* EXT-BURL-2: octets and the last word in any order, and the pipe in any pieces */
static void test_orders(void **state)
{
    struct client c;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, content, CONTENT);
    house_url_done(&house, URL_FETCHED, CONTENT);
    client_expect(&c, "250 2.0.0 Ok: queued as ");
    expect_body("Hello.\r\n");

    client_ask(&c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(&c, "RCPT TO:<bob@local.example>", "250 2.1.5");
    ask_url(&c, "BURL " URL " LAST");
    for (size_t i = 0; i < CONTENT; i++) {
        house_url_write(&house, content + i, 1);
        house_turn(&house, 0);
    }
    house_turn(&house, 5);
    house_url_done(&house, URL_FETCHED, CONTENT);
    client_expect(&c, "250 2.0.0 Ok: queued as ");
    expect_body("Hello.\r\n");
    client_close(&c);
}

/* EXT-BURL-2: with BDAT before and behind it */
static void test_mixed(void **state)
{
    struct client c;

    (void)state;
    begin(&c);
    client_say(&c, "BDAT 30\r\nFrom: <alice@example.net>\r\n\r\na");
    client_expect(&c, "250 2.0.0");
    ask_url(&c, "BURL " URL);
    house_url_write(&house, "b\r\nc", 4);
    house_url_done(&house, URL_FETCHED, 4);
    client_expect(&c, "250 2.5.0 4 octets fetched");
    client_ask(&c, "DATA", "503 5.5.1");
    client_say(&c, "BDAT 3 LAST\r\nd\r\n");
    client_expect(&c, "250 2.0.0");
    expect_body("ab\r\ncd\r\n");
    client_close(&c);
}

/* CMD-24: what the client sends meanwhile waits, and is answered in its order */
static void test_pipeline(void **state)
{
    struct client c;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST\r\nNOOP\r\nMAIL FROM:<alice@example.net>");
    house_turn(&house, 20);
    assert_int_equal(c.heard.len, 0);
    house_url_write(&house, content, CONTENT);
    house_url_done(&house, URL_FETCHED, CONTENT);
    client_expect(&c, "250 2.0.0 Ok: queued as ");
    client_expect(&c, "250 2.0.0");
    client_expect(&c, "250 2.1.0");
    client_close(&c);
}

/* EXT-BURL-5 */
static void test_results(void **state)
{
    static const struct {
        enum url_result result;
        const char *reply;
    } rows[] = {
        { URL_REFUSED, "554 5.6.6" },
        { URL_UNREACHABLE, "451 4.4.1" },
        { URL_TOO_BIG, "554 5.3.4" },
        { URL_UNTRUSTED, "554 5.7.14" },
    };
    struct client c;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ask_url(&c, "BURL " URL " LAST");
        house_url_write(&house, "From:", 5);
        house_url_done(&house, rows[i].result, 5);
        client_expect(&c, rows[i].reply);
        recover(&c);
    }
    client_close(&c);
}

/* A fetch room that says other numbers, answers twice, unasked or not at all, and what the gate
 * makes of it: never a message with a hole. */
static void test_lies(void **state)
{
    struct msg_url_done done = { .result = URL_FETCHED, .octets = CONTENT };
    struct client c;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST"); /* fewer octets than told */
    house_url_write(&house, content, CONTENT - 1);
    house_url_done(&house, URL_FETCHED, CONTENT);
    client_expect(&c, "451 4.4.1");
    recover(&c);
    ask_url(&c, "BURL " URL " LAST"); /* more */
    house_url_write(&house, content, CONTENT);
    house_url_done(&house, URL_FETCHED, CONTENT - 1);
    client_expect(&c, "451 4.4.1");
    recover(&c);
    ask_url(&c, "BURL " URL " LAST"); /* the pipe ends, and no word */
    done.request = house.url_request + 1;
    house_say(&house, &house.fetch, MSG_URL_DONE, &done, -1); /* of another */
    house_url_write(&house, content, CONTENT);
    house_turn(&house, 20);
    assert_int_equal(c.heard.len, 0);
    done.request = house.url_request;
    done.octets = 3;
    house_say(&house, &house.fetch, MSG_URL_DONE, &done, -1);
    done.octets = CONTENT;
    house_url_done(&house, URL_FETCHED, CONTENT); /* twice: the first counts */
    client_expect(&c, "451 4.4.1");
    recover(&c);
    ask_url(&c, "BURL " URL " LAST"); /* all is told, but the pipe stays open: burl_timeout */
    house_url_write(&house, content, CONTENT);
    done.request = house.url_request;
    house_say(&house, &house.fetch, MSG_URL_DONE, &done, -1);
    house_turn(&house, 20);
    assert_int_equal(c.heard.len, 0);
    end_time();
    client_expect(&c, "451 4.4.1");
    client_close(&c);
}

/* EXT-BURL-5, rule 8 of the house: the room dies, is away, comes back */
static void test_room_dies(void **state)
{
    struct channel *old;
    struct client c;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, content, CONTENT);
    house_detach_fetch(&house);
    client_expect(&c, "451 4.4.1");
    recover(&c);
    client_ask(&c, "BURL " URL " LAST", "451 4.4.1");
    recover(&c);
    house_attach_fetch(&house);
    ask_url(&c, "BURL " URL " LAST");
    old = house.fetch;
    house_attach_fetch(&house); /* another channel: what was asked over the old one is lost */
    channel_free(&old);
    client_expect(&c, "451 4.4.1");
    recover(&c);
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, content, CONTENT);
    house_url_done(&house, URL_FETCHED, CONTENT);
    client_expect(&c, "250 2.0.0 Ok: queued as ");
    client_close(&c);
}

/* LSN-9: the client goes; the room is told that nobody waits */
static void test_client_goes(void **state)
{
    struct client c;
    int before = house.url_cancels;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, content, 10);
    gate_drain(&house.gate); /* inside a message: it may finish */
    house_turn(&house, 20);
    assert_int_equal(house.url_cancels, before);
    assert_int_equal(c.heard.len, 0);
    house_url_done(&house, URL_REFUSED, 10);
    client_expect(&c, "554 5.6.6");
    client_expect(&c, "421 4.3.2");
    client_expect_end(&c);
    client_close(&c);
}

static void test_session_ends(void **state)
{
    struct client c;
    struct session *s;
    int before = house.url_cancels;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST");
    s = house.gate.sessions;
    session_free(&s);
    house_turn(&house, 20);
    assert_int_equal(house.url_cancels, before + 1);
    assert_false(house.has_url_pipe);
    client_close(&c);
}

/* EXT-BURL-6: the time is over before anything came */
static void test_silence(void **state)
{
    struct client c;
    int before = house.url_cancels;

    (void)state;
    begin(&c);
    ask_url(&c, "BURL " URL " LAST");
    end_time();
    client_expect(&c, "451 4.4.1");
    house_turn(&house, 5);
    assert_int_equal(house.url_cancels, before + 1);
    recover(&c);
    client_close(&c);
}

/* SUB-7-8, EXT-BURL-4: the content is judged as that of BDAT */
static void test_content(void **state)
{
    static const struct {
        const char *octets;
        size_t len;
        const char *reply;
    } rows[] = {
        { "From: <a@b.example>\r\n\r\n\0\r\n", 26, "554 5.6.3" },
        { "From: <a@b.example>\r\n\r\na\nb\r\n", 28, "554 5.6.3" },
        { "From: <a@b.example>\r\n\r\na\rb\r\n", 28, "554 5.6.3" },
    };
    struct client c;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ask_url(&c, "BURL " URL " LAST");
        house_url_write(&house, rows[i].octets, rows[i].len);
        client_expect(&c, rows[i].reply);
        recover(&c);
    }
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, "Subject: x\r\n\r\n", 14);
    house_url_done(&house, URL_FETCHED, 14);
    client_expect(&c, "554 5.6.0");
    client_ask(&c, "MAIL FROM:<alice@example.net>", "250 2.1.0"); /* the end of the transaction */
    client_close(&c);
}

/* EXT-BURL-5: a room that sends more than was asked for */
static void test_too_big(void **state)
{
    static char much[60000];
    struct client c;

    (void)state;
    begin(&c);
    memset(much, 'x', sizeof much);
    for (size_t i = 78; i + 1 < sizeof much; i += 80)
        memcpy(much + i, "\r\n", 2);
    memcpy(much, "From: <a@b.example>\r\n\r\n", 23);
    ask_url(&c, "BURL " URL);
    house_url_write(&house, much, sizeof much);
    house_url_done(&house, URL_FETCHED, sizeof much);
    client_expect(&c, "250 2.5.0");
    ask_url(&c, "BURL " URL);
    house_url_write(&house, much + 40, 20000);
    client_expect(&c, "554 5.3.4");
    recover(&c);
    client_close(&c);
}

/* A large body whose file does not come, or comes late: the pipe waits, nothing is lost */
static void test_no_file(void **state)
{
    static char much[60000];
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .tls = house.tls, .holds_spares = true };
    house_open(&house, "spool { large_message = 4096 }\nlimits { message_size = 65536 }\n"
                       "extensions { burl = true }\n");
    begin(&c);
    memset(much, 'x', sizeof much);
    for (size_t i = 78; i + 1 < sizeof much; i += 80)
        memcpy(much + i, "\r\n", 2);
    memcpy(much, "From: <a@b.example>\r\n\r\n", 23);
    memcpy(much + sizeof much - 2, "\r\n", 2);
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, much, sizeof much);
    house_turn(&house, 20);
    assert_int_equal(house.gate.sessions->wait, WAIT_BODY);
    house_url_done(&house, URL_FETCHED, sizeof much);
    house_turn(&house, 20);
    house.holds_spares = false;
    house_serve(&house);
    client_expect(&c, "250 2.0.0 Ok: queued as ");

    client_ask(&c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(&c, "RCPT TO:<bob@local.example>", "250 2.1.5");
    house.disk.write_fails = -1;
    ask_url(&c, "BURL " URL " LAST");
    house_url_write(&house, much, sizeof much);
    client_expect(&c, "451 4.3.0");
    house.disk.write_fails = 0;
    recover(&c);
    client_close(&c);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HOUSE(test_orders),
        IN_HOUSE(test_mixed),
        IN_HOUSE(test_pipeline),
        IN_HOUSE(test_results),
        IN_HOUSE(test_lies),
        IN_HOUSE(test_room_dies),
        IN_HOUSE(test_client_goes),
        IN_HOUSE(test_session_ends),
        IN_HOUSE(test_silence),
        IN_HOUSE(test_content),
        IN_HOUSE(test_too_big),
        IN_HOUSE(test_no_file),
    };

    return cmocka_run_group_tests_name("gate/burl", tests, NULL, NULL);
}
