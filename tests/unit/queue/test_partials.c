/* tests/unit/queue/test_partials.c: messages that are cut off: what gates may have kept, who gets
 * it back, and what a gate that lies gets (EXT-CKPT-2). */
#include "rig.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/body.h"
#include "spool/partial.h"

static struct rig rig;

/* Another gate, to come back to. */
static struct rig_gate other;

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    rig.conf->extensions.checkpoint = true;
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 4);
    other = (struct rig_gate){ .index = 1 };
    rig_gate_plug(&rig, &other, 0, 0);
    rig_until(&rig, rig_queue(&rig)->is_recovered && rig.gate.spare_count == 4);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    if (other.channel)
        channel_free(&other.channel);
    rig_crash(&rig);
    rig_remove(&rig);
    return 0;
}

static struct partials *partials(void)
{
    return &rig_queue(&rig)->partials;
}

/* A new life of the queue; the gates have new channels. */
static void restart(void)
{
    rig_gate_die(&rig);
    if (other.channel)
        channel_free(&other.channel);
    rig_crash(&rig);
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 4);
    rig_gate_plug(&rig, &other, 0, 0);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

static struct msg_partial_key key_of(const char *user, const char *name)
{
    static char transid[64][64];
    static size_t turn;
    char *room = transid[turn++ % LENGTH_OF(transid)];

    snprintf(room, 64, "<%s@c.example>", name);
    return (struct msg_partial_key){ .user = slice_text(user),
        .ehlo = SLICE_LITERAL("client.example"),
        .transid = slice_text(room),
        .proof = slice_text(user),
        .mail = SLICE_LITERAL("FROM:<a@b.example>") };
}

static void say_ask(struct rig_gate *gate, const struct msg_partial_key *key, uint64_t request)
{
    struct msg_partial_ask ask = { .request = request, .key = *key };

    assert_int_equal(channel_send(gate->channel, MSG_PARTIAL_ASK, &ask, -1), ERR_OK);
}

static enum partial_found ask(
    struct rig_gate *gate, const struct msg_partial_key *key, uint64_t request)
{
    size_t answers = gate->partial.answers;

    say_ask(gate, key, request);
    rig_until(&rig, gate->partial.answers > answers);
    assert_true(gate->partial.request == request);
    return gate->partial.found;
}

static void say_end(struct rig_gate *gate, const struct msg_partial_key *key, uint64_t request,
    enum partial_end end)
{
    static struct msg_partial_recipient bob = { .address = SLICE_LITERAL("bob@example.org") };
    struct msg_partial_end message = { .request = request,
        .key = *key,
        .end = end,
        .id_high = 7,
        .id_low = 8,
        .content = { .recipients = &bob, .recipient_count = 1, .octets = 77 } };

    if (end != PARTIAL_TAKEN)
        message.content = (struct msg_partial_content){ 0 };
    assert_int_equal(channel_send(gate->channel, MSG_PARTIAL_END, &message, -1), ERR_OK);
}

static struct msg_partial_keep keep_of(const struct msg_partial_key *key, uint64_t request)
{
    static struct msg_partial_recipient bob = { .address = SLICE_LITERAL("bob@example.org") };

    return (struct msg_partial_keep){ .request = request,
        .key = *key,
        .content = { .recipients = &bob,
            .recipient_count = 1,
            .octets = 5,
            .front = SLICE_LITERAL("abc\r\n") } };
}

static void say_keep(struct rig_gate *gate, const struct msg_partial_keep *keep)
{
    assert_int_equal(channel_send(gate->channel, MSG_PARTIAL_KEEP, keep, -1), ERR_OK);
}

/* Asks, and has five octets kept. */
static void keep_small(struct rig_gate *gate, const struct msg_partial_key *key, uint64_t request)
{
    struct msg_partial_keep keep = keep_of(key, request);
    uint64_t kept = partials()->kept;

    (void)ask(gate, key, request);
    say_keep(gate, &keep);
    rig_until(&rig, partials()->kept > kept);
}

/* The same with a body file of the gate's. Its number. */
static uint64_t fill_spare(struct rig_gate *gate, struct slice text, uint64_t *out_checksum)
{
    struct body_spare *spare = &gate->spares[--gate->spare_count];
    struct body_writer writer;

    body_writer_init(&writer, disk_posix(), spare->fd, spare->number);
    assert_int_equal(body_writer_append(&writer, &text, 1), ERR_OK);
    assert_int_equal(body_writer_commit(&writer, out_checksum), ERR_OK);
    body_writer_clear(&writer);
    return spare->number;
}

static struct msg_partial_keep keep_large(
    struct rig_gate *gate, const struct msg_partial_key *key, uint64_t request)
{
    struct msg_partial_keep keep = keep_of(key, request);
    struct slice text = SLICE_LITERAL("one\r\ntwo\r\nthr");

    keep.content.body_file = fill_spare(gate, text, &keep.content.body_checksum);
    keep.content.body_octets = 10;
    keep.content.body_size = text.len;
    keep.content.octets = 15;
    return keep;
}

/* What is kept is given back to whoever asks for all of it, by any gate, in any life of the queue;
 * and nothing else is. */
static void test_kept(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1"), wrong = key;

    assert_int_equal(ask(&rig.gate, &key, 1), PARTIAL_NONE);
    say_end(&rig.gate, &key, 1, PARTIAL_LEFT);
    keep_small(&rig.gate, &key, 2);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(ask(&other, &key, 3), PARTIAL_RESUME);
        assert_true(other.partial.octets == 5 && other.partial.fd < 0);
        assert_string_equal(other.partial.front, "abc\r\n");
        assert_string_equal(other.partial.address, "bob@example.org");
        say_end(&other, &key, 3, PARTIAL_LEFT);
        wrong.transid = slice_text("<2@c.example>");
        assert_int_equal(ask(&other, &wrong, 4), PARTIAL_NONE);
        wrong = key;
        wrong.ehlo = slice_text("other.example");
        assert_int_equal(ask(&other, &wrong, 5), PARTIAL_NONE);
        wrong = key_of("carol", "1");
        assert_int_equal(ask(&other, &wrong, 6), PARTIAL_NONE);
        wrong = key;
        wrong.proof = slice_text("alicf");
        assert_int_equal(ask(&other, &wrong, 7), PARTIAL_NONE);
        wrong = key;
        restart();
        assert_int_equal(partials()->count, 1);
    }
    key.mail = slice_text("FROM:<a@b.example> SIZE=5");
    assert_int_equal(ask(&other, &key, 8), PARTIAL_NONE);
    rig_until(&rig, partials_are_idle(rig_queue(&rig)));
    assert_int_equal(partials()->count, 0);
    assert_int_equal(rig_files(&rig, "partials"), 0);
}

/* A body file goes from the gate to the partial, is read by who comes back, and goes with it. */
static void test_body(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;
    uint32_t held = rig_queue(&rig)->gates->spares_held;
    char octets[32];

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->kept == 1);
    assert_int_equal(rig_queue(&rig)->gates->spares_held, held - 1);
    restart();
    rig_run(&rig, 50);
    assert_true(rig_has(&rig, STORE_BODY, keep.content.body_file));
    assert_int_equal(ask(&other, &key, 2), PARTIAL_RESUME);
    assert_true(other.partial.octets == 15 && other.partial.body_octets == 10);
    assert_int_equal(pread(other.partial.fd, octets, sizeof octets, 0), 13);
    assert_int_equal(write(other.partial.fd, "x", 1), -1);
    say_end(&other, &key, 2, PARTIAL_DROPPED);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, keep.content.body_file));
    rig_until(&rig, partials_are_idle(rig_queue(&rig)));
    assert_int_equal(rig_files(&rig, "partials"), 0);
    assert_int_equal(partials()->octets, 0);
}

/* What is kept the second time replaces the first. */
static void test_replaced(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep first, second;

    (void)ask(&rig.gate, &key, 1);
    first = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &first);
    rig_until(&rig, partials()->kept == 1);
    assert_int_equal(ask(&rig.gate, &key, 2), PARTIAL_RESUME);
    second = keep_large(&rig.gate, &key, 2);
    second.content.front = slice_text("abcdef\r\n");
    second.content.octets = 18;
    say_keep(&rig.gate, &second);
    rig_until(&rig, partials()->kept == 2);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, first.content.body_file));
    assert_true(rig_has(&rig, STORE_BODY, second.content.body_file));
    assert_int_equal(partials()->count, 1);
    assert_int_equal(ask(&other, &key, 3), PARTIAL_RESUME);
    assert_true(other.partial.octets == 18);
}

/* Who asks for it again and again, and sends no more of it, has it 64 times. */
static void test_worn_out(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1"), small = key_of("alice", "2");
    struct msg_partial_keep keep;

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->kept == 1);
    keep_small(&rig.gate, &small, 2);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(ask(&other, &key, 10 + i), PARTIAL_RESUME);
        say_end(&other, &key, 10 + i, PARTIAL_LEFT);
        assert_int_equal(ask(&other, &small, 100 + i), PARTIAL_RESUME);
        say_end(&other, &small, 100 + i, PARTIAL_LEFT);
    }
    assert_int_equal(ask(&other, &key, 200), PARTIAL_NONE);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, keep.content.body_file));
    assert_int_equal(ask(&other, &small, 201), PARTIAL_RESUME); /* which costs nothing */
}

/* Octets that are not there any more are not promised. */
static void test_damaged_body(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;
    char name[STORE_NAME], path[256];

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->kept == 1);
    store_name(STORE_BODY, keep.content.body_file, name);
    snprintf(path, sizeof path, "%s/bodies/%s", rig.path, name);
    assert_int_equal(truncate(path, 12), 0);
    assert_int_equal(ask(&other, &key, 2), PARTIAL_NONE);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, keep.content.body_file));
}

/* The message was taken, and the client may not know. */
static void test_taken(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");

    keep_small(&rig.gate, &key, 1);
    assert_int_equal(ask(&rig.gate, &key, 2), PARTIAL_RESUME);
    say_end(&rig.gate, &key, 2, PARTIAL_TAKEN);
    rig_until(&rig, partials()->kept == 2);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(ask(&other, &key, 3), PARTIAL_COMPLETE);
        assert_true(other.partial.octets == 77 && other.partial.id.high == 7);
        assert_int_equal(other.partial.recipient_count, 1);
        restart();
    }
    assert_int_equal(ask(&other, &key, 4), PARTIAL_COMPLETE);
    say_end(&other, &key, 4, PARTIAL_DROPPED);
    rig_until(&rig, partials_are_idle(rig_queue(&rig)) && partials()->count == 0);
    assert_int_equal(rig_files(&rig, "partials"), 0);
}

/* The client is back while its old session lives: that is asked to let go. */
static void test_yield(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep = keep_of(&key, 1);
    size_t answers = other.partial.answers;

    assert_int_equal(ask(&rig.gate, &key, 1), PARTIAL_NONE);
    say_ask(&other, &key, 2);
    rig_until(&rig, rig.gate.partial.yields == 1);
    assert_true(rig.gate.partial.yielded == 1);
    rig_run(&rig, 30);
    assert_int_equal(other.partial.answers, answers);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, other.partial.answers > answers);
    assert_int_equal(other.partial.found, PARTIAL_RESUME);
    /* What the old one says now is not about its own. */
    say_end(&rig.gate, &key, 1, PARTIAL_DROPPED);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->count == 1);
    rig_run(&rig, 30);
    assert_int_equal(partials()->count, 1);
    say_end(&other, &key, 2, PARTIAL_LEFT);
    assert_int_equal(ask(&other, &key, 3), PARTIAL_RESUME);
}

/* Of two that ask the later one is answered with it; a gate that is gone has none. */
static void test_askers(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");

    assert_int_equal(ask(&rig.gate, &key, 1), PARTIAL_NONE);
    say_ask(&other, &key, 2);
    rig_until(&rig, rig.gate.partial.yields == 1);
    say_ask(&other, &key, 3);
    rig_until(&rig, other.partial.answers == 1);
    assert_true(other.partial.request == 2 && other.partial.found == PARTIAL_NONE);
    rig_gate_lose_channel(&rig);
    rig_until(&rig, other.partial.answers == 2);
    assert_true(other.partial.request == 3 && other.partial.found == PARTIAL_NONE);
}

/* Sixteen for a user; then the oldest goes. A second user's stay. */
static void test_of_one_user(void **state UNUSED)
{
    struct msg_partial_key hers = key_of("carol", "1"), key;
    char name[8];

    keep_small(&rig.gate, &hers, 1000);
    for (unsigned i = 0; i < PARTIALS_OF_USER + 2; i++) {
        snprintf(name, sizeof name, "%u", i);
        key = key_of("alice", name);
        keep_small(&rig.gate, &key, i + 1);
    }
    rig_until(&rig, partials_are_idle(rig_queue(&rig)));
    assert_int_equal(partials()->count, PARTIALS_OF_USER + 1);
    assert_int_equal(rig_files(&rig, "partials"), PARTIALS_OF_USER + 1);
    key = key_of("alice", "1");
    assert_int_equal(ask(&other, &key, 1), PARTIAL_NONE);
    key = key_of("alice", "2");
    assert_int_equal(ask(&other, &key, 2), PARTIAL_RESUME);
    assert_int_equal(ask(&other, &hers, 3), PARTIAL_RESUME);
}

/* Whoever is cut off often at one time has no more than one who is cut off now and then, and all
 * together no more than there is for all: what is being written counts. */
static void test_at_once(void **state UNUSED)
{
    enum { MANY = PARTIALS_OF_USER + 8 };
    struct msg_partial_key keys[MANY];
    char name[8];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%u", i);
        keys[i] = key_of("alice", name);
        (void)ask(&rig.gate, &keys[i], i + 1);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct msg_partial_keep keep = keep_of(&keys[i], i + 1);
        say_keep(&rig.gate, &keep);
    }
    rig_until(&rig, partials()->count + partials()->writing == PARTIALS_OF_USER);
    rig_until(&rig, partials()->count == PARTIALS_OF_USER);
    rig_run(&rig, 100);
    rig_until(&rig, partials_are_idle(rig_queue(&rig)));
    assert_int_equal(partials()->count, PARTIALS_OF_USER);
    assert_int_equal(rig_files(&rig, "partials"), PARTIALS_OF_USER);
    assert_true(partials()->writing == 0 && partials()->coming.disk == 0);
    assert_true(partials()->coming.memory == 0);
}

static void test_of_all_at_once(void **state UNUSED)
{
    enum { MANY = 12, FIT = 5 };
    struct msg_partial_key keys[MANY];
    static char users[MANY][8];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(users[i], sizeof users[i], "u%u", i);
        keys[i] = key_of(users[i], "1");
        (void)ask(&rig.gate, &keys[i], i + 1);
    }
    rig_queue(&rig)->upkeep.tick_ms = 3600000; /* no look at the disk any more */
    rig_run(&rig, 1200);
    rig_queue(&rig)->stock.space.total = FIT * (8192 + 1000) * PARTIALS_DISK_PART;
    for (unsigned i = 0; i < MANY; i++) {
        struct msg_partial_keep keep = keep_of(&keys[i], i + 1);
        say_keep(&rig.gate, &keep);
    }
    rig_until(&rig, partials()->kept == FIT);
    rig_run(&rig, 100);
    assert_int_equal(partials()->count, FIT);
    partials()->coming.memory = PARTIALS_MEMORY - 1000; /* nor has memory room for any number */
    say_end(&rig.gate, &keys[0], 1, PARTIAL_DROPPED);
    assert_int_equal(ask(&rig.gate, &keys[MANY - 1], 100), PARTIAL_NONE);
    say_end(&rig.gate, &keys[MANY - 1], 100, PARTIAL_TAKEN);
    rig_run(&rig, 100);
    assert_int_equal(partials()->kept, FIT);
    partials()->coming.memory = 0;
}

/* DATA-16: no room for mail, none for this: mail goes on, and the body file goes back. */
static void test_no_room(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    rig_queue(&rig)->stock.is_low = true;
    rig_queue(&rig)->stock.reserve = UINT64_C(1) << 62; /* nor at the next look */
    say_keep(&rig.gate, &keep);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, keep.content.body_file));
    assert_int_equal(partials()->count, 0);
    rig_queue(&rig)->upkeep.tick_ms = 3600000; /* no look at the disk any more */
    rig_run(&rig, 1200);
    rig_queue(&rig)->stock.is_low = false;
    rig_queue(&rig)->stock.space.total = 100000;
    assert_int_equal(ask(&rig.gate, &key, 2), PARTIAL_NONE);
    keep = keep_of(&key, 2);
    say_keep(&rig.gate, &keep);
    rig_run(&rig, 50);
    assert_int_equal(partials()->count, 0);
}

/* What a gate was not given it cannot keep, and what it says of the content has to fit. */
static void test_liar(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;
    uint64_t mine;

    (void)ask(&other, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    mine = keep.content.body_file;
    say_keep(&other, &keep); /* another gate's */
    rig_run(&rig, 30);
    assert_int_equal(partials()->count, 0);
    keep = keep_of(&key, 1);
    keep.content.octets = 6; /* more than there is */
    say_keep(&other, &keep);
    rig_run(&rig, 30);
    assert_int_equal(partials()->count, 0);
    key = key_of("alice", "2");
    (void)ask(&rig.gate, &key, 2);
    keep = keep_of(&key, 2);
    keep.content.body_file = mine;
    keep.content.body_octets = keep.content.body_size = 14; /* the file has 13 */
    keep.content.octets = 19;
    say_keep(&rig.gate, &keep);
    rig_run(&rig, 50);
    assert_int_equal(partials()->count, 0);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, mine));
    assert_int_equal(rig_files(&rig, "partials"), 0);
}

/* A record that names a partial's body does not get it. */
static void test_named_by_a_record(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;
    struct rig_mail mail = { .number = 1, .user = "mallory" };

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->kept == 1);
    mail.body_file = keep.content.body_file;
    mail.body_size = keep.content.body_size;
    mail.body_sum = keep.content.body_checksum;
    rig_submit(&rig, &mail);
    rig_until(&rig, rig_queue(&rig)->counters.damaged == 1);
    assert_null(rig_message(&rig, 1));
    assert_int_equal(ask(&other, &key, 2), PARTIAL_RESUME);
}

/* The queue dies, its gate does not; the new one is told at once what its gate has in hand, and
 * knows what that is when all that lies in the spool is known. */
static void restart_before_gate(void)
{
    rig_gate_lose_channel(&rig);
    channel_free(&other.channel);
    rig_crash(&rig);
    rig_start(&rig);
    rig_gate_connect(&rig, 0, 0);
    rig_gate_plug(&rig, &other, 0, 0);
    rig_run(&rig, 50);
    assert_false(rig_queue(&rig)->is_recovered);
}

static void state_all(void)
{
    for (size_t i = 0; i < rig.gate.writer_count; i++) {
        struct segment_writer *writer = &rig.gate.writers[i];
        struct msg_doorbell bell = { writer->generation, writer->end, false };

        assert_int_equal(channel_send(rig.gate.channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    }
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

static void test_early(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1"), small = key_of("alice", "2");
    struct msg_partial_keep keep, other_keep = keep_of(&small, 2);

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    restart_before_gate();
    say_keep(&rig.gate, &keep);
    say_keep(&rig.gate, &other_keep);
    say_ask(&other, &key, 3);
    rig_until(&rig, partials()->count == 1);
    rig_run(&rig, 50);
    assert_int_equal(other.partial.answers, 0);
    state_all();
    rig_until(&rig, other.partial.answers == 1);
    assert_int_equal(other.partial.found, PARTIAL_RESUME);
    assert_true(other.partial.octets == 15);
    rig_run(&rig, 100);
    assert_true(rig_has(&rig, STORE_BODY, keep.content.body_file));
    say_keep(&rig.gate, &keep); /* told again: it is kept already */
    rig_until(&rig, partials()->count == 2);
    rig_run(&rig, 50);
    assert_int_equal(partials()->count, 2);
}

/* A body that a message names is the message's, whoever speaks first. */
static void test_early_liar(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;
    struct rig_mail mail = { .number = 1, .user = "carol" };

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    mail.body_file = keep.content.body_file;
    mail.body_size = keep.content.body_size;
    mail.body_sum = keep.content.body_checksum;
    rig_write(&rig, &mail);
    restart_before_gate();
    say_keep(&other, &keep);
    rig_run(&rig, 50);
    state_all();
    rig_until(&rig, rig_message(&rig, 1) != NULL);
    rig_run(&rig, 50);
    assert_int_equal(partials()->count, 0);
    assert_true(rig_has(&rig, STORE_BODY, keep.content.body_file));
    assert_int_equal(ask(&other, &key, 2), PARTIAL_NONE);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
}

/* It ends before all was known. */
static void test_never_known(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct msg_partial_keep keep;

    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    restart_before_gate();
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->writing == 1);
}

/* 48 hours: of the queue's own time while it runs, of the wall clock at a start. */
static void test_expiry(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1"), held = key_of("alice", "2");
    struct msg_partial_keep keep;

    assert_true(rig_queue(&rig)->upkeep.partial_life_us == INT64_C(172800000000));
    (void)ask(&rig.gate, &key, 1);
    keep = keep_large(&rig.gate, &key, 1);
    say_keep(&rig.gate, &keep);
    rig_until(&rig, partials()->kept == 1);
    keep_small(&rig.gate, &held, 2);
    assert_int_equal(ask(&rig.gate, &held, 3), PARTIAL_RESUME);
    rig_queue(&rig)->upkeep.partial_life_us = 1000;
    rig_until(&rig, partials()->expired == 1);
    assert_int_equal(partials()->count, 1); /* the other is in somebody's hands */
    rig_until(&rig, !rig_has(&rig, STORE_BODY, keep.content.body_file));
}

/* What a crash has left: no file, half a file, two files with one name. */
static void test_crash(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");
    struct store_file *files;
    size_t count;
    char name[STORE_NAME], path[256];

    keep_small(&rig.gate, &key, 1);
    assert_int_equal(store_list(&partials()->store, STORE_PARTIAL, &files, &count), ERR_OK);
    assert_int_equal(count, 1);
    store_name(STORE_PARTIAL, files[0].number, name);
    snprintf(path, sizeof path, "%s/partials/%s", rig.path, name);
    assert_int_equal(truncate(path, 100), 0);
    free(files);
    restart();
    assert_int_equal(partials()->count, 0);
    assert_int_equal(rig_files(&rig, "partials"), 0);
    assert_int_equal(ask(&other, &key, 2), PARTIAL_NONE);
}

/* Switched off: nothing is promised. */
static void test_off(void **state UNUSED)
{
    struct msg_partial_key key = key_of("alice", "1");

    keep_small(&rig.gate, &key, 1);
    rig.conf->extensions.checkpoint = false;
    rig_reload(&rig);
    assert_int_equal(ask(&other, &key, 2), PARTIAL_NONE);
    assert_int_equal(partials()->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, make, unmake),
        cmocka_unit_test_setup_teardown(test_body, make, unmake),
        cmocka_unit_test_setup_teardown(test_replaced, make, unmake),
        cmocka_unit_test_setup_teardown(test_worn_out, make, unmake),
        cmocka_unit_test_setup_teardown(test_damaged_body, make, unmake),
        cmocka_unit_test_setup_teardown(test_taken, make, unmake),
        cmocka_unit_test_setup_teardown(test_yield, make, unmake),
        cmocka_unit_test_setup_teardown(test_askers, make, unmake),
        cmocka_unit_test_setup_teardown(test_of_one_user, make, unmake),
        cmocka_unit_test_setup_teardown(test_at_once, make, unmake),
        cmocka_unit_test_setup_teardown(test_of_all_at_once, make, unmake),
        cmocka_unit_test_setup_teardown(test_no_room, make, unmake),
        cmocka_unit_test_setup_teardown(test_liar, make, unmake),
        cmocka_unit_test_setup_teardown(test_named_by_a_record, make, unmake),
        cmocka_unit_test_setup_teardown(test_early, make, unmake),
        cmocka_unit_test_setup_teardown(test_early_liar, make, unmake),
        cmocka_unit_test_setup_teardown(test_never_known, make, unmake),
        cmocka_unit_test_setup_teardown(test_expiry, make, unmake),
        cmocka_unit_test_setup_teardown(test_crash, make, unmake),
        cmocka_unit_test_setup_teardown(test_off, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
