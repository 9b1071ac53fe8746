/* tests/unit/queue/test_memory.c: what a queued message costs, and what a start costs when many are
 * queued: heap and resident memory for each, the time until new mail flows, and the longest turn of
 * the loop. SUBMITD_MESSAGES=1000000 in the environment for the long form. */
#include "rig.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { MESSAGES = 100000, BATCH = 1000, OCTETS_MOST = 400, TURN_MOST_US = 50000 };

static struct rig rig;
static size_t messages;
static int64_t longest_us; /* of processor time, in one turn of the loop */

/* There in a build with the address sanitizer: what was asked of malloc and not given back. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap(void)
{
    struct mallinfo2 info;

    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int64_t processor_us(clockid_t clock)
{
    struct timespec at;

    assert_int_equal(clock_gettime(clock, &at), 0);
    return at.tv_sec * INT64_C(1000000) + at.tv_nsec / 1000;
}

static void turn(void)
{
    int64_t began = processor_us(CLOCK_THREAD_CPUTIME_ID), took;

    loop_turn(rig.loop, 5);
    took = processor_us(CLOCK_THREAD_CPUTIME_ID) - began;
    if (took > longest_us)
        longest_us = took;
}

#define turn_until(condition)                                                                      \
    do {                                                                                           \
        int64_t end_ms = clock_mono_ms() + 280000;                                                 \
        while (!(condition) && clock_mono_ms() < end_ms)                                           \
            turn();                                                                                \
        assert_true(condition);                                                                    \
    } while (0)

static void pack_message(size_t number, struct buffer *packed)
{
    char sender[64], recipient[64], user[64];
    struct envelope_recipient to = { 0 };
    struct envelope envelope = {
        .id = { .high = (UINT64_C(0x018f00000000) << 16) + number, .low = number * 77 },
        .arrival_us = clock_wall_us(),
        .mechanism = SLICE_LITERAL("PLAIN"),
        .listener = SLICE_LITERAL("submissions"),
        .client = SLICE_LITERAL("192.0.2.7"),
        .tls_version = SLICE_LITERAL("TLSv1.3"),
        .header_size = 2,
        .body_size = 8,
        .recipients = &to,
        .recipient_count = 1,
    };

    snprintf(user, sizeof user, "user%zu", number % 100);
    snprintf(sender, sizeof sender, "sender%zu@example.org", number % 1000);
    snprintf(recipient, sizeof recipient, "recipient%zu@d%zu.example", number, number % 2000);
    envelope.user = slice_text(user);
    envelope.sender = slice_text(sender);
    to.address = slice_text(recipient);
    assert_int_equal(envelope_pack(packed, &envelope), ERR_OK);
}

static bool write_batch(struct segment_writer *writer, size_t first, size_t count)
{
    static struct record_draft drafts[BATCH];
    static struct record_draft *list[BATCH];
    static struct buffer packed[BATCH];
    const struct slice header = SLICE_LITERAL("\r\n"), body = SLICE_LITERAL("Hello.\r\n");
    enum err rc;

    for (size_t i = 0; i < count; i++) {
        struct queue_id id = { (UINT64_C(0x018f00000000) << 16) + first + i, (first + i) * 77 };
        buffer_init(&packed[i], 4096);
        pack_message(first + i, &packed[i]);
        assert_int_equal(
            record_draft_init(&drafts[i], id, buffer_slice(&packed[i]), &header, 1, &body, 1),
            ERR_OK);
        list[i] = &drafts[i];
    }
    rc = segment_append(writer, list, count);
    for (size_t i = 0; i < count; i++)
        buffer_clear(&packed[i]);
    assert_true(rc == ERR_OK || rc == ERR_LIMIT);
    return rc == ERR_OK;
}

static void ring(const struct segment_writer *writer, bool final)
{
    struct msg_doorbell bell = { writer->generation, writer->end, final };

    assert_int_equal(channel_send(rig.gate.channel, MSG_DOORBELL, &bell, -1), ERR_OK);
}

static void submit_all(void)
{
    size_t at = 0;

    for (size_t sent = 0; sent < messages;) {
        size_t count = messages - sent < BATCH ? messages - sent : BATCH;
        struct segment_writer *writer = &rig.gate.writers[at];
        turn_until(rig.gate.writer_count > at);
        if (write_batch(writer, sent + 1, count)) {
            sent += count;
            ring(writer, false);
        } else {
            ring(writer, true);
            at++;
            assert_int_equal(
                channel_send(rig.gate.channel, MSG_NEED, &(struct msg_need){ 1, 0 }, -1), ERR_OK);
            segment_writer_clear(writer);
            writer->file = -1;
        }
        turn_until(rig_queue(&rig)->messages.count + 20000 > sent);
    }
    turn_until(rig_queue(&rig)->messages.count == messages);
}

/* The journal's two buffers are bounded and kept for the next batch: no message's memory, and too
 * much of it among few messages. */
static size_t buffers(void)
{
    const struct commit *commit = &rig_queue(&rig)->commit;

    return commit->filling.bytes.size + commit->working.bytes.size;
}

static void report(const char *when, size_t heap_before, size_t resident_before)
{
    size_t each = (heap() - buffers() - heap_before) / messages;

    print_message("%s: %zu octets of heap for each message, resident %zu; longest turn %lld us\n",
        when, each, (resident() - resident_before) / messages, (long long)longest_us);
    assert_true(each <= OCTETS_MOST);
    longest_us = 0;
}

static void checkpoint(void)
{
    struct queue *queue = rig_queue(&rig);
    int64_t began = clock_mono_ms();

    turn_until(commit_is_idle(&queue->commit));
    queue->commit.tally.since = UINT64_C(1) << 50;
    checkpoint_tick(queue);
    turn_until(queue->checkpoint.ended_us != 0);
    print_message("checkpoint: %lld ms, longest turn %lld us, %zu octets\n",
        (long long)(clock_mono_ms() - began), (long long)longest_us,
        (size_t)queue->commit.tally.size);
    longest_us = 0;
}

/* New settings and a jump of the clock concern every message; they must not stop the loop for all
 * of them at once. */
static void change(void)
{
    struct queue *queue = rig_queue(&rig);
    int64_t began = processor_us(CLOCK_THREAD_CPUTIME_ID);
    int64_t began_ms = clock_mono_ms();

    rig_reload(&rig);
    longest_us = processor_us(CLOCK_THREAD_CPUTIME_ID) - began;
    print_message("reload: %lld us", (long long)longest_us);
    turn_until(!queue->messages.placing);
    print_message(", then %lld ms, longest turn %lld us\n", (long long)(clock_mono_ms() - began_ms),
        (long long)longest_us);
    assert_true(longest_us < TURN_MOST_US);
    longest_us = 0;
    queue->clock_offset_us -= 3600 * INT64_C(1000000);
    began_ms = clock_mono_ms();
    schedule_kick(queue);
    while (clock_mono_ms() < began_ms + 100)
        turn();
    print_message("jump of the clock: longest turn %lld us\n", (long long)longest_us);
    assert_true(longest_us < TURN_MOST_US);
    longest_us = 0;
}

static void start(void)
{
    struct queue *queue;
    int64_t began = clock_mono_ms(), worked = processor_us(CLOCK_PROCESS_CPUTIME_ID);

    rig_start(&rig);
    queue = rig_queue(&rig);
    turn_until(queue->has_segments);
    print_message("start: %zu messages known and new mail taken after %lld ms, "
                  "%lld ms of processor time\n",
        queue->messages.count, (long long)(clock_mono_ms() - began),
        (long long)(processor_us(CLOCK_PROCESS_CPUTIME_ID) - worked) / 1000);
    turn_until(queue->is_recovered);
    assert_int_equal(queue->messages.count, messages);
}

static void test_many(void **state)
{
    const char *wish = getenv("SUBMITD_MESSAGES");
    size_t heap_before, resident_before;

    (void)state;
    messages = wish ? strtoul(wish, NULL, 10) : MESSAGES;
    rig_make(&rig);
    rig.conf->spool.segment_size = STORE_SEGMENT_SIZE;
    rig.conf->spool.checkpoint = UINT64_C(1) << 40;
    rig_start(&rig);
    rig_gate_connect(&rig, 4, 0);
    turn_until(rig.gate.writer_count >= 1 && rig_queue(&rig)->is_recovered);
    heap_before = heap();
    resident_before = resident();
    submit_all();
    turn_until(commit_is_idle(&rig_queue(&rig)->commit));
    report("arrived", heap_before, resident_before);
    change();
    checkpoint();
    rig_crash(&rig);
    rig_gate_die(&rig);
    malloc_trim(0);
    start();
    rig_run(&rig, 100);
    report("started anew", heap_before, resident_before);
    rig_remove(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_many) };

    return cmocka_run_group_tests_name("queue/memory", tests, NULL, NULL);
}
