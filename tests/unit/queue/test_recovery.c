/* tests/unit/queue/test_recovery.c: rooms that die at every point: nothing acknowledged is lost,
 * and nothing is sent twice but what was in hand. */
#include "rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"

static struct rig rig;
static struct rig_relay *relay;

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    relay = &rig.relays[0];
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

static void restart(bool is_gate_dead)
{
    rig_crash(&rig);
    if (is_gate_dead)
        rig_gate_die(&rig);
    rig_start(&rig);
}

static void submit(unsigned first, unsigned count)
{
    rig_until(&rig, rig.gate.writer_count > 0);
    for (unsigned i = 0; i < count; i++)
        rig_write(&rig, &(struct rig_mail){ .number = first + i });
    rig_ring(&rig, false);
    rig_until(&rig, rig_message(&rig, first + count - 1));
}

/* QUE-1: everything dies; what was synced is found again, read to the last record, and delivered.
 */
static void test_all_die(void **state)
{
    (void)state;
    submit(1, 20);
    rig_write(&rig, &(struct rig_mail){ .number = 21 }); /* synced, never rung for */
    restart(true);
    rig_until(&rig, rig_queue(&rig)->messages.count == 21);
    assert_true(rig_queue(&rig)->counters.accepted >= 1);
    rig_relay_connect(&rig, relay, NULL, 0);
    for (size_t i = 0; i < 21; i++) {
        rig_until(&rig, relay->job_count > i);
        rig_answer(relay, &relay->jobs[i], &rig_done);
    }
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(relay->job_count, 21);
    rig_until(&rig, rig_files(&rig, "segments") == STOCK_BLANKS);
}

/* The gate lives on while the queue restarts: its segment is read when it states how far. */
static void test_gate_lives(void **state)
{
    (void)state;
    submit(1, 3);
    rig_write(&rig, &(struct rig_mail){ .number = 4 });
    rig_until(&rig, rig.gate.writer_count == 2);
    restart(false);
    rig_run(&rig, 100);
    assert_int_equal(rig_queue(&rig)->messages.count, 0);
    assert_false(rig_queue(&rig)->is_recovered);
    rig_gate_connect(&rig, 0, 0);
    rig_ring(&rig, false);
    rig_until(&rig, rig_queue(&rig)->messages.count == 4);
    /* The other blank is still to be spoken of; then all is known. */
    assert_false(rig_queue(&rig)->is_recovered);
    struct msg_doorbell bell = { rig.gate.writers[1].generation, rig.gate.writers[1].end, false };
    assert_int_equal(channel_send(rig.gate.channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

/* A gate that dies without a word: the queue reads what it synced. */
static void test_gate_dies(void **state)
{
    (void)state;
    submit(1, 2);
    rig_write(&rig, &(struct rig_mail){ .number = 3 });
    rig_until(&rig, rig.gate.spare_count == 2 && rig.gate.writer_count == 2);
    rig_gate_die(&rig);
    rig_until(&rig, rig_message(&rig, 3));
    /* Its unused spares go too. */
    rig_until(&rig, rig_files(&rig, "bodies") == STOCK_SPARES);
    /* And the blank that it had not used. */
    rig_until(&rig, rig_files(&rig, "segments") == STOCK_BLANKS + 1);
}

/* Only the channel broke: the locks say that the gate lives. */
static void test_gate_reconnects(void **state)
{
    (void)state;
    submit(1, 1);
    rig_gate_lose_channel(&rig);
    rig_write(&rig, &(struct rig_mail){ .number = 2 });
    rig_run(&rig, 1200);
    assert_null(rig_message(&rig, 2));
    rig_gate_connect(&rig, 0, 0);
    rig_ring(&rig, false);
    rig_until(&rig, rig_message(&rig, 2));
}

/* QUE-12: one of two was done before the crash: only the other gets another attempt. */
static void test_half_done(void **state)
{
    static const char *const two[] = { "bob@example.net", "carol@example.net" };
    const struct rig_answer answers[] = { rig_done, rig_returned };

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = two, .count = 2 });
    rig_until(&rig, relay->job_count == 1);
    rig_answer_each(relay, rig_last(relay), answers);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    restart(true);
    rig_relay_forget(relay);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
    assert_int_equal(relay->jobs[0].count, 1);
    assert_string_equal(relay->jobs[0].address[0], "carol@example.net");
}

/* Deferrals survive: attempts, next time and the last reply. */
static void test_deferred(void **state)
{
    uint32_t next;

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, rig_last(relay), &rig_greylisted);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    next = rig_message(&rig, 1)->recipients[0].next_s;
    restart(true);
    rig_until(&rig, rig_message(&rig, 1));
    assert_int_equal(rig_message(&rig, 1)->recipients[0].next_s, next);
    assert_int_equal(rig_message(&rig, 1)->recipients[0].attempts, 1);
    assert_true(slice_is(
        reply_parts_of(rig_message(&rig, 1)->recipients[0].reply).text, rig_greylisted.text));
}

/* The relay goes on with its job while the queue restarts: it is not given out again, and its
 * outcome counts by id and recipient. */
static void test_relay_lives(void **state)
{
    struct msg_job_ref ref;

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    ref = (struct msg_job_ref){ relay->jobs[0].job.job, rig_id(1).high, rig_id(1).low };
    restart(true);
    rig_relay_connect(&rig, relay, &ref, 1);
    rig_until(&rig, rig_message(&rig, 1));
    rig_run(&rig, 50);
    assert_int_equal(relay->job_count, 1);
    assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_is_acked(relay, ref.job));
    rig_until(&rig, !rig_message(&rig, 1));
    assert_int_equal(relay->job_count, 1);
}

/* An outcome that was not acknowledged comes again before its message has been read: it waits. */
static void test_outcome_comes_first(void **state)
{
    struct msg_job_ref ref;

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    ref = (struct msg_job_ref){ relay->jobs[0].job.job, rig_id(1).high, rig_id(1).low };
    restart(false);
    rig_relay_connect(&rig, relay, &ref, 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_run(&rig, 50);
    assert_false(rig_is_acked(relay, relay->jobs[0].job.job));
    rig_gate_connect(&rig, 0, 0);
    rig_ring(&rig, false);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(relay->job_count, 1);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 1);
}

/* A relay that died: what it had in hand is scheduled again, what its successor names is not. */
static void test_relay_dies(void **state)
{
    struct msg_job_ref kept;

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 2);
    rig_until(&rig, relay->job_count == 2);
    kept = (struct msg_job_ref){ .job = relay->jobs[0].job.job };
    rig_relay_unplug(relay);
    rig_run(&rig, 20);
    assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 2);
    rig_relay_connect(&rig, relay, &kept, 1);
    rig_until(&rig, relay->job_count == 3);
    assert_true(queue_id_equals(relay->jobs[2].id, relay->jobs[1].id));
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_answer(relay, &relay->jobs[2], &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
}

/* An outcome told twice over a broken channel is counted once and acknowledged both times. */
static void test_outcome_twice(void **state)
{
    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, relay->ack_count == 2);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 1);
}

/* CMD-29: what a gate cut off is never sent, not even after a restart. */
static void test_cut(void **state)
{
    struct segment_writer *writer = &rig.gate.writers[0];
    struct msg_cut cut;

    (void)state;
    submit(1, 1);
    cut = (struct msg_cut){ writer->generation, writer->end };
    rig_write(&rig, &(struct rig_mail){ .number = 2 }); /* the sync failed, say */
    assert_int_equal(channel_send(rig.gate.channel, MSG_CUT, &cut, -1), ERR_OK);
    rig_until(&rig, rig.gate.cut_done == cut.generation);
    rig_gate_die(&rig);
    rig_run(&rig, 1200);
    assert_null(rig_message(&rig, 2));
    restart(true);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_non_null(rig_message(&rig, 1));
    assert_null(rig_message(&rig, 2));
}

static void spoil(uint64_t generation, off_t offset)
{
    char path[256], name[STORE_NAME], octet = 'X';
    int file;

    store_name(STORE_SEGMENT, generation, name);
    snprintf(path, sizeof path, "%s/segments/%s", rig.path, name);
    file = open(path, O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, &octet, 1, offset), 1);
    close(file);
}

/* QUE-14: a damaged record is set aside and counted; those around it are delivered. */
static void test_damaged_record(void **state)
{
    uint64_t generation, second;

    (void)state;
    rig_until(&rig, rig.gate.writer_count > 0);
    generation = rig.gate.writers[0].generation;
    rig_write(&rig, &(struct rig_mail){ .number = 1 });
    second = rig.gate.writers[0].end;
    rig_write(&rig, &(struct rig_mail){ .number = 2 });
    rig_write(&rig, &(struct rig_mail){ .number = 3 });
    spoil(generation, (off_t)second + 100);
    rig_ring(&rig, false);
    rig_until(&rig, rig_message(&rig, 3));
    assert_non_null(rig_message(&rig, 1));
    assert_null(rig_message(&rig, 2));
    assert_int_equal(rig_queue(&rig)->counters.damaged, 1);
    assert_int_equal(rig_files(&rig, "aside"), 1);
}

/* A record that is damaged after it was read is held when its turn comes, never sent blindly. */
static void test_damaged_later(void **state)
{
    (void)state;
    submit(1, 1);
    spoil(rig.gate.writers[0].generation, FILE_HEAD + 100);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, rig_count(&rig, RECIPIENT_HELD) == 1);
    assert_int_equal(relay->job_count, 0);
    assert_true(rig_message(&rig, 1)->is_held);
}

/* A torn tail: nobody had a 250 for it. */
static void test_torn_tail(void **state)
{
    uint64_t last;

    (void)state;
    submit(1, 2);
    last = rig.gate.writers[0].end;
    rig_write(&rig, &(struct rig_mail){ .number = 3 });
    spoil(rig.gate.writers[0].generation, (off_t)last + 200);
    restart(true);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(rig_queue(&rig)->messages.count, 2);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
}

static struct queue_id notice_id(void)
{
    struct message *message;

    DL_FOREACH (rig_queue(&rig)->messages.order, message)
        if (message_is_notice(message))
            return message->id;
    return (struct queue_id){ 0 };
}

/* A message is refused, and its notice is on its way. */
static struct queue_id bounce_one(void)
{
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, &relay->jobs[0], &rig_refused);
    rig_until(&rig, relay->job_count == 2);
    return notice_id();
}

/* DSN-1, DSN-11: a crash between the notice and the outcome makes no second notice. The journal of
 * the first life is taken away to bring the spool to that state. */
static void test_bounce_survives(void **state)
{
    struct queue_id first;
    struct msg_job_ref ref;
    char command[256];

    (void)state;
    first = bounce_one();
    assert_true(queue_id_equals(first, relay->jobs[1].id));
    rig_crash(&rig);
    rig_gate_die(&rig);
    snprintf(command, sizeof command, "rm %s/journal/*", rig.path);
    assert_int_equal(system(command), 0);
    rig_start(&rig);
    rig_until(&rig, rig_queue(&rig)->messages.count == 2);
    assert_true(queue_id_equals(notice_id(), first));
    ref = (struct msg_job_ref){ relay->jobs[0].job.job, rig_id(1).high, rig_id(1).low };
    rig_relay_connect(&rig, relay, &ref, 1);
    rig_answer(relay, &relay->jobs[0], &rig_refused);
    rig_until(&rig, rig_queue(&rig)->messages.count == 1);
    assert_true(queue_id_equals(notice_id(), first));
    assert_int_equal(rig_queue(&rig)->counters.notices, 0);
    assert_int_equal(rig_queue(&rig)->counters.bounced, 1);
}

/* A notice of an earlier life is read, goes out and is closed while the same report waits for a
 * blank: it is not written again, since a checkpoint may have forgotten the first by then. */
static void test_notice_gone_meanwhile(void **state)
{
    struct stock *stock = &rig_queue(&rig)->stock;
    struct store_blank blank;
    struct queue_id notice;
    size_t delivered;

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    submit(1, 1);
    rig_until(&rig, relay->job_count == 1 && stock->blank_count > 0 && stock->blanks_asked == 0);
    stock->is_closing = true; /* nothing is made */
    while (stock_take_blank(stock, &blank))
        close(blank.write);
    rig_answer(relay, rig_last(relay), &rig_refused);
    rig_until(&rig, rig_count(&rig, RECIPIENT_SETTLING) == 1);
    notice = queue_id_derive(rig_id(1), NOTICE_FAILURE, slice_of("\0\0\0\0", 4));
    bounces_remember(rig_queue(&rig)->bounces, notice);
    delivered = rig_queue(&rig)->counters.bounced;
    stock->is_closing = false;
    stock_fill(stock);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    assert_int_equal(rig_queue(&rig)->counters.bounced, delivered + 1);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(relay->job_count, 1);
}

/* DSN-1: the notice was even delivered, in a life that did not learn of the failure it reports: the
 * next life makes no second one. */
static void test_notice_closed_earlier(void **state)
{
    struct queue_id first;
    char command[256];

    (void)state;
    first = bounce_one();
    rig_crash(&rig);
    rig_gate_die(&rig);
    snprintf(command, sizeof command, "rm %s/journal/*", rig.path);
    assert_int_equal(system(command), 0);
    rig_relay_forget(relay);
    rig_start(&rig);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 2);
    for (size_t i = 0; i < 2; i++)
        if (queue_id_equals(relay->jobs[i].id, first))
            rig_answer(relay, &relay->jobs[i], &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 1);
    restart(true);
    rig_relay_forget(relay);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, &relay->jobs[0], &rig_refused);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(rig_queue(&rig)->counters.notices, 0);
    assert_int_equal(relay->job_count, 1);
}

/* DSN-1: the same for a message that expires. */
static void test_expiry_survives(void **state)
{
    struct queue_id first;
    char command[256];

    (void)state;
    rig.conf->queue.lifetime = 1;
    rig_reload(&rig);
    submit(1, 1);
    rig_until(&rig, notice_id().high != 0);
    first = notice_id();
    rig_until(&rig, !rig_message(&rig, 1));
    rig_crash(&rig);
    rig_gate_die(&rig);
    snprintf(command, sizeof command, "rm %s/journal/*", rig.path);
    assert_int_equal(system(command), 0);
    rig.conf->queue.lifetime = 86400;
    rig_start(&rig);
    rig_until(&rig, rig_queue(&rig)->messages.count == 2);
    rig.conf->queue.lifetime = 1;
    rig_reload(&rig);
    rig_until(&rig, !rig_message(&rig, 1) || rig_message(&rig, 1)->open_count > 0);
    rig_queue(&rig)->destinations.limit = 0; /* nobody is asked any more */
    rig_until(&rig, rig_queue(&rig)->messages.count >= 1);
    assert_true(queue_id_equals(notice_id(), first));
}

/* Restart upon restart in the middle of the work: every message leaves once, but for what was in
 * hand when the process ended. */
static void test_many_restarts(void **state)
{
    enum { MAIL = 200 };
    static unsigned seen[MAIL + 1];
    size_t answered = 0, in_hand = 0, twice = 0;

    (void)state;
    memset(seen, 0, sizeof seen);
    submit(1, MAIL);
    for (int life = 0; life < 6; life++) {
        rig_relay_connect(&rig, relay, NULL, 0);
        for (int turn = 0; turn < (life < 5 ? 12 : 4000); turn++) {
            loop_turn(rig.loop, 2);
            for (; answered < relay->job_count; answered++) {
                seen[relay->jobs[answered].id.high & 0xffff]++;
                rig_answer(relay, &relay->jobs[answered], &rig_done);
            }
            if (life == 5 && rig_queue(&rig)->is_recovered && rig_queue(&rig)->messages.count == 0)
                break;
        }
        if (life == 5)
            break;
        in_hand += rig_count(&rig, RECIPIENT_IN_HAND) + 100; /* and outcomes not synced yet */
        restart(true);
    }
    assert_int_equal(rig_queue(&rig)->messages.count, 0);
    for (unsigned i = 1; i <= MAIL; i++) {
        assert_true(seen[i] >= 1);
        twice += seen[i] - 1;
    }
    assert_true(twice <= in_hand);
    print_message("%zu of %d sent again in 5 restarts\n", twice, MAIL);
}

static struct disk_ops listless_ops;
static struct disk listless = { &listless_ops };
static unsigned lists; /* by the reader */

static enum err listless_list(struct disk *disk, int dir, disk_each *each, void *context)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, "reader") == 0 && ++lists > 2 && lists < 6)
        return ERR_IO;
    return disk_posix()->ops->list(disk, dir, each, context);
}

/* A folder that cannot be read is asked again at each tick, not at once. */
static void test_unreadable_folder(void **state)
{
    (void)state;
    submit(1, 2);
    rig_crash(&rig);
    rig_gate_die(&rig);
    listless_ops = *disk_posix()->ops;
    listless_ops.list = listless_list;
    lists = 0;
    rig.disk = &listless;
    rig_start(&rig);
    rig_queue(&rig)->upkeep.tick_ms = 100;
    rig_run(&rig, 50);
    assert_true(lists <= 4);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(lists, 6);
    assert_int_equal(rig_queue(&rig)->messages.count, 2);
}

/* The journal says of a message that it was taken and that it was cut: it is held, counted and
 * named, its file stays, and an operator decides. */
static void test_taken_and_cut(void **state)
{
    struct journal_entry cut = { .kind = JOURNAL_CUT };
    struct journal_entry released = { .kind = JOURNAL_RELEASED, .id = rig_id(2) };
    struct message *message;

    (void)state;
    submit(1, 2);
    cut.cut.segment = rig_message(&rig, 2)->segment->generation;
    cut.cut.offset = rig_message(&rig, 2)->offset;
    rig_write(
        &rig, &(struct rig_mail){ .number = 3 }); /* of this one nothing is said but the cut */
    commit_put(&rig_queue(&rig)->commit, &cut);
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    restart(true);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(rig_queue(&rig)->messages.count, 2);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 1);
    message = rig_message(&rig, 2);
    assert_true(message->is_held && !rig_message(&rig, 1)->is_held);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, !rig_message(&rig, 1));
    message_hold(&rig_queue(&rig)->messages, message, false);
    schedule_message(rig_queue(&rig), message);
    commit_put(&rig_queue(&rig)->commit, &released);
    rig_until(&rig, relay->job_count == 2);
    assert_true(queue_id_equals(relay->jobs[1].id, rig_id(2)));
    /* His word counts beyond a checkpoint. */
    rig_queue(&rig)->commit.tally.since = UINT64_C(1) << 50;
    checkpoint_tick(rig_queue(&rig));
    rig_until(&rig, rig_queue(&rig)->checkpoint.ended_us != 0);
    rig_relay_forget(relay);
    restart(true);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
}

/* CMD-29: a gate has its segment cut and dies, while the queue is reading that to its end: what
 * lies behind is not taken. */
static void test_cut_while_reading(void **state)
{
    struct queue *queue;
    uint64_t generation, end;

    (void)state;
    submit(1, 1);
    generation = rig_message(&rig, 1)->segment->generation;
    end = rig.gate.writers[0].end;
    rig_write(&rig, &(struct rig_mail){ .number = 2 });
    restart(true);
    queue = rig_queue(&rig);
    rig_until(&rig, queue->phase == QUEUE_RUNNING);
    assert_false(queue->has_segments); /* they are being read now */
    segment_cut(queue, segment_find(queue, generation), end);
    rig_until(&rig, queue->is_recovered && commit_is_idle(&queue->commit));
    assert_non_null(rig_message(&rig, 1));
    assert_null(rig_message(&rig, 2));
    restart(true);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(rig_queue(&rig)->messages.count, 1);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
}

/* And what was taken already is not cut by it. */
static void test_cut_after_reading(void **state)
{
    struct queue *queue;
    struct msg_cut cut;

    (void)state;
    submit(1, 2);
    cut =
        (struct msg_cut){ rig_message(&rig, 2)->segment->generation, rig_message(&rig, 2)->offset };
    restart(true);
    queue = rig_queue(&rig);
    rig_until(&rig, queue->is_recovered);
    segment_find(queue, cut.generation)->is_owned = false; /* not told yet */
    segment_find(queue, cut.generation)->taken = 0;
    rig_gate_connect(&rig, 0, 0);
    assert_int_equal(channel_send(rig.gate.channel, MSG_CUT, &cut, -1), ERR_OK);
    rig_run(&rig, 50);
    assert_int_equal(segment_find(queue, cut.generation)->refused, 0);
}

/* What the journal names has been given out, also when it is there no more: whatever is made next,
 * by whichever thread, has a number above it. */
static void test_numbers(void **state)
{
    const uint64_t named = UINT64_C(5000) << 32;
    struct journal_entry cut = { .kind = JOURNAL_CUT, .cut = { named, FILE_HEAD } };
    struct journal_entry aside = { .kind = JOURNAL_SET_ASIDE,
        .set_aside = { .segment = 2 * named } };
    uint64_t before = rig_queue(&rig)->numbers.highest;

    (void)state;
    submit(1, 1);
    commit_put(&rig_queue(&rig)->commit, &cut);
    commit_put(&rig_queue(&rig)->commit, &aside);
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    assert_true(before < named);
    restart(true);
    rig_gate_connect(&rig, 1, 1);
    rig_until(&rig, rig.gate.writer_count == 1 && rig.gate.spare_count == 1);
    assert_true(rig.gate.writers[0].generation > 2 * named);
    assert_true(rig.gate.spares[0].number > 2 * named);
    commit_put(&rig_queue(&rig)->commit, &aside); /* begins the file; then its thread rests */
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    assert_true(rig_queue(&rig)->commit.journal.number > 2 * named);
}

/* A second instance on the same spool is refused. */
static void test_second_instance(void **state)
{
    struct store store;
    struct store_settings settings = { .lock = -1 };

    (void)state;
    assert_int_equal(
        store_open(&store, disk_posix(), open(rig.path, O_RDONLY | O_DIRECTORY), &settings),
        ERR_BUSY);
}

/* DATA-16, QUE-13: without room gates are told, and told again when there is. */
static void test_full_disk(void **state)
{
    (void)state;
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    rig.conf->spool.reserve = UINT64_C(1) << 62;
    rig_reload(&rig);
    rig_until(&rig, rig.gate.is_full);
    rig.conf->spool.reserve = 0;
    rig_reload(&rig);
    rig_until(&rig, !rig.gate.is_full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_die, make, end),
        cmocka_unit_test_setup_teardown(test_gate_lives, make, end),
        cmocka_unit_test_setup_teardown(test_gate_dies, make, end),
        cmocka_unit_test_setup_teardown(test_gate_reconnects, make, end),
        cmocka_unit_test_setup_teardown(test_half_done, make, end),
        cmocka_unit_test_setup_teardown(test_deferred, make, end),
        cmocka_unit_test_setup_teardown(test_relay_lives, make, end),
        cmocka_unit_test_setup_teardown(test_outcome_comes_first, make, end),
        cmocka_unit_test_setup_teardown(test_relay_dies, make, end),
        cmocka_unit_test_setup_teardown(test_outcome_twice, make, end),
        cmocka_unit_test_setup_teardown(test_cut, make, end),
        cmocka_unit_test_setup_teardown(test_damaged_record, make, end),
        cmocka_unit_test_setup_teardown(test_damaged_later, make, end),
        cmocka_unit_test_setup_teardown(test_torn_tail, make, end),
        cmocka_unit_test_setup_teardown(test_bounce_survives, make, end),
        cmocka_unit_test_setup_teardown(test_notice_closed_earlier, make, end),
        cmocka_unit_test_setup_teardown(test_notice_gone_meanwhile, make, end),
        cmocka_unit_test_setup_teardown(test_expiry_survives, make, end),
        cmocka_unit_test_setup_teardown(test_many_restarts, make, end),
        cmocka_unit_test_setup_teardown(test_unreadable_folder, make, end),
        cmocka_unit_test_setup_teardown(test_taken_and_cut, make, end),
        cmocka_unit_test_setup_teardown(test_cut_while_reading, make, end),
        cmocka_unit_test_setup_teardown(test_cut_after_reading, make, end),
        cmocka_unit_test_setup_teardown(test_numbers, make, end),
        cmocka_unit_test_setup_teardown(test_second_instance, make, end),
        cmocka_unit_test_setup_teardown(test_full_disk, make, end),
    };

    return cmocka_run_group_tests_name("queue/recovery", tests, NULL, NULL);
}
