/* tests/unit/spool/test_journal.c: entries of every kind, batches, torn and damaged files, failing
 * disks. */
#include <unistd.h>

#include "support.h"

#include "spool/journal.h"

static struct temp temp;
static struct faulty_disk faulty;
static struct store store;
static struct journal journal;
static struct journal_batch batch;

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    faulty_init(&faulty);
    open_store(&store, &faulty.disk, &temp);
    journal_init(&journal, &store, NULL, 1 << 20);
    journal_batch_init(&batch, 4 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    journal_clear(&journal);
    journal_batch_clear(&batch);
    store_close(&store);
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
    return 0;
}

static const char *journal_path(uint64_t number)
{
    static char path[80];
    char name[STORE_NAME];

    store_name(STORE_JOURNAL, number, name);
    snprintf(path, sizeof path, "journal/%s", name);
    return path;
}

/* An outcome of message `number`. */
static void put_outcome(unsigned number)
{
    struct journal_entry entry = {
        .kind = JOURNAL_OUTCOME, .id = sample_id(number), .at_us = number
    };

    entry.outcome = (struct journal_outcome){
        .recipient = number,
        .result = JOURNAL_DEFERRED,
        .attempt = 2,
        .next_us = 77,
        .code = 451,
        .status = slice_text("4.3.0"),
        .host = slice_text("mx.example.net"),
        .address = slice_text("192.0.2.1:25"),
        .text = slice_text("try again later"),
    };
    journal_put(&batch, &entry);
}

static void commit_outcomes(unsigned first, unsigned count)
{
    journal_batch_reset(&batch);
    for (unsigned i = 0; i < count; i++)
        put_outcome(first + i);
    assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
}

/* What a replay finds, as a word: entries by number, ! for damage with the number of its message,
 * !? without. */
struct found {
    char word[512];
    struct journal_replayed sum;
};

static enum err note_entry(void *context, const struct journal_entry *entry)
{
    struct found *found = context;
    size_t at = strlen(found->word);

    snprintf(found->word + at, sizeof found->word - at, "%u ", (unsigned)(entry->id.low - 0x1000));
    return ERR_OK;
}

static void note_damage(void *context, const struct journal_damage *damage)
{
    struct found *found = context;
    size_t at = strlen(found->word);

    assert_non_null(damage->why);
    if (damage->has_id)
        snprintf(
            found->word + at, sizeof found->word - at, "!%u ", (unsigned)(damage->id.low - 0x1000));
    else
        snprintf(found->word + at, sizeof found->word - at, "!? ");
}

static struct found scan(void)
{
    struct found found = { .word = "" };
    const struct journal_events events = { &found, note_entry, note_damage };

    assert_int_equal(journal_scan(&store, &events, &found.sum), ERR_OK);
    return found;
}

static struct found replay(void)
{
    struct found found = { .word = "" };
    const struct journal_events events = { &found, note_entry, note_damage };

    assert_int_equal(journal_replay(&store, &events, &found.sum), ERR_OK);
    return found;
}

static struct journal_entry last_entry;
static char last_text[JOURNAL_TEXT_MAX + 1];
static size_t last_list;

static enum err keep_entry(void *context, const struct journal_entry *entry)
{
    struct slice text = entry->kind == JOURNAL_OUTCOME ? entry->outcome.text
                        : entry->kind == JOURNAL_OWED  ? entry->owed.outcome.text
                                                       : slice_text("");

    (void)context;
    last_entry = *entry;
    snprintf(last_text, sizeof last_text, "%.*s", SLICE_ARGS(text));
    last_list = entry->kind == JOURNAL_NOTICED ? entry->noticed.recipients[1].recipient : 0;
    return ERR_OK;
}

/* Every kind of the table survives the way to the disk and back. */
static void test_kinds(void **state)
{
    static struct journal_noticed_recipient recipients[] = { { 4 }, { 9 } };
    const struct queue_id id = sample_id(1);
    struct journal_entry entries[] = {
        { JOURNAL_ARRIVED, id, 1,
            .arrived = { .segment = 5,
                .offset = 4096,
                .body_file = 6,
                .recipient_count = 2,
                .sender = slice_text("a@example.org"),
                .notice = NOTICE_DELAY,
                .about = sample_id(7) } },
        { JOURNAL_OUTCOME, id, 2,
            .outcome = { .recipient = 1, .result = JOURNAL_EXPIRED, .text = slice_text("gone") } },
        { JOURNAL_HELD, id, 3, .held = { slice_text("operator") } },
        { JOURNAL_RELEASED, id, 4, .released = { slice_text("op") } },
        { JOURNAL_DELETED, id, 5, .deleted = { slice_text("op") } },
        { JOURNAL_CLOSED, id, 6, .closed = { slice_text("") } },
        { JOURNAL_NOTICED, id, 7, .noticed = { NOTICE_FAILURE, sample_id(8), recipients, 2 } },
        { JOURNAL_CUT, { 0 }, 8, .cut = { 5, 8192 } },
        { JOURNAL_SET_ASIDE, id, 9, .set_aside = { 5, 4096, 640, slice_text("corrupt") } },
        { JOURNAL_CLOCK, { 0 }, 10, .clock = { JOURNAL_JUMP, -77 } },
        { JOURNAL_OWED, id, 11,
            .owed = { sample_id(8), true, 78, { .recipient = 5, .text = slice_text("taken") } } },
    };
    const struct journal_events events = { NULL, keep_entry, NULL };
    struct journal_replayed sum;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(entries); i++) {
        assert_non_null(journal_kind_name(entries[i].kind));
        journal_batch_reset(&batch);
        journal_put(&batch, &entries[i]);
        assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
        assert_int_equal(journal_scan(&store, &events, &sum), ERR_OK);
        assert_int_equal(sum.entries, i + 1);
        assert_int_equal(last_entry.kind, entries[i].kind);
        assert_int_equal(last_entry.at_us, (int64_t)i + 1);
        assert_true(queue_id_equals(last_entry.id, entries[i].id));
        if (entries[i].kind == JOURNAL_ARRIVED)
            assert_true(
                last_entry.arrived.offset == 4096 && last_entry.arrived.about.low == 0x1007);
        if (entries[i].kind == JOURNAL_OUTCOME)
            assert_string_equal(last_text, "gone");
        if (entries[i].kind == JOURNAL_NOTICED)
            assert_int_equal(last_list, 9);
        if (entries[i].kind == JOURNAL_CUT)
            assert_true(last_entry.cut.segment == 5 && last_entry.cut.offset == 8192);
        if (entries[i].kind == JOURNAL_CLOCK)
            assert_true(last_entry.clock.event == JOURNAL_JUMP && last_entry.clock.was_us == -77);
        if (entries[i].kind == JOURNAL_OWED)
            assert_true(last_entry.owed.is_relayed && last_entry.owed.finished_us == 78 &&
                        queue_id_equals(last_entry.owed.notice_id, sample_id(8)) &&
                        last_entry.owed.outcome.recipient == 5 && strcmp(last_text, "taken") == 0);
    }
    assert_null(journal_kind_name(0));
    assert_null(journal_kind_name(JOURNAL_KINDS));
}

/* A reply of any length is an outcome all the same. */
static void test_long_text_is_cut(void **state)
{
    static char text[5000];
    struct journal_entry entry = { .kind = JOURNAL_OUTCOME, .id = sample_id(1) };
    const struct journal_events events = { NULL, keep_entry, NULL };
    struct journal_replayed sum;

    (void)state;
    memset(text, 't', sizeof text);
    entry.outcome.text = slice_of(text, sizeof text);
    entry.outcome.host = slice_of(text, sizeof text);
    journal_put(&batch, &entry);
    assert_int_equal(batch.bytes.error, ERR_OK);
    assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
    assert_int_equal(journal_scan(&store, &events, &sum), ERR_OK);
    assert_int_equal(strlen(last_text), JOURNAL_TEXT_MAX);
}

/* QUE-12: one write and one sync a batch, and none for an empty one. */
static void test_group_commit(void **state)
{
    (void)state;
    commit_outcomes(0, 1);
    faulty.done[ACT_WRITE] = faulty.done[ACT_SYNC] = 0;
    commit_outcomes(1, 5);
    assert_int_equal(faulty.done[ACT_WRITE], 1);
    assert_int_equal(faulty.done[ACT_SYNC], 1);
    commit_outcomes(6, 0);
    assert_int_equal(faulty.done[ACT_SYNC], 1);
    assert_string_equal(scan().word, "0 1 2 3 4 5 ");
    assert_int_equal(scan().sum.damaged, 0);
}

static void test_rotation(void **state)
{
    struct found found;
    unsigned count = 0;

    (void)state;
    while (temp_count(&temp, "journal") < 4)
        commit_outcomes(count++ % 10, 100);
    found = scan();
    assert_int_equal(found.sum.entries, count * 100);
    assert_int_equal(found.sum.damaged, 0);
    assert_int_equal(found.sum.last, journal.number);
    assert_int_equal(found.sum.last_end, journal.end);
    /* A batch larger than a file gets a file of its size. */
    journal_batch_reset(&batch);
    for (unsigned i = 0; i < 8000; i++)
        put_outcome(i % 10);
    assert_true(batch.bytes.len > 1 << 20);
    assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
    assert_int_equal(scan().sum.entries, count * 100 + 8000);
}

/* A restart begins a new file and states the end of the old one. */
static void test_restart(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        struct found found;
        commit_outcomes(2 * round, 2);
        found = replay();
        assert_int_equal(found.sum.damaged, 0);
        assert_int_equal(found.sum.entries, 2 * round + 2);
        assert_int_equal(temp_size(&temp, journal_path(found.sum.last)), (long)found.sum.last_end);
        journal_clear(&journal);
        journal_init(&journal, &store, &found.sum, 1 << 20);
    }
    assert_string_equal(replay().word, "0 1 2 3 4 5 ");
    assert_int_equal(temp_count(&temp, "journal"), 3);
}

/* Torn at every octet of the last entry: the tail is cut, what came before stands. */
static void test_torn_tail(void **state)
{
    static const char zeros[1024];
    char last[1024];
    uint64_t start;
    size_t len;

    (void)state;
    commit_outcomes(0, 2);
    start = journal.end;
    commit_outcomes(2, 1);
    len = journal.end - start;
    temp_read(&temp, journal_path(journal.number), last, len, (off_t)start);
    for (size_t kept = 0; kept < len; kept++) {
        struct found found;
        temp_write(&temp, journal_path(journal.number), zeros, len, (off_t)start);
        temp_write(&temp, journal_path(journal.number), last, kept, (off_t)start);
        if (memcmp(last + kept, zeros, len - kept) == 0)
            continue; /* nothing was lost but zeros */
        found = scan();
        assert_string_equal(found.word, "0 1 ");
        assert_int_equal(found.sum.last_end, start);
        assert_int_equal(found.sum.damaged, 0);
        found = replay();
        assert_string_equal(found.word, "0 1 ");
        assert_int_equal(temp_size(&temp, journal_path(journal.number)), (long)start);
    }
}

/* A batch was never synced: any part of it may be missing, also with sound entries behind. None of
 * it counts and nothing is damaged. Only a later batch proves that it was synced. */
static void test_torn_batch(void **state)
{
    uint64_t second, size;
    char all[4096];

    (void)state;
    commit_outcomes(0, 1);
    second = journal.end;
    commit_outcomes(1, 3);
    size = journal.end - second;
    temp_read(&temp, journal_path(journal.number), all, size, (off_t)second);
    for (uint64_t at = 0; at < size; at += 8) {
        struct found found;
        temp_write(&temp, journal_path(journal.number), all, size, (off_t)second);
        temp_write(&temp, journal_path(journal.number), "\0\0\0\0\0\0\0!", 8, (off_t)(second + at));
        found = scan();
        assert_int_equal(found.sum.damaged, 0);
        assert_memory_equal(found.word, "0 ", 2);
        assert_null(strchr(found.word, '3'));
        assert_true(found.sum.cut_octets > 0);
    }
    temp_write(&temp, journal_path(journal.number), all, size, (off_t)second);
    commit_outcomes(4, 1);
    temp_spoil(&temp, journal_path(journal.number), (off_t)second);
    assert_string_equal(scan().word, "0 !? 2 3 4 ");
}

/* A sync that failed may have left the last batch in the page cache alone, and the head of the last
 * file: what is read is written anew before anybody acts on it. */
static void test_last_batch_renewed(void **state)
{
    struct found found;

    (void)state;
    commit_outcomes(0, 2);
    commit_outcomes(2, 2);
    faulty.done[ACT_WRITE] = faulty.done[ACT_SYNC] = faulty.done[ACT_SYNC_DIR] = 0;
    found = replay();
    assert_int_equal(faulty.done[ACT_SYNC_DIR], 1); /* the names that are seen */
    assert_string_equal(found.word, "0 1 2 3 ");
    assert_int_equal(faulty.done[ACT_WRITE], 2);
    assert_int_equal(faulty.done[ACT_SYNC], 3); /* the head, the batch, then the end */
    faulty_plan(&faulty, ACT_SYNC, 1, ERR_IO);
    assert_int_equal(journal_replay(&store, &(struct journal_events){ 0 }, &found.sum), ERR_IO);
    assert_string_equal(replay().word, "0 1 2 3 ");
}

/* A file that was only begun does not make the one before it an old one: what the cut left of its
 * last batch is still torn. */
static void test_torn_before_a_begun_file(void **state)
{
    static const char nothing[FILE_HEAD];
    uint64_t second, first;

    (void)state;
    commit_outcomes(0, 1);
    second = journal.end;
    commit_outcomes(1, 2);
    first = journal.number;
    journal_clear(&journal);
    journal_init(&journal, &store, NULL, 1 << 20);
    commit_outcomes(9, 1);
    temp_write(&temp, journal_path(journal.number), nothing, sizeof nothing, 0);
    assert_int_equal(store_truncate(&store, STORE_JOURNAL, journal.number, FILE_HEAD), ERR_OK);
    temp_spoil(&temp, journal_path(first), (off_t)second);
    assert_string_equal(replay().word, "0 ");
    assert_int_equal(temp_size(&temp, journal_path(first)), (long)second);
}

/* A bit flipped in any octet of an entry that sound ones follow: counted, and named where its head
 * is sound. */
static void test_damage_in_the_middle(void **state)
{
    uint64_t start, end;

    (void)state;
    commit_outcomes(0, 1);
    start = journal.end;
    commit_outcomes(1, 1);
    end = journal.end;
    commit_outcomes(2, 1);
    for (uint64_t at = start; at < end; at++) {
        struct found found;
        char octet;
        temp_read(&temp, journal_path(journal.number), &octet, 1, (off_t)at);
        octet ^= 1;
        temp_write(&temp, journal_path(journal.number), &octet, 1, (off_t)at);
        found = scan();
        assert_string_equal(found.word, at - start < 56 ? "0 !? 2 " : "0 !1 2 ");
        assert_int_equal(found.sum.damaged, 1);
        octet ^= 1;
        temp_write(&temp, journal_path(journal.number), &octet, 1, (off_t)at);
    }
}

/* The end of a file that has a successor is stated there: a damaged last entry is damage, not a
 * torn tail. */
static void test_damage_at_a_stated_end(void **state)
{
    uint64_t first, start;
    struct found found;

    (void)state;
    commit_outcomes(0, 1);
    start = journal.end;
    commit_outcomes(1, 1);
    first = journal.number;
    found = replay();
    journal_clear(&journal);
    journal_init(&journal, &store, &found.sum, 1 << 20);
    commit_outcomes(2, 1);
    temp_spoil(&temp, journal_path(first), (off_t)start + 70);
    assert_string_equal(replay().word, "0 !1 2 ");
    temp_spoil(&temp, journal_path(first), (off_t)start);
    assert_string_equal(replay().word, "0 !? 2 ");
    /* Cut off by somebody: the same. */
    assert_int_equal(store_truncate(&store, STORE_JOURNAL, first, start), ERR_OK);
    assert_string_equal(replay().word, "0 !? 2 ");
    /* Without the successor's word it is an old file with a torn end: still reported. */
    temp_write(&temp, journal_path(first), "!", 1, (off_t)start);
    temp_spoil(&temp, journal_path(journal.number), 16);
    assert_string_equal(replay().word, "0 !? 2 ");
}

/* Rubbish in the last file, its header block too: what it says of the file before is the same at
 * each start. */
static void test_rubbish(void **state)
{
    char rubbish[FILE_HEAD + 512];
    uint64_t start;

    (void)state;
    memset(rubbish, 'r', sizeof rubbish);
    commit_outcomes(0, 1);
    start = journal.end;
    commit_outcomes(1, 1);
    temp_spoil(&temp, journal_path(journal.number), (off_t)start);
    temp_write(&temp, journal_path(journal.number + 99), rubbish, sizeof rubbish, 0);
    assert_string_equal(replay().word, "0 !? ");
    assert_string_equal(replay().word, "0 !? ");
}

/* A file that cannot be read at all, or is of a later version, stops nothing. */
static void test_unreadable_file(void **state)
{
    unsigned char block[FILE_HEAD];
    struct journal_replayed before;
    uint64_t first;

    (void)state;
    commit_outcomes(0, 1);
    first = journal.number;
    before = (struct journal_replayed){ .last = first, .last_end = journal.end };
    journal_clear(&journal);
    journal_init(&journal, &store, &before, 1 << 20);
    commit_outcomes(1, 1);
    faulty_plan(&faulty, ACT_OPEN_READ, 1, ERR_IO);
    assert_string_equal(scan().word, "!? 1 ");
    faulty_plan(&faulty, ACT_OPEN_READ, 3, ERR_IO);
    assert_string_equal(scan().word, "!? 1 ");
    newer_head(&journal_format, first, block);
    temp_write(&temp, journal_path(first), block, sizeof block, 0);
    assert_string_equal(scan().word, "!? 1 ");
    /* A damaged header block says nothing, the name does. */
    block[8] ^= 1;
    temp_write(&temp, journal_path(first), block, sizeof block, 0);
    assert_string_equal(scan().word, "0 1 ");
    /* The last file cannot be read: nobody states its end. */
    newer_head(&journal_format, journal.number, block);
    temp_write(&temp, journal_path(journal.number), block, sizeof block, 0);
    assert_int_equal(replay().sum.last, 0);
}

/* A failed write or sync: the file is left for good, the batch goes to a new one and is read once.
 */
static void test_failed_sync(void **state)
{
    static const int acts[] = { ACT_SYNC, ACT_WRITE };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(acts); i++) {
        uint64_t before = journal.number;
        unsigned number = (unsigned)(10 * i);
        commit_outcomes(number, 2);
        journal_batch_reset(&batch);
        put_outcome(number + 2);
        put_outcome(number + 3);
        faulty_plan(&faulty, acts[i], 1, ERR_IO);
        assert_int_equal(journal_commit(&journal, &batch), ERR_OK);
        assert_true(journal.number > before);
        commit_outcomes(number + 4, 1);
    }
    assert_string_equal(scan().word, "0 1 2 3 4 10 11 12 13 14 ");
    assert_int_equal(scan().sum.damaged, 0);
    assert_int_equal(temp_count(&temp, "journal"), 3);
}

/* Every second try fails too: the error comes up, and what was never acknowledged may be gone, but
 * nothing else. */
static void test_failing_for_good(void **state)
{
    (void)state;
    commit_outcomes(0, 2);
    for (int n = 1; n < 12; n++) {
        struct found found;
        journal_batch_reset(&batch);
        put_outcome(5);
        faulty_plan(&faulty, ACTS, n, ERR_NOSPACE);
        faulty.fail_times = 100;
        if (journal_commit(&journal, &batch) == ERR_OK)
            break;
        assert_int_equal(journal.file, -1);
        faulty.fail_act = -1;
        found = scan();
        assert_int_equal(strncmp(found.word, "0 1 ", 4), 0);
        assert_int_equal(found.sum.damaged, 0);
    }
    faulty.fail_act = -1;
    commit_outcomes(6, 1);
    {
        struct found found = scan();
        assert_non_null(strstr(found.word, "6 "));
        assert_int_equal(found.sum.damaged, 0);
    }
}

/* A journal that is being written can be read: what is not complete is passed over, nothing is cut.
 */
static void test_scan_while_writing(void **state)
{
    char octets[100];
    long size;

    (void)state;
    commit_outcomes(0, 2);
    temp_read(&temp, journal_path(journal.number), octets, sizeof octets, FILE_HEAD);
    temp_write(&temp, journal_path(journal.number), octets, sizeof octets, (off_t)journal.end);
    size = temp_size(&temp, journal_path(journal.number));
    assert_string_equal(scan().word, "0 1 ");
    assert_int_equal(temp_size(&temp, journal_path(journal.number)), size);
    assert_int_equal(store_unlink(&store, STORE_JOURNAL, journal.number), ERR_BUSY);
    commit_outcomes(2, 1);
    assert_string_equal(scan().word, "0 1 2 ");
}

static enum err refuse(void *context, const struct journal_entry *entry)
{
    (void)context, (void)entry;
    return ERR_NOMEM;
}

static void test_events(void **state)
{
    const struct journal_events none = { NULL, NULL, NULL }, refusing = { NULL, refuse, NULL };
    struct journal_replayed sum;

    (void)state;
    assert_int_equal(journal_replay(&store, &none, &sum), ERR_OK);
    assert_int_equal(sum.last, 0);
    commit_outcomes(0, 2);
    assert_int_equal(journal_replay(&store, &none, &sum), ERR_OK);
    assert_int_equal(sum.entries, 2);
    assert_int_equal(journal_replay(&store, &refusing, &sum), ERR_NOMEM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_kinds),
        TEST(test_long_text_is_cut),
        TEST(test_group_commit),
        TEST(test_rotation),
        TEST(test_restart),
        TEST(test_torn_tail),
        TEST(test_torn_batch),
        TEST(test_last_batch_renewed),
        TEST(test_torn_before_a_begun_file),
        TEST(test_damage_in_the_middle),
        TEST(test_damage_at_a_stated_end),
        TEST(test_rubbish),
        TEST(test_unreadable_file),
        TEST(test_failed_sync),
        TEST(test_failing_for_good),
        TEST(test_scan_while_writing),
        TEST(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
