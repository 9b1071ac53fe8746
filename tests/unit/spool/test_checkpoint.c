/* tests/unit/spool/test_checkpoint.c: the entries of a checkpoint octet by octet, how they get into
 * files, and what recovery makes of them. Crashes at every place: test_crash.c. */
#include "recovery.h"

#include <endian.h>
#include <malloc.h>

static struct journal_batch batch;

/* What recovery says, as words. */
static struct {
    char messages[256]; /* numbers; then h held, s suspect, r with its record */
    struct recover_message message;
    struct recover_recipient recipients[4];
    char texts[8][64];
    size_t count, limit;
} said;

static void forget_said(void)
{
    memset(&said, 0, sizeof said);
}

static bool on_is_held(void *context, struct queue_id id)
{
    (void)context, (void)id;
    return false;
}

static void keep(int index, struct slice text)
{
    snprintf(said.texts[index], sizeof said.texts[index], "%.*s", SLICE_ARGS(text));
}

static enum err on_message(void *context, const struct recover_message *message)
{
    (void)context;
    if (said.limit > 0 && said.count == said.limit)
        return ERR_LIMIT;
    said.count++;
    said.message = *message;
    add(said.messages, sizeof said.messages, "%u%s%s%s ", (unsigned)(message->id.low - 0x1000),
        message->is_held ? "h" : "", message->is_suspect ? "s" : "", message->envelope ? "r" : "");
    keep(0, message->sender);
    keep(1, message->user);
    for (size_t i = 0; i < message->recipient_count && i < LENGTH_OF(said.recipients); i++)
        said.recipients[i] = message->recipients[i];
    if (message->recipient_count > 0) {
        const struct recover_recipient *r = &message->recipients[0];
        keep(2, r->domain);
        keep(3, r->outcome.status);
        keep(4, r->outcome.host);
        keep(5, r->outcome.address);
        keep(6, r->outcome.text);
    }
    return ERR_OK;
}

static void on_aside(void *context, const struct recover_aside *aside)
{
    (void)context, (void)aside;
    add(incidents, sizeof incidents, "X");
}

/* All that a start finds. */
static void recovers(const char *messages, const char *others)
{
    restart_whole();
    assert_string_equal(said.messages, messages);
    assert_string_equal(incidents, others);
}

static int setup(void **state)
{
    (void)state;
    journal_batch_init(&batch, 64 << 20);
    make_spool(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    drop_spool();
    journal_batch_clear(&batch);
    return 0;
}

static void put(struct journal_entry entry)
{
    journal_put(&batch, &entry);
}

static void commit(void)
{
    assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
    journal_batch_reset(&batch);
}

static void put_begin(void)
{
    put((struct journal_entry){
        JOURNAL_CHECKPOINT, { 0 }, 2000001, .checkpoint = { JOURNAL_BEGIN, 0 } });
}

static void put_end(void)
{
    put((struct journal_entry){
        JOURNAL_CHECKPOINT, { 0 }, 2000002, .checkpoint = { JOURNAL_END, 0 } });
}

static void put_segment(uint64_t generation, uint64_t upto, uint64_t cut, bool is_complete)
{
    put((struct journal_entry){
        JOURNAL_SEGMENT, { 0 }, 2000003, .segment = { generation, upto, cut, is_complete } });
}

static void put_arrived(unsigned number, uint64_t segment, uint64_t offset)
{
    put((struct journal_entry){ JOURNAL_ARRIVED, sample_id(number), 1000000 + number,
        .arrived = { .segment = segment, .offset = offset, .recipient_count = 1 } });
}

static void put_closed(unsigned number)
{
    put((struct journal_entry){
        JOURNAL_CLOSED, sample_id(number), 2000004, .closed = { slice_text("") } });
}

static void put_held(unsigned number)
{
    put((struct journal_entry){
        JOURNAL_HELD, sample_id(number), 2000005, .held = { slice_text("") } });
}

static struct journal_state_recipient one_recipient(void)
{
    return (struct journal_state_recipient){ .domain = SLICE_LITERAL("example.net"),
        .state = RECOVER_PENDING,
        .attempts = 2,
        .next_us = 3,
        .has_delay_notice = true,
        .cause = 4,
        .code = 451,
        .status = SLICE_LITERAL("4.3.0"),
        .host = SLICE_LITERAL("mx.example.net"),
        .address = SLICE_LITERAL("192.0.2.1:25"),
        .text = SLICE_LITERAL("451 4.3.0 later") };
}

static void put_state_of(
    unsigned number, uint64_t segment, uint64_t offset, struct journal_state_recipient recipient)
{
    put((struct journal_entry){ JOURNAL_STATE, sample_id(number), 2000006,
        .state = { .segment = segment,
            .offset = offset,
            .body_file = 7,
            .arrival_us = 1000000 + number,
            .size = 100,
            .body_size = 9,
            .sender = slice_text("alice@example.org"),
            .user = slice_text("alice"),
            .notice = NOTICE_DELAY,
            .about = sample_id(8),
            .is_held = false,
            .recipient_total = 1,
            .recipients = &recipient,
            .recipient_count = 1 } });
}

static void put_state(unsigned number, uint64_t segment, uint64_t offset)
{
    put_state_of(number, segment, offset, one_recipient());
}

/* Messages first … first + count - 1 in a segment; where each begins. */
static uint64_t fill_segment(unsigned first, unsigned count, uint64_t offsets[], int *out_lock)
{
    struct segment_writer writer;
    struct store_blank blank;

    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    segment_writer_init(
        &writer, &faulty.disk, blank.write, blank.generation, blank.size, blank.start);
    for (unsigned i = 0; i < count; i++) {
        offsets[i] = writer.end;
        append_samples(&writer, first + i, 1);
    }
    offsets[count] = writer.end;
    if (out_lock)
        *out_lock = writer.file;
    else
        segment_writer_clear(&writer);
    return blank.generation;
}

static const char *path_of(enum store_kind kind, uint64_t number)
{
    static char path[80];
    char name[STORE_NAME];

    store_name(kind, number, name);
    snprintf(path, sizeof path, "%s/%s", kind == STORE_JOURNAL ? "journal" : "segments", name);
    return path;
}

/* ---- octets ---- */

static void assert_payload(struct journal_entry entry, const char *wanted)
{
    struct frame frame;
    struct buffer hex;

    journal_batch_reset(&batch);
    journal_put(&batch, &entry);
    assert_int_equal(
        frame_parse(&journal_format, 0, buffer_slice(&batch.bytes), &frame), FRAME_GOOD);
    assert_int_equal(frame.kind, entry.kind);
    buffer_init(&hex, 4096);
    for (size_t i = 0; i < frame.parts[0].len; i++)
        buffer_printf(&hex, "%02x", (unsigned char)frame.parts[0].data[i]);
    buffer_put_char(&hex, '\0');
    assert_string_equal(hex.data, wanted);
    buffer_clear(&hex);
    journal_batch_reset(&batch);
}

#define TIME "0100000000000000"

/* The octets of docs/spool.md, "A checkpoint in full". */
static void test_octets(void **state)
{
    struct journal_state_recipient recipients[] = {
        { .domain = SLICE_LITERAL("a.b"), .state = RECOVER_DELETED, .attempts = 1 },
        one_recipient(),
    };

    recipients[1].notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE;
    (void)state;
    assert_payload(
        (struct journal_entry){ JOURNAL_MOVED, sample_id(1), 1, .moved = { 0x712345678, 4096 } },
        TIME "7856341207000000"
             "0010000000000000");
    assert_payload((struct journal_entry){ JOURNAL_CHECKPOINT, { 0 }, 1,
                       .checkpoint = { JOURNAL_END, 0x712345678 } },
        TIME "01"
             "7856341207000000");
    assert_payload((struct journal_entry){ JOURNAL_SEGMENT, { 0 }, 1,
                       .segment = { 0x712345678, 8192, 6144, true } },
        TIME "7856341207000000"
             "0020000000000000"
             "0018000000000000"
             "01");
    assert_payload((struct journal_entry){ JOURNAL_STATE, sample_id(1), 1,
                       .state = { .segment = 0x712345678,
                           .offset = 4096,
                           .body_file = 9,
                           .arrival_us = 2,
                           .size = 300,
                           .body_size = 256,
                           .sender = slice_text("s"),
                           .user = slice_text("u"),
                           .notice = NOTICE_FAILURE,
                           .about = { 3, 4 },
                           .is_held = true,
                           .recipient_total = 12,
                           .first = 10,
                           .recipients = recipients,
                           .recipient_count = 2,
                           .priority = ENVELOPE_PRIORITY_ZERO + 4,
                           .hold_us = 0x3c,
                           .hold_date = 0x2a } },
        TIME "7856341207000000"
             "0010000000000000"
             "0900000000000000" /* segment, offset, body */
             "0200000000000000"
             "2c01000000000000"
             "0001000000000000" /* arrival, sizes */
             "0100000073"
             "0100000075" /* sender, user */
             "01"
             "0300000000000000"
             "0400000000000000" /* notice, about */
             "01"
             "0c000000"
             "0a000000"
             "02000000" /* total, first, how many here */
             "03000000612e62"
             "04"
             "01000000"
             "0000000000000000"
             "00"
             "00"
             "0000"
             "00000000"
             "00000000"
             "00000000"
             "00000000"
             "00"
             "0b0000006578616d706c652e6e6574"
             "00"
             "02000000"
             "0300000000000000"
             "01"
             "04"
             "c301"
             "05000000342e332e30"
             "0e0000006d782e6578616d706c652e6e6574"
             "0c0000003139322e302e322e313a3235"
             "0f00000034353120342e332e30206c61746572"
             "06"
             "0e"
             "3c00000000000000"
             "2a00000000000000");
}

/* However long the texts are, an entry never becomes too large; and none is left half empty. */
static void test_fits(void **state)
{
    static struct journal_state_recipient list[ENVELOPE_RECIPIENTS_MAX];
    static char text[2000];
    static const size_t lengths[] = { 0, 1, 30, 511, 512, 513, 2000 };

    (void)state;
    memset(text, 't', sizeof text);
    for (size_t l = 0; l < LENGTH_OF(lengths); l++) {
        struct slice any = slice_of(text, lengths[l]);
        struct journal_entry entry = { JOURNAL_STATE, sample_id(1), 1,
            .state = { .sender = any, .user = any, .recipient_total = ENVELOPE_RECIPIENTS_MAX } };
        size_t fits;

        for (size_t i = 0; i < LENGTH_OF(list); i++)
            list[i] = (struct journal_state_recipient){
                .domain = any, .status = any, .host = any, .address = any, .text = any
            };
        entry.state.recipients = list;
        entry.state.recipient_count = LENGTH_OF(list);
        fits = journal_state_fits(&entry.state);
        assert_true(fits >= JOURNAL_STATE_LEAST && fits < LENGTH_OF(list));
        entry.state.recipient_count = fits + 1;
        journal_put(&batch, &entry);
        assert_int_equal(batch.bytes.error, ERR_LIMIT);
        journal_batch_reset(&batch);
        entry.state.recipient_count = fits;
        journal_put(&batch, &entry);
        assert_int_equal(batch.bytes.error, ERR_OK);
        assert_true(batch.bytes.len > JOURNAL_ENTRY_MAX - 2048);
        journal_batch_reset(&batch);
        entry.state.recipient_count = 0;
        assert_int_equal(journal_state_fits(&entry.state), 0);
    }
}

/* ---- files ---- */

static uint64_t head_from(uint64_t number)
{
    unsigned char block[FILE_HEAD];
    struct file_head head;

    temp_read(&temp, path_of(STORE_JOURNAL, number), (char *)block, sizeof block, 0);
    assert_int_equal(file_head_read(&journal_format, block, &head), ERR_OK);
    assert_int_equal(head.generation, number);
    return head.from;
}

/* A checkpoint begins a file; the next file after its end says where to read from. */
static void test_files(void **state)
{
    const struct journal_events none = { 0 };
    struct journal_replayed all;
    uint64_t first, second, third;

    (void)state;
    put_held(1);
    put_held(2);
    put_begin();
    put_segment(5, 4096, 0, false);
    put_held(3);
    commit();
    second = journal.number;
    first = journal.previous;
    assert_true(first != 0 && second > first);
    assert_int_equal(head_from(second), 0);
    assert_int_equal(journal.floor, 0);
    assert_int_equal(journal.tally.from, 0);
    put_end();
    put_held(4);
    commit();
    third = journal.number;
    assert_true(third > second);
    assert_int_equal(journal.end, FILE_HEAD);
    assert_int_equal(head_from(third), second);
    assert_int_equal(journal.floor, second);
    assert_int_equal(journal.tally.from, second);
    /* Begin, segment and end; held twice behind the begin. */
    assert_int_equal(journal.tally.size, 88 + 104 + 88);
    assert_int_equal(journal.tally.since, 2 * 80);
    restart();
    assert_int_equal(sum.first, second);
    assert_int_equal(sum.entries, 5);
    assert_int_equal(sum.damaged, 0);
    assert_memory_equal(&sum.tally, &journal.tally, sizeof sum.tally);
    assert_int_equal(sum.tally.from, second);
    assert_int_equal(sum.tally.size, 280);
    assert_int_equal(journal_scan(&store, &none, &all), ERR_OK);
    assert_int_equal(all.entries, 7);
    assert_int_equal(all.first, first);
    /* What lies before is history, and may go. */
    assert_int_equal(store_unlink(&store, STORE_JOURNAL, first), ERR_OK);
    restart();
    assert_int_equal(sum.damaged, 0);
    put_held(5);
    commit();
    assert_int_equal(head_from(journal.number), second);
    assert_int_equal(journal.floor, second);
    assert_int_equal(journal.tally.since, 3 * 80);
    /* A second one, not ended: the first still counts. */
    put_begin();
    put_held(6);
    commit();
    restart();
    assert_int_equal(sum.first, second);
    assert_int_equal(sum.tally.from, second);
    assert_int_equal(sum.tally.since, 4 * 80);
    /* An end without its begin is none. */
    put_end();
    commit();
    restart();
    assert_int_equal(sum.tally.from, second);
}

/* An end and the next begin in one batch, and both of one. */
static void test_one_batch(void **state)
{
    uint64_t first;

    (void)state;
    put_begin();
    put_end();
    commit();
    first = journal.tally.from;
    assert_true(first != 0);
    assert_int_equal(journal.floor, first);
    put_begin();
    commit();
    put_end();
    put_begin();
    commit();
    assert_true(journal.tally.from > first);
    assert_int_equal(journal.floor, journal.tally.from);
    assert_int_equal(journal.tally.begun, journal.number);
    first = journal.number;
    put_end();
    commit();
    restart();
    assert_int_equal(sum.tally.from, first);
    assert_int_equal(sum.damaged, 0);
}

/* The disk fails at any act: the batch is written again, or said not to be; and what was said comes
 * back. */
static void test_failing_disk(void **state)
{
    unsigned failed = 0, passed = 0;

    (void)state;
    for (int n = 1; n < 40; n++) {
        uint64_t before = journal.tally.from;
        enum err rc;
        put_held(1);
        put_begin();
        put_segment(5, 4096, 0, false);
        put_end();
        faulty_plan(&faulty, ACTS, n, ERR_IO);
        faulty.fail_times = n % 3;
        rc = journal_commit(&journal, &batch);
        faulty.fail_act = -1;
        assert_true((rc == ERR_OK) == (journal.tally.from != before));
        failed += rc != ERR_OK;
        passed += rc == ERR_OK;
        if (rc != ERR_OK)
            assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
        journal_batch_reset(&batch);
        before = journal.tally.from;
        assert_true(journal.floor <= before);
        restart();
        assert_int_equal(sum.damaged, 0);
        assert_int_equal(sum.tally.from, before);
    }
    assert_true(failed > 3 && passed > 3);
}

static unsigned held_entries;

static enum err count_held(void *context, const struct journal_entry *entry)
{
    (void)context;
    held_entries += entry->kind == JOURNAL_HELD;
    return ERR_OK;
}

/* What stands before a begin is synced, the file for the checkpoint cannot be made: however often
 * that is tried, every entry is written once. */
static void test_retry(void **state)
{
    const struct journal_events counting = { NULL, count_held, NULL };

    (void)state;
    held_entries = 0;
    put_held(1);
    commit();
    put_held(1);
    put_begin();
    put_held(1);
    faulty_plan(&faulty, ACT_CREATE, 1, ERR_NOSPACE);
    faulty.fail_times = 5;
    for (int i = 0; i < 5; i++)
        assert_int_equal(journal_commit(&journal, &batch), ERR_NOSPACE);
    faulty.fail_act = -1;
    commit();
    assert_int_equal(journal.tally.begun, journal.number);
    assert_int_equal(journal_scan(&store, &counting, &sum), ERR_OK);
    assert_int_equal(held_entries, 3);
    assert_int_equal(sum.damaged, 0);
    assert_int_equal(sum.tally.begun, journal.number);
}

/* ---- recovery ---- */

/* All comes from the journal: the records of listed messages are not looked at, and a segment in
 * which nothing is new not at all. */
static void test_unread(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[3], 0, true);
    put_state(2, segment, offsets[1]);
    put_end();
    commit();
    for (unsigned i = 0; i < 3; i++)
        temp_spoil(&temp, path_of(STORE_SEGMENT, segment), (off_t)offsets[i] + 70);
    recovers("2 ", "O");
    assert_int_equal(said.message.segment, segment);
    assert_int_equal(said.message.offset, offsets[1]);
    assert_int_equal(said.message.body_file, 7);
    assert_int_equal(said.message.arrival_us, 1000002);
    assert_int_equal(said.message.size, 100);
    assert_int_equal(said.message.body_size, 9);
    assert_int_equal(said.message.notice, NOTICE_DELAY);
    assert_true(queue_id_equals(said.message.about, sample_id(8)));
    assert_true(said.message.is_journalled);
    assert_int_equal(said.message.recipient_count, 1);
    assert_int_equal(said.recipients[0].state, RECOVER_PENDING);
    assert_int_equal(said.recipients[0].attempts, 2);
    assert_int_equal(said.recipients[0].next_us, 3);
    assert_true(said.recipients[0].has_delay_notice);
    assert_true(said.recipients[0].has_outcome);
    assert_int_equal(said.recipients[0].outcome.result, JOURNAL_DEFERRED);
    assert_int_equal(said.recipients[0].outcome.attempt, 2);
    assert_int_equal(said.recipients[0].outcome.cause, 4);
    assert_int_equal(said.recipients[0].outcome.code, 451);
    assert_string_equal(said.texts[0], "alice@example.org");
    assert_string_equal(said.texts[1], "alice");
    assert_string_equal(said.texts[2], "example.net");
    assert_string_equal(said.texts[3], "4.3.0");
    assert_string_equal(said.texts[4], "mx.example.net");
    assert_string_equal(said.texts[5], "192.0.2.1:25");
    assert_string_equal(said.texts[6], "451 4.3.0 later");
    assert_int_equal(recover_offset(recover, segment), offsets[3]);
}

/* Of a listed segment that is not complete, what is neither listed nor new is closed; what lies
 * behind is new. Its writer may live. */
static void test_incomplete(void **state)
{
    uint64_t offsets[5];
    int lock;
    uint64_t segment = fill_segment(1, 4, offsets, &lock);

    (void)state;
    put_begin();
    put_segment(segment, offsets[1] + 1, 0, false); /* 1 and 2 were read */
    put_state(2, segment, offsets[1]);
    put_arrived(3, segment, offsets[2]);
    put_end();
    commit();
    recovers("2 ", "A");
    assert_int_equal(recover_stated(recover, segment, offsets[3]), ERR_OK);
    assert_string_equal(said.messages, "2 3r ");
    recover_finish(recover);
    disk_close(&faulty.disk, &lock);
    assert_int_equal(recover_gone(recover, segment), ERR_OK);
    assert_string_equal(said.messages, "2 3r 4r ");
    recovers("2 3r 4r ", "O");
}

/* The caller takes as many as it can, and asks again. */
static void test_portions(void **state)
{
    uint64_t offsets[8], segment = fill_segment(1, 7, offsets, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[5], 0, false);
    for (unsigned i = 0; i < 5; i++)
        put_state(1 + i, segment, offsets[i]);
    put_end();
    commit();
    restart();
    for (size_t limit = 2; limit < 7; limit += 2) {
        said.limit = limit;
        assert_int_equal(recover_segments(recover), ERR_LIMIT);
        assert_int_equal(said.count, limit);
    }
    said.limit = 0;
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "1 2 3 4 5 6r 7r ");
    recover_finish(recover);
    assert_string_equal(incidents, "O");
}

/* The name of a listed segment is gone: its messages are missed, unless a copy is found. */
static void test_missing(void **state)
{
    uint64_t offsets[3], others[3];
    uint64_t segment = fill_segment(1, 2, offsets, NULL), other = fill_segment(2, 1, others, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[2], 0, true);
    put_segment(other, others[1], 0, true);
    put_state(1, segment, offsets[0]);
    put_state(2, segment, offsets[1]);
    put_end();
    commit();
    recovers("1 2 ", "OO");
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, segment), ERR_OK);
    recovers("2r ", "OM1");
    assert_int_equal(said.recipients[0].attempts, 2);
    assert_int_equal(said.message.segment, other);
}

/* A record was copied: it is where it was last said to be. */
static void test_moved(void **state)
{
    uint64_t offsets[4], others[4];
    uint64_t segment = fill_segment(1, 3, offsets, NULL), other = fill_segment(1, 3, others, NULL);

    (void)state;
    put_arrived(1, segment, offsets[0]);
    put_arrived(2, segment, offsets[1]);
    put_arrived(3, segment, offsets[2]);
    put_begin();
    put_segment(segment, offsets[3], 0, true);
    put_segment(other, others[2], 0, false); /* 3 was copied later */
    put((struct journal_entry){ JOURNAL_MOVED, sample_id(1), 9, .moved = { other, others[0] } });
    put_state(1, other, others[0]);
    put_state(2, segment, offsets[1]);
    put_state(3, segment, offsets[2]);
    put_end();
    put((struct journal_entry){ JOURNAL_MOVED, sample_id(2), 9, .moved = { other, others[1] } });
    put_closed(3);
    commit();
    recovers("1 2 ", "OO");
    assert_int_equal(said.message.segment, other);
    assert_int_equal(said.message.offset, others[1]);
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, segment), ERR_OK);
    recovers("1 2 ", "O");
    assert_true(store.numbers->highest >= other);
}

/* What the caller wrote itself is not handed over, what comes behind is. */
static void test_passed(void **state)
{
    uint64_t offsets[4];
    int lock;
    uint64_t segment = fill_segment(1, 3, offsets, &lock);

    (void)state;
    restart();
    assert_int_equal(recover_passed(recover, segment, offsets[1]), ERR_OK);
    assert_int_equal(recover_passed(recover, segment, offsets[2]), ERR_OK);
    assert_int_equal(recover_passed(recover, segment, offsets[1]), ERR_OK);
    assert_int_equal(recover_offset(recover, segment), offsets[2]);
    assert_int_equal(recover_stated(recover, segment, offsets[2]), ERR_OK);
    assert_string_equal(said.messages, "");
    disk_close(&faulty.disk, &lock);
    assert_int_equal(recover_gone(recover, segment), ERR_OK);
    assert_string_equal(said.messages, "3r ");
    assert_string_equal(incidents, "O");
}

/* Cuts of before the checkpoint count through it. */
static void test_cuts(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[1], offsets[2], false);
    put_state(1, segment, offsets[0]);
    put_end();
    commit();
    recovers("1 2r ", "O");
    assert_int_equal(recover_cut_of(recover, segment), offsets[2]);
    assert_int_equal(recover_cut_of(recover, segment + 1), 0);
    assert_int_equal(recover_cut(recover, segment, offsets[1]), ERR_OK);
    assert_int_equal(recover_cut_of(recover, segment), offsets[1]);
    recover_forget(recover, segment);
    assert_int_equal(recover_cut_of(recover, segment), 0);
}

/* A listed message lies behind the cut of its listed segment: no checkpoint says that of itself. */
static void test_listed_and_cut(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[3], offsets[1], true);
    put_state(1, segment, offsets[0]);
    put_state(2, segment, offsets[1]);
    put_end();
    commit();
    recovers("1 2s ", "O");
    assert_true(said.message.is_refused);
    put_arrived(3, segment, offsets[2]);
    commit();
    recovers("1 2s 3sr ", "O");
    assert_true(said.message.is_refused);
}

/* QUE-14: the entry about a message is damaged: its record is looked for wherever it may be, and it
 * is held. The others are not concerned. */
static void test_damaged_state(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL), file, start;

    (void)state;
    put_begin();
    put_segment(segment, offsets[3], 0, true);
    put_state(1, segment, offsets[0]);
    commit();
    file = journal.number;
    start = journal.end;
    put_state(2, segment, offsets[1]);
    put_end();
    commit();
    temp_spoil(&temp, path_of(STORE_JOURNAL, file), (off_t)start + 70);
    recovers("1 2sr ", "DO");
    /* Without its name it may be about anybody: then closed ones come back too. */
    temp_spoil(&temp, path_of(STORE_JOURNAL, file), (off_t)start);
    recovers("1s 2sr 3sr ", "DO");
}

/* Damage before the begin is settled by the checkpoint, even where reading begins before it. */
static void test_damage_before(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL), file;

    (void)state;
    put_arrived(1, segment, offsets[0]);
    commit();
    file = journal.number;
    put_closed(2);
    put_begin();
    put_segment(segment, offsets[3], 0, true);
    put_state(1, segment, offsets[0]);
    put_end();
    commit();
    /* The file that names the place to read from was never begun. */
    assert_true(journal.floor > file);
    disk_close(&faulty.disk, &journal.file);
    assert_int_equal(store_unlink(&store, STORE_JOURNAL, journal.number), ERR_OK);
    temp_spoil(&temp, path_of(STORE_JOURNAL, file), FILE_HEAD);
    recovers("1 ", "DO");
    assert_int_equal(sum.first, file);
}

/* … and damage behind its end concerns whoever is open then. */
static void test_damage_both(void **state)
{
    uint64_t offsets[3], segment = fill_segment(1, 2, offsets, NULL), file;

    (void)state;
    put_held(7);
    commit();
    file = journal.number;
    put_begin();
    put_segment(segment, offsets[2], 0, true);
    put_state(1, segment, offsets[0]);
    put_end();
    commit();
    for (int i = 0; i < 3; i++) {
        put_held(7);
        commit();
    }
    temp_spoil(&temp, path_of(STORE_JOURNAL, file), FILE_HEAD);
    temp_spoil(&temp, path_of(STORE_JOURNAL, journal.number), 16);
    recovers("1 ", "DO");
    temp_spoil(&temp, path_of(STORE_JOURNAL, sum.last), FILE_HEAD + 88);
    recovers("1s ", "DDO");
}

/* An entry behind the begin about a message that the checkpoint forgot: held, not lost. */
static void test_forgotten(void **state)
{
    uint64_t offsets[3], segment = fill_segment(1, 2, offsets, NULL);

    (void)state;
    put_begin();
    put_segment(segment, offsets[2], 0, true);
    put_held(1);
    put_closed(2);
    put_end();
    commit();
    recovers("1hsr ", "O");
}

/* A file of the journal vanished: the same as damage that names nobody. */
static void test_missing_file(void **state)
{
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL), middle;

    (void)state;
    put_begin();
    put_segment(segment, offsets[3], 0, true);
    put_state(1, segment, offsets[0]);
    put_end();
    commit();
    put_closed(1);
    put_held(7);
    commit();
    middle = journal.number;
    restart();
    put((struct journal_entry){ JOURNAL_CUT, { 0 }, 2000000, .cut = { 77, 4096 } });
    commit();
    recovers("", "O");
    assert_int_equal(store_unlink(&store, STORE_JOURNAL, middle), ERR_OK);
    recovers("1s ", "DO");
    /* And when it is the one with the checkpoint. */
    assert_int_equal(store_unlink(&store, STORE_JOURNAL, journal.tally.from), ERR_OK);
    recovers("1sr 2sr 3sr ", "DO");
}

/* A message with many recipients comes in several entries. */
static void test_many_recipients(void **state)
{
    struct journal_state_recipient list[3];
    struct journal_entry entry = { JOURNAL_STATE, sample_id(1), 6,
        .state = { .recipient_total = 3, .recipients = list, .recipient_count = 1 } };
    uint64_t offsets[2], segment = fill_segment(1, 1, offsets, NULL), second = 0;

    (void)state;
    entry.state.segment = segment;
    entry.state.offset = offsets[0];
    put_begin();
    put_segment(segment, offsets[1], 0, true);
    for (unsigned i = 0; i < 3; i++) {
        commit();
        second = i == 1 ? journal.end : second;
        list[0] = one_recipient();
        list[0].attempts = 10 + i;
        entry.state.first = i;
        put(entry);
    }
    put_end();
    commit();
    recovers("1 ", "O");
    assert_int_equal(said.message.recipient_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(said.recipients[i].attempts, 10 + i);
    /* One of them is damaged: the record says who it is about, and that is not known. */
    temp_spoil(&temp, path_of(STORE_JOURNAL, sum.tally.from), (off_t)second + 70);
    recovers("1sr ", "DO");
    /* Sound and impossible: more recipients than it has. */
    put_begin();
    put_segment(segment, offsets[1], 0, true);
    entry.state.first = 3;
    put(entry);
    put_end();
    commit();
    recovers("1sr ", "O");
}

/* The clock stood for three days, of which nobody was there for two: what waits goes on waiting as
 * long as it was to, whether its record is read or not. */
static void test_clock(void **state)
{
    const int64_t day = INT64_C(86400) * 1000000;
    uint64_t offsets[4], segment = fill_segment(1, 3, offsets, NULL), second;

    (void)state;
    put_begin();
    put_segment(segment, offsets[2], 0, true);
    put_state(1, segment, offsets[0]);
    put_end();
    commit();
    for (int i = 0; i < 2; i++) {
        restart();
        recover_now(recover, 2000006 + 3 * day);
        assert_int_equal(recover_segments(recover), ERR_OK);
        assert_string_equal(said.messages, i == 0 ? "1 " : "1r ");
        assert_int_equal(said.message.arrival_us, 1000001 + 2 * day);
        assert_int_equal(said.recipients[0].next_us, 3 + 2 * day);
        /* Once more from the record: the segment that the entry names is gone, a copy is there. */
        second = fill_segment(1, 1, offsets, NULL);
        assert_true(second != segment);
        if (i == 0)
            assert_int_equal(store_unlink(&store, STORE_SEGMENT, segment), ERR_OK);
    }
}

/* A hundred thousand messages: what each takes until it is handed over. */
static void test_memory(void **state)
{
    enum { COUNT = 100000 };
    uint64_t offsets[2], segment = fill_segment(1, 1, offsets, NULL);
    size_t before, after;

    (void)state;
    put_begin();
    put_segment(segment, (uint64_t)COUNT * 500, 0, true);
    for (unsigned i = 0; i < COUNT; i++)
        put_state(1 + i, segment, FILE_HEAD + 500 * i);
    put_end();
    commit();
    journal_batch_clear(&batch);
    crash();
    before = mallinfo2().uordblks;
    start();
    after = mallinfo2().uordblks;
    assert_true((after - before) / COUNT < 700);
    said.limit = COUNT + 1;
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_int_equal(said.count, COUNT);
    recover_finish(recover);
    assert_true(mallinfo2().uordblks <= before + 100000);
}

/* ---- what is owed ---- */

static void put_owed(unsigned number, const char *text)
{
    put((struct journal_entry){ JOURNAL_OWED, sample_id(number), 2000007,
        .owed = { .notice_id = sample_id(77),
            .is_relayed = true,
            .finished_us = 1234,
            .outcome = { .recipient = 0,
                .result = JOURNAL_DELIVERED,
                .attempt = 3,
                .started_us = 1200,
                .mailbox = slice_text("bob@example.net"),
                .code = 250,
                .host = slice_text("mx.example.net"),
                .text = slice_text(text) } } });
}

static void put_noticed(unsigned number, enum envelope_notice kind)
{
    struct journal_noticed_recipient recipient = { 0 };

    put((struct journal_entry){ JOURNAL_NOTICED, sample_id(number), 2000008,
        .noticed = { kind, sample_id(77), &recipient, 1 } });
}

static void assert_owed(const char *messages, const char *others, const char *domain)
{
    commit();
    recovers(messages, others);
    assert_int_equal(said.recipients[0].state, RECOVER_DELIVERED);
    assert_int_equal(said.recipients[0].attempts, 3);
    assert_true(said.recipients[0].is_owed && said.recipients[0].is_relayed);
    assert_true(queue_id_equals(said.recipients[0].notice_id, sample_id(77)));
    assert_int_equal(said.recipients[0].finished_us, 1234);
    assert_int_equal(said.recipients[0].outcome.started_us, 1200);
    assert_int_equal(said.recipients[0].outcome.code, 250);
    assert_string_equal(said.texts[2], domain);
    assert_string_equal(said.texts[4], "mx.example.net");
    assert_string_equal(said.texts[6], "250 2.0.0 Ok");
}

static void assert_settled(const char *messages, const char *others)
{
    commit();
    recovers(messages, others);
    assert_int_equal(said.recipients[0].state, RECOVER_DELIVERED);
    assert_false(said.recipients[0].is_owed);
    assert_false(said.recipients[0].has_outcome);
}

/* EXT-DSN-8, QUE-12: it was delivered, and a notice is owed until one says that it is there. */
static void test_owed(void **state)
{
    uint64_t offsets[2], segment = fill_segment(1, 1, offsets, NULL);

    (void)state;
    put_arrived(1, segment, offsets[0]);
    put_owed(1, "250 2.0.0 Ok");
    put_owed(1, "250 2.0.0 Ok");
    assert_owed("1r ", "O", "example.net");
    put_noticed(1, NOTICE_DELAY);
    assert_owed("1r ", "O", "example.net");
    put_noticed(1, NOTICE_SUCCESS);
    assert_settled("1r ", "O");
}

/* A state leaves it in force: its own entry may be torn off behind it. */
static void test_owed_in_checkpoint(void **state)
{
    uint64_t offsets[2], segment = fill_segment(1, 1, offsets, NULL);
    struct journal_state_recipient delivered = {
        .domain = SLICE_LITERAL("stated.example"), .state = RECOVER_DELIVERED, .attempts = 3
    };

    (void)state;
    put_arrived(1, segment, offsets[0]);
    put_owed(1, "250 2.0.0 Ok");
    put_begin();
    put_segment(segment, offsets[1], 0, true);
    put_state_of(1, segment, offsets[0], delivered);
    assert_owed("1 ", "O", "stated.example");
    put_owed(1, "250 2.0.0 Ok");
    put_end();
    assert_owed("1 ", "O", "stated.example");
    put_begin();
    put_segment(segment, offsets[1], 0, true);
    put_state_of(1, segment, offsets[0], delivered);
    put_owed(1, "250 2.0.0 Ok");
    put_end();
    assert_owed("1 ", "O", "stated.example");
    put_noticed(1, NOTICE_SUCCESS);
    assert_settled("1 ", "O");
}

/* An outcome ends it too, where nobody can be told; and words of any length change nothing. */
static void test_owed_in_vain(void **state)
{
    static char text[5000];
    uint64_t offsets[2], segment = fill_segment(1, 1, offsets, NULL);

    (void)state;
    memset(text, 'x', sizeof text - 1);
    put_arrived(1, segment, offsets[0]);
    put_owed(1, text);
    commit();
    recovers("1r ", "O");
    assert_true(said.recipients[0].is_owed);
    assert_int_equal(said.recipients[0].outcome.text.len, JOURNAL_TEXT_MAX);
    put((struct journal_entry){ JOURNAL_OUTCOME, sample_id(1), 2000009,
        .outcome = { .recipient = 0, .result = JOURNAL_DELIVERED, .attempt = 3 } });
    assert_settled("1r ", "O");
    put_owed(1, text);
    put_closed(1);
    commit();
    recovers("", "O");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_octets),
        TEST(test_fits),
        TEST(test_files),
        TEST(test_one_batch),
        TEST(test_failing_disk),
        TEST(test_retry),
        TEST(test_unread),
        TEST(test_incomplete),
        TEST(test_portions),
        TEST(test_missing),
        TEST(test_moved),
        TEST(test_passed),
        TEST(test_cuts),
        TEST(test_listed_and_cut),
        TEST(test_damaged_state),
        TEST(test_damage_before),
        TEST(test_damage_both),
        TEST(test_forgotten),
        TEST(test_missing_file),
        TEST(test_many_recipients),
        TEST(test_clock),
        TEST(test_memory),
        TEST(test_owed),
        TEST(test_owed_in_checkpoint),
        TEST(test_owed_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
