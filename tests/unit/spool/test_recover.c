/* tests/unit/spool/test_recover.c: what comes back after crashes: every accepted message once, with
 * what became of its recipients; nothing that was refused, closed or damaged. */
#include <unistd.h>

#include "recovery.h"

/* What recovery says, as words. */
static struct {
    char messages[256]; /* numbers; then h held, s suspect, j journalled */
    char asides[128];   /* c, t, u for why; number where known; k known */
    struct recover_message message;
    struct recover_recipient recipients[4];
    char text[64];
    enum err refuse;
    unsigned held_number;
} said;

static void forget_said(void)
{
    memset(&said, 0, sizeof said);
}

static bool on_is_held(void *context, struct queue_id id)
{
    (void)context;
    return said.held_number != 0 && id.low == 0x1000 + said.held_number;
}

static enum err on_message(void *context, const struct recover_message *message)
{
    size_t count = message->recipient_count;

    (void)context;
    if (said.refuse != ERR_OK)
        return said.refuse;
    add(said.messages, sizeof said.messages, "%u%s%s%s ", (unsigned)(message->id.low - 0x1000),
        message->is_held ? "h" : "", message->is_suspect ? "s" : "",
        message->is_journalled ? "j" : "");
    said.message = *message;
    for (size_t i = 0; i < count && i < LENGTH_OF(said.recipients); i++) {
        said.recipients[i] = message->recipients[i];
        if (message->recipients[i].has_outcome)
            snprintf(said.text, sizeof said.text, "%.*s",
                SLICE_ARGS(message->recipients[i].outcome.text));
    }
    return ERR_OK;
}

static void on_aside(void *context, const struct recover_aside *aside)
{
    (void)context;
    assert_int_equal(aside->copied, ERR_OK);
    add(said.asides, sizeof said.asides, "%c", "ctu"[aside->why]);
    if (aside->has_id)
        add(said.asides, sizeof said.asides, "%u", (unsigned)(aside->id.low - 0x1000));
    add(said.asides, sizeof said.asides, "%s", aside->is_known ? "k " : " ");
}

static int setup(void **state)
{
    (void)state;
    make_spool(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    drop_spool();
    return 0;
}

static void new_writer(struct segment_writer *writer)
{
    struct store_blank blank;

    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    segment_writer_init(
        writer, &faulty.disk, blank.write, blank.generation, blank.size, blank.start);
}

static void record_entry(struct journal_entry entry)
{
    struct journal_batch batch;

    journal_batch_init(&batch, 1 << 20);
    journal_put(&batch, &entry);
    assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
    journal_batch_clear(&batch);
}

static void record_arrived(unsigned number, uint64_t segment, uint64_t offset)
{
    record_entry((struct journal_entry){ JOURNAL_ARRIVED, sample_id(number), 2000000 + number,
        .arrived = { .segment = segment, .offset = offset, .recipient_count = 2 } });
}

static void record_outcome(
    unsigned number, uint32_t recipient, enum journal_result result, const char *text)
{
    record_entry((struct journal_entry){ JOURNAL_OUTCOME, sample_id(number), 3000000 + number,
        .outcome = { .recipient = recipient,
            .result = result,
            .attempt = 3,
            .next_us = 55,
            .text = slice_text(text) } });
}

static void append_message(struct segment_writer *writer, unsigned number, size_t recipients)
{
    struct sample sample;
    struct record_draft *draft = &sample.draft;

    sample_make(&sample, number, recipients, slice_text("A body.\r\n"));
    assert_int_equal(segment_append(writer, &draft, 1), ERR_OK);
    sample_clear(&sample);
}

/* QUE-1: the gate and the queue die right after the 250: the message is there. The segment is
 * synced before it is read. */
static void test_cold_start(void **state)
{
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 3);
    segment_writer_clear(&writer);
    restart();
    faulty.done[ACT_SYNC] = 0;
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
    assert_string_equal(incidents, "O");
    assert_int_equal(faulty.done[ACT_SYNC], 2); /* the second of the last batch, written anew */
    assert_int_equal(recover_waiting(recover), 0);
    recover_finish(recover);
    assert_string_equal(incidents, "O");
    /* Once more in the same life: nothing new. */
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
}

/* A batch that can be read and not be made sure of waits: the page cache may be all that has it.
 * The ones before it were synced. */
static void test_unsure_batch(void **state)
{
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 2);
    append_samples(&writer, 2, 2);
    segment_writer_clear(&writer);
    restart();
    faulty_plan(&faulty, ACT_SYNC, 2, ERR_IO);
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
    assert_int_equal(recover_waiting(recover), 1);
    assert_null(strchr(incidents, 'O'));
    assert_int_equal(recover_gone(recover, writer.generation), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 3 ");
    assert_int_equal(recover_waiting(recover), 0);
    assert_non_null(strchr(incidents, 'O'));
}

/* A living gate's segment is read only as far as the gate stated; the same call goes on from there.
 */
static void test_living_gate(void **state)
{
    struct segment_writer writer;
    uint64_t first;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 1);
    first = writer.end;
    append_samples(&writer, 1, 2);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "");
    assert_string_equal(incidents, "A");
    assert_int_equal(recover_waiting(recover), 1);
    assert_int_equal(recover_gone(recover, writer.generation), ERR_BUSY);
    assert_int_equal(recover_stated(recover, writer.generation, first), ERR_OK);
    assert_string_equal(said.messages, "0 ");
    assert_int_equal(recover_waiting(recover), 0);
    assert_int_equal(recover_offset(recover, writer.generation), first);
    /* Repeated and older statements are no news. */
    assert_int_equal(recover_stated(recover, writer.generation, first), ERR_OK);
    assert_int_equal(recover_stated(recover, writer.generation, FILE_HEAD), ERR_OK);
    assert_string_equal(said.messages, "0 ");
    assert_int_equal(recover_stated(recover, writer.generation, writer.end), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
    assert_int_equal(recover_stated(recover, writer.generation, writer.size + 1), ERR_PROTOCOL);
    assert_int_equal(recover_stated(recover, 12345, 8192), ERR_NOTFOUND);
    /* The gate dies with more in the segment than it has said. */
    append_samples(&writer, 3, 1);
    segment_writer_clear(&writer);
    assert_int_equal(recover_gone(recover, writer.generation), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 3 ");
    assert_string_equal(incidents, "AO");
    assert_int_equal(recover_gone(recover, writer.generation), ERR_OK);
    assert_string_equal(incidents, "AO");
    assert_true(recover_handle(recover, writer.generation) >= 0);
    recover_forget(recover, writer.generation);
    assert_int_equal(recover_offset(recover, writer.generation), 0);
}

/* QUE-12: what is known of each recipient comes back with the message. */
static void test_recipient_states(void **state)
{
    static struct journal_noticed_recipient third[] = { { 2 } };
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_message(&writer, 1, 4);
    record_arrived(1, writer.generation, FILE_HEAD);
    record_outcome(1, 0, JOURNAL_DEFERRED, "busy");
    record_outcome(1, 0, JOURNAL_DELIVERED, "ok");
    record_outcome(1, 1, JOURNAL_DEFERRED, "later");
    record_outcome(1, 2, JOURNAL_FAILED, "no such user");
    record_entry((struct journal_entry){
        JOURNAL_NOTICED, sample_id(1), 0, .noticed = { NOTICE_FAILURE, sample_id(9), third, 1 } });
    record_outcome(1, ENVELOPE_RECIPIENTS_MAX, JOURNAL_FAILED, "nobody");
    segment_writer_clear(&writer);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "1j ");
    assert_int_equal(said.recipients[0].state, RECOVER_DELIVERED);
    assert_false(said.recipients[0].has_outcome);
    assert_int_equal(said.recipients[1].state, RECOVER_PENDING);
    assert_int_equal(said.recipients[1].attempts, 3);
    assert_int_equal(said.recipients[1].next_us, 55);
    assert_true(said.recipients[1].has_outcome);
    assert_int_equal(said.recipients[2].state, RECOVER_FAILED);
    assert_false(said.recipients[2].has_delay_notice);
    assert_string_equal(said.text, "no such user");
    assert_int_equal(said.recipients[3].state, RECOVER_PENDING);
    assert_int_equal(said.recipients[3].attempts, 0);
    assert_false(said.recipients[3].has_outcome);
}

/* Closed and deleted messages stay closed, whatever comes after; held ones come back held until
 * they are released. */
static void test_closed_and_held(void **state)
{
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 6);
    segment_writer_clear(&writer);
    record_entry(
        (struct journal_entry){ JOURNAL_CLOSED, sample_id(1), 0, .closed = { slice_text("") } });
    record_outcome(1, 0, JOURNAL_DEFERRED, "an older batch, written again");
    record_entry((struct journal_entry){
        JOURNAL_DELETED, sample_id(2), 0, .deleted = { slice_text("op") } });
    record_entry(
        (struct journal_entry){ JOURNAL_HELD, sample_id(3), 0, .held = { slice_text("op") } });
    record_entry(
        (struct journal_entry){ JOURNAL_HELD, sample_id(4), 0, .held = { slice_text("op") } });
    record_entry((struct journal_entry){
        JOURNAL_RELEASED, sample_id(4), 0, .released = { slice_text("op") } });
    restart();
    said.held_number = 5;
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 3h 4 ");
    recover_finish(recover);
    assert_string_equal(incidents, "O"); /* nothing is missing: none of them had arrived */
}

/* A second record of an id is dropped, in whatever segment it lies. */
static void test_same_id_twice(void **state)
{
    struct segment_writer first, second;

    (void)state;
    new_writer(&first);
    new_writer(&second);
    append_samples(&first, 1, 1);
    record_arrived(1, first.generation, FILE_HEAD);
    append_samples(&second, 1, 2);
    segment_writer_clear(&first);
    segment_writer_clear(&second);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "1j 2 ");
}

/* CMD-29: what was refused with 451 after a failed sync is never sent, though its octets are in the
 * segment. */
static void test_cut(void **state)
{
    struct segment_writer writer;
    struct sample sample;
    struct record_draft *draft = &sample.draft;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 2);
    sample_make(&sample, 2, 1, slice_text("refused"));
    faulty_plan(&faulty, ACT_SYNC, 1, ERR_IO);
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_IO);
    sample_clear(&sample);
    record_entry(
        (struct journal_entry){ JOURNAL_CUT, { 0 }, 0, .cut = { writer.generation, writer.end } });
    assert_int_equal(recover_cut(recover, writer.generation, writer.end), ERR_OK);
    /* In this life. */
    segment_writer_clear(&writer);
    assert_int_equal(recover_gone(recover, writer.generation), ERR_OK);
    assert_string_equal(said.messages, "0 1 ");
    /* And in the next. */
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 ");
    assert_string_equal(said.asides, "");
}

static void record_cut(uint64_t segment, uint64_t offset)
{
    record_entry((struct journal_entry){ JOURNAL_CUT, { 0 }, 0, .cut = { segment, offset } });
}

/* Three messages, of which the journal knows the first two. */
static void write_three(struct segment_writer *writer, uint64_t starts[4])
{
    new_writer(writer);
    for (unsigned i = 0; i < 3; i++) {
        starts[i] = writer->end;
        append_samples(writer, i, 1);
    }
    starts[3] = writer->end;
    record_arrived(0, writer->generation, starts[0]);
    record_arrived(1, writer->generation, starts[1]);
}

static void start_finds(const char *messages, const char *others)
{
    restart_whole();
    assert_string_equal(said.messages, messages);
    assert_string_equal(incidents, others);
}

/* QUE-1, CMD-29: the journal says of a message that it was accepted and that it was cut. It is
 * there, and is not sent before an operator says so; what else was cut stays away. */
static void test_accepted_and_cut(void **state)
{
    struct segment_writer writer;
    uint64_t starts[4];

    (void)state;
    write_three(&writer, starts);
    segment_writer_clear(&writer);
    record_cut(writer.generation, starts[1]);
    start_finds("0j 1sj ", "O");
    assert_true(said.message.is_refused);
    assert_int_equal(said.message.offset, starts[1]);
    record_entry((struct journal_entry){
        JOURNAL_RELEASED, sample_id(1), 0, .released = { slice_text("op") } });
    start_finds("0j 1j ", "O");
    assert_false(said.message.is_refused);
    /* The release was about that cut; whoever is closed has nothing to do with it. */
    record_cut(writer.generation, starts[0]);
    start_finds("0sj 1j ", "O");
    record_entry(
        (struct journal_entry){ JOURNAL_CLOSED, sample_id(0), 0, .closed = { slice_text("") } });
    start_finds("1j ", "O");
    assert_string_equal(said.asides, "");
}

/* The same where the cut comes first, and while the gate lives. */
static void test_cut_before(void **state)
{
    struct segment_writer writer;
    uint64_t starts[4];

    (void)state;
    write_three(&writer, starts);
    record_cut(writer.generation, starts[1]);
    record_arrived(2, writer.generation, starts[2]);
    /* Its gate lives: it is read as soon as that has spoken of it, no further than was said. */
    start_finds("", "A");
    assert_int_equal(recover_stated(recover, writer.generation, starts[1]), ERR_OK);
    assert_string_equal(said.messages, "0j 1sj 2sj ");
    recover_finish(recover);
    assert_string_equal(incidents, "A");
    segment_writer_clear(&writer);
}

/* And where it does not read back it is named, and kept apart as far as it is known. */
static void test_cut_and_gone(void **state)
{
    struct segment_writer writer;
    uint64_t starts[4];

    (void)state;
    write_three(&writer, starts);
    record_arrived(2, writer.generation, starts[2]);
    segment_writer_clear(&writer);
    record_cut(writer.generation, starts[0]);
    temp_spoil(&temp, segment_path(writer.generation), (off_t)starts[1] + 80);
    temp_spoil(&temp, segment_path(writer.generation), (off_t)starts[2] + 8);
    start_finds("0sj ", "OM2");
    assert_string_equal(said.asides, "c1 ");
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, writer.generation), ERR_OK);
    start_finds("", "M0M1M2");
    /* A place that cannot be. */
    record_entry((struct journal_entry){
        JOURNAL_MOVED, sample_id(1), 0, .moved = { writer.generation, UINT64_MAX } });
    record_entry(
        (struct journal_entry){ JOURNAL_MOVED, sample_id(2), 0, .moved = { 77, UINT64_MAX } });
    start_finds("", "M0M1M2");
}

/* QUE-14: damaged records are kept apart and named once; the rest goes on, and the message is not
 * also called missing. */
static void test_damaged_record(void **state)
{
    struct segment_writer writer;
    uint64_t starts[4];

    (void)state;
    new_writer(&writer);
    for (unsigned i = 0; i < 4; i++) {
        starts[i] = writer.end;
        append_samples(&writer, i, 1);
        record_arrived(i, writer.generation, starts[i]);
    }
    segment_writer_clear(&writer);
    temp_spoil(&temp, segment_path(writer.generation), (off_t)starts[1] + 80);
    temp_spoil(&temp, segment_path(writer.generation), (off_t)starts[2] + 8);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0j 3j ");
    assert_string_equal(said.asides, "c1 c ");
    recover_finish(recover);
    assert_string_equal(incidents, "OM2");
    assert_int_equal(temp_count(&temp, "aside"), 2);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.asides, "c1k ck ");
    assert_int_equal(temp_count(&temp, "aside"), 2);
}

/* A torn tail is set aside too; a record of a later version is kept for the program that knows it.
 */
static void test_torn_and_unknown(void **state)
{
    struct segment_writer writer;
    struct sample sample;
    struct record_draft *draft = &sample.draft;
    uint64_t start;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 1);
    sample_make(&sample, 1, 1, slice_text("of the future"));
    sample.envelope.data[0] = ENVELOPE_VERSION + 1;
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    sample_clear(&sample);
    append_samples(&writer, 2, 1);
    start = writer.end;
    append_samples(&writer, 3, 1);
    segment_writer_clear(&writer);
    temp_write(&temp, segment_path(writer.generation), "\0\0\0\0\0\0\0\0", 8, (off_t)start + 200);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 2 ");
    assert_string_equal(said.asides, "u1 t3 ");
    assert_string_equal(incidents, "O");
}

/* Journal entries are lost: the messages that they may be about come back as suspects, the others
 * do not. */
static void test_suspects(void **state)
{
    struct segment_writer writer;
    uint64_t start, file;
    char path[80], name[STORE_NAME];

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 6); /* they arrive at 1000000 + number */
    record_arrived(0, writer.generation, FILE_HEAD);
    record_arrived(1, writer.generation, FILE_HEAD);
    record_entry(
        (struct journal_entry){ JOURNAL_CLOSED, sample_id(1), 0, .closed = { slice_text("") } });
    start = journal.end;
    file = journal.number;
    record_outcome(2, 0, JOURNAL_DELIVERED, "lost");
    record_entry((struct journal_entry){
        JOURNAL_ARRIVED, sample_id(3), 1000004, .arrived = { .segment = writer.generation } });
    record_entry((struct journal_entry){
        JOURNAL_HELD, sample_id(0), 1000004, .held = { slice_text("suspect") } });
    segment_writer_clear(&writer);
    store_name(STORE_JOURNAL, file, name);
    snprintf(path, sizeof path, "journal/%s", name);
    /* With a sound head it is about message 2 alone. */
    temp_spoil(&temp, path, (off_t)start + 60);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0hj 2s 3j 4 5 ");
    assert_string_equal(incidents, "DO");
    /* Without, about whoever was open then: 0, and the unheard-of ones that had come by then. */
    temp_spoil(&temp, path, (off_t)start);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0hsj 2s 3j 4s 5 ");
    /* An operator's release settles it. */
    record_entry((struct journal_entry){
        JOURNAL_RELEASED, sample_id(0), 1000009, .released = { slice_text("op") } });
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0j 2s 3j 4s 5 ");
}

/* A segment that vanished: each accepted message in it is named. */
static void test_missing(void **state)
{
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 1, 2);
    record_arrived(1, writer.generation, FILE_HEAD);
    record_arrived(2, writer.generation, FILE_HEAD + 400);
    record_entry(
        (struct journal_entry){ JOURNAL_CLOSED, sample_id(1), 0, .closed = { slice_text("") } });
    segment_writer_clear(&writer);
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, writer.generation), ERR_OK);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    recover_finish(recover);
    assert_string_equal(said.messages, "");
    assert_string_equal(incidents, "M2");
}

/* One bad segment does not stop the others: a sync that fails, a file that does not open, one of a
 * later version, an empty one from a crash while it was made. */
static void test_trouble(void **state)
{
    struct segment_writer writers[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        new_writer(&writers[i]);
        append_samples(&writers[i], i, 1);
        segment_writer_clear(&writers[i]);
    }
    temp_write(&temp, "segments/00000fff00000000.seg", "", 0, 0);
    restart();
    faulty_plan(&faulty, ACT_SYNC, 1, ERR_IO);
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 3 ");
    assert_string_equal(incidents, "TOOOOO");
    restart();
    faulty_plan(&faulty, ACT_OPEN_READ, 3, ERR_IO); /* two for the first segment */
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 2 3 ");
    assert_string_equal(incidents, "OTOOO");
    /* Until then what is known of it is kept, and nobody may think that all was read. */
    assert_int_equal(recover_waiting(recover), 1);
    assert_int_equal(recover_segments(recover), ERR_OK); /* a second try may do better */
    assert_int_equal(recover_waiting(recover), 0);
    assert_string_equal(said.messages, "0 2 3 1 ");
    /* A damaged header block forbids nothing. */
    temp_write(&temp, segment_path(writers[0].generation), "!!!!!!!!", 8, 0);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 3 ");
}

/* A segment of a later version is left for the program that knows it. */
static void test_newer_segment(void **state)
{
    struct segment_writer writer;
    unsigned char block[FILE_HEAD];

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 1);
    newer_head(&record_format, writer.generation, block);
    temp_write(&temp, segment_path(writer.generation), block, sizeof block, 0);
    assert_int_equal(recover_stated(recover, writer.generation, writer.end), ERR_INVALID);
    segment_writer_clear(&writer);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "");
    assert_string_equal(incidents, "T");
    assert_int_equal(recover_waiting(recover), 1);
    assert_int_equal(recover_handle(recover, writer.generation), -1);
}

/* A segment under the number of another: none of its records is taken for one of that. */
static void test_wrong_name(void **state)
{
    struct segment_writer writer;
    char from[80];

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 3);
    segment_writer_clear(&writer);
    snprintf(from, sizeof from, "%s", segment_path(writer.generation));
    assert_int_equal(renameat(temp.root, from, temp.root, segment_path(writer.generation + 77)), 0);
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "");
    assert_string_equal(said.asides, "");
    assert_string_equal(incidents, "O");
}

/* The caller cannot take a message: reading ends before it and goes on there. */
static void test_refusing_caller(void **state)
{
    struct segment_writer writer;

    (void)state;
    new_writer(&writer);
    append_samples(&writer, 0, 3);
    said.refuse = ERR_LIMIT;
    assert_int_equal(recover_stated(recover, writer.generation, writer.end), ERR_LIMIT);
    said.refuse = ERR_OK;
    assert_int_equal(recover_stated(recover, writer.generation, writer.end), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
    segment_writer_clear(&writer);
    restart();
    said.refuse = ERR_NOMEM;
    assert_int_equal(recover_segments(recover), ERR_NOMEM);
    said.refuse = ERR_OK;
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "0 1 2 ");
}

static bool names_body(void *context, uint64_t number)
{
    return said.message.envelope != NULL && *(uint64_t *)context == number;
}

/* QUE-1, DATA-13: a body file named by a record stays through a crash; one that no record names
 * goes. */
static void test_bodies(void **state)
{
    struct store_spare spares[2];
    struct segment_writer writer;
    struct sample sample;
    struct record_draft *draft = &sample.draft;
    struct store_sweep sweep;
    size_t removed;

    (void)state;
    new_writer(&writer);
    assert_int_equal(store_spare(&store, &spares[0]), ERR_OK);
    assert_int_equal(store_spare(&store, &spares[1]), ERR_OK);
    sample_make_with_file(&sample, 1, spares[1].number, 9, 99);
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    sample_clear(&sample);
    segment_writer_clear(&writer);
    disk_close(&faulty.disk, &spares[0].write);
    disk_close(&faulty.disk, &spares[1].write);
    restart();
    assert_int_equal(store_sweep_begin(&store, &sweep), ERR_OK);
    assert_int_equal(recover_segments(recover), ERR_OK);
    assert_string_equal(said.messages, "1 ");
    assert_int_equal(
        store_sweep_finish(&store, &sweep, names_body, &spares[1].number, &removed), ERR_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(temp_count(&temp, "bodies"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cold_start),
        TEST(test_unsure_batch),
        TEST(test_living_gate),
        TEST(test_recipient_states),
        TEST(test_closed_and_held),
        TEST(test_same_id_twice),
        TEST(test_cut),
        TEST(test_accepted_and_cut),
        TEST(test_cut_before),
        TEST(test_cut_and_gone),
        TEST(test_damaged_record),
        TEST(test_torn_and_unknown),
        TEST(test_suspects),
        TEST(test_missing),
        TEST(test_trouble),
        TEST(test_newer_segment),
        TEST(test_wrong_name),
        TEST(test_refusing_caller),
        TEST(test_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
