/* tests/unit/queue/test_liar.c: rooms that say what is not so, and that must hurt nobody else's
 * mail by it. */
#include "story.h"

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
    rig_until(&story.rig, commit_is_idle(&rig_queue(&story.rig)->commit));
    story_restart();
    assert_int_equal(rig_queue(&story.rig)->messages.count, MESSAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_old_outcomes, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_cut_below, story_make, story_end),
    };

    return cmocka_run_group_tests_name("queue/liar", tests, NULL, NULL);
}
