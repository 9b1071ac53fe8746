/* gate/commit: what is kept, what is refused, and what nobody knows. DATA-13, CMD-29, QUE-1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "house.h"

static struct house house;

static int open_house(void **state)
{
    (void)state;
    house = (struct house){ 0 };
    house_open(&house, "");
    house_turn(&house, 5);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_turn(&house, 10);
    assert_null(house.gate.sessions);
    assert_int_equal(house.gate.commit.busy, 0);
    house_close(&house);
    return 0;
}

static void begin_data(struct client *c)
{
    client_begin(c, &house);
    client_ask(c, "DATA", "354");
}

static const char message[] = "From: a@example.net\r\n\r\nx\r\n.\r\n";

static void send_large(struct client *c)
{
    static const char line[] =
        "0123456789012345678901234567890123456789012345678901234567890123\r\n";

    client_say(c, "From: a@example.net\r\n\r\n");
    for (size_t i = 0; i < 200000; i += sizeof line - 1)
        client_say(c, line);
    client_say(c, ".\r\n");
}

static size_t records(void)
{
    house_turn(&house, 10);
    return house_records(&house, NULL, NULL);
}

/* A failed sync or write: the batch is refused after the queue has the cut, the next message goes
 * into a fresh segment, the old one is let go and never synced again. */
static void test_failure(void **state)
{
    int *const fails[] = { &house.disk.sync_fails, &house.disk.write_fails };
    struct client c;

    (void)state;
    begin_data(&c);
    client_say(&c, message);
    client_expect(&c, "250 2.0.0");
    for (size_t i = 0; i < LENGTH_OF(fails); i++) {
        struct house_segment *segment = &house.segments[i];
        int syncs = house.disk.syncs;

        *fails[i] = 1;
        client_ask(&c, "MAIL FROM:<alice@example.net>", "250");
        client_ask(&c, "RCPT TO:<bob@local.example>", "250");
        client_ask(&c, "DATA", "354");
        client_say(&c, message);
        client_expect(&c, "451 4.3.0");
        house_turn(&house, 10);
        assert_true(segment->is_cut && segment->is_final);
        assert_int_equal(segment->cut, segment->upto);
        assert_true(house.disk.syncs - syncs <= 1);
        assert_int_equal(house_records(&house, NULL, NULL), i + 1);
        client_ask(&c, "MAIL FROM:<alice@example.net>", "250");
        client_ask(&c, "RCPT TO:<bob@local.example>", "250");
        client_ask(&c, "DATA", "354");
        client_say(&c, message);
        client_expect(&c, "250 2.0.0");
        assert_int_equal(records(), i + 2);
    }
    client_close(&c);
}

/* No reply before the queue has the cut in its journal; a queue that restarts is told again. */
static void test_cut_waits(void **state)
{
    struct client c;

    (void)state;
    house.holds_cuts = true;
    house.disk.sync_fails = 1;
    begin_data(&c);
    client_say(&c, message);
    house_turn(&house, 100);
    assert_int_equal(c.heard.len, 0);
    assert_true(house.segments[0].is_cut && !house.segments[0].is_final);
    house_detach_queue(&house);
    house.segments[0].is_cut = false;
    house.holds_cuts = false;
    house_attach_queue(&house);
    client_expect(&c, "451 4.3.0");
    assert_true(house.segments[0].is_cut);
    client_close(&c);
    assert_int_equal(records(), 0);
}

/* If it never has, the connection ends without a reply; the descriptor is kept all the same. */
static void test_cut_unknown(void **state)
{
    struct client c;

    (void)state;
    house.holds_cuts = true;
    house.gate.commit.cut_ms = 0;
    house.disk.sync_fails = 1;
    begin_data(&c);
    client_say(&c, message);
    client_expect_end(&c);
    client_close(&c);
    assert_false(house.segments[0].is_final);
    assert_non_null(house.gate.commit.cut);
    house_detach_queue(&house);
    house.holds_cuts = false;
    house_attach_queue(&house);
    house_turn(&house, 20);
    assert_true(house.segments[0].is_final);
    assert_null(house.gate.commit.cut);
}

/* Messages that come while a batch is being synced are the next batch: few syncs for many. */
static void test_group(void **state)
{
    enum { CLIENTS = 20 };
    struct client c[CLIENTS];
    int syncs;

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        begin_data(&c[i]);
    house.disk.sync_delay_ms = 20;
    syncs = house.disk.syncs;
    for (int i = 0; i < CLIENTS; i++)
        client_say(&c[i], message);
    for (int i = 0; i < CLIENTS; i++)
        client_expect(&c[i], "250 2.0.0");
    house.disk.sync_delay_ms = 0;
    assert_true(house.disk.syncs - syncs <= 4);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    assert_int_equal(records(), CLIENTS);
}

/* A batch that fails takes with it what was given to the thread behind it. */
static void test_group_fails(void **state)
{
    enum { CLIENTS = 10 };
    struct client c[CLIENTS];

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        begin_data(&c[i]);
    house.disk.sync_delay_ms = 30;
    house.disk.sync_fails = 1;
    for (int i = 0; i < CLIENTS; i++) {
        client_say(&c[i], message);
        house_turn(&house, i == 0 ? 5 : 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        client_expect(&c[i], "451 4.3.0");
    for (int i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    house.disk.sync_delay_ms = 0;
    assert_int_equal(records(), 0);
    assert_true(house.segments[0].is_final);
}

static void send_one(struct client *c, size_t octets, const char *reply)
{
    static char line[60000];

    memset(line, 'x', 900);
    memcpy(line + 900, "\r\n", 3);
    client_ask(c, "MAIL FROM:<alice@example.net>", "250");
    client_ask(c, "RCPT TO:<bob@local.example>", "250");
    client_ask(c, "DATA", "354");
    client_say(c, "From: a@example.net\r\n\r\n");
    for (size_t i = 0; i < octets; i += 902)
        client_say(c, line);
    client_say(c, ".\r\n");
    client_expect(c, reply);
    house_turn(&house, 10);
}

/* Zeros for later messages are written while nothing else is, which nobody waits for; that this
 * fails costs the segment and no message. */
static void test_spare_time(void **state)
{
    struct client c;
    int sent = 0;

    (void)state;
    client_begin(&c, &house);
    client_ask(&c, "RSET", "250");
    for (int syncs = 0; house.disk.syncs - syncs != 2 && sent < 12; sent++) {
        syncs = house.disk.syncs;
        send_one(&c, 100000, "250 2.0.0");
    }
    assert_in_range(sent, 5, 8); /* half a mebibyte */
    assert_false(house.segments[0].is_cut);
    for (; !house.segments[0].is_cut && sent < 24; sent++) {
        house.disk.sync_fails_at = 2;
        send_one(&c, 100000, "250 2.0.0");
    }
    assert_in_range(sent, 14, 18); /* a mebibyte more */
    assert_true(house.segments[0].is_final);
    assert_int_equal(house.segments[0].cut, house.segments[0].upto);
    house.disk.sync_fails_at = 0;
    send_one(&c, 1000, "250 2.0.0");
    client_close(&c);
    assert_int_equal(records(), sent + 1);
}

/* A record that does not fit goes into the next segment; the full one is let go with a final bell.
 */
static void test_rotation(void **state)
{
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .segment_size = FILE_HEAD + 2000 };
    house_open(&house, "");
    client_begin(&c, &house);
    for (int i = 0; i < 12; i++) {
        client_ask(&c, "RSET", "250");
        client_ask(&c, "MAIL FROM:<alice@example.net>", "250");
        client_ask(&c, "RCPT TO:<bob@local.example>", "250");
        client_ask(&c, "DATA", "354");
        client_say(&c, message);
        client_expect(&c, "250 2.0.0");
    }
    client_close(&c);
    assert_int_equal(records(), 12);
    assert_true(house.segment_count >= 4);
    for (size_t i = 0; i + 2 < house.segment_count; i++)
        assert_true(house.segments[i].is_final);
    assert_false(house.segments[house.segment_count - 1].is_final);
}

/* Without a segment the message waits, and is kept when one comes. */
static void test_blank_comes(void **state)
{
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .holds_blanks = true };
    house_open(&house, "");
    begin_data(&c);
    client_say(&c, message);
    house_turn(&house, 50);
    assert_int_equal(c.heard.len, 0);
    assert_int_equal(house.need.blanks, 2);
    house.holds_blanks = false;
    house_serve(&house);
    client_expect(&c, "250 2.0.0");
    client_close(&c);
    assert_int_equal(records(), 1);
}

/* … and is refused when none does. */
static void test_blank_late(void **state)
{
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .holds_blanks = true };
    house_open(&house, "");
    house.gate.commit.blank_ms = 0;
    begin_data(&c);
    client_say(&c, message);
    client_expect(&c, "451 4.3.0");
    client_ask(&c, "NOOP", "250");
    client_close(&c);
    assert_int_equal(records(), 0);
}

/* The queue is away: messages are kept all the same, and stated when it is back. */
static void test_queue_restarts(void **state)
{
    struct client c;

    (void)state;
    begin_data(&c);
    house_detach_queue(&house);
    client_say(&c, message);
    client_expect(&c, "250 2.0.0");
    assert_int_equal(records(), 0);
    house_attach_queue(&house);
    assert_int_equal(records(), 1);
    for (size_t i = 0; i < house.segment_count; i++)
        assert_true(house.segments[i].doorbells > 0);
    client_close(&c);
}

/* A large body waits for a file; one that is given back is used again, empty. */
static void test_spares(void **state)
{
    struct client c, d;

    (void)state;
    begin_data(&c);
    send_large(&c);
    client_expect(&c, "250 2.0.0");
    client_close(&c);
    house_turn(&house, 20);
    assert_int_equal(house.gate.commit.spares.count, SPARES_MIN);
    begin_data(&d);
    send_large(&d); /* and is cut before its end */
    client_close(&d);
    house_turn(&house, 50);
    assert_true(house.gate.commit.spares.count >= SPARES_MIN);
    assert_true(records() >= 1);
}

static void test_spare_comes(void **state)
{
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .holds_spares = true };
    house_open(&house, "");
    begin_data(&c);
    send_large(&c);
    house_turn(&house, 100);
    assert_int_equal(house.gate.sessions->wait, WAIT_BODY);
    assert_true(house.need.spares > SPARES_MIN);
    house.holds_spares = false;
    house_serve(&house);
    client_expect(&c, "250 2.0.0");
    client_close(&c);
    assert_int_equal(records(), 1);
}

/* 451 4.3.0 at the end of the data, all of which is read first. */
static void test_spare_late(void **state)
{
    struct client c;

    (void)state;
    house_close(&house);
    house = (struct house){ .holds_spares = true };
    house_open(&house, "");
    begin_data(&c);
    send_large(&c);
    house_turn(&house, 100);
    timer_set(&house.gate.sessions->timer, 0);
    client_expect(&c, "451 4.3.0");
    client_ask(&c, "NOOP", "250");
    client_close(&c);
    assert_int_equal(records(), 0);
}

static void test_body_fails(void **state)
{
    struct client c;

    (void)state;
    house.disk.write_fails = 1;
    begin_data(&c);
    send_large(&c);
    client_expect(&c, "451 4.3.0");
    client_ask(&c, "MAIL FROM:<alice@example.net>", "250");
    client_ask(&c, "RCPT TO:<bob@local.example>", "250");
    client_ask(&c, "DATA", "354");
    house.disk.sync_fails = 1;
    send_large(&c);
    client_expect(&c, "451 4.3.0");
    client_close(&c);
    assert_int_equal(records(), 0);
    assert_null(house.gate.commit.cut); /* no segment was touched */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_failure),
        CASE(test_cut_waits),
        CASE(test_cut_unknown),
        CASE(test_group),
        CASE(test_group_fails),
        CASE(test_spare_time),
        CASE(test_rotation),
        CASE(test_blank_comes),
        CASE(test_blank_late),
        CASE(test_queue_restarts),
        CASE(test_spares),
        CASE(test_spare_comes),
        CASE(test_spare_late),
        CASE(test_body_fails),
    };

    return cmocka_run_group_tests_name("gate/commit", tests, NULL, NULL);
}
