/* tests/unit/queue/test_damage.c: records that do not read back, that are nowhere, or that claim
 * what is not theirs: named, kept apart, and nothing else suffers for long. */
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/body.h"

static struct rig rig;
static struct rig_relay *relay;

static struct disk_ops failing_ops;
static struct disk failing = { &failing_ops };
static bool is_aside_failing;
static _Atomic unsigned reads;

static enum err failing_create(struct disk *disk, int dir, const char *name, int *out_file)
{
    if (is_aside_failing && strstr(name, ".new"))
        return ERR_NOSPACE;
    return disk_posix()->ops->create(disk, dir, name, out_file);
}

static enum err counting_read(
    struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out_len)
{
    reads++;
    return disk_posix()->ops->read_at(disk, file, into, len, offset, out_len);
}

static void start(void)
{
    rig_start(&rig);
    rig_queue(&rig)->upkeep.tick_ms = 50;
}

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    relay = &rig.relays[0];
    failing_ops = *disk_posix()->ops;
    failing_ops.create = failing_create;
    failing_ops.read_at = counting_read;
    is_aside_failing = false;
    rig.disk = &failing;
    start();
    rig_gate_connect(&rig, 2, 2);
    rig_until(&rig, rig.gate.writer_count == 2 && rig.gate.spare_count == 2);
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
    start();
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

/* The gate's spare of that place, filled; the mail that names it. */
static struct rig_mail large_mail(unsigned number, size_t spare)
{
    struct slice text = slice_text("A body in a file of its own.\r\n");
    struct body_writer writer;
    struct rig_mail mail = { .number = number, .body_size = text.len };

    mail.body_file = rig.gate.spares[spare].number;
    body_writer_init(
        &writer, disk_posix(), dup(rig.gate.spares[spare].fd), rig.gate.spares[spare].number);
    assert_int_equal(body_writer_append(&writer, &text, 1), ERR_OK);
    assert_int_equal(body_writer_commit(&writer, &mail.body_sum), ERR_OK);
    body_writer_clear(&writer);
    close(rig.gate.spares[spare].fd);
    rig.gate.spares[spare].fd = -1;
    return mail;
}

static char exchange(uint64_t generation, uint64_t offset, char octet)
{
    char path[256], name[STORE_NAME], old;
    int file;

    store_name(STORE_SEGMENT, generation, name);
    snprintf(path, sizeof path, "%s/segments/%s", rig.path, name);
    file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &old, 1, (off_t)offset), 1);
    assert_int_equal(pwrite(file, &octet, 1, (off_t)offset), 1);
    close(file);
    return old;
}

static void checkpoint(void)
{
    struct queue *queue = rig_queue(&rig);

    rig_until(&rig, commit_is_idle(&queue->commit) && queue->is_recovered);
    queue->commit.tally.since = UINT64_C(1) << 50;
    checkpoint_tick(queue);
    rig_until(&rig, queue->checkpoint.ended_us != 0);
}

/* ---- bodies ---- */

/* A record that names another's body is dropped for good: it keeps neither its segment nor the
 * journal, and is not believed later. */
static void test_forged(void **state)
{
    uint64_t generation = rig.gate.writers[0].generation;
    struct rig_mail mail = large_mail(1, 0);

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_write(&rig, &mail);
    mail.number = 2;
    rig_write(&rig, &mail);
    rig_ring(&rig, true);
    rig_until(&rig, relay->job_count == 1);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 1);
    rig_gate_die(&rig);
    checkpoint();
    restart();
    assert_null(rig_message(&rig, 2));
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
    assert_true(queue_id_equals(relay->jobs[0].id, rig_id(1)));
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    rig_until(&rig, !rig_has(&rig, STORE_SEGMENT, generation));
}

static void swap_writers(void)
{
    struct segment_writer first = rig.gate.writers[0];

    rig.gate.writers[0] = rig.gate.writers[1];
    rig.gate.writers[1] = first;
}

/* QUE-1: after a restart the forged record is read before the honest one, which the journal knows:
 * that one is held, not lost, also over checkpoint and restart. */
static void test_doubtful(void **state)
{
    struct rig_mail mail = large_mail(1, 0);

    (void)state;
    swap_writers();
    rig_submit(&rig, &mail);
    rig_until(&rig, rig_message(&rig, 1));
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    swap_writers();
    mail.number = 2;
    rig_write(&rig, &mail);
    restart();
    for (int life = 0; life < 2; life++) {
        assert_non_null(rig_message(&rig, 1));
        assert_true(rig_message(&rig, 1)->is_held);
        checkpoint();
        restart();
    }
}

/* What bodies take is given back when they go. */
static void test_body_octets(void **state)
{
    struct queue *queue = rig_queue(&rig);
    struct rig_mail first = large_mail(1, 0), second = large_mail(2, 1);

    (void)state;
    rig_submit(&rig, &first);
    rig_submit(&rig, &second);
    rig_until(&rig, queue->messages.count == 2);
    assert_int_equal(queue->body_octets, first.body_size + second.body_size);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 2);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, queue->messages.count == 1);
    assert_int_equal(queue->body_octets, second.body_size);
}

static void remove_segments(void)
{
    char path[256];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/segments", rig.path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
}

/* QUE-14: the record of an accepted message is nowhere: the body that it may have had stays. */
static void test_missing(void **state)
{
    struct rig_mail mail = large_mail(1, 0);

    (void)state;
    rig_submit(&rig, &mail);
    rig_until(&rig, rig_message(&rig, 1));
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    rig_crash(&rig);
    rig_gate_die(&rig);
    remove_segments();
    start();
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    rig_until(&rig, stock_busy(&rig_queue(&rig)->stock) == 0);
    assert_int_equal(rig_queue(&rig)->counters.damaged, 1);
    assert_true(rig_has(&rig, STORE_BODY, mail.body_file));
}

/* ---- copies aside ---- */

/* Two damaged records between good ones, in a segment that is done, while no copy can be made. */
static uint64_t damage_two(void)
{
    uint64_t generation = rig.gate.writers[0].generation, at[2];

    is_aside_failing = true;
    for (unsigned number = 1; number <= 5; number++) {
        if (number % 2 == 0)
            at[number / 2 - 1] = rig.gate.writers[0].end;
        rig_write(&rig, &(struct rig_mail){ .number = number });
    }
    for (size_t i = 0; i < 2; i++)
        (void)exchange(generation, at[i] + 100, 'X');
    rig_ring(&rig, true);
    rig_until(&rig, rig_message(&rig, 5));
    assert_int_equal(rig_queue(&rig)->counters.damaged, 2);
    return generation;
}

/* QUE-14: what could not be copied aside is copied later, and keeps its segment only until then. */
static void test_copied_later(void **state)
{
    uint64_t generation = damage_two();
    struct segment *segment = segment_find(rig_queue(&rig), generation);

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        rig_until(&rig, relay->job_count > i);
        rig_answer(relay, &relay->jobs[i], &rig_done);
    }
    rig_until(&rig, segment->is_owned && rig_queue(&rig)->messages.count == 0);
    rig_run(&rig, 200);
    assert_true(rig_has(&rig, STORE_SEGMENT, generation));
    is_aside_failing = false;
    rig_until(&rig, !rig_has(&rig, STORE_SEGMENT, generation));
    assert_int_equal(rig_files(&rig, "aside"), 2);
}

/* More damaged mail in one segment than is copied piece by piece: each is told once and for all. */
static void test_much_is_damaged(void **state)
{
    enum { MESSAGES = 40 };
    uint64_t generation = rig.gate.writers[0].generation, at[MESSAGES];

    (void)state;
    for (unsigned i = 0; i < MESSAGES; i++) {
        at[i] = rig.gate.writers[0].end;
        rig_write(&rig, &(struct rig_mail){ .number = i + 1 });
    }
    rig_ring(&rig, false);
    rig_until(&rig, rig_message(&rig, MESSAGES) && commit_is_idle(&rig_queue(&rig)->commit));
    for (unsigned i = 0; i < MESSAGES; i++)
        (void)exchange(generation, at[i] + 100, 'X');
    restart();
    assert_int_equal(rig_queue(&rig)->counters.damaged, MESSAGES);
    rig_until(&rig, !rig_has(&rig, STORE_SEGMENT, generation));
    rig_until(&rig, commit_is_idle(&rig_queue(&rig)->commit));
    restart();
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
}

/* The operator has tidied up more than the copies. */
static void test_folder_gone(void **state)
{
    uint64_t generation = damage_two();
    struct segment *segment = segment_find(rig_queue(&rig), generation);
    char path[256];

    (void)state;
    snprintf(path, sizeof path, "%s/aside", rig.path);
    assert_int_equal(rmdir(path), 0);
    is_aside_failing = false;
    rig_until(&rig, segment->uncopied == 0);
    assert_int_equal(rig_files(&rig, "aside"), 2);
}

/* Copies leave what is reserved for mail that has begun; what is to be copied waits. */
static void test_reserve(void **state)
{
    uint64_t generation = rig.gate.writers[0].generation, at;
    uint64_t reserve = rig.conf->spool.reserve;

    (void)state;
    rig_write(&rig, &(struct rig_mail){ .number = 1 });
    at = rig.gate.writers[0].end;
    rig_write(&rig, &(struct rig_mail){ .number = 2 });
    rig_write(&rig, &(struct rig_mail){ .number = 3 });
    (void)exchange(generation, at + 100, 'X');
    rig.conf->spool.reserve = UINT64_C(1) << 62;
    restart();
    rig_run(&rig, 200);
    assert_int_equal(rig_files(&rig, "aside"), 0);
    assert_int_equal(segment_find(rig_queue(&rig), generation)->uncopied, 1);
    rig.conf->spool.reserve = reserve;
    restart();
    assert_int_equal(rig_files(&rig, "aside"), 1);
}

/* The checkpoint goes on meanwhile, and what was not copied is found again behind it. */
static void test_checkpoint_meanwhile(void **state)
{
    uint64_t generation = damage_two();

    (void)state;
    rig_gate_die(&rig);
    rig_until(&rig, segment_find(rig_queue(&rig), generation)->is_owned);
    checkpoint();
    assert_int_equal(rig_files(&rig, "aside"), 0);
    is_aside_failing = false;
    rig_crash(&rig);
    start();
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    assert_int_equal(rig_files(&rig, "aside"), 2);
    assert_int_equal(rig_queue(&rig)->messages.count, 3);
    /* Now it is complete. */
    checkpoint();
    restart();
    assert_int_equal(rig_queue(&rig)->counters.damaged, 0);
    assert_int_equal(rig_queue(&rig)->messages.count, 3);
}

/* ---- messages that do not read back ---- */

/* The disk has given it again and the operator has released it: it is mail like any other. */
static void test_recovers(void **state)
{
    struct queue *queue = rig_queue(&rig);
    uint64_t generation = rig.gate.writers[0].generation;
    struct message *message;
    char octet;

    (void)state;
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, rig_message(&rig, 1));
    message = rig_message(&rig, 1);
    octet = exchange(generation, message->offset + 100, 'X');
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, message->is_damaged);
    rig_gate_die(&rig);
    queue->upkeep.compact_age_ms = 0;
    rig_until(&rig, segment_find(queue, generation)->is_spent);
    (void)exchange(generation, message->offset + 100, octet);
    message_hold(&queue->messages, message, false);
    schedule_message(queue, message);
    rig_until(&rig, relay->job_count == 1);
    rig_answer(relay, &relay->jobs[0], &rig_greylisted);
    rig_until(&rig, !rig_has(&rig, STORE_SEGMENT, generation));
    assert_non_null(rig_message(&rig, 1));
    assert_int_equal(queue->counters.damaged, 1);
}

/* Nobody can be told of its end, so it waits for the operator when its time is over; it is not read
 * again and again. */
static void test_outlives_its_time(void **state)
{
    struct message *message;
    unsigned before;

    (void)state;
    rig.conf->queue.lifetime = 1;
    rig_reload(&rig);
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, rig_message(&rig, 1));
    message = rig_message(&rig, 1);
    (void)exchange(rig.gate.writers[0].generation, message->offset + 100, 'X');
    rig_until(&rig, message->is_damaged);
    rig_run(&rig, 50);
    before = reads;
    rig_run(&rig, 300);
    assert_true(reads < before + 10);
    assert_int_equal(rig_count(&rig, RECIPIENT_HELD), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forged, make, end),
        cmocka_unit_test_setup_teardown(test_doubtful, make, end),
        cmocka_unit_test_setup_teardown(test_body_octets, make, end),
        cmocka_unit_test_setup_teardown(test_missing, make, end),
        cmocka_unit_test_setup_teardown(test_copied_later, make, end),
        cmocka_unit_test_setup_teardown(test_much_is_damaged, make, end),
        cmocka_unit_test_setup_teardown(test_folder_gone, make, end),
        cmocka_unit_test_setup_teardown(test_reserve, make, end),
        cmocka_unit_test_setup_teardown(test_checkpoint_meanwhile, make, end),
        cmocka_unit_test_setup_teardown(test_recovers, make, end),
        cmocka_unit_test_setup_teardown(test_outlives_its_time, make, end),
    };

    return cmocka_run_group_tests_name("queue/damage", tests, NULL, NULL);
}
