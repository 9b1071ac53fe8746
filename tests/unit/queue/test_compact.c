/* tests/unit/queue/test_compact.c: sparse segments are emptied while mail goes on, and rooms that
 * die at every step of it. */
#include "story.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

static struct queue *queue_of(void)
{
    return rig_queue(&story.rig);
}

/* Thirty messages, of which twenty are left, in a segment that nobody writes any more. */
static uint64_t prepare(void)
{
    uint64_t generation;

    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(30);
    rig_until(&story.rig, rig_message(&story.rig, 30));
    story_settle();
    generation = rig_message(&story.rig, 1)->segment->generation;
    rig_gate_die(&story.rig);
    rig_until(&story.rig, segment_find(queue_of(), generation)->is_owned);
    assert_true(rig_has(&story.rig, STORE_SEGMENT, generation));
    return generation;
}

static void begin_compaction(void)
{
    queue_of()->upkeep.compact_age_ms = 0;
    compaction_tick(queue_of()->compaction);
}

static void compact(uint64_t generation)
{
    begin_compaction();
    rig_until(&story.rig, !rig_has(&story.rig, STORE_SEGMENT, generation));
}

/* The records lie in the new place whole, and the old segment is gone; the same after a restart. */
static void test_moved(void **state)
{
    uint64_t generation = prepare();

    (void)state;
    queue_of()->upkeep.compact_portion = 3;
    compact(generation);
    assert_true(rig_message(&story.rig, 1)->segment->generation > generation);
    assert_int_equal(rig_message(&story.rig, 1)->segment->live, 20);
    story_restart();
    story_check();
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_until(&story.rig, story.relay->job_count > 0);
    assert_non_null(strstr(story.relay->jobs[0].content, "\r\n\r\nHello.\r\n"));
    /* The mover's segment of the last life is emptied in turn. */
    generation = rig_message(&story.rig, 1)->segment->generation;
    compact(generation);
    story_checkpoint_and_trim();
    story_restart();
    story_check();
}

/* Mail goes on, a checkpoint too, and the room dies after each turn of its loop. */
static void run_steps(bool has_checkpoint)
{
    bool is_over = false;
    void *state = NULL;

    for (unsigned steps = 1; !is_over && steps < 120; steps += 1 + steps / 12) {
        unsigned more = 0;
        uint64_t generation;
        assert_int_equal(story_make(&state), 0);
        generation = prepare();
        rig_gate_connect(&story.rig, 2, 0);
        queue_of()->upkeep.compact_portion = 4;
        queue_of()->upkeep.checkpoint_portion = 2;
        queue_of()->upkeep.history = 0;
        story_submit(5);
        begin_compaction();
        for (unsigned step = 0; step < steps; step++) {
            if (has_checkpoint && step == steps / 2)
                queue_of()->commit.tally.since = UINT64_C(1) << 50, checkpoint_tick(queue_of());
            story_submit(1);
            story_answer_next();
            loop_turn(story.rig.loop, 1);
            story_note_acks();
            more += !rig_has(&story.rig, STORE_SEGMENT, generation);
        }
        is_over = more > 10;
        story_restart();
        story_check();
        queue_of()->upkeep.history = 0;
        story_checkpoint();
        story_restart();
        story_check();
        assert_int_equal(story_end(&state), 0);
    }
    assert_true(is_over);
    assert_int_equal(story_make(&state), 0);
}

static void test_every_step(void **state)
{
    (void)state;
    run_steps(false);
}

static void test_every_step_with_checkpoint(void **state)
{
    (void)state;
    run_steps(true);
}

/* QUE-12: a message that ends while its record moves does not come back, not even when all that the
 * journal said of it has gone. */
static void test_ends_meanwhile(void **state)
{
    struct message *message;
    size_t jobs;

    (void)state;
    prepare();
    jobs = story.relay->job_count;
    for (size_t i = 0; i < jobs; i++)
        if ((story.relay->jobs[i].id.high & 0xffff) == 2)
            rig_answer(story.relay, &story.relay->jobs[i], &rig_done);
    begin_compaction();
    assert_true(compaction_is_moving(queue_of()->compaction));
    queue_of()->commit.tally.since = UINT64_C(1) << 50;
    checkpoint_tick(queue_of());
    assert_int_equal(queue_of()->checkpoint.stage, CHECKPOINT_DUE); /* it waits for the move */
    message = rig_message(&story.rig, 2);
    rig_until(&story.rig, message->is_closing || !rig_message(&story.rig, 2));
    rig_until(&story.rig, !rig_message(&story.rig, 2));
    story.fates[2] = story.told[2] = DELIVERED;
    story_checkpoint_and_trim();
    story_restart();
    story_check();
}

static void spoil(uint64_t generation, uint64_t offset)
{
    char path[256], name[STORE_NAME], octet = 'X';
    int file;

    store_name(STORE_SEGMENT, generation, name);
    snprintf(path, sizeof path, "%s/segments/%s", story.rig.path, name);
    file = open(path, O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, &octet, 1, (off_t)offset), 1);
    close(file);
}

/* QUE-14: what does not read back is held and named, and keeps its segment; the others move. */
static void test_damaged(void **state)
{
    uint64_t generation = prepare();
    struct segment *segment = segment_find(queue_of(), generation);

    (void)state;
    spoil(generation, rig_message(&story.rig, 4)->offset + 100);
    begin_compaction();
    rig_until(&story.rig, segment->live == 1);
    rig_until(&story.rig, segment->is_spent);
    assert_true(rig_message(&story.rig, 4)->is_held);
    assert_ptr_equal(rig_message(&story.rig, 4)->segment, segment);
    assert_int_equal(queue_of()->counters.damaged, 1);
    begin_compaction();
    rig_run(&story.rig, 50);
    assert_true(rig_has(&story.rig, STORE_SEGMENT, generation));
    assert_int_equal(queue_of()->counters.damaged, 1);
}

/* A segment of which much is needed is left alone, and so is one that has just been finished. */
static void test_not_worth_it(void **state)
{
    uint64_t generation = prepare();
    struct segment *segment = segment_find(queue_of(), generation);

    (void)state;
    queue_of()->upkeep.compact_age_ms = 3600000;
    compaction_tick(queue_of()->compaction);
    assert_int_equal(segment->uses, 0);
    queue_of()->upkeep.compact_age_ms = 0;
    segment->live_octets += STORE_SEGMENT_MIN / 4;
    compaction_tick(queue_of()->compaction);
    assert_int_equal(segment->uses, 0);
    segment->live_octets -= STORE_SEGMENT_MIN / 4;
    compact(generation);
}

/* Jobs in hand and contents that are being read while their records move end well. */
static void test_in_hand(void **state)
{
    uint64_t generation;
    size_t done = 0;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(40);
    rig_until(&story.rig, rig_message(&story.rig, 40));
    generation = rig_message(&story.rig, 40)->segment->generation;
    rig_gate_die(&story.rig);
    rig_until(&story.rig, segment_find(queue_of(), generation)->is_owned);
    queue_of()->upkeep.compact_portion = 2;
    begin_compaction();
    while (done < 40) {
        compaction_tick(queue_of()->compaction);
        rig_until(&story.rig, story.relay->job_count > done);
        assert_non_null(strstr(story.relay->jobs[done].content, "Hello.\r\n"));
        rig_answer(story.relay, &story.relay->jobs[done++], &rig_done);
    }
    rig_until(&story.rig, queue_of()->messages.count == 0);
    rig_until(&story.rig, !rig_has(&story.rig, STORE_SEGMENT, generation));
    assert_int_equal(story.relay->job_count, 40);
}

/* DSN-1: a bounce about a message that has moved since it failed. */
static void test_bounce_after_move(void **state)
{
    uint64_t generation = prepare();

    (void)state;
    compact(generation);
    for (size_t i = 0; i < story.relay->job_count; i++)
        if ((story.relay->jobs[i].id.high & 0xffff) == 2)
            rig_answer(story.relay, &story.relay->jobs[i], &rig_refused);
    rig_until(&story.rig, queue_of()->counters.bounced == 1);
    rig_until(&story.rig, !rig_message(&story.rig, 2));
}

/* Accepted and cut, so an operator is to decide. He has not when its record moves to where no cut
 * is. */
static void test_doubt_moves_along(void **state)
{
    struct journal_entry cut = { .kind = JOURNAL_CUT };
    uint64_t generation;

    (void)state;
    story_submit(1);
    rig_until(&story.rig, rig_message(&story.rig, 1));
    rig_until(&story.rig, commit_is_idle(&queue_of()->commit));
    generation = rig_message(&story.rig, 1)->segment->generation;
    cut.cut = (struct journal_cut){ generation, rig_message(&story.rig, 1)->offset };
    commit_put(&queue_of()->commit, &cut);
    rig_until(&story.rig, commit_is_idle(&queue_of()->commit));
    story_restart();
    assert_true(rig_message(&story.rig, 1)->is_held);
    compact(generation);
    rig_until(&story.rig, commit_is_idle(&queue_of()->commit));
    story_restart();
    assert_true(rig_message(&story.rig, 1)->is_held);
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_run(&story.rig, 200);
    assert_int_equal(story.relay->job_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moved, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_doubt_moves_along, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_every_step, NULL, story_end),
        cmocka_unit_test_setup_teardown(test_every_step_with_checkpoint, NULL, story_end),
        cmocka_unit_test_setup_teardown(test_ends_meanwhile, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_damaged, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_not_worth_it, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_in_hand, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_bounce_after_move, story_make, story_end),
    };

    return cmocka_run_group_tests_name("queue/compact", tests, NULL, NULL);
}
