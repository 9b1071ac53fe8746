/* gate: STARTTLS, implicit TLS and AUTH, with a vault that signs and judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "house.h"
#include "house_tls.h"

static struct house house;

static int open_house(void **state)
{
    (void)state;
    house = (struct house){ .tls = house_tls_new() };
    house_open(&house, "");
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

#define PLAIN_GOOD "AGFsaWNlQGV4YW1wbGUubmV0AHNlY3JldA=="
#define PLAIN_BAD  "AGFsaWNlQGV4YW1wbGUubmV0AHdyb25n"

/* TLS on 465, EHLO done, not authenticated. */
static void open_secured(struct client *c)
{
    client_open(c, &house, LISTENER_IMPLICIT, "198.51.100.7");
    client_secure(c, house.tls);
    client_expect(c, "220 msa.example.net ESMTP\r\n"); /* SUB-3.1-3 */
    client_ask(c, "EHLO c.example", "250-msa.example.net");
}

static void open_logged_in(struct client *c)
{
    open_secured(c);
    client_ask(c, "AUTH PLAIN " PLAIN_GOOD, "235 2.7.0");
}

/* TLS-1, TLS-2, TLS-4, TLS-5, TLS-7, AUTH-1, AUTH-2, CMD-12 */
static void test_starttls(void **state)
{
    struct client c;
    const char *reply;

    (void)state;
    client_open(&c, &house, LISTENER_STARTTLS, "198.51.100.7");
    client_expect(&c, "220 ");
    reply = client_ask(&c, "EHLO c.example", "250-");
    assert_non_null(strstr(reply, "250-STARTTLS\r\n"));
    assert_null(strstr(reply, "AUTH"));
    client_ask(&c, "MAIL FROM:<>", "530 5.7.0 Must issue a STARTTLS command first");
    client_ask(&c, "STARTTLS x", "501 5.5.4");
    client_ask(&c, "STARTTLS", "220 2.0.0");
    client_secure(&c, house.tls);
    client_ask(&c, "MAIL FROM:<alice@example.net>", "503 5.5.1");
    reply = client_ask(&c, "EHLO c.example", "250-");
    assert_null(strstr(reply, "STARTTLS"));
    assert_non_null(strstr(reply, "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    client_ask(&c, "STARTTLS", "503 5.5.1");
    client_ask(&c, "MAIL FROM:<alice@example.net>", "530 5.7.0 Authentication required");
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "235 2.7.0"); /* AUTH-4 */
    client_ask(&c, "MAIL FROM:<alice@example.net> AUTH=e+3Dmc2@example.com", "250 2.1.0");
    client_ask(&c, "QUIT", "221");
    client_expect_end(&c);
    assert_int_equal(c.end, STREAM_PEER_CLOSED); /* LSN-10: close_notify came */
    client_close(&c);
}

/* TLS-6, TLS-19, D-26: nothing sent ahead of the handshake is ever run */
static void test_injection(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_STARTTLS, "198.51.100.7");
    client_expect(&c, "220 ");
    client_ask(&c, "EHLO c.example", "250-");
    client_ask(&c, "STARTTLS\r\nRSET", "421 4.7.0");
    client_expect_end(&c);
    client_close(&c);
}

/* AUTH-5 to AUTH-14, AUTH-24, AUTH-26, CMD-5, SASL-5 */
static void test_auth(void **state)
{
    struct client c;

    (void)state;
    open_secured(&c);
    client_ask(&c, "AUTH FOO", "504 5.5.4");
    client_ask(&c, "AUTH", "501 5.5.4");
    client_ask(&c, "AUTH CRAM-MD5", "504 5.5.4");
    client_ask(&c, "AUTH PLAIN AA=A", "501 5.5.2");
    client_ask(&c, "AUTH PLAIN", "334 \r\n");
    client_ask(&c, "*", "501 5.7.0");
    client_ask(&c, "AUTH plain", "334 \r\n");
    client_ask(&c, "!!", "501 5.5.2");
    client_ask(&c, "AUTH SCRAM-SHA-256 Y2xpZW50LWZpcnN0", "334 c2VydmVyLWZpcnN0\r\n");
    client_ask(&c, "Y2xpZW50LWZpbmFs", "334 dj1wcm9vZg==\r\n");
    client_ask(&c, "", "235 2.7.0");
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "503 5.5.1");
    client_ask(&c, "EHLO again", "250-");
    client_ask(&c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "503 5.5.1");
    client_close(&c);
    open_secured(&c);
    client_say(&c, "AUTH PLAIN " PLAIN_GOOD "\r\nMAIL FROM:<alice@example.net>\r\nNOOP\r\n");
    client_expect(&c, "235");
    client_expect(&c, "250 2.1.0");
    client_expect(&c, "250 2.0.0");
    client_close(&c);
}

/* AUTH-7: HELO is not enough, and nothing before EHLO */
static void test_auth_needs_ehlo(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, &house, LISTENER_IMPLICIT, "198.51.100.7");
    client_secure(&c, house.tls);
    client_expect(&c, "220 ");
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "503 5.5.1");
    client_ask(&c, "HELO c", "250 ");
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "503 5.5.1");
    client_close(&c);
}

/* AUTH-14, AUTH-17: the reply to a wrong password is late, the fifth ends the session */
static void test_auth_failures(void **state)
{
    struct client c;
    int64_t began;

    (void)state;
    open_secured(&c);
    began = clock_mono_ms();
    client_ask(&c, "AUTH PLAIN " PLAIN_BAD, "535 5.7.8");
    assert_true(clock_mono_ms() - began >= 1900);
    house.gate.sessions->conduct.auth_failures = 4;
    client_ask(&c, "AUTH PLAIN " PLAIN_BAD, "421 4.7.0");
    client_expect_end(&c);
    client_close(&c);
}

/* AUTH-13: lines of an exchange, at the limit and one past */
static void test_auth_line(void **state)
{
    static char line[12300];
    struct client c;

    (void)state;
    memset(line, 'A', sizeof line);
    open_secured(&c);
    client_ask(&c, "AUTH PLAIN", "334 \r\n");
    client_send(&c, line, 12289);
    client_ask(&c, "", "500 5.5.6");
    client_ask(&c, "AUTH PLAIN", "334 \r\n");
    client_send(&c, line, 12288);
    client_ask(&c, "", "535 5.7.8");
    client_ask(&c, "NOOP", "250 2.0.0");
    client_close(&c);
}

/* SUB-6.1-1, SUB-6.1-2: own address, tag, pattern; what the list does not hold is asked */
static void test_rights(void **state)
{
    static const struct {
        const char *sender;
        const char *reply;
    } rows[] = {
        { "<alice@example.net>", "250 2.1.0" },
        { "<alice+x@EXAMPLE.net>", "250 2.1.0" },
        { "<any@lists.example.net>", "250 2.1.0" },
        { "<asked@example.net>", "250 2.1.0" },
        { "<carol@example.net>", "550 5.7.1" },
        { "<>", "250 2.1.0" },
    };
    struct client c;
    char line[128];

    (void)state;
    open_logged_in(&c);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        snprintf(line, sizeof line, "MAIL FROM:%s", rows[i].sender);
        client_ask(&c, line, rows[i].reply);
        client_ask(&c, "RSET", "250 2.0.0");
    }
    client_close(&c);
}

static void end_time(struct house *h)
{
    timer_set(&h->gate.sessions->timer, 0);
}

/* AUTH-15: a vault that says nothing, goes, or comes back */
static void test_vault_restarts(void **state)
{
    struct client c;

    (void)state;
    open_secured(&c);
    house_detach_vault(&house);
    client_say(&c, "AUTH PLAIN " PLAIN_GOOD "\r\n");
    house_turn(&house, 20);
    assert_int_equal(house.gate.sessions->wait, WAIT_AUTH);
    house_attach_vault(&house);
    client_expect(&c, "235 2.7.0");
    house.is_vault_silent = true;
    client_say(&c, "MAIL FROM:<asked@example.net>\r\n");
    house_turn(&house, 20);
    house_detach_vault(&house);
    house.is_vault_silent = false;
    house_attach_vault(&house);
    client_expect(&c, "250 2.1.0");
    client_ask(&c, "RSET", "250");
    house.is_vault_silent = true;
    client_say(&c, "MAIL FROM:<asked@example.net>\r\n");
    house_turn(&house, 20);
    end_time(&house);
    client_expect(&c, "451 4.3.0");
    client_close(&c);
}

/* EXT-FUTURE-6: the queue says whether more may be held; one that is silent, goes, or comes back. */
static void test_held(void **state)
{
    struct client c;

    (void)state;
    open_logged_in(&c);
    client_ask(&c, "MAIL FROM:<alice@example.net> HOLDFOR=60 SIZE=1000", "250 2.1.0");
    assert_int_equal(house.held_asks, 1);
    assert_int_equal(house.held_size, 1000);
    client_ask(&c, "RSET", "250");
    house.is_held_full = true;
    client_ask(&c, "MAIL FROM:<alice@example.net> HOLDFOR=60", "552 5.2.2");
    client_ask(&c, "MAIL FROM:<alice@example.net> HOLDUNTIL=2001-01-01T00:00:00Z", "250 2.1.0");
    client_ask(&c, "RSET", "250");
    client_ask(&c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(&c, "RSET", "250");
    assert_int_equal(house.held_asks, 2);
    house.is_held_full = false;
    house.is_held_silent = true;
    client_say(&c, "MAIL FROM:<alice@example.net> HOLDFOR=60\r\n");
    house_turn(&house, 20);
    assert_int_equal(house.gate.sessions->wait, WAIT_HELD);
    house_detach_queue(&house);
    house.is_held_silent = false;
    house_attach_queue(&house);
    client_expect(&c, "250 2.1.0");
    client_ask(&c, "RSET", "250");
    house.is_held_silent = true;
    client_say(&c, "MAIL FROM:<alice@example.net> HOLDFOR=60\r\n");
    house_turn(&house, 20);
    end_time(&house);
    client_expect(&c, "451 4.3.0");
    client_close(&c);
}

static void test_exchange_is_lost(void **state)
{
    struct client c;

    (void)state;
    open_secured(&c);
    client_ask(&c, "AUTH SCRAM-SHA-256 Y2xpZW50LWZpcnN0", "334 ");
    house_detach_vault(&house);
    house_attach_vault(&house);
    client_ask(&c, "Y2xpZW50LWZpbmFs", "454 4.7.0");
    house.is_vault_silent = true;
    client_say(&c, "AUTH PLAIN " PLAIN_GOOD "\r\n");
    house_turn(&house, 20);
    end_time(&house);
    client_expect(&c, "454 4.7.0");
    house.is_vault_silent = false;
    client_ask(&c, "AUTH PLAIN " PLAIN_GOOD, "235");
    client_close(&c);
}

/* A handshake waits for the vault, or is given up; the session is parked and freed once. */
static void test_handshake_waits(void **state)
{
    struct client c;

    (void)state;
    house_detach_vault(&house);
    client_open(&c, &house, LISTENER_IMPLICIT, "198.51.100.7");
    house_turn(&house, 5);
    house_attach_vault(&house);
    client_secure(&c, house.tls);
    client_expect(&c, "220 ");
    client_close(&c);
    house.is_vault_silent = true;
    client_open(&c, &house, LISTENER_IMPLICIT, "198.51.100.7");
    house_turn(&house, 5);
    end_time(&house);
    client_expect_end(&c);
    client_close(&c);
}

/* MSG-10, TLS-12, AUTH-23, SUB-3.3-1 */
static void check_trace(void *owner, const struct record *record)
{
    static const char *const parts[] = { "Received: from c.example ([198.51.100.7])",
        "by\r\n msa.example.net with ESMTPSA id", "tls TLS_AES_", "group " };
    char header[4096] = "";

    (void)owner;
    assert_true(record->header.len < sizeof header);
    memcpy(header, record->header.data, record->header.len);
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        if (!strstr(header, parts[i]) && i != 1)
            fail_msg("\"%s\" is not in %s", parts[i], header);
    assert_non_null(strstr(header, "with ESMTPSA"));
    assert_true(slice_is(record->envelope.user, "alice@example.net"));
    assert_true(slice_is(record->envelope.mechanism, "PLAIN"));
    assert_true(slice_is(record->envelope.tls_version, "TLSv1.3"));
    assert_true(slice_is(record->envelope.client, "198.51.100.7"));
}

static void test_trace(void **state)
{
    struct client c;

    (void)state;
    open_logged_in(&c);
    client_ask(&c, "MAIL FROM:<alice@example.net> BODY=8BITMIME", "250 2.1.0");
    client_ask(&c, "RCPT TO:<bob@local.example>", "250 2.1.5");
    client_ask(&c, "DATA", "354 ");
    client_ask(&c, "From: alice@example.net\r\n\r\nx\r\n.", "250 2.0.0");
    client_ask(&c, "HELP", "214-2.0.0 submitd "); /* LSN-2 */
    house_turn(&house, 5);
    assert_int_equal(house_records(&house, check_trace, NULL), 1);
    client_close(&c);
}

/* OPS-2, TLS-17: a reload leaves open sessions as they are */
static void test_reload(void **state)
{
    struct client c;

    (void)state;
    open_logged_in(&c);
    house_apply(&house, "limits { message_size = 100000 }\n");
    assert_null(strstr(client_ask(&c, "EHLO c", "250-"), "SIZE 100000"));
    client_close(&c);
    open_secured(&c);
    assert_non_null(strstr(client_ask(&c, "EHLO c", "250-"), "SIZE 100000"));
    client_close(&c);
}

/* What an idle session with a login costs, the stream not counted. */
static void test_idle_memory(void **state)
{
    struct client c;

    (void)state;
    open_logged_in(&c);
    assert_null(house.gate.sessions->transaction);
    assert_null(house.gate.sessions->exchange);
    assert_null(house.gate.sessions->held.data);
    assert_true(sizeof(struct session) + sizeof(struct login_grant) < 1200);
    client_close(&c);
}

#define DIALOGUE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE(test_starttls),
        DIALOGUE(test_injection),
        DIALOGUE(test_auth),
        DIALOGUE(test_auth_needs_ehlo),
        DIALOGUE(test_auth_failures),
        DIALOGUE(test_auth_line),
        DIALOGUE(test_rights),
        DIALOGUE(test_vault_restarts),
        DIALOGUE(test_held),
        DIALOGUE(test_exchange_is_lost),
        DIALOGUE(test_handshake_waits),
        DIALOGUE(test_trace),
        DIALOGUE(test_reload),
        DIALOGUE(test_idle_memory),
    };

    return cmocka_run_group_tests_name("gate/login", tests, NULL, NULL);
}
