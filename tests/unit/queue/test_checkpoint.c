/* tests/unit/queue/test_checkpoint.c: the state written down while mail goes on, and rooms that die
 * at every step of it: nothing is lost, nothing that was done comes again, old journal files go. */
#include "story.h"

#include "base/clock.h"

/* QUE-12: what the queue remembers is in the checkpoint alone, and the same after the next one. */
static void test_states(void **state)
{
    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(60);
    rig_until(&story.rig, rig_message(&story.rig, 60));
    story_settle();
    for (int life = 0; life < 3; life++) {
        story_checkpoint_and_trim();
        assert_true(rig_files(&story.rig, "journal") <= 2);
        story_restart();
        assert_true(rig_queue(&story.rig)->commit.tally.from != 0);
        story_check();
    }
}

/* Mail goes on while the checkpoint is written, and the room dies after each turn of its loop. */
static void test_every_step(void **state)
{
    bool is_over = false;

    for (unsigned steps = 1; !is_over && steps < 60; steps += 1 + steps / 12) {
        unsigned more = 0;
        assert_int_equal(story_make(state), 0);
        rig_relay_connect(&story.rig, story.relay, NULL, 0);
        story_submit(30);
        rig_until(&story.rig, rig_message(&story.rig, 30));
        story_settle();
        rig_queue(&story.rig)->upkeep.checkpoint_portion = 2;
        rig_queue(&story.rig)->upkeep.history = 0;
        story_submit(5);
        story_begin_checkpoint();
        for (unsigned step = 0; step < steps; step++) {
            story_submit(1);
            story_answer_next();
            loop_turn(story.rig.loop, 2);
            story_note_acks();
            more += story_has_checkpoint();
        }
        is_over = more > 5;
        story_restart();
        story_check();
        rig_queue(&story.rig)->upkeep.history = 0;
        story_checkpoint();
        story_restart();
        story_check();
        assert_int_equal(story_end(state), 0);
    }
    assert_true(is_over);
    assert_int_equal(story_make(state), 0);
}

/* One message that waits for long keeps neither the journal nor its order. */
static void test_stuck(void **state)
{
    (void)state;
    rig_queue(&story.rig)->upkeep.history = 0;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(1); /* is deferred */
    for (int round = 0; round < 5; round++) {
        story_submit(30);
        rig_until(&story.rig, rig_message(&story.rig, story.used) || story.relay->job_count > 0);
        story_settle();
        story_checkpoint();
        rig_until(&story.rig, rig_files(&story.rig, "journal") <= 3);
    }
    story_restart();
    story_check();
}

/* Many recipients: several states, of which each names the index of its first. */
static void test_many_recipients(void **state)
{
    static char text[1000][32];
    static const char *recipients[1000];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text[i], sizeof text[i], "user%d@d%d.example", i, i % 50);
        recipients[i] = text[i];
    }
    rig_submit(
        &story.rig, &(struct rig_mail){ .number = 1, .recipients = recipients, .count = 1000 });
    rig_until(&story.rig, rig_message(&story.rig, 1));
    story.used = 1;
    story.fates[1] = story.told[1] = ACCEPTED;
    story_checkpoint_and_trim();
    story_restart();
    story_check();
    assert_int_equal(rig_message(&story.rig, 1)->recipient_count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        char domain[32];
        snprintf(domain, sizeof domain, "d%u.example", i % 50);
        assert_true(
            slice_is(domain_name(rig_message(&story.rig, 1)->recipients[i].domain), domain));
    }
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_until(&story.rig, story.relay->job_count > 0);
    assert_true(strncmp(story.relay->jobs[0].address[0], "user", 4) == 0);
}

/* Only the queue dies: its gate goes on writing behind what the checkpoint has settled. */
static void test_gate_lives(void **state)
{
    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(30);
    rig_until(&story.rig, rig_message(&story.rig, 30));
    story_settle();
    story_checkpoint_and_trim();
    rig_crash(&story.rig);
    rig_relay_forget(story.relay);
    story.answered = 0;
    for (unsigned i = 0; i < 5; i++) {
        rig_write(&story.rig, &(struct rig_mail){ .number = ++story.used });
        story.fates[story.used] = story.told[story.used] = ACCEPTED;
    }
    rig_start(&story.rig);
    rig_until(&story.rig, rig_queue(&story.rig)->messages.count == 20);
    rig_gate_connect(&story.rig, 0, 0);
    rig_ring(&story.rig, false);
    rig_until(&story.rig, rig_message(&story.rig, 35));
    assert_int_equal(rig_queue(&story.rig)->messages.count, 25);
    story_check();
    rig_gate_die(&story.rig);
    rig_until(&story.rig, rig_queue(&story.rig)->is_recovered);
    story_checkpoint_and_trim();
    story_restart();
    story_check();
}

/* DSN-11: a notice is known for one, and whose it is, when nothing but the checkpoint tells it. */
static void test_notice(void **state)
{
    struct message *notice = NULL, *message;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(1);
    rig_until(&story.rig, story.relay->job_count == 1);
    rig_answer(story.relay, &story.relay->jobs[0], &rig_refused);
    rig_until(&story.rig, story.relay->job_count == 2 && !rig_message(&story.rig, 1));
    story_checkpoint_and_trim();
    story_restart();
    DL_FOREACH (rig_queue(&story.rig)->messages.order, message)
        notice = message;
    assert_non_null(notice);
    assert_int_equal(rig_queue(&story.rig)->messages.count, 1);
    assert_true(notice->notice == NOTICE_FAILURE);
    assert_true(queue_id_equals(notice->about, rig_id(1)));
    assert_int_equal(message_sender(notice).len, 0);
}

/* What the operator holds stays held. */
static void test_held(void **state)
{
    struct journal_entry entry = { .kind = JOURNAL_HELD, .at_us = clock_wall_us() };

    (void)state;
    story_submit(2);
    rig_until(&story.rig, rig_message(&story.rig, 2));
    entry.id = rig_id(1);
    message_hold(&rig_queue(&story.rig)->messages, rig_message(&story.rig, 1), true);
    schedule_message(rig_queue(&story.rig), rig_message(&story.rig, 1));
    commit_put(&rig_queue(&story.rig)->commit, &entry);
    story_checkpoint_and_trim();
    story_restart();
    assert_true(rig_message(&story.rig, 1)->is_held);
    assert_false(rig_message(&story.rig, 2)->is_held);
}

/* ---- a disk that fails ---- */

static struct disk_ops failing_ops;
static struct disk failing = { &failing_ops };
static bool is_failing;

static enum err failing_sync(struct disk *disk, int file)
{
    return is_failing ? ERR_IO : disk_posix()->ops->sync(disk, file);
}

static enum err failing_create(struct disk *disk, int dir, const char *name, int *out_file)
{
    return is_failing ? ERR_NOSPACE : disk_posix()->ops->create(disk, dir, name, out_file);
}

/* QUE-13: a checkpoint that the disk interrupts is given up, and begun again when it works. */
static void test_failing_disk(void **state)
{
    (void)state;
    failing_ops = *disk_posix()->ops;
    failing_ops.sync = failing_sync;
    failing_ops.create = failing_create;
    rig_crash(&story.rig);
    story.rig.disk = &failing;
    rig_gate_die(&story.rig);
    rig_start(&story.rig);
    rig_gate_connect(&story.rig, 2, 0);
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(30);
    rig_until(&story.rig, rig_message(&story.rig, 30));
    story_settle();
    rig_queue(&story.rig)->upkeep.checkpoint_portion = 2;
    story_begin_checkpoint();
    loop_turn(story.rig.loop, 0);
    is_failing = true;
    rig_until(&story.rig, rig_queue(&story.rig)->commit.is_failing);
    checkpoint_tick(rig_queue(&story.rig));
    assert_true(rig_queue(&story.rig)->checkpoint.is_void);
    is_failing = false;
    rig_until(&story.rig, rig_queue(&story.rig)->checkpoint.stage == CHECKPOINT_IDLE);
    assert_int_equal(rig_queue(&story.rig)->checkpoint.ended_us, 0);
    story_restart();
    story_check();
    story_checkpoint();
    story_restart();
    story_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_states, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_every_step, NULL, story_end),
        cmocka_unit_test_setup_teardown(test_stuck, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_many_recipients, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_gate_lives, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_notice, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_held, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_failing_disk, story_make, story_end),
    };

    return cmocka_run_group_tests_name("queue/checkpoint", tests, NULL, NULL);
}
