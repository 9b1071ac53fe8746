/* tests/unit/queue/test_destination.c: whose turn it is, without a spool: windows, dead hosts,
 * fairness between users and between destinations. */
#include "../check.h"

#include <stdlib.h>

#include "conf/conf.h"
#include "queue/message.h"
#include "spool/envelope.h"

static struct destinations ds;
static struct messages ms;
static struct arena arena;
static struct conf *conf;
static bool is_served;
static unsigned next_id;

static bool served(void *owner, enum role role, uint32_t index)
{
    (void)owner, (void)role, (void)index;
    return is_served;
}

static int make(void **state)
{
    static const char text[] =
        "hostname = \"mail.example.org\"\nstate = \"/var/lib/submitd\"\nrelays = 4\n"
        "listener \"submissions\" { address = \"[::]:465\" tls = \"implicit\" }\n"
        "tls { certificate = \"/etc/tls/chain.pem\" key = \"/etc/tls/key.pem\" }\n"
        "users \"file\" { path = \"/etc/submitd/users\" }\n"
        "route \"box.example\" { via = \"maildir\" to = \"/var/mail/box\" }\n"
        "route \"hub.example\" { via = \"smtp\" to = \"smtp.example.com:587\" tls = \"may\" }\n"
        "route \"*.hub.example\" { via = \"smtp\" to = \"smtp.example.com:587\" tls = \"may\" }\n"
        "route \"*\" { via = \"mx\" }\n";
    struct conf_error error;

    (void)state;
    arena_init(&arena, 4 << 20);
    if (conf_parse("submitd.conf", slice_text(text), &arena, &conf, &error) != ERR_OK)
        fail_msg("%s", error.text);
    conf->number = 1;
    is_served = true;
    messages_init(&ms, &ds);
    destinations_init(&ds, &ms.replies, served, NULL);
    destinations_limit(&ds, conf);
    return 0;
}

static void over(struct destination *d)
{
    destination_ended(&ds, d);
    destinations_vacate(&ds);
}

static int end(void **state)
{
    struct destination *d, *next;

    (void)state;
    messages_clear(&ms);
    HASH_ITER (hh, ds.map, d, next)
        for (uint32_t left = d->in_hand; left > 0; left--)
            over(d);
    destinations_clear(&ds);
    arena_clear(&arena);
    return 0;
}

static struct recipient *mail_at(const char *user, const char *domain, uint8_t priority)
{
    struct message_spec spec = {
        .id = { .high = ++next_id, .low = 1 },
        .user = slice_text(user),
        .sender = slice_text("s@example.org"),
        .recipient_count = 1,
    };
    struct recipient *r = &message_add(&ms, &spec)->recipients[0];

    r->message->priority = priority;
    r->domain = domain_take(&ds, slice_text(domain));
    recipient_move(&ms, r, RECIPIENT_READY, INT64_MAX, domain_route(&ds, conf, r->domain));
    return r;
}

static struct recipient *mail(const char *user, const char *domain)
{
    return mail_at(user, domain, 0);
}

/* Begins the next delivery; NULL when none may begin. */
static struct recipient *begin(void)
{
    struct recipient *r = destinations_pick(&ds);

    if (r) {
        destination_began(&ds, r->lane->key.destination);
        recipient_move(&ms, r, RECIPIENT_IN_HAND, INT64_MAX, NULL);
    }
    return r;
}

static void finish(struct recipient *r)
{
    struct destination *d = r->domain->destination;

    destination_answered(&ds, d, CONCURRENCY_TOOK);
    recipient_move(&ms, r, RECIPIENT_DELIVERED, 0, NULL);
    over(d);
}

/* QUE-9: two at first, one more with each success, ten at most. */
static void test_window(void **state)
{
    struct recipient *at[16];

    (void)state;
    for (int i = 0; i < 100; i++)
        mail("alice", "one.example");
    at[0] = begin();
    at[1] = begin();
    assert_non_null(at[1]);
    assert_null(begin());
    finish(at[0]);
    assert_non_null(at[2] = begin());
    assert_non_null(at[3] = begin());
    assert_null(begin());
    for (int i = 0; i < 30; i++) {
        finish(at[1]);
        assert_non_null(at[1] = begin());
        while (begin())
            ;
    }
    assert_int_equal(at[1]->domain->destination->in_hand, 10);
}

/* QUE-9: a host that loses connections gets fewer at once, and is not taken for dead while others
 * are under way there. */
static void test_strain(void **state)
{
    struct recipient *at[10];
    struct destination *d;

    (void)state;
    for (int i = 0; i < 100; i++)
        mail("alice", "one.example");
    d = mail("bob", "one.example")->domain->destination;
    d->concurrency.window = 10;
    destination_answered(&ds, d, CONCURRENCY_ANSWERED);
    destinations_served(&ds, d->carrier, d->carrier_index);
    for (int i = 0; i < 10; i++)
        assert_non_null(at[i] = begin());
    destination_unreachable(&ds, d, 0, NULL);
    recipient_move(&ms, at[0], RECIPIENT_WAITING, INT64_MAX, NULL);
    over(d);
    assert_false(d->is_dead);
    assert_int_equal(d->concurrency.window, 5);
    assert_null(begin());
    for (int i = 1; i < 6; i++)
        finish(at[i]);
    assert_non_null(begin());
    assert_null(begin());
}

/* QUE-9: a hundred in all. Those that have taken nothing yet may be tarpits: together they hold
 * three quarters of it, and one place each when half is taken. Who takes mail gets the rest. */
static void test_total(void **state)
{
    struct recipient *r, *living;
    size_t begun = 0, here = 0;
    char domain[32];

    (void)state;
    living = mail("bob", "living.example");
    assert_ptr_equal(begin(), living);
    mail("bob", "living.example");
    finish(living);
    for (int i = 0; i < 120; i++) {
        snprintf(domain, sizeof domain, "d%d.example", i);
        mail("alice", domain);
        mail("alice", domain);
    }
    while ((r = begin())) {
        begun++;
        here += r->domain == living->domain;
    }
    assert_int_equal(begun, 76);
    assert_int_equal(here, 1);
    assert_int_equal(ds.unproven, 75);
    for (int i = 0; i < 30; i++)
        mail("bob", "living.example");
    living->domain->destination->concurrency.window = 50;
    ds.window_limit = 50;
    destinations_served(&ds, ROLE_RELAY, living->domain->destination->carrier_index);
    for (; (r = begin()); begun++)
        assert_ptr_equal(r->domain, living->domain);
    assert_int_equal(begun, 100);
}

/* A place that took mail is known when it is idle in between, until it cannot be reached. */
static void test_proven_lately(void **state)
{
    struct recipient *r = mail("alice", "living.example");
    struct destination *d = r->domain->destination;

    (void)state;
    assert_ptr_equal(begin(), r);
    assert_false(d->is_proven);
    finish(r);
    message_remove(&ms, r->message);
    assert_null(ds.map);
    r = mail("alice", "living.example");
    assert_ptr_equal(begin(), r);
    d = r->domain->destination;
    assert_true(d->is_proven);
    assert_int_equal(ds.unproven, 0);
    destination_unreachable(&ds, d, 0, NULL);
    assert_false(d->is_proven);
    assert_int_equal(ds.unproven, 1);
    recipient_move(&ms, r, RECIPIENT_WAITING, INT64_MAX, NULL);
    over(d);
    assert_int_equal(ds.unproven, 0);
    assert_false(d->is_proven);
}

/* Two at once only while less than half of all places is taken. */
static void test_one_each(void **state)
{
    unsigned seen[200] = { 0 };
    struct recipient *r;
    char domain[32];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(domain, sizeof domain, "d%d.example", i);
        for (int j = 0; j < 3; j++)
            mail("alice", domain);
    }
    for (int i = 0; i < 75; i++) {
        assert_non_null(r = begin());
        seen[atoi(domain_name(r->domain).data + 1)]++;
    }
    assert_null(begin());
    for (int i = 0; i < 200; i++)
        assert_true(seen[i] <= 2);
}

/* EXT-MTPRI-4: -9 to 9 are three levels, each value the next above. */
static void test_levels(void **state)
{
    (void)state;
    assert_true(level_of(9) == LEVEL_URGENT && level_of(1) == LEVEL_URGENT);
    assert_true(level_of(0) == LEVEL_NORMAL && level_of(-3) == LEVEL_NORMAL);
    assert_true(level_of(-4) == LEVEL_NON_URGENT && level_of(-9) == LEVEL_NON_URGENT);
}

/* EXT-MTPRI-4: higher first, at one place and over all, whoever was served before; within a level
 * in the order in which it came. */
static void test_priority(void **state)
{
    const uint8_t zero = ENVELOPE_PRIORITY_ZERO;
    struct recipient *low, *none, *stated, *high, *other;

    (void)state;
    low = mail_at("alice", "hub.example", zero - 4);
    none = mail("alice", "hub.example");
    stated = mail_at("alice", "hub.example", zero - 3);
    high = mail_at("alice", "hub.example", zero + 1);
    other = mail_at("bob", "box.example", zero + 9);
    ds.window_limit = 10;
    domain_route(&ds, conf, low->domain)->concurrency.window = 10;
    assert_ptr_equal(begin(), other); /* a proven place before one that is not */
    assert_ptr_equal(begin(), high);
    assert_ptr_equal(begin(), none);
    assert_ptr_equal(begin(), stated);
    assert_ptr_equal(begin(), low);
    assert_null(begin());
}

/* EXT-MTPRI-4: urgent mail without end goes first, and keeps no other mail for ever. */
static void test_priority_no_starving(void **state)
{
    struct recipient *low, *normal, *at;
    int low_turn = 0, normal_turn = 0;

    (void)state;
    low = mail_at("alice", "box.example", ENVELOPE_PRIORITY_ZERO - 9);
    normal = mail("bob", "box.example");
    for (int turn = 1; turn <= 60; turn++) {
        mail_at("mallory", "box.example", ENVELOPE_PRIORITY_ZERO + 9);
        assert_non_null(at = begin());
        low_turn = at == low ? turn : low_turn;
        normal_turn = at == normal ? turn : normal_turn;
        finish(at);
    }
    assert_in_range(normal_turn, 10, 20);
    assert_in_range(low_turn, 10, 20);
}

/* QUE-10: ten thousand by alice to one place and everywhere, then one by bob: his is next. */
static void test_fair(void **state)
{
    struct recipient *bob, *r;
    char domain[32];

    (void)state;
    for (int i = 0; i < 5000; i++)
        mail("alice", "one.example");
    for (int i = 0; i < 5000; i++) {
        snprintf(domain, sizeof domain, "d%d.example", i);
        mail("alice", domain);
    }
    for (int i = 0; i < 40; i++)
        assert_non_null(begin());
    bob = mail("bob", "d4999.example");
    assert_ptr_equal(begin(), bob);
    bob = mail("bob", "one.example");
    r = begin();
    assert_true(r == bob || begin() == bob);
}

/* QUE-10 where the destination's window is what is short. */
static void test_fair_in_window(void **state)
{
    struct recipient *at[2];
    int bob = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        mail("alice", "one.example");
    at[0] = begin();
    at[1] = begin();
    for (int i = 0; i < 10; i++)
        mail("bob", "one.example");
    ds.window_limit = 2;
    for (int i = 0; i < 20; i++) {
        finish(at[i % 2]);
        at[i % 2] = begin();
        assert_non_null(at[i % 2]);
        bob += slice_is(user_name(at[i % 2]->message->user), "bob");
    }
    assert_true(bob >= 9);
}

/* QUE-5: ten thousand for a dead host do not slow one for a living; one probe when its time is
 * over, twice as long after each failure, an hour at most. */
static void test_dead(void **state)
{
    struct recipient *probe, *living;
    struct destination *d;
    int64_t now = 0, wait = 300;

    (void)state;
    for (int i = 0; i < 10000; i++)
        mail("alice", "dead.example");
    for (int i = 0; i < 6; i++) {
        probe = begin();
        assert_non_null(probe);
        d = probe->domain->destination;
        if (i > 0)
            assert_null(begin()); /* a probe is alone */
        destination_unreachable(&ds, d, now, NULL);
        recipient_move(&ms, probe, RECIPIENT_WAITING, INT64_MAX, NULL);
        over(d);
        assert_null(begin());
        living = mail("alice", "living.example");
        assert_ptr_equal(begin(), living);
        finish(living);
        destinations_revive(&ds, now + wait * 1000 - 1);
        assert_null(begin());
        now += wait * 1000;
        destinations_revive(&ds, now);
        wait = wait * 2 > 3600 ? 3600 : wait * 2;
    }
    probe = begin();
    finish(probe);
    assert_int_equal(d->failures, 0);
    assert_false(d->is_dead);
    assert_non_null(begin());
}

/* An operator may have the dead forgotten. */
static void test_forgive(void **state)
{
    struct recipient *r = mail("alice", "dead.example");
    struct destination *d;

    (void)state;
    mail("alice", "dead.example");
    assert_ptr_equal(begin(), r);
    d = r->domain->destination;
    destination_unreachable(&ds, d, 0, NULL);
    recipient_move(&ms, r, RECIPIENT_WAITING, INT64_MAX, NULL);
    over(d);
    assert_null(begin());
    destinations_forgive(&ds);
    assert_non_null(begin());
}

/* The key is the route's: many domains behind one smarthost are one destination. */
static void test_keys(void **state)
{
    struct recipient *a = mail("alice", "hub.example"), *b = mail("alice", "x.HUB.example");
    struct recipient *c = mail("alice", "Box.Example"), *e = mail("alice", "other.example");

    (void)state;
    assert_ptr_equal(a->domain->destination, b->domain->destination);
    assert_string_equal(a->domain->destination->address, "smtp.example.com:587");
    assert_int_equal(c->domain->destination->carrier, ROLE_MAILDROP);
    assert_int_equal(c->domain->destination->concurrency.window, 10); /* nobody to be gentle with */
    assert_int_equal(e->domain->destination->carrier, ROLE_RELAY);
    assert_string_equal(e->domain->destination->address, "other.example");
    assert_true(e->domain->destination->carrier_index < 4);
}

/* Without its relay a destination waits, others do not. */
static void test_served(void **state)
{
    struct recipient *a;

    (void)state;
    is_served = false;
    a = mail("alice", "one.example");
    assert_null(begin());
    is_served = true;
    destinations_served(&ds, ROLE_RELAY, (a->domain->destination->carrier_index + 1) % 4);
    assert_null(begin());
    destinations_served(&ds, ROLE_RELAY, a->domain->destination->carrier_index);
    assert_ptr_equal(begin(), a);
}

/* The same reason is kept once. */
static void test_replies(void **state)
{
    struct recipient *a = mail("alice", "one.example"), *b = mail("alice", "one.example");
    struct reply_parts parts = { 451, 0, SLICE_LITERAL("4.7.1"), SLICE_LITERAL("mx"),
        SLICE_LITERAL("192.0.2.1:25"), SLICE_LITERAL("later") };

    (void)state;
    recipient_remember(&ms, a, &parts);
    recipient_remember(&ms, b, &parts);
    assert_ptr_equal(a->reply, b->reply);
    assert_int_equal(a->reply->refs, 2);
    assert_true(slice_is(reply_parts_of(a->reply).host, "mx"));
    parts.text = slice_text("never");
    recipient_remember(&ms, b, &parts);
    assert_int_equal(a->reply->refs, 1);
    assert_true(slice_is(reply_parts_of(b->reply).text, "never"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_window, make, end),
        cmocka_unit_test_setup_teardown(test_strain, make, end),
        cmocka_unit_test_setup_teardown(test_total, make, end),
        cmocka_unit_test_setup_teardown(test_one_each, make, end),
        cmocka_unit_test_setup_teardown(test_proven_lately, make, end),
        cmocka_unit_test(test_levels),
        cmocka_unit_test_setup_teardown(test_priority, make, end),
        cmocka_unit_test_setup_teardown(test_priority_no_starving, make, end),
        cmocka_unit_test_setup_teardown(test_fair, make, end),
        cmocka_unit_test_setup_teardown(test_fair_in_window, make, end),
        cmocka_unit_test_setup_teardown(test_dead, make, end),
        cmocka_unit_test_setup_teardown(test_forgive, make, end),
        cmocka_unit_test_setup_teardown(test_keys, make, end),
        cmocka_unit_test_setup_teardown(test_served, make, end),
        cmocka_unit_test_setup_teardown(test_replies, make, end),
    };

    return cmocka_run_group_tests_name("queue/destination", tests, NULL, NULL);
}
