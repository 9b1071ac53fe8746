/* tests/unit/queue/test_claims.c: what a relay has in hand while the queue restarts or its channel
 * breaks: nothing of it is given out a second time. */
#include "rig.h"

#include "base/clock.h"

static struct rig rig;
static struct rig_relay *relay;

static int make(void **state)
{
    (void)state;
    relay = &rig.relays[0];
    rig_begin(&rig);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

static const char *const places[] = { "bob@one.example", "carol@two.example",
    "dave@three.example" };

static void submit(size_t recipients)
{
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = places, .count = recipients });
    rig_until(&rig, relay->job_count == recipients);
}

static size_t refer(struct msg_job_ref *refs, size_t first)
{
    size_t count = 0;

    for (size_t i = first; i < relay->job_count; i++)
        refs[count++] = (struct msg_job_ref){ relay->jobs[i].job.job, relay->jobs[i].id.high,
            relay->jobs[i].id.low };
    return count;
}

/* The queue and its gate die; the relay goes on with the jobs from the first one on. */
static void restart(size_t first)
{
    struct msg_job_ref refs[16];

    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_start(&rig);
    rig_relay_connect(&rig, relay, refs, refer(refs, first));
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

static void check_nothing_more(size_t jobs)
{
    rig_run(&rig, 100);
    assert_int_equal(relay->job_count, jobs);
}

static void answer(size_t job, const struct rig_answer *with)
{
    rig_answer(relay, &relay->jobs[job], with);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[job].job.job));
}

static void check_all_done(void)
{
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_null(rig_queue(&rig)->jobs);
}

/* One message in three jobs: the end of one says nothing about the others. */
static void test_jobs_of_one_message(void **state)
{
    (void)state;
    submit(3);
    restart(0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 3 - i);
        answer(i, &rig_done);
        check_nothing_more(3);
    }
    check_all_done();
    assert_int_equal(rig_queue(&rig)->counters.delivered, 3);
}

/* The same in the other order, and with two restarts. */
static void test_other_order(void **state)
{
    (void)state;
    submit(3);
    restart(0);
    restart(0);
    for (size_t i = 3; i-- > 0;) {
        answer(i, &rig_done);
        check_nothing_more(3);
    }
    check_all_done();
}

/* What is put off in one of them is tried again when none is left. */
static void test_one_is_put_off(void **state)
{
    (void)state;
    submit(2);
    restart(0);
    answer(0, &rig_returned);
    check_nothing_more(2);
    answer(1, &rig_done);
    rig_until(&rig, relay->job_count == 3);
    assert_string_equal(relay->jobs[2].address[0], relay->jobs[0].address[0]);
    answer(2, &rig_done);
    check_all_done();
}

static void try_again(void)
{
    struct message *message = rig_message(&rig, 1);

    message->recipients[0].next_s = 0;
    schedule_message(rig_queue(&rig), message);
}

/* A deferral whose acknowledgement was lost, and the next attempt, for one recipient: the first is
 * told again at once, the second is still under way. */
static void test_two_attempts(void **state)
{
    (void)state;
    submit(1);
    answer(0, &rig_greylisted);
    try_again();
    rig_until(&rig, relay->job_count == 2);
    relay->ack_count = 0;
    restart(0);
    answer(0, &rig_greylisted);
    try_again();
    check_nothing_more(2);
    answer(1, &rig_done);
    check_all_done();
}

/* The same when only the channel breaks. */
static void test_told_again(void **state)
{
    struct msg_job_ref refs[16];

    (void)state;
    submit(1);
    restart(0);
    answer(0, &rig_greylisted);
    try_again();
    rig_until(&rig, relay->job_count == 2);
    relay->ack_count = 0;
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, refs, refer(refs, 0));
    answer(0, &rig_greylisted);
    assert_int_equal(rig_message(&rig, 1)->recipients[0].attempts, 1);
    try_again();
    check_nothing_more(2);
    answer(1, &rig_done);
    check_all_done();
}

/* The relay dies, and its successor has nothing in hand: all is given out again. */
static void test_relay_dies(void **state)
{
    (void)state;
    submit(3);
    restart(0);
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 6);
    for (size_t i = 3; i < 6; i++)
        answer(i, &rig_done);
    check_all_done();
}

/* It names only some of them anew, and not the first. */
static void test_some_are_lost(void **state)
{
    struct msg_job_ref refs[16];

    (void)state;
    submit(3);
    restart(0);
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, refs, refer(refs, 2));
    rig_run(&rig, 1500); /* what it does not name is lost after a second */
    assert_int_equal(relay->job_count, 3);
    answer(2, &rig_done);
    rig_until(&rig, relay->job_count == 5);
    answer(3, &rig_done);
    answer(4, &rig_done);
    check_all_done();
}

/* Held while it is in hand, released after a restart. */
static void test_held(void **state)
{
    struct journal_entry held = { .kind = JOURNAL_HELD, .id = rig_id(1) };
    struct message *message;

    (void)state;
    submit(1);
    commit_put(&rig_queue(&rig)->commit, &held);
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    restart(0);
    message = rig_message(&rig, 1);
    assert_true(message->is_held);
    message_hold(&rig_queue(&rig)->messages, message, false);
    schedule_message(rig_queue(&rig), message);
    check_nothing_more(1);
    answer(0, &rig_done);
    check_all_done();
}

/* A relay that claims without end what it has one job of. */
static void test_claims_without_end(void **state)
{
    enum { MANY = 20000 };
    struct msg_job_ref *refs = calloc(MANY, sizeof *refs);
    uint64_t last = relay->jobs[0].job.job;
    const struct job *job;

    (void)state;
    submit(1);
    last = relay->jobs[0].job.job;
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_start(&rig);
    for (size_t i = 0; i < MANY; i++)
        refs[i] = (struct msg_job_ref){ last - i, rig_id(1).high, rig_id(1).low };
    rig_relay_connect(&rig, relay, refs, MANY);
    free(refs);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(HASH_COUNT(rig_queue(&rig)->jobs), 1);
    job = rig_queue(&rig)->jobs;
    assert_true(job->claim_count < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_jobs_of_one_message, make, end),
        cmocka_unit_test_setup_teardown(test_other_order, make, end),
        cmocka_unit_test_setup_teardown(test_one_is_put_off, make, end),
        cmocka_unit_test_setup_teardown(test_two_attempts, make, end),
        cmocka_unit_test_setup_teardown(test_told_again, make, end),
        cmocka_unit_test_setup_teardown(test_relay_dies, make, end),
        cmocka_unit_test_setup_teardown(test_some_are_lost, make, end),
        cmocka_unit_test_setup_teardown(test_held, make, end),
        cmocka_unit_test_setup_teardown(test_claims_without_end, make, end),
    };

    return cmocka_run_group_tests_name("queue/claims", tests, NULL, NULL);
}
