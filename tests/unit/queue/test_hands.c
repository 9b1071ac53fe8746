/* tests/unit/queue/test_hands.c: what is in whose hands: a carrier's word counts for what it was
 * given and for nothing else, keeps no mail for ever and costs no memory; and no more is in hand
 * than may be, however slow the disk is. */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

static struct rig rig;
static struct rig_relay *relay;

static struct disk_ops slow_ops;
static struct disk slow = { &slow_ops };
static atomic_bool is_stalled;

/* Only the journal's. */
static enum err slow_sync(struct disk *disk, int file)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof name);
    while (strcmp(name, "journal") == 0 && is_stalled)
        usleep(1000);
    return disk_posix()->ops->sync(disk, file);
}

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    slow_ops = *disk_posix()->ops;
    slow_ops.sync = slow_sync;
    is_stalled = false;
    rig.disk = &slow;
    rig.conf->queue.concurrency = 8;
    relay = &rig.relays[0];
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    rig_relay_connect(&rig, relay, NULL, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    is_stalled = false;
    rig_remove(&rig);
    return 0;
}

/* Each to a place of its own. */
static void submit(unsigned first, unsigned count)
{
    char address[64];
    const char *recipients[] = { address };

    for (unsigned number = first; number < first + count; number++) {
        snprintf(address, sizeof address, "bob@place%u.example", number);
        rig_submit(
            &rig, &(struct rig_mail){ .number = number, .recipients = recipients, .count = 1 });
    }
}

static struct msg_job_ref refer(uint64_t number, unsigned message)
{
    return (struct msg_job_ref){ number, rig_id(message).high, rig_id(message).low };
}

static struct queue *queue_of_rig(void)
{
    return rig_queue(&rig);
}

/* The queue dies, and its gate too unless that is to be waited for. */
static void crash(bool is_gate_dead)
{
    rig_crash(&rig);
    if (is_gate_dead)
        rig_gate_die(&rig);
    else
        rig_gate_lose_channel(&rig);
    rig_relay_unplug(relay);
    rig_start(&rig);
    if (is_gate_dead)
        rig_until(&rig, queue_of_rig()->is_recovered);
    else
        rig_until(&rig, queue_of_rig()->phase == QUEUE_RUNNING);
}

/* One message that was deferred, and that the operator holds. */
static struct rig_job deferred_and_held(void)
{
    struct journal_entry held = { .kind = JOURNAL_HELD, .id = rig_id(1) };
    struct rig_job old;

    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    old = relay->jobs[0];
    rig_answer(relay, &relay->jobs[0], &rig_greylisted);
    rig_until(&rig, relay->ack_count == 1);
    message_hold(&queue_of_rig()->messages, rig_message(&rig, 1), true);
    schedule_message(queue_of_rig(), rig_message(&rig, 1));
    commit_put(&queue_of_rig()->commit, &held);
    rig_until(&rig, commit_is_idle(&queue_of_rig()->commit));
    relay->ack_count = 0;
    return old;
}

static void check_not_ended(struct rig_job *old, const struct rig_answer *with)
{
    old->job.job = 12345;
    rig_answer(relay, old, with);
    rig_until(&rig, rig_is_acked(relay, 12345));
    rig_run(&rig, 50);
    assert_non_null(rig_message(&rig, 1));
    assert_int_equal(rig_message(&rig, 1)->recipients[0].state, RECIPIENT_HELD);
    assert_int_equal(rig_message(&rig, 1)->recipients[0].attempts, 1);
}

/* Mail that is in nobody's hands is ended by nobody: a number of an earlier life says nothing. */
static void test_not_in_hand(void **state)
{
    struct rig_job old = deferred_and_held();

    (void)state;
    check_not_ended(&old, &rig_done);
    check_not_ended(&old, &rig_refused);
    check_not_ended(&old, &rig_greylisted);
}

static void test_not_in_hand_later(void **state)
{
    struct rig_job old = deferred_and_held();

    (void)state;
    crash(true);
    rig_relay_connect(&rig, relay, NULL, 0);
    check_not_ended(&old, &rig_done);
    check_not_ended(&old, &rig_refused);
}

/* The same while its message has not been read yet. */
static void test_not_named(void **state)
{
    struct rig_job old = deferred_and_held();

    (void)state;
    crash(false);
    rig_relay_connect(&rig, relay, NULL, 0);
    old.job.job = 12345;
    rig_answer(relay, &old, &rig_done);
    rig_until(&rig, rig_is_acked(relay, 12345));
    rig_gate_connect(&rig, 0, 0);
    rig_ring(&rig, false);
    rig_until(&rig, queue_of_rig()->is_recovered || rig_message(&rig, 1));
    check_not_ended(&old, &rig_done);
}

/* What a carrier has of an earlier life it says when it meets the queue. A number that it makes up
 * later takes nothing into its hands. */
static void test_claimed_later(void **state)
{
    struct rig_job old = deferred_and_held();
    struct msg_job_ref ref = refer(1, 1);

    (void)state;
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, &ref, 1);
    rig_run(&rig, 100);
    assert_int_equal(rig_message(&rig, 1)->recipients[0].state, RECIPIENT_HELD);
    check_not_ended(&old, &rig_done);
}

/* Once on a channel. */
static void test_said_twice(void **state)
{
    struct msg_job_ref ref = refer(1, 1);

    (void)state;
    submit(1, 1);
    rig_relay_say(relay, &ref, 1);
    rig_until(&rig, relay->is_closed);
}

/* A claim that is said anew on each channel is one claim and its end is one end. */
static void test_claim_confirmed(void **state)
{
    static const char *const places[] = { "a@one.example", "b@two.example" };
    struct msg_job_ref refs[2];

    (void)state;
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = places, .count = 2 });
    rig_until(&rig, relay->job_count == 2);
    for (size_t i = 0; i < 2; i++)
        refs[i] = refer(relay->jobs[i].job.job, 1);
    crash(true);
    for (int i = 0; i < 3; i++) {
        rig_relay_unplug(relay);
        rig_relay_connect(&rig, relay, refs, 2);
        rig_run(&rig, 50);
        assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 2);
        assert_int_equal(queue_of_rig()->destinations.in_hand, 2);
    }
    rig_answer(relay, &relay->jobs[1], &rig_done);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[1].job.job));
    assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, queue_of_rig()->messages.count == 0);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
}

/* A carrier that never lets go of a message: its time comes all the same, and the sender hears of
 * it; also while the carrier goes on to claim it. */
static void give_up(void)
{
    struct message *message = rig_message(&rig, 1);
    struct recipient *r = &message->recipients[0];
    int64_t day_us = INT64_C(86400) * 1000000;

    assert_int_equal(r->state, RECIPIENT_IN_HAND);
    assert_true(r->due.key > message_expiry_us(queue_of_rig(), message));
    assert_true(r->due.key <= message_expiry_us(queue_of_rig(), message) + day_us);
    message->arrival_us -= 30 * day_us;
    assert_true(heap_set(&queue_of_rig()->messages.due, &r->due, 1));
    schedule_kick(queue_of_rig());
    rig_until(&rig, !rig_message(&rig, 1));
    assert_int_equal(queue_of_rig()->counters.bounced, 1);
    assert_int_equal(queue_of_rig()->counters.delivered, 0);
}

static void test_claimed_for_ever(void **state)
{
    struct msg_job_ref ref;

    (void)state;
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    ref = refer(relay->jobs[0].job.job, 1);
    crash(true);
    rig_relay_connect(&rig, relay, &ref, 1);
    rig_until(&rig, rig_count(&rig, RECIPIENT_IN_HAND) == 1);
    give_up();
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_is_acked(relay, ref.job));
    assert_int_equal(queue_of_rig()->counters.delivered, 0);
}

static void test_kept_for_ever(void **state)
{
    (void)state;
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    give_up();
}

/* An outcome that names a recipient more than once: the first word counts. */
static void tell_twice(enum delivery_result first, enum delivery_result second)
{
    const struct rig_job *job = rig_last(relay);
    struct msg_result results[2] = {
        { 0, first, CAUSE_REPLY, 550, slice_text("5.1.1"), slice_text("5.1.1 No") },
        { 0, second, CAUSE_REPLY, 550, slice_text("5.1.1"), slice_text("5.1.1 No") },
    };
    struct msg_outcome outcome = { .job = job->job.job,
        .id_high = job->id.high,
        .id_low = job->id.low,
        .started_us = clock_wall_us(),
        .finished_us = clock_wall_us(),
        .results = results,
        .result_count = 2 };

    assert_int_equal(channel_send(relay->channel, MSG_OUTCOME, &outcome, -1), ERR_OK);
    rig_until(&rig, rig_is_acked(relay, job->job.job));
}

static void test_named_twice(void **state)
{
    static const enum delivery_result all[] = { DELIVERY_DONE, DELIVERY_DEFERRED, DELIVERY_FAILED,
        DELIVERY_RETURNED };
    unsigned number = 0;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        for (size_t j = 0; j < LENGTH_OF(all); j++) {
            size_t before = relay->job_count;
            submit(++number, 1);
            rig_until(&rig, relay->job_count > before);
            tell_twice(all[i], all[j]);
        }
}

/* Two numbers for one recipient, and the one under which the job goes ends last: nothing of it
 * stays in hand. */
static void test_ended_by_a_claim(void **state)
{
    struct msg_job_ref refs[2];
    struct rig_job later;

    (void)state;
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    refs[1] = refer(relay->jobs[0].job.job, 1);
    refs[0] = refer(refs[1].job - 1, 1);
    crash(true);
    rig_relay_connect(&rig, relay, refs, 2);
    rig_until(&rig, rig_count(&rig, RECIPIENT_IN_HAND) == 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_is_acked(relay, refs[1].job));
    later = relay->jobs[0];
    later.job.job = refs[0].job;
    rig_answer(relay, &later, &rig_done);
    rig_until(&rig, rig_is_acked(relay, refs[0].job));
    rig_until(&rig, queue_of_rig()->messages.count == 0);
    assert_null(queue_of_rig()->jobs);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
}

/* ---- memory ---- */

enum { FLOOD = 65536 };

static struct msg_job_ref flood[FLOOD];

static void name_many(unsigned first)
{
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = (struct msg_job_ref){ 1 + i, first + i, 7 };
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, flood, FLOOD);
    rig_until(&rig, queue_of_rig()->relays[0].is_open);
    rig_run(&rig, 10);
}

/* Before everything has been read a carrier may name much that is nowhere: once. */
static void test_foreign_flood(void **state)
{
    (void)state;
    submit(1, 1);
    rig_until(&rig, rig_message(&rig, 1));
    crash(false);
    name_many(0);
    assert_int_equal(HASH_COUNT(queue_of_rig()->foreigners), FLOOD);
    name_many(FLOOD / 2);
    assert_int_equal(HASH_COUNT(queue_of_rig()->foreigners), 0); /* other numbers for the ids */
    name_many(FLOOD);
    assert_int_equal(HASH_COUNT(queue_of_rig()->foreigners), 0);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
}

static void tell_long(uint64_t number, uint64_t id_high)
{
    enum { RESULTS = 100 };
    static struct msg_result results[RESULTS];
    static char text[480];
    struct msg_outcome outcome = { .job = number,
        .id_high = id_high,
        .id_low = 7,
        .started_us = 1,
        .finished_us = 2,
        .results = results,
        .result_count = RESULTS };

    memset(text, 'x', sizeof text - 1);
    for (uint32_t i = 0; i < RESULTS; i++)
        results[i] = (struct msg_result){ i, DELIVERY_DONE, CAUSE_REPLY, 250, slice_text("2.0.0"),
            slice_text(text) };
    (void)!channel_send(relay->channel, MSG_OUTCOME, &outcome, -1);
}

/* What it tells of that is kept up to a bound, and above it its channel ends; what it did not name
 * is not kept at all. */
static void test_outcome_flood(void **state)
{
    const struct carrier *carrier;

    (void)state;
    submit(1, 1);
    rig_until(&rig, rig_message(&rig, 1));
    crash(false);
    name_many(0);
    carrier = &queue_of_rig()->relays[0];
    for (unsigned i = 0; i < 100; i++) {
        tell_long(1 + i, FLOOD + i);
        rig_run(&rig, 1);
    }
    assert_int_equal(carrier->kept_octets, 0);
    for (unsigned i = 0; i < FLOOD && relay->channel; i++) {
        tell_long(1 + i, i);
        if (i % 10 == 0)
            rig_run(&rig, 1);
    }
    rig_until(&rig, relay->is_closed);
    assert_true(carrier->kept_octets > 16 << 20);
    assert_true(carrier->kept_octets < 33 << 20);
}

/* Nor are acknowledgements collected without end while the journal stands still. */
static void test_ack_flood(void **state)
{
    struct msg_outcome outcome = { .job = 1 };

    (void)state;
    submit(1, 1);
    is_stalled = true;
    rig_until(&rig, queue_of_rig()->commit.is_busy);
    for (unsigned i = 0; i < FLOOD + 2000 && relay->channel; i++) {
        if (channel_send(relay->channel, MSG_OUTCOME, &outcome, -1) != ERR_OK)
            break; /* it notices before it is told */
        if (i % 1000 == 0)
            rig_run(&rig, 1);
    }
    rig_until(&rig, relay->is_closed);
    is_stalled = false;
    rig_until(&rig, queue_of_rig()->relays[0].acks == 0);
}

/* ---- places ---- */

/* Answers all as they come; stops when nothing more comes. */
static size_t answer_all(const struct rig_answer *with)
{
    size_t answered = 0;

    for (int quiet = 0; quiet < 20; quiet++) {
        rig_run(&rig, 10);
        for (; answered < relay->job_count; answered++, quiet = 0)
            rig_answer(relay, &relay->jobs[answered], with);
    }
    return answered;
}

/* A job keeps its place until its outcome is synced, so what a crash may double is never more than
 * may be in hand; and nothing waits longer than the disk. */
static void test_stalled_journal(void **state)
{
    (void)state;
    submit(1, 40);
    rig_until(&rig, rig_message(&rig, 40) && relay->job_count > 0);
    is_stalled = true;
    assert_true(answer_all(&rig_done) <= 8);
    assert_int_equal(relay->job_count, 8);
    assert_int_equal(relay->ack_count, 0);
    is_stalled = false;
    rig_until(&rig, relay->job_count > 8);
    for (size_t i = 8; i < 40; i++) {
        rig_until(&rig, relay->job_count > i);
        rig_answer(relay, &relay->jobs[i], &rig_done);
    }
    rig_until(&rig, queue_of_rig()->messages.count == 0);
    assert_int_equal(relay->job_count, 40);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
}

/* A notice that has no room on the disk keeps no place: deliveries make that room. */
static void test_notice_waits(void **state)
{
    struct stock *stock = &queue_of_rig()->stock;
    struct store_blank blank;

    (void)state;
    submit(1, 40);
    rig_until(&rig, rig_message(&rig, 40) && stock->blank_count > 0 && stock->blanks_asked == 0);
    stock->is_closing = true; /* nothing is made */
    while (stock_take_blank(stock, &blank))
        close(blank.write);
    assert_int_equal(answer_all(&rig_refused), 40);
    stock->is_closing = false;
    stock_fill(stock);
    rig_until(&rig, relay->ack_count >= 40);
}

/* What a carrier has since an earlier life counts among what is in hand. */
static void test_foreign_places(void **state)
{
    struct msg_job_ref refs[6];

    (void)state;
    submit(1, 6);
    rig_until(&rig, relay->job_count == 6);
    for (size_t i = 0; i < 6; i++)
        refs[i] = refer(relay->jobs[i].job.job, (unsigned)(relay->jobs[i].id.high & 0xffff));
    crash(true);
    rig_gate_connect(&rig, 2, 0);
    rig_relay_connect(&rig, relay, refs, 6);
    submit(7, 10);
    rig_run(&rig, 200);
    assert_int_equal(relay->job_count, 8);
    for (size_t i = 0; i < 16; i++) {
        rig_until(&rig, relay->job_count > i);
        rig_answer(relay, &relay->jobs[i], &rig_done);
    }
    rig_until(&rig, queue_of_rig()->messages.count == 0);
    assert_int_equal(relay->job_count, 16);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_not_in_hand, make, end),
        cmocka_unit_test_setup_teardown(test_not_in_hand_later, make, end),
        cmocka_unit_test_setup_teardown(test_not_named, make, end),
        cmocka_unit_test_setup_teardown(test_claimed_later, make, end),
        cmocka_unit_test_setup_teardown(test_said_twice, make, end),
        cmocka_unit_test_setup_teardown(test_claim_confirmed, make, end),
        cmocka_unit_test_setup_teardown(test_claimed_for_ever, make, end),
        cmocka_unit_test_setup_teardown(test_kept_for_ever, make, end),
        cmocka_unit_test_setup_teardown(test_named_twice, make, end),
        cmocka_unit_test_setup_teardown(test_ended_by_a_claim, make, end),
        cmocka_unit_test_setup_teardown(test_foreign_flood, make, end),
        cmocka_unit_test_setup_teardown(test_outcome_flood, make, end),
        cmocka_unit_test_setup_teardown(test_ack_flood, make, end),
        cmocka_unit_test_setup_teardown(test_stalled_journal, make, end),
        cmocka_unit_test_setup_teardown(test_notice_waits, make, end),
        cmocka_unit_test_setup_teardown(test_foreign_places, make, end),
    };

    return cmocka_run_group_tests_name("queue/hands", tests, NULL, NULL);
}
