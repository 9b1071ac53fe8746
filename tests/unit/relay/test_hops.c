/* From a domain to the host that takes the mail: OUT-1 to OUT-6, OUT-16, QUE-5, D-15. */
#include "../check.h"

#include "rows.h"

#define SEND     MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n"
#define BYE      "< QUIT\n> 221 2.0.0 bye\n"
#define REFUSES  "> 554 5.7.1 no service\n" BYE
#define TO(name) .mail = { .route = ROUTE_MX, .domain = name }

/* Nobody listens at 127.0.0.9 and ::1. */
static const char *const records[] = {
    "one.example MX 10 mx1.example",
    "mx1.example A 127.0.0.1",
    "mx2.example A 127.0.0.2",
    "mx3.example A 127.0.0.3",
    "gone.example A 127.0.0.9",
    "six.example AAAA ::1",
    "six.example A 127.0.0.1",
    "none.example TXT",
    "bad.example SERVFAIL",
    "three.example MX 30 mx3.example",
    "three.example MX 10 mx1.example",
    "three.example MX 20 mx2.example",
    "direct.example A 127.0.0.2",
    "alias.example CNAME one.example",
    "null.example MX 0 .",
    "dots.example MX 10 .",
    "dots.example MX 20 .",
    "self.example MX 10 msa.example.net",
    "self.example MX 20 mx2.example",
    "better.example MX 10 mx2.example",
    "better.example MX 20 msa.example.net",
    "better.example MX 30 mx1.example",
    "unusable.example MX 10 none.example",
    "unusable.example MX 20 nowhere.example",
    "unusable.example A 127.0.0.1",
    "unknown.example MX 10 bad.example",
    "half.example MX 10 bad.example",
    "half.example MX 20 mx2.example",
    "dead.example MX 10 gone.example",
    "dead.example MX 20 mx2.example",
    "family.example MX 10 six.example",
    "onlydead.example MX 10 gone.example",
    "broken.example SERVFAIL",
    "many.example MX 10 many-mx.example",
    "many.example MX 20 mx3.example",
    "many-mx.example A 127.0.0.9",
    "many-mx.example A 127.0.0.10",
    "many-mx.example A 127.0.0.11",
    "many-mx.example A 127.0.0.12",
    "many-mx.example A 127.0.0.13",
    "many-mx.example A 127.0.0.14",
    "many-mx.example A 127.0.0.15",
    "many-mx.example A 127.0.0.16",
    "many-mx.example A 127.0.0.17",
    "many-mx.example A 127.0.0.18",
    "many-mx.example A 127.0.0.19",
    "sixes.example MX 10 sixes-mx.example",
    "sixes-mx.example AAAA ::ffff:127.0.0.21",
    "sixes-mx.example AAAA ::ffff:127.0.0.22",
    "sixes-mx.example AAAA ::ffff:127.0.0.23",
    "sixes-mx.example AAAA ::ffff:127.0.0.24",
    "sixes-mx.example AAAA ::ffff:127.0.0.25",
    "sixes-mx.example AAAA ::ffff:127.0.0.26",
    "sixes-mx.example AAAA ::ffff:127.0.0.27",
    "sixes-mx.example AAAA ::ffff:127.0.0.28",
    "sixes-mx.example AAAA ::ffff:127.0.0.29",
    "sixes-mx.example AAAA ::ffff:127.0.0.30",
    "sixes-mx.example AAAA ::ffff:127.0.0.31",
    "sixes-mx.example A 127.0.0.3",
    "two.scene.example A 127.0.0.2",
    "scene.example MX 10 mx3.example",
    NULL,
};

static const struct row rows[] = {
    { .name = "OUT-1: MX",
        TO("one.example"),
        .script = "on 1\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-1: no MX, the domain's own address",
        TO("direct.example"),
        .script = "on 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-1: a CNAME is followed",
        TO("alias.example"),
        .script = "on 1\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-2: the domain does not exist",
        TO("nowhere.example"),
        .script = "",
        .outcome = "failed 0 5.1.2" },
    { .name = "OUT-2: DNS fails for now",
        TO("broken.example"),
        .script = "",
        .outcome = "deferred 0 4.4.3" },
    { .name = "OUT-2, OUT-1: MX without addresses; the domain's own does not count",
        TO("unusable.example"),
        .script = "",
        .outcome = "failed 0 5.4.4" },
    { .name = "OUT-2: the address of the one MX fails for now",
        TO("unknown.example"),
        .script = "",
        .outcome = "deferred 0 4.4.3" },
    { .name = "OUT-2: neither MX nor address",
        TO("none.example"),
        .script = "",
        .outcome = "failed 0 5.4.4" },
    { .name = "OUT-3: null MX", TO("null.example"), .script = "", .outcome = "failed 0 5.1.10" },
    { .name = "OUT-2, OUT-3: a null MX beside another is none",
        TO("dots.example"),
        .script = "",
        .outcome = "failed 0 5.4.4" },
    { .name = "OUT-5: we are the best host",
        TO("self.example"),
        .script = "",
        .outcome = "failed 0 5.4.6" },
    { .name = "OUT-5: only hosts better than us",
        TO("better.example"),
        .script = "on 2\n" REFUSES,
        .outcome = "failed 554 5.7.1" },
    { .name = "OUT-4: in the order of preference",
        TO("three.example"),
        .script = "on 1\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-16: refused at the greeting, the next takes it",
        TO("three.example"),
        .script = "on 1\n" REFUSES "--\non 2\n> 521 no\n" BYE "--\non 3\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-16: refused by all: permanent",
        TO("three.example"),
        .script = "on 1\n" REFUSES "--\non 2\n> 521 no\n" BYE "--\non 3\n" REFUSES,
        .outcome = "failed 554 5.7.1" },
    { .name = "OUT-16, D-15: refused by all but one, which is busy",
        TO("three.example"),
        .script = "on 1\n" REFUSES "--\non 2\n> 421 4.3.2 busy\n" BYE "--\non 3\n" REFUSES,
        .outcome = "deferred 421 4.3.2" },
    { .name = "OUT-16: 5yz to MAIL is permanent at the first",
        TO("three.example"),
        .script = "on 1\n" BARE MAIL "> 550 5.7.1 no\n< RSET\n" OK BYE,
        .outcome = "failed 550 5.7.1" },
    { .name = "OUT-4: 421 to MAIL, the next takes it",
        TO("three.example"),
        .script = "on 1\n" BARE MAIL "> 421 4.3.2 bye\n!\n--\non 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-4: closed before the greeting, the next takes it",
        TO("three.example"),
        .script = "on 1\n!\n--\non 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-13: lost in the middle counts as 451, not as a reason to go on",
        TO("three.example"),
        .script = "on 1\n" BARE MAIL OK RCPT("bob") "!\n",
        .outcome = "deferred 0 4.4.2" },
    { .name = "OUT-4: nobody listens at the first",
        TO("dead.example"),
        .script = "on 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-16, D-15: the one cannot be reached, the other refuses: it waits",
        TO("dead.example"),
        .script = "on 2\n" REFUSES,
        .outcome = "deferred 0 4.4.1" },
    { .name = "OUT-4: nobody listens anywhere",
        TO("onlydead.example"),
        .script = "",
        .outcome = "deferred 0 4.4.1" },
    { .name = "OUT-2, D-15: one host's address is not known now, the other takes it",
        TO("half.example"),
        .script = "on 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-2, D-15: one host's address is not known now, the other refuses: it waits",
        TO("half.example"),
        .script = "on 2\n" REFUSES,
        .outcome = "deferred 0 4.4.1" },
    { .name = "OUT-6: IPv6 is dead, IPv4 works",
        TO("family.example"),
        .script = "on 1\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-4: a host with many addresses does not hide the next",
        TO("many.example"),
        .script = "on 3\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-4, OUT-6: many IPv6 addresses do not hide the IPv4 one",
        TO("sixes.example"),
        .script = "on 3\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "an address literal",
        TO("[127.0.0.2]"),
        .script = "on 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "an IPv6 address literal",
        TO("[IPv6:::1]"),
        .script = "",
        .outcome = "deferred 0 4.4.1" },
    { .name = "a literal that is none",
        TO("[127.0.0]"),
        .script = "",
        .outcome = "failed 0 5.1.2" },
    { .name = "OUT-18: a smart host by name",
        .mail = { .route = ROUTE_HOST },
        .script = "on 2\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-18: a smart host by its domain's MX",
        .mail = { .route = ROUTE_HOST_MX },
        .script = "on 3\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-18: a smart host that DNS does not know is the operator's to mend",
        .mail = { .route = ROUTE_LOST_HOST },
        .script = "",
        .outcome = "deferred 0 4.3.5",
        .text = "lost.scene.example" },
    { .name = "EXT-SMTPUTF8-7, D-15: what the first host cannot take, another may",
        .mail = { .route = ROUTE_MX,
            .domain = "three.example",
            .body = "\xc3\xa4\r\n",
            .eight_bit = true },
        .script = "on 1\n" BARE BYE "--\non 2\n" HELLO(
            "> 250 8BITMIME\n") "< MAIL FROM:<alice@example.net> BODY=8BITMIME\n" OK RCPT("bob") OK
        "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n" BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-8BITMIME-3, D-15: no host can take it",
        .mail = { .route = ROUTE_MX,
            .domain = "three.example",
            .body = "\xc3\xa4\r\n",
            .eight_bit = true },
        .script = "on 1\n" BARE BYE "--\non 2\n" BARE BYE "--\non 3\n" BARE BYE,
        .outcome = "failed 0 5.6.3" },
    { .name = "EXT-8BITMIME-3, D-15: two cannot take it, the third is not there: it waits",
        .mail = { .route = ROUTE_MX,
            .domain = "three.example",
            .body = "\xc3\xa4\r\n",
            .eight_bit = true },
        .script = "on 1\n" BARE BYE "--\non 2\n" BARE BYE "--\non 3\n!\n",
        .outcome = "deferred 0 4.4.2" },
    { .name = "EXT-SIZE-6: too large is permanent for all hosts",
        TO("three.example"),
        .script = "on 1\n" HELLO("> 250 SIZE 10\n") BYE,
        .outcome = "failed 0 5.3.4" },
};

static void test_rows(void **state)
{
    rows_play(*state, rows, LENGTH_OF(rows));
}

static const struct told *send(struct scene *s, const struct mail *mail)
{
    const struct told *told = scene_outcome(s, scene_send(s, mail), 5000);

    assert_non_null(told);
    return told;
}

/* QUE-5: remembered by address and port, left out by the next deliveries; who greets is alive. */
static void test_dead_hosts(void **state)
{
    static const struct mail dead = { .route = ROUTE_MX, .domain = "onlydead.example" };
    static const struct mail three = { .route = ROUTE_MX, .domain = "three.example" };
    static const struct mail mixed = { .route = ROUTE_MX, .domain = "dead.example" };
    struct scene *s = *state;
    struct play play;

    scene_forget(s);
    play_open(&play, s, "QUE-5",
        "on 1\n!\n--\non 2\n" BARE SEND BYE "--\non 2\n" BARE SEND BYE "--\non 2\n" REFUSES, &three,
        PLAY_WHOLE, SIZE_MAX);
    scene_conf(s)->queue.dead_host = 300;
    assert_string_equal(send(s, &dead)->summary, "deferred 0 4.4.1");
    assert_string_equal(
        send(s, &dead)->text, "no mail host of the destination could be reached lately");
    assert_string_equal(send(s, &three)->summary, "done 250 2.0.0");
    /* The first host did not greet, so it is not tried. */
    assert_string_equal(send(s, &three)->summary, "done 250 2.0.0");
    /* D-15: one host was not tried, so the other's refusal is not the last word. */
    assert_string_equal(send(s, &mixed)->summary, "deferred 0 4.4.1");
    dead_hosts_forgive(scene_carrier(s)->dead);
    scene_conf(s)->queue.dead_host = 0;
    play_require_over(&play);
    play_close(&play);
}

/* Who has greeted is not dead, whatever follows. */
static void test_alive(void **state)
{
    static const struct mail mail = { .route = ROUTE_MX, .domain = "one.example" };
    struct scene *s = *state;
    struct play play;

    scene_forget(s);
    play_open(&play, s, "QUE-5: closed at EHLO",
        "> 220 hop\n< EHLO msa.example.net\n!\n--\n" BARE SEND BYE, &mail, PLAY_WHOLE, SIZE_MAX);
    scene_conf(s)->queue.dead_host = 300;
    assert_string_equal(send(s, &mail)->summary, "deferred 0 4.4.2");
    assert_string_equal(send(s, &mail)->summary, "done 250 2.0.0");
    scene_conf(s)->queue.dead_host = 0;
    play_require_over(&play);
    play_close(&play);
}

/* What the outcome says of the other side: nothing, as long as nobody was reached. */
static void test_remote(void **state)
{
    static const struct mail dead = { .route = ROUTE_MX, .domain = "onlydead.example" };
    static const struct mail literal = { .route = ROUTE_MX, .domain = "[127.0.0.2]" };
    static const struct mail one = { .route = ROUTE_MX, .domain = "one.example" };
    struct scene *s = *state;
    const struct told *told;
    char address[64];
    struct play play;

    scene_forget(s);
    play_open(&play, s, "the outcome's host", BARE SEND BYE "--\n" BARE SEND BYE, &one, PLAY_WHOLE,
        SIZE_MAX);
    told = send(s, &dead);
    assert_string_equal(told->host, "");
    assert_string_equal(told->address, "");
    told = send(s, &one);
    snprintf(address, sizeof address, "127.0.0.1:%u", s->port);
    assert_string_equal(told->host, "mx1.example");
    assert_string_equal(told->address, address);
    assert_string_equal(send(s, &literal)->host, "127.0.0.2");
    play_require_over(&play);
    play_close(&play);
}

static int open_scene(void **state)
{
    return scene_begin_with(state, records, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
        cmocka_unit_test(test_dead_hosts), cmocka_unit_test(test_alive),
        cmocka_unit_test(test_remote) };

    return cmocka_run_group_tests_name("relay/hops", tests, open_scene, scene_end);
}
