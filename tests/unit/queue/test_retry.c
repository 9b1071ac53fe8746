/* tests/unit/queue/test_retry.c: when mail is tried again, when it is given up, and what its sender
 * is told. */
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

static struct recipient *only(unsigned number)
{
    struct message *message = rig_message(&rig, number);

    assert_non_null(message);
    return &message->recipients[0];
}

static void submit_and_answer(const struct rig_mail *mail, const struct rig_answer *answer)
{
    size_t before = relay->job_count;

    rig_submit(&rig, mail);
    rig_until(&rig, relay->job_count == before + 1);
    rig_answer(relay, &relay->jobs[before], answer);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[before].job.job));
}

/* QUE-2, QUE-3, D-32: five minutes and at most ten per cent more after a 4yz reply. */
static void test_greylisted(void **state)
{
    int64_t now = clock_wall();

    (void)state;
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_greylisted);
    assert_int_equal(only(1)->state, RECIPIENT_WAITING);
    assert_int_equal(only(1)->attempts, 1);
    assert_true(only(1)->next_s >= now + 300 && only(1)->next_s <= clock_wall() + 331);
    assert_true(slice_is(reply_parts_of(only(1)->reply).status, "4.7.1"));
}

/* QUE-3: half an hour after a failed connection. */
static void test_unreachable(void **state)
{
    int64_t now = clock_wall();

    (void)state;
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_unreachable);
    assert_int_equal(only(1)->state, RECIPIENT_WAITING);
    assert_true(only(1)->next_s >= now + 1800 && only(1)->next_s <= clock_wall() + 1981);
}

/* QUE-3: every interval of the list in its turn, the last one for ever; then delivered. */
static void test_again(void **state)
{
    (void)state;
    rig.conf->queue.retry[0].value = 1;
    rig.conf->queue.retry_count = 1;
    rig_reload(&rig);
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_greylisted);
    rig_until(&rig, relay->job_count == 2);
    assert_int_equal(only(1)->attempts, 1);
    rig_answer(relay, rig_last(relay), &rig_greylisted);
    rig_until(&rig, relay->job_count == 3);
    rig_answer(relay, rig_last(relay), &rig_done);
    rig_until(&rig, !rig_message(&rig, 1));
}

/* What the relay gave back is tried at once, and no attempt is counted. */
static void test_returned(void **state)
{
    (void)state;
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, rig_last(relay), &rig_returned);
    rig_until(&rig, relay->job_count == 2);
    assert_int_equal(only(1)->attempts, 0);
}

/* DSN-1, DSN-11: two refused in one run make one notice, with a null reverse-path, synced before
 * the outcome is acknowledged; the recipient who took it is left out. */
static void test_bounce(void **state)
{
    static const char *const three[] = { "bob@example.net", "carol@example.net",
        "dan@example.net" };
    const struct rig_answer answers[] = { rig_refused, rig_done, rig_refused };
    struct rig_job *job;

    (void)state;
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = three, .count = 3 });
    rig_until(&rig, relay->job_count == 1);
    rig_answer_each(relay, rig_last(relay), answers);
    rig_until(&rig, relay->job_count == 2);
    job = rig_last(relay);
    assert_string_equal(job->sender, "");
    assert_string_equal(job->address[0], "alice@example.org");
    assert_string_equal(job->destination, "example.org");
    assert_non_null(strstr(job->content, "Final-Recipient: rfc822; bob@example.net"));
    assert_non_null(strstr(job->content, "Final-Recipient: rfc822; dan@example.net"));
    assert_null(strstr(job->content, "Final-Recipient: rfc822; carol@example.net"));
    assert_non_null(strstr(job->content, "Status: 5.1.1"));
    assert_non_null(strstr(job->content, "Diagnostic-Code: smtp; 550-5.1.1 No"));
    assert_non_null(strstr(job->content, "550 such user"));
    assert_non_null(strstr(job->content, "mx.example.net"));
    assert_non_null(strstr(job->content, "Subject: test"));
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    rig_until(&rig, !rig_message(&rig, 1));
    assert_int_equal(rig_queue(&rig)->counters.bounced, 2);
    rig_answer(relay, job, &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
}

/* QUE-7, DSN-2, EXT-DSN-12: a bounce does not bounce, and nobody is told of mail from nobody. */
static void test_double_bounce(void **state)
{
    (void)state;
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_refused);
    rig_until(&rig, relay->job_count == 2);
    rig_answer(relay, rig_last(relay), &rig_refused);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(rig_queue(&rig)->counters.double_bounces, 1);
    submit_and_answer(&(struct rig_mail){ .number = 2, .sender = "" }, &rig_refused);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(rig_queue(&rig)->counters.double_bounces, 2);
    assert_int_equal(relay->job_count, 3);
}

/* QUE-4, DSN-9: after its lifetime a message is given up, with the status that it had. */
static void test_expiry(void **state)
{
    struct rig_job *job;

    (void)state;
    rig.conf->queue.lifetime = 2;
    rig_reload(&rig);
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_unreachable);
    rig_until(&rig, relay->job_count == 2);
    job = rig_last(relay);
    assert_string_equal(job->sender, "");
    assert_non_null(strstr(job->content, "Status: 4.4.1"));
    assert_non_null(strstr(job->content, "Action: failed"));
    rig_until(&rig, !rig_message(&rig, 1));
}

/* The last attempt falls on the expiry; when it fails the sender gets its words. */
static void test_last_attempt(void **state)
{
    (void)state;
    rig.conf->queue.lifetime = 2;
    rig_reload(&rig);
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_greylisted);
    rig_until(&rig, relay->job_count == 2);
    assert_string_equal(rig_last(relay)->sender, "alice@example.org");
    rig_answer(relay, rig_last(relay), &rig_greylisted);
    rig_until(&rig, relay->job_count == 3);
    assert_string_equal(rig_last(relay)->sender, "");
    assert_non_null(strstr(rig_last(relay)->content, "Status: 4.7.1"));
}

/* A message that waits too long is told about once; nothing ends by that. */
static void test_delay_notice(void **state)
{
    (void)state;
    rig.conf->queue.delay_notice = 1;
    rig_reload(&rig);
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_greylisted);
    rig_until(&rig, relay->job_count == 2);
    assert_string_equal(rig_last(relay)->sender, "");
    assert_non_null(strstr(rig_last(relay)->content, "Action: delayed"));
    rig_answer(relay, rig_last(relay), &rig_done);
    rig_run(&rig, 1200);
    assert_int_equal(relay->job_count, 2);
    assert_int_equal(only(1)->state, RECIPIENT_WAITING);
}

/* QUE-6: a refusal of one message says nothing about the next. */
static void test_refusal_is_not_cached(void **state)
{
    (void)state;
    submit_and_answer(&(struct rig_mail){ .number = 1, .sender = "" }, &rig_refused);
    submit_and_answer(&(struct rig_mail){ .number = 2, .sender = "" }, &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 1);
}

/* DSN-17: a hundred notices an hour to one sender. */
static void test_notice_limit(void **state)
{
    size_t answered = 0;
    struct queue *queue = rig_queue(&rig);

    (void)state;
    rig_until(&rig, rig.gate.writer_count > 0);
    for (unsigned i = 1; i <= 105; i++)
        rig_write(&rig, &(struct rig_mail){ .number = i });
    rig_ring(&rig, false);
    rig_until(&rig, queue->counters.accepted >= 105);
    while (answered < relay->job_count || queue->messages.count > 0) {
        for (; answered < relay->job_count; answered++)
            rig_answer(relay, &relay->jobs[answered],
                relay->jobs[answered].sender[0] ? &rig_refused : &rig_done);
        loop_turn(rig.loop, 5);
    }
    assert_int_equal(queue->counters.notices, 100);
    assert_int_equal(queue->counters.notices_withheld, 5);
}

/* A jump of the wall clock: waits stay as long as they were meant to be. */
static void test_clock_jump(void **state)
{
    int64_t now = clock_wall(), next;

    (void)state;
    submit_and_answer(&(struct rig_mail){ .number = 1 }, &rig_greylisted);
    rig_queue(&rig)->clock_offset_us -= 3600 * INT64_C(1000000);
    schedule_kick(rig_queue(&rig));
    rig_run(&rig, 20);
    next = time_to_wall(rig_queue(&rig), only(1)->next_s * INT64_C(1000000)) / 1000000;
    assert_true(next >= now + 3900 && next <= clock_wall() + 3931);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_greylisted, make, end),
        cmocka_unit_test_setup_teardown(test_unreachable, make, end),
        cmocka_unit_test_setup_teardown(test_again, make, end),
        cmocka_unit_test_setup_teardown(test_returned, make, end),
        cmocka_unit_test_setup_teardown(test_bounce, make, end),
        cmocka_unit_test_setup_teardown(test_double_bounce, make, end),
        cmocka_unit_test_setup_teardown(test_expiry, make, end),
        cmocka_unit_test_setup_teardown(test_last_attempt, make, end),
        cmocka_unit_test_setup_teardown(test_delay_notice, make, end),
        cmocka_unit_test_setup_teardown(test_refusal_is_not_cached, make, end),
        cmocka_unit_test_setup_teardown(test_notice_limit, make, end),
        cmocka_unit_test_setup_teardown(test_clock_jump, make, end),
    };

    return cmocka_run_group_tests_name("queue/retry", tests, NULL, NULL);
}
