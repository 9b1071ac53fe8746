/* tests/unit/queue/test_checkpoint.c: the state written down while mail goes on, and rooms that die
 * at every step of it: nothing is lost, nothing that was done comes again, old journal files go. */
#include "rig.h"

#include "base/clock.h"

enum { MOST = 400 };

/* What the test knows of a message. */
enum fate { ABSENT, ACCEPTED, DEFERRED, DELIVERED };

static struct rig rig;
static struct rig_relay *relay;
static enum fate fates[MOST]; /* as acknowledged */
static enum fate told[MOST];  /* as answered, perhaps not acknowledged */
static uint32_t next_s[MOST];
static unsigned used;
static size_t answered;

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    relay = &rig.relays[0];
    rig.conf->spool.checkpoint = UINT64_C(1) << 40;
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    memset(fates, 0, sizeof fates);
    memset(told, 0, sizeof told);
    used = 0;
    answered = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

static void restart(void)
{
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_relay_forget(relay);
    answered = 0;
    rig_start(&rig);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

static void submit(unsigned count)
{
    for (unsigned i = 0; i < count && used + 1 < MOST; i++) {
        rig_submit(&rig, &(struct rig_mail){ .number = ++used });
        fates[used] = told[used] = ACCEPTED;
    }
}

static unsigned number_of(const struct rig_job *job)
{
    return job->id.high & 0xffff;
}

/* Every third is delivered, every third deferred, the rest stays in hand. */
static void answer_next(void)
{
    struct rig_job *job = &relay->jobs[answered];
    unsigned number;

    if (answered >= relay->job_count)
        return;
    answered++;
    number = number_of(job);
    assert_true(fates[number] != DELIVERED);
    if (number % 3 == 2)
        return;
    told[number] = number % 3 == 0 ? DELIVERED : DEFERRED;
    rig_answer(relay, job, number % 3 == 0 ? &rig_done : &rig_greylisted);
}

static void note_acks(void)
{
    for (size_t i = 0; i < answered; i++) {
        unsigned number = number_of(&relay->jobs[i]);
        if (!rig_is_acked(relay, relay->jobs[i].job.job))
            continue;
        fates[number] = told[number];
        if (told[number] == DEFERRED && rig_message(&rig, number))
            next_s[number] = rig_message(&rig, number)->recipients[0].next_s;
    }
}

static void settle(void)
{
    int64_t until = clock_mono_ms() + 20000;

    rig_queue(&rig)->destinations.window_limit = 1000;
    for (struct destination *d = rig_queue(&rig)->destinations.map; d; d = d->hh.next)
        d->concurrency.window = 1000;
    while (clock_mono_ms() < until) {
        rig_run(&rig, 10);
        while (answered < relay->job_count)
            answer_next();
        note_acks();
        if (answered + relay->ack_count > 0 && commit_is_idle(&rig_queue(&rig)->commit) &&
            rig_count(&rig, RECIPIENT_READY) == 0)
            break;
    }
    note_acks();
}

/* After a restart: what was acknowledged is so, and what was accepted is there. */
static void check(void)
{
    for (unsigned number = 1; number <= used; number++) {
        struct message *message = rig_message(&rig, number);
        if (fates[number] == DELIVERED) {
            rig_until(&rig, !rig_message(&rig, number));
            continue;
        }
        if (!message && told[number] == DELIVERED)
            continue;
        if (!message)
            fail_msg("message %u is lost", number);
        assert_false(message->is_held);
        if (fates[number] != DEFERRED)
            continue;
        assert_int_equal(message->recipients[0].attempts, 1);
        assert_int_equal(message->recipients[0].next_s, next_s[number]);
        assert_true(
            slice_is(reply_parts_of(message->recipients[0].reply).text, rig_greylisted.text));
        assert_true(slice_is(message_sender(message), "alice@example.org"));
        assert_true(slice_is(user_name(message->user), "alice"));
    }
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
}

static void begin_checkpoint(void)
{
    rig_queue(&rig)->commit.tally.since = UINT64_C(1) << 50; /* until the next commit */
    checkpoint_tick(rig_queue(&rig));
    assert_true(rig_queue(&rig)->checkpoint.stage >= CHECKPOINT_STATING);
}

static bool has_checkpoint(void)
{
    return rig_queue(&rig)->checkpoint.ended_us != 0 &&
           rig_queue(&rig)->checkpoint.stage == CHECKPOINT_IDLE;
}

static void checkpoint(void)
{
    rig_queue(&rig)->checkpoint.ended_us = 0;
    begin_checkpoint();
    rig_until(&rig, has_checkpoint());
}

static void checkpoint_and_trim(void)
{
    rig_queue(&rig)->upkeep.history = 0;
    checkpoint();
    rig_until(&rig, rig_files(&rig, "journal") == 1 || stock_busy(&rig_queue(&rig)->stock) == 0);
}

/* QUE-12: what the queue remembers is in the checkpoint alone, and the same after the next one. */
static void test_states(void **state)
{
    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(60);
    rig_until(&rig, rig_message(&rig, 60));
    settle();
    for (int life = 0; life < 3; life++) {
        checkpoint_and_trim();
        assert_true(rig_files(&rig, "journal") <= 2);
        restart();
        assert_true(rig_queue(&rig)->commit.tally.from != 0);
        check();
    }
}

/* Mail goes on while the checkpoint is written, and the room dies after each turn of its loop. */
static void test_every_step(void **state)
{
    bool is_over = false;

    for (unsigned steps = 1; !is_over && steps < 60; steps++) {
        unsigned more = 0;
        assert_int_equal(make(state), 0);
        rig_relay_connect(&rig, relay, NULL, 0);
        submit(30);
        rig_until(&rig, rig_message(&rig, 30));
        settle();
        rig_queue(&rig)->upkeep.checkpoint_portion = 2;
        rig_queue(&rig)->upkeep.history = 0;
        submit(5);
        begin_checkpoint();
        for (unsigned step = 0; step < steps; step++) {
            submit(1);
            answer_next();
            loop_turn(rig.loop, 2);
            note_acks();
            more += has_checkpoint();
        }
        is_over = more > 5;
        restart();
        check();
        rig_queue(&rig)->upkeep.history = 0;
        checkpoint();
        restart();
        check();
        assert_int_equal(end(state), 0);
    }
    assert_true(is_over);
    assert_int_equal(make(state), 0);
}

/* One message that waits for long keeps neither the journal nor its order. */
static void test_stuck(void **state)
{
    size_t most = 0;

    (void)state;
    rig_queue(&rig)->upkeep.history = 0;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1); /* is deferred */
    for (int round = 0; round < 5; round++) {
        submit(30);
        rig_until(&rig, rig_message(&rig, used) || relay->job_count > 0);
        settle();
        checkpoint();
        rig_run(&rig, 30);
        if (rig_files(&rig, "journal") > most)
            most = rig_files(&rig, "journal");
    }
    assert_true(most <= 3);
    restart();
    check();
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
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = recipients, .count = 1000 });
    rig_until(&rig, rig_message(&rig, 1));
    used = 1;
    fates[1] = told[1] = ACCEPTED;
    checkpoint_and_trim();
    restart();
    check();
    assert_int_equal(rig_message(&rig, 1)->recipient_count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        char domain[32];
        snprintf(domain, sizeof domain, "d%u.example", i % 50);
        assert_true(slice_is(domain_name(rig_message(&rig, 1)->recipients[i].domain), domain));
    }
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count > 0);
    assert_true(strncmp(relay->jobs[0].address[0], "user", 4) == 0);
}

/* What the operator holds stays held. */
static void test_held(void **state)
{
    struct journal_entry entry = { .kind = JOURNAL_HELD, .at_us = clock_wall_us() };

    (void)state;
    submit(2);
    rig_until(&rig, rig_message(&rig, 2));
    entry.id = rig_id(1);
    message_hold(&rig_queue(&rig)->messages, rig_message(&rig, 1), true);
    schedule_message(rig_queue(&rig), rig_message(&rig, 1));
    commit_put(&rig_queue(&rig)->commit, &entry);
    checkpoint_and_trim();
    restart();
    assert_true(rig_message(&rig, 1)->is_held);
    assert_false(rig_message(&rig, 2)->is_held);
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
    rig_crash(&rig);
    rig.disk = &failing;
    rig_gate_die(&rig);
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(30);
    rig_until(&rig, rig_message(&rig, 30));
    settle();
    rig_queue(&rig)->upkeep.checkpoint_portion = 2;
    begin_checkpoint();
    loop_turn(rig.loop, 0);
    is_failing = true;
    rig_until(&rig, rig_queue(&rig)->commit.is_failing);
    checkpoint_tick(rig_queue(&rig));
    assert_true(rig_queue(&rig)->checkpoint.is_void);
    is_failing = false;
    rig_until(&rig, rig_queue(&rig)->checkpoint.stage == CHECKPOINT_IDLE);
    assert_int_equal(rig_queue(&rig)->checkpoint.ended_us, 0);
    restart();
    check();
    checkpoint();
    restart();
    check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_states, make, end),
        cmocka_unit_test_setup_teardown(test_every_step, NULL, end),
        cmocka_unit_test_setup_teardown(test_stuck, make, end),
        cmocka_unit_test_setup_teardown(test_many_recipients, make, end),
        cmocka_unit_test_setup_teardown(test_held, make, end),
        cmocka_unit_test_setup_teardown(test_failing_disk, make, end),
    };

    return cmocka_run_group_tests_name("queue/checkpoint", tests, NULL, NULL);
}
