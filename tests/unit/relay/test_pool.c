/* Connections that are used again: OUT-17. */
#include "../check.h"

#include "rows.h"

#define SEND   MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n"
#define FLIGHT MAIL RCPT("bob") "< BDAT 32 LAST\n*\n"
#define BYE    "< QUIT\n> 221 2.0.0 bye\n"

static const struct row rows[] = {
    { .name = "OUT-17, OUT-14: the next message to the same place goes over the same connection",
        .script = BARE SEND SEND SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0 | done 250 2.0.0",
        .jobs = 3,
        .keeps = true },
    { .name = "OUT-17: RSET behind a failure",
        .script = BARE MAIL "> 450 4.2.0 later\n< RSET\n" OK SEND BYE,
        .outcome = "deferred 450 4.2.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "EXT-LIMITS-3: MAILMAX",
        .script = HELLO("> 250 LIMITS MAILMAX=2\n") SEND SEND BYE
        "--\n" HELLO("> 250 LIMITS MAILMAX=2\n") SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0 | done 250 2.0.0",
        .jobs = 3,
        .keeps = true },
};

/* What went stale is replaced, without an outcome in between. */
static const struct row stale[] = {
    { .name = "OUT-17: closed while idle",
        .script = BARE SEND "!\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: 421 while idle",
        .script = BARE SEND "> 421 4.4.2 idle\n!\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: 421 crosses MAIL",
        .script = BARE SEND MAIL "> 421 4.4.2 idle\n!\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: closed as MAIL comes",
        .script = BARE SEND MAIL "!\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: reset as one flight comes",
        .script = CHUNKS FLIGHT OK OK OK "%30\n!!\n--\n" CHUNKS FLIGHT OK OK OK BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17, OUT-13: lost behind a reply: that one counts",
        .script = BARE SEND MAIL OK RCPT("bob") "!\n",
        .outcome = "done 250 2.0.0 | deferred 0 4.4.2",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: the fresh one fails too: once is enough",
        .script = BARE SEND MAIL "!\n--\n" BARE MAIL "!\n",
        .outcome = "done 250 2.0.0 | deferred 0 4.4.2",
        .jobs = 2,
        .keeps = true },
    { .name = "OUT-17: the fresh one is refused",
        .script = BARE SEND MAIL "!\n--\n> 554 5.7.1 no\n" BYE,
        .outcome = "done 250 2.0.0 | failed 554 5.7.1",
        .jobs = 2,
        .keeps = true },
    { .name = "an unasked reply on an idle connection",
        .script = BARE SEND "> 250 2.0.0 hm\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0 | done 250 2.0.0",
        .jobs = 2,
        .keeps = true,
        .waits = true,
        .is_uncut = true },
};

static void test_stale(void **state)
{
    rows_play(*state, stale, LENGTH_OF(stale));
}

static void test_rows(void **state)
{
    rows_play(*state, rows, LENGTH_OF(rows));
}

static void send_one(struct scene *s, enum scene_route route)
{
    const struct mail mail = { .route = route };
    const struct told *told = scene_outcome(s, scene_send(s, &mail), 5000);

    assert_non_null(told);
    assert_string_equal(told->summary, "done 250 2.0.0");
}

static void open_kept(struct play *play, struct scene *s, const char *name, const char *script)
{
    static const struct mail mail;

    scene_forget(s);
    scene_conf(s)->timeouts.idle = 30;
    play_open(play, s, name, script, &mail, PLAY_WHOLE, SIZE_MAX);
}

/* A route without TLS or a login must not lend its connection to one with them. */
static void test_routes_are_apart(void **state)
{
    struct scene *s = *state;
    struct play play;

    open_kept(&play, s, "OUT-17: each route has its own connections",
        BARE SEND SEND BYE "--\n" BARE SEND SEND BYE);
    send_one(s, ROUTE_PLAIN);
    send_one(s, ROUTE_DATA);
    assert_int_equal(pool_count(scene_carrier(s)->pool), 2);
    send_one(s, ROUTE_PLAIN);
    send_one(s, ROUTE_DATA);
    assert_int_equal(pool_count(scene_carrier(s)->pool), 2);
    pool_close(scene_carrier(s)->pool);
    assert_int_equal(pool_count(scene_carrier(s)->pool), 0);
    play_require_over(&play);
    play_close(&play);
}

/* An idle connection to one host does not say what the others could take. */
static void test_unfit(void **state)
{
    static const struct mail eight = {
        .to = { "bob@example.org", "eve@example.org" }, .body = "\xc3\xa4\r\n", .eight_bit = true
    };
    struct scene *s = *state;
    const struct told *told;
    struct play play;

    open_kept(&play, s, "EXT-8BITMIME-3, D-15: what an idle connection cannot take",
        BARE SEND BYE "--\n" BARE BYE);
    send_one(s, ROUTE_PLAIN);
    told = scene_outcome(s, scene_send(s, &eight), 5000);
    assert_non_null(told);
    assert_string_equal(told->summary, "failed 0 5.6.3; failed 0 5.6.3");
    assert_int_equal(pool_count(scene_carrier(s)->pool), 2);
    pool_close(scene_carrier(s)->pool);
    play_require_over(&play);
    play_close(&play);
}

static void test_idle_time(void **state)
{
    struct scene *s = *state;
    struct play play;

    open_kept(&play, s, "OUT-17, OUT-14: QUIT after the idle time", BARE SEND BYE);
    scene_conf(s)->timeouts.idle = 1;
    send_one(s, ROUTE_PLAIN);
    assert_int_equal(pool_count(scene_carrier(s)->pool), 1);
    play_require_over(&play);
    assert_int_equal(pool_count(scene_carrier(s)->pool), 0);
    play_close(&play);
}

static void test_reload(void **state)
{
    struct scene *s = *state;
    struct play play;

    open_kept(&play, s, "a reload ends what is idle", BARE SEND BYE "--\n" BARE SEND BYE);
    send_one(s, ROUTE_PLAIN);
    scene_apply(s, "");
    assert_int_equal(pool_count(scene_carrier(s)->pool), 0);
    send_one(s, ROUTE_PLAIN);
    play_require_over(&play);
    play_close(&play);
}

static void test_hundred(void **state)
{
    static char script[32768];
    struct scene *s = *state;
    struct play play;

    strcpy(script, BARE);
    for (int i = 0; i < 100; i++)
        strcat(script, SEND);
    strcat(script, BYE "--\n" BARE SEND BYE);
    open_kept(&play, s, "OUT-17: a hundred messages a connection", script);
    for (int i = 0; i < 101; i++) {
        send_one(s, ROUTE_PLAIN);
        scene_forget(s);
    }
    pool_close(scene_carrier(s)->pool);
    play_require_over(&play);
    play_close(&play);
}

static void test_drain(void **state)
{
    struct scene *s = *state;
    struct play play;

    open_kept(&play, s, "OUT-14: a room that ends says QUIT and waits for the reply",
        BARE SEND "< QUIT\n~50\n> 221 bye\n");
    send_one(s, ROUTE_PLAIN);
    s->room.type->drain(&s->room);
    assert_false(s->is_drained);
    play_require_over(&play);
    scene_turn(s, 5);
    assert_true(s->is_drained);
    play_close(&play);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, scene_begin, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = { CASE(test_rows), CASE(test_stale),
        CASE(test_routes_are_apart), CASE(test_unfit), CASE(test_idle_time), CASE(test_reload),
        CASE(test_hundred), CASE(test_drain) };

    return cmocka_run_group_tests_name("relay/pool", tests, NULL, NULL);
}
