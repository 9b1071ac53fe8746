/* tests/unit/queue/test_notices.c: deliveries of which the sender asked to be told (EXT-DSN-8), and
 * rooms that die between the delivery and its notice: the message is not sent again, and the notice
 * comes, once. */
#include "rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

enum { PLACES = 8 };

static struct rig rig;
static struct rig_relay *relay;

/* ---- a disk with room for the journal alone ---- */

static struct disk_ops full_ops;
static struct disk full = { &full_ops };
static atomic_bool is_full;

static enum err full_write(struct disk *disk, int file, const struct iovec *parts, int count,
    uint64_t offset, size_t *out_written)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof name);
    if (is_full && strcmp(name, "disk") == 0)
        return ERR_NOSPACE;
    return disk_posix()->ops->write_at(disk, file, parts, count, offset, out_written);
}

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    full_ops = *disk_posix()->ops;
    full_ops.write_at = full_write;
    is_full = false;
    rig.disk = &full;
    rig.conf->queue.concurrency = PLACES;
    relay = &rig.relays[0];
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    rig_relay_connect(&rig, relay, NULL, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

static struct queue *queue_of_rig(void)
{
    return rig_queue(&rig);
}

/* Each to a place of its own. */
static void submit(unsigned first, unsigned count)
{
    char address[64];
    const char *recipients[] = { address };

    for (unsigned number = first; number < first + count; number++) {
        snprintf(address, sizeof address, "bob@place%u.example", number);
        rig_submit(&rig, &(struct rig_mail){ .number = number,
                             .recipients = recipients,
                             .count = 1,
                             .notify = ENVELOPE_NOTIFY_SUCCESS });
    }
    rig_until(&rig, rig_message(&rig, first + count - 1));
}

static bool is_original(const struct rig_job *job)
{
    return job->sender[0] != '\0';
}

/* Everything is delivered. */
static void answer_new(void)
{
    for (size_t i = 0; i < relay->job_count; i++)
        if (!relay->jobs[i].is_answered)
            rig_answer(relay, &relay->jobs[i], &rig_done);
}
#define answer_until(condition) rig_until(&rig, (answer_new(), (condition)))

static size_t count_jobs(bool originals)
{
    size_t count = 0;

    for (size_t i = 0; i < relay->job_count; i++)
        count += is_original(&relay->jobs[i]) == originals;
    return count;
}

/* Queue, gate and relay die together; all begins again. */
static void die(void)
{
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_relay_forget(relay);
}

static void rise(void)
{
    rig_start(&rig);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, queue_of_rig()->is_recovered);
}

/* The journal as it is now, and as it is again instead of what came to it since. */
static void keep_journal(void)
{
    char command[256];

    snprintf(command, sizeof command, "cp -a %s/journal %s/kept", rig.path, rig.path);
    assert_int_equal(system(command), 0);
}

static void return_journal(void)
{
    char command[256];

    snprintf(command, sizeof command, "cd %s && rm -r journal && mv kept journal", rig.path);
    assert_int_equal(system(command), 0);
}

static size_t notices_there(void)
{
    struct message *message;
    size_t count = 0;

    DL_FOREACH (queue_of_rig()->messages.order, message)
        count += message_is_notice(message);
    return count;
}

/* So many notices have gone, and nothing is left. */
static bool is_over(size_t notices)
{
    return count_jobs(false) == notices && queue_of_rig()->messages.count == 0;
}

static void assert_told(const struct rig_job *job, const char *words)
{
    if (!strstr(job->content, words))
        fail_msg("the notice does not say \"%s\": %s", words, job->content);
}

/* QUE-12: many deliveries whose notices find no room on the disk. They go on, the relay may forget
 * them, and none comes twice when all die; then each sender is told, once. */
static void test_no_room_for_notices(void **state)
{
    enum { MAIL = 5 * PLACES };

    (void)state;
    is_full = true;
    submit(1, MAIL);
    answer_until(relay->ack_count == MAIL);
    assert_int_equal(count_jobs(true), MAIL);
    assert_int_equal(queue_of_rig()->destinations.in_hand, 0);
    assert_int_equal(queue_of_rig()->counters.delivered, MAIL);
    assert_int_equal(rig_count(&rig, RECIPIENT_TELLING), MAIL);
    die();
    is_full = false;
    rise();
    answer_until(is_over(MAIL));
    assert_int_equal(count_jobs(true), 0);
    assert_int_equal(count_jobs(false), MAIL);
    assert_int_equal(queue_of_rig()->counters.delivered, MAIL); /* the notices */
    for (size_t i = 0; i < relay->job_count; i++) {
        assert_told(&relay->jobs[i], "Action: relayed");
        assert_told(&relay->jobs[i], "Remote-MTA: dns; mx.example.net");
        assert_told(&relay->jobs[i], "Last-Attempt-Date: ");
        assert_told(&relay->jobs[i], "smtp; 250 2.0.0 Ok");
    }
}

/* Without a crash: the notices come when there is room. */
static void test_room_again(void **state)
{
    (void)state;
    is_full = true;
    submit(1, 3);
    answer_until(relay->ack_count == 3);
    assert_int_equal(count_jobs(false), 0);
    is_full = false;
    answer_until(is_over(3));
    assert_int_equal(count_jobs(true), 3);
    assert_int_equal(count_jobs(false), 3);
    assert_int_equal(queue_of_rig()->counters.delivered, 6);
    die();
    rise();
    assert_true(is_over(0));
}

/* One message to two places, two recipients at each; two notices. */
static void submit_groups(void)
{
    static const char *const recipients[] = { "a@one.example", "b@two.example", "c@one.example",
        "d@two.example" };

    rig_submit(&rig,
        &(struct rig_mail){
            .number = 1, .recipients = recipients, .count = 4, .notify = ENVELOPE_NOTIFY_SUCCESS });
    rig_until(&rig, relay->job_count == 2);
}

static void check_groups(void)
{
    assert_int_equal(count_jobs(false), 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_one = strstr(relay->jobs[i].content, "a@one.example") != NULL;
        assert_told(&relay->jobs[i], is_one ? "; a@one.example" : "; b@two.example");
        assert_told(&relay->jobs[i], is_one ? "; c@one.example" : "; d@two.example");
        assert_null(strstr(relay->jobs[i].content, is_one ? "; d@two" : "; c@one"));
    }
}

/* DSN-1, DSN-11: both notices are in the spool when all die, and the journal does not know of them:
 * none is written a second time, since they are found under their ids. */
static void test_notice_not_journalled(void **state)
{
    (void)state;
    is_full = true;
    submit_groups();
    answer_until(relay->ack_count == 2);
    assert_int_equal(rig_count(&rig, RECIPIENT_TELLING), 4);
    keep_journal();
    is_full = false;
    rig_until(&rig, notices_there() == 2);
    die();
    return_journal();
    rise();
    assert_int_equal(notices_there(), 2);
    answer_until(is_over(2));
    assert_int_equal(queue_of_rig()->counters.notices, 0);
    assert_int_equal(count_jobs(true), 0);
    check_groups();
}

/* The same where not even one is written; then once more, since the life that should have done it
 * died too. */
static void test_notice_not_written(void **state)
{
    (void)state;
    is_full = true;
    submit_groups();
    answer_until(relay->ack_count == 2);
    for (int i = 0; i < 3; i++) {
        die();
        rise();
        assert_int_equal(rig_count(&rig, RECIPIENT_TELLING), 4);
    }
    is_full = false;
    answer_until(is_over(2));
    assert_int_equal(queue_of_rig()->counters.notices, 2);
    assert_int_equal(count_jobs(true), 0);
    check_groups();
}

/* And where both are in the spool and the journal, and even gone. */
static void test_notice_journalled(void **state)
{
    (void)state;
    submit_groups();
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_answer(relay, &relay->jobs[1], &rig_done);
    rig_until(&rig, relay->job_count == 4 && !rig_message(&rig, 1));
    die();
    rise();
    answer_until(is_over(2));
    assert_int_equal(queue_of_rig()->counters.notices, 0);
    check_groups();
    die();
    rise();
    assert_true(is_over(0));
}

/* One recipient is told of, another is deferred: each is remembered as it is. */
static void test_half(void **state)
{
    struct rig_answer answers[2] = { rig_done, rig_greylisted };
    static const char *const recipients[] = { "a@one.example", "b@one.example" };

    (void)state;
    rig_submit(&rig,
        &(struct rig_mail){
            .number = 1, .recipients = recipients, .count = 2, .notify = ENVELOPE_NOTIFY_SUCCESS });
    rig_until(&rig, relay->job_count == 1);
    is_full = true;
    rig_answer_each(relay, rig_last(relay), answers);
    rig_until(&rig, relay->ack_count == 1);
    die();
    is_full = false;
    rise();
    rig_until(&rig, relay->job_count == 1);
    assert_false(is_original(&relay->jobs[0]));
    assert_told(&relay->jobs[0], "; a@one.example");
    assert_null(strstr(relay->jobs[0].content, "b@one.example"));
    assert_int_equal(rig_message(&rig, 1)->recipients[0].state, RECIPIENT_DELIVERED);
    assert_int_equal(rig_message(&rig, 1)->recipients[1].state, RECIPIENT_WAITING);
    assert_int_equal(rig_message(&rig, 1)->recipients[1].attempts, 1);
}

/* Operators leave it alone: there is nothing to hold, to try again or to delete. */
static void test_operators(void **state)
{
    struct message *message;

    (void)state;
    is_full = true;
    submit(1, 1);
    answer_until(relay->ack_count == 1);
    message = rig_message(&rig, 1);
    message_hold(&queue_of_rig()->messages, message, true);
    schedule_message(queue_of_rig(), message);
    message->recipients[0].flags |= RECIPIENT_UNWANTED;
    unwanted_end(queue_of_rig(), message);
    assert_int_equal(message->recipients[0].state, RECIPIENT_TELLING);
    is_full = false;
    answer_until(is_over(1));
    assert_int_equal(count_jobs(false), 1);
}

/* QUE-14: the original does not read back, so nobody can be told; it was delivered all the same. */
static void test_damaged(void **state)
{
    char path[256], name[STORE_NAME];
    int file;

    (void)state;
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    store_name(STORE_SEGMENT, rig_message(&rig, 1)->segment->generation, name);
    snprintf(path, sizeof path, "%s/segments/%s", rig.path, name);
    file = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "damage!!", 8, (off_t)rig_message(&rig, 1)->offset + 80), 8);
    close(file);
    answer_until(is_over(0));
    assert_int_equal(queue_of_rig()->counters.delivered, 1);
    assert_int_equal(relay->job_count, 1);
    die();
    rise();
    assert_true(is_over(0));
}

/* What the journal of an older version says of a success is an outcome like any other: a notice
 * that was withheld then is not owed now. */
static void test_older_journal(void **state)
{
    struct journal_entry delivered = { .kind = JOURNAL_OUTCOME,
        .id = rig_id(1),
        .outcome = { .recipient = 0, .result = JOURNAL_DELIVERED, .attempt = 1 } };

    (void)state;
    submit_groups();
    commit_put(&queue_of_rig()->commit, &delivered);
    rig_until(&rig, commit_is_idle(&queue_of_rig()->commit));
    die();
    rise();
    rig_until(&rig, relay->job_count == 2);
    assert_int_equal(rig_message(&rig, 1)->recipients[0].state, RECIPIENT_DELIVERED);
    assert_int_equal(queue_of_rig()->counters.notices, 0);
    assert_int_equal(count_jobs(false), 0);
}

/* ---- checkpoints ---- */

static void checkpoint(void)
{
    struct queue *queue = queue_of_rig();

    queue->upkeep.history = 0;
    queue->checkpoint.ended_us = 0;
    queue->commit.tally.since = UINT64_C(1) << 50; /* until the next commit */
    checkpoint_tick(queue);
    assert_true(queue->checkpoint.stage >= CHECKPOINT_STATING);
    rig_until(&rig, queue->checkpoint.ended_us != 0);
    rig_until(&rig, rig_files(&rig, "journal") == 1 || stock_busy(&queue->stock) == 0);
}

/* A checkpoint alone knows of them; then the next, in the next life. */
static void test_checkpoint(void **state)
{
    (void)state;
    is_full = true;
    submit_groups();
    answer_until(relay->ack_count == 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_count(&rig, RECIPIENT_TELLING), 4);
        checkpoint();
        die();
        rise();
    }
    is_full = false;
    answer_until(is_over(2));
    assert_int_equal(count_jobs(true), 0);
    check_groups();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_room_for_notices, make, end),
        cmocka_unit_test_setup_teardown(test_room_again, make, end),
        cmocka_unit_test_setup_teardown(test_notice_not_journalled, make, end),
        cmocka_unit_test_setup_teardown(test_notice_not_written, make, end),
        cmocka_unit_test_setup_teardown(test_notice_journalled, make, end),
        cmocka_unit_test_setup_teardown(test_half, make, end),
        cmocka_unit_test_setup_teardown(test_operators, make, end),
        cmocka_unit_test_setup_teardown(test_damaged, make, end),
        cmocka_unit_test_setup_teardown(test_older_journal, make, end),
        cmocka_unit_test_setup_teardown(test_checkpoint, make, end),
    };

    return cmocka_run_group_tests_name("queue/notices", tests, NULL, NULL);
}
