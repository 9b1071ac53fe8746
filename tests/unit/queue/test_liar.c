/* tests/unit/queue/test_liar.c: rooms that say what is not so, and that must hurt nobody else's
 * mail by it. */
#include "story.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "queue/state.h"

/* Recovery reads the clock's jumps off the journal's times, so these are the queue's own: outcomes
 * that are dated hours back, from a relay that lies or that could not tell them before, age nobody
 * (QUE-4). */
static void test_old_outcomes(void **state)
{
    enum { MESSAGES = 90, REFUSED = 70 }; /* some of them notices about the others */
    struct queue *queue = rig_queue(&story.rig);
    size_t left = 0;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(MESSAGES);
    rig_until(&story.rig, rig_message(&story.rig, MESSAGES));
    for (size_t at = 0; at < REFUSED; at++) {
        rig_until(&story.rig, story.relay->job_count > at);
        story.relay->clock_ahead_us = INT64_C(-7200) * 1000000;
        rig_answer(story.relay, &story.relay->jobs[at], &rig_refused);
        rig_until(&story.rig, story.relay->ack_count > at);
    }
    rig_until(&story.rig, commit_is_idle(&queue->commit));
    story_restart();
    queue = rig_queue(&story.rig);
    for (unsigned number = 1; number <= MESSAGES; number++) {
        const struct message *message = rig_message(&story.rig, number);
        left += message != NULL;
        if (message)
            assert_true(
                message_expiry_us(queue, message) > clock_wall_us() + INT64_C(86400) * 1000000);
    }
    assert_true(left >= MESSAGES - REFUSED);
}

/* What a gate has stated as good had its 250: it cannot be refused any more (QUE-1). */
static void test_cut_below(void **state)
{
    enum { MESSAGES = 20 };
    struct rig_gate *gate = &story.rig.gate;
    struct msg_cut cut;

    (void)state;
    story_submit(MESSAGES);
    rig_until(&story.rig, rig_message(&story.rig, MESSAGES));
    cut = (struct msg_cut){ gate->writers[0].generation, FILE_HEAD };
    assert_int_equal(channel_send(gate->channel, MSG_CUT, &cut, -1), ERR_OK);
    rig_run(&story.rig, 200);
    assert_int_not_equal(gate->cut_done, cut.generation);
    assert_true(gate->is_closed);
    rig_until(&story.rig, commit_is_idle(&rig_queue(&story.rig)->commit));
    story_restart();
    assert_int_equal(rig_queue(&story.rig)->messages.count, MESSAGES);
}

/* A cut takes a sync of the journal: one for each segment. */
static void test_cut_again(void **state)
{
    enum { TIMES = 5000 };
    struct queue *queue = rig_queue(&story.rig);
    struct rig_gate *gate = &story.rig.gate;
    struct msg_cut cut;
    uint64_t before;

    (void)state;
    story_submit(1);
    rig_until(&story.rig, rig_message(&story.rig, 1));
    rig_until(&story.rig, commit_is_idle(&queue->commit));
    before = queue->commit.tally.since;
    cut = (struct msg_cut){ gate->writers[0].generation, gate->writers[0].end };
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(channel_send(gate->channel, MSG_CUT, &cut, -1), ERR_OK);
        if (i % 100 == 0)
            rig_run(&story.rig, 1);
    }
    rig_until(&story.rig, gate->cut_done == cut.generation);
    rig_until(&story.rig, commit_is_idle(&queue->commit));
    assert_true(queue->commit.tally.since - before < 500);
    assert_false(gate->is_closed);
    cut.upto += FRAME_ALIGN;
    assert_int_equal(channel_send(gate->channel, MSG_CUT, &cut, -1), ERR_OK);
    rig_until(&story.rig, gate->is_closed);
}

/* An honest gate says where it cut, and until where all is good, to each queue that it meets before
 * it has its answer, and may say it to one that knows. */
static void test_cut_over_restarts(void **state)
{
    struct rig_gate *gate = &story.rig.gate;
    struct msg_cut cut;
    struct msg_doorbell bell;

    (void)state;
    story_submit(2);
    rig_until(&story.rig, rig_message(&story.rig, 2));
    cut = (struct msg_cut){ gate->writers[0].generation, gate->writers[0].end };
    bell = (struct msg_doorbell){ .generation = cut.generation, .upto = cut.upto };
    rig_write(&story.rig, &(struct rig_mail){ .number = 3 }); /* is refused */
    for (int life = 0; life < 3; life++) {
        assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
        assert_int_equal(channel_send(gate->channel, MSG_CUT, &cut, -1), ERR_OK);
        rig_until(&story.rig, gate->cut_done == cut.generation);
        gate->cut_done = 0;
        rig_gate_lose_channel(&story.rig);
        rig_gate_connect(&story.rig, 0, 0);
        assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
        assert_int_equal(channel_send(gate->channel, MSG_CUT, &cut, -1), ERR_OK);
        rig_until(&story.rig, gate->cut_done == cut.generation);
        gate->cut_done = 0;
        assert_false(gate->is_closed);
        rig_until(&story.rig, commit_is_idle(&rig_queue(&story.rig)->commit));
        rig_crash(&story.rig);
        rig_gate_lose_channel(&story.rig);
        rig_start(&story.rig);
        rig_gate_connect(&story.rig, 0, 0);
    }
    rig_gate_die(&story.rig);
    rig_until(&story.rig, rig_queue(&story.rig)->is_recovered);
    assert_int_equal(rig_queue(&story.rig)->messages.count, 2);
    assert_null(rig_message(&story.rig, 3));
}

static void send_bell(uint64_t upto)
{
    struct rig_gate *gate = &story.rig.gate;
    struct msg_doorbell bell = { .generation = gate->writers[0].generation, .upto = upto };

    assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    rig_until(&story.rig, gate->is_closed);
    rig_gate_connect(&story.rig, 0, 0);
}

/* Neither the header block nor what lies behind the end is its to state. */
static void test_stated_outside(void **state)
{
    (void)state;
    rig_until(&story.rig, story.rig.gate.writer_count > 0);
    send_bell(FILE_HEAD - FRAME_ALIGN);
    send_bell(UINT64_C(1) << 40);
    story_submit(1);
    rig_until(&story.rig, rig_message(&story.rig, 1));
}

/* It dies before anybody has looked at what it stated: what is really there is read all the same.
 */
static void test_stated_and_gone(void **state)
{
    enum { MESSAGES = 1500 }; /* more than are taken at once */
    struct rig_gate *gate = &story.rig.gate;
    struct msg_doorbell bell = { .upto = UINT64_C(1) << 40 };

    (void)state;
    rig_until(&story.rig, gate->writer_count > 0);
    rig_queue(&story.rig)->upkeep.tick_ms = 20;
    bell.generation = gate->writers[0].generation;
    for (unsigned number = 1; number <= MESSAGES; number++)
        rig_write(&story.rig, &(struct rig_mail){ .number = number });
    rig_ring(&story.rig, false);
    rig_write(&story.rig, &(struct rig_mail){ .number = MESSAGES + 1 });
    assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    channel_flush(gate->channel, 100);
    rig_gate_die(&story.rig);
    rig_until(&story.rig, rig_message(&story.rig, MESSAGES + 1));
}

/* The queue has begun anew, and its gate, with the locks of segments, says nothing of them. */
static struct queue *meet_silence(void)
{
    struct queue *queue;

    story_submit(3);
    rig_until(&story.rig, rig_message(&story.rig, 3));
    rig_until(&story.rig, commit_is_idle(&rig_queue(&story.rig)->commit));
    rig_crash(&story.rig);
    rig_gate_lose_channel(&story.rig);
    rig_start(&story.rig);
    queue = rig_queue(&story.rig);
    queue->upkeep.tick_ms = 20;
    queue->upkeep.silence_ms = 600;
    return queue;
}

/* Its channel is closed again and again; when the supervisor has ended it, its mail is read. */
static void test_silent(void **state)
{
    struct queue *queue = meet_silence();

    (void)state;
    for (int channels = 0; channels < 5; channels++) {
        rig_gate_connect(&story.rig, 1, 0);
        rig_until(&story.rig, story.rig.gate.is_closed);
        assert_false(queue->is_recovered);
    }
    rig_gate_die(&story.rig);
    rig_until(&story.rig, queue->is_recovered);
    assert_int_equal(queue->messages.count, 3);
}

/* Whose a lock is cannot be seen: who has stated segments is asked last. */
static void test_one_is_silent(void **state)
{
    struct rig_gate *gate = &story.rig.gate;
    struct rig_gate other = { .rig = &story.rig, .index = 1 };
    struct queue *queue = meet_silence();
    struct msg_doorbell bell = { .generation = gate->writers[0].generation,
        .upto = gate->writers[0].end };

    (void)state;
    rig_gate_connect(&story.rig, 0, 0);
    assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    rig_gate_plug(&story.rig, &other, 0, 0);
    rig_until(&story.rig, other.is_closed);
    assert_false(queue->is_recovered);
    assert_false(gate->is_closed);
    bell = (struct msg_doorbell){ .generation = gate->writers[1].generation,
        .upto = gate->writers[1].end };
    rig_gate_plug(&story.rig, &other, 0, 0);
    assert_int_equal(channel_send(other.channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    rig_until(&story.rig, queue->is_recovered);
    rig_run(&story.rig, 800);
    assert_false(other.is_closed || gate->is_closed);
    channel_free(&other.channel);
}

/* What a gate held for large bodies when it died goes, though the next one has its place already;
 * what it holds while only its channel breaks does not. */
static void test_spares_of_the_dead(void **state)
{
    struct queue *queue = rig_queue(&story.rig);
    struct rig_gate *gate = &story.rig.gate;
    size_t files;

    (void)state;
    queue->upkeep.tick_ms = 20;
    story_submit(1);
    rig_until(&story.rig, rig_message(&story.rig, 1));
    for (int life = 0; life < 3; life++) {
        rig_gate_die(&story.rig);
        rig_gate_connect(&story.rig, 2, 4);
        rig_until(&story.rig, gate->spare_count == 4 && gate->writer_count == 2);
        rig_until(&story.rig, queue->gates->spares_held == 4);
    }
    rig_run(&story.rig, 100);
    files = rig_files(&story.rig, "bodies");
    rig_gate_lose_channel(&story.rig);
    rig_gate_connect(&story.rig, 0, 0);
    for (size_t i = 0; i < gate->writer_count; i++) {
        struct msg_doorbell bell = { .generation = gate->writers[i].generation,
            .upto = gate->writers[i].end };
        assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    }
    rig_run(&story.rig, 200);
    assert_int_equal(queue->gates->spares_held, 4);
    assert_int_equal(rig_files(&story.rig, "bodies"), files);
}

/* Sound heads of records of which the rest is not: so many from there on. Their end. */
static uint64_t write_heads(struct segment_writer *writer, uint64_t at, unsigned count)
{
    char path[256], name[STORE_NAME];
    int file;

    store_name(STORE_SEGMENT, writer->generation, name);
    snprintf(path, sizeof path, "%s/segments/%s", story.rig.path, name);
    file = open(path, O_WRONLY);
    assert_true(file >= 0);
    for (unsigned i = 0; i < count; i++, at += FRAME_HEAD) {
        unsigned char head[FRAME_HEAD] = "SUBMTREC";
        const uint64_t id = i + 1;
        const uint16_t kind = 1, version = 1 | 0x8000;
        uint64_t sum;

        memcpy(head + 8, &writer->generation, 8);
        memcpy(head + 16, &id, 8);
        memcpy(head + 24, &id, 8);
        memcpy(head + 32, &kind, 2);
        memcpy(head + 34, &version, 2);
        sum = XXH3_64bits_withSeed(head, 48, writer->generation);
        memcpy(head + 48, &sum, 8);
        memset(head + 56, 'x', 8);
        assert_int_equal(pwrite(file, head, sizeof head, (off_t)at), sizeof head);
    }
    close(file);
    return at;
}

/* A segment costs a bounded number of copies, whatever its gate has written there (QUE-14). */
static void test_many_pieces(void **state)
{
    enum { PIECES = 3000, PART = 500 };
    struct rig_gate *gate = &story.rig.gate;
    struct segment_writer *writer = &gate->writers[0];
    struct queue *queue = rig_queue(&story.rig);
    uint64_t at;

    (void)state;
    rig_until(&story.rig, gate->writer_count == 2);
    queue->upkeep.tick_ms = 50;
    story_submit(1);
    rig_until(&story.rig, rig_message(&story.rig, 1));
    at = writer->end;
    for (unsigned i = 0; i < PIECES; i += PART) {
        struct msg_doorbell bell = { .generation = writer->generation };

        at = bell.upto = write_heads(writer, at, PART);
        assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
        rig_until(&story.rig, segment_find(queue, writer->generation)->read == at);
    }
    assert_int_equal(rig_files(&story.rig, "aside"), 32);
    rig_gate_die(&story.rig);
    rig_until(&story.rig, queue->counters.damaged == PIECES);
    assert_int_equal(rig_files(&story.rig, "aside"), 33);
    story_restart();
    assert_int_equal(rig_files(&story.rig, "aside"), 33);
    assert_non_null(rig_message(&story.rig, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_old_outcomes, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_cut_below, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_cut_again, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_cut_over_restarts, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_stated_outside, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_stated_and_gone, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_silent, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_spares_of_the_dead, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_many_pieces, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_one_is_silent, story_make, story_end),
    };

    return cmocka_run_group_tests_name("queue/liar", tests, NULL, NULL);
}
