/* tests/unit/spool/test_segment.c: batches appended with one sync, read behind the writer; torn,
 * damaged, cut and reused. */
#include <unistd.h>

#include "support.h"

static struct temp temp;
static struct faulty_disk faulty;
static struct store store;
static struct segment_writer writer;
static char path[80];

static void new_writer(void)
{
    struct store_blank blank;
    char name[STORE_NAME];

    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    segment_writer_init(
        &writer, &faulty.disk, blank.write, blank.generation, blank.size, blank.start);
    store_name(STORE_SEGMENT, blank.generation, name);
    snprintf(path, sizeof path, "segments/%s", name);
}

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    faulty_init(&faulty);
    open_store(&store, &faulty.disk, &temp);
    new_writer();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    segment_writer_clear(&writer);
    store_close(&store);
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
    return 0;
}

/* What a reading finds, as a word: R0, R1, … records by number, D damage, T torn, U unknown, E end.
 */
struct found {
    char word[128];
    struct segment_item last_bad;
};

static struct found read_all(uint64_t bound, bool is_stated)
{
    struct segment_reader reader;
    struct segment_item item = { 0 };
    struct found found = { .word = "" };
    int file = -1;

    assert_int_equal(store_open_read(&store, STORE_SEGMENT, writer.generation, &file), ERR_OK);
    segment_reader_init(&reader, &faulty.disk);
    segment_aim(&reader, file, writer.generation, FILE_HEAD);
    do {
        size_t at = strlen(found.word);
        assert_int_equal(segment_next(&reader, bound, is_stated, &item), ERR_OK);
        if (item.found == SEGMENT_RECORD)
            snprintf(
                found.word + at, sizeof found.word - at, "R%u ", (unsigned)(item.id.low - 0x1000));
        else
            snprintf(found.word + at, sizeof found.word - at, "%c ", "RDTUE"[item.found]);
        if (item.found != SEGMENT_RECORD && item.found != SEGMENT_END)
            found.last_bad = item;
    } while (item.found != SEGMENT_END && strlen(found.word) < 120);
    segment_reader_clear(&reader);
    disk_close(&faulty.disk, &file);
    return found;
}

static void test_group_commit(void **state)
{
    struct sample samples[3];
    struct record_draft *drafts[3];
    uint64_t total = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        sample_make(&samples[i], i, 1 + i, slice_text("A body.\r\n"));
        drafts[i] = &samples[i].draft;
        total += drafts[i]->total;
    }
    assert_true(segment_fits(&writer, total));
    faulty.done[ACT_WRITE] = faulty.done[ACT_SYNC] = 0;
    assert_int_equal(segment_append(&writer, drafts, 3), ERR_OK);
    /* QUE-1, DATA-13: one gathered write and one sync for all of them. */
    assert_int_equal(faulty.done[ACT_WRITE], 1);
    assert_int_equal(faulty.done[ACT_SYNC], 1);
    assert_int_equal(writer.end, FILE_HEAD + total);
    assert_string_equal(read_all(writer.end, true).word, "R0 R1 R2 E ");
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 R2 E ");
    for (int i = 0; i < 3; i++)
        sample_clear(&samples[i]);
}

/* Zeros are written ahead by a batch, or in spare time before it has to; what is read is the same,
 * and a sync that fails leaves what was kept before. */
static void test_spare_zeros(void **state)
{
    static char body[900 << 10];
    struct sample samples[3];
    struct record_draft *draft;

    (void)state;
    memset(body, 'x', sizeof body);
    memcpy(body + sizeof body - 2, "\r\n", 2);
    for (unsigned i = 0; i < 3; i++) {
        sample_make(&samples[i], i, 1, slice_of(body, sizeof body));
        draft = &samples[i].draft;
        if (i == 2)
            faulty_plan(&faulty, ACT_SYNC, 2, ERR_IO);
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
        assert_int_equal(segment_wants_zeros(&writer), i > 0);
        if (i == 0)
            continue;
        segment_zero_ahead(&writer);
        assert_int_equal(writer.is_spoiled, i == 2);
        assert_false(segment_wants_zeros(&writer));
    }
    assert_string_equal(read_all(writer.end, true).word, "R0 R1 R2 E ");
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 R2 E ");
    assert_false(segment_fits(&writer, 1));
    for (int i = 0; i < 3; i++)
        sample_clear(&samples[i]);
}

/* A batch with more pieces than one call takes, also on a disk that takes a few octets at a time.
 */
static void test_short_writes(void **state)
{
    static struct slice pieces[3000];
    static char body[3000 * 5];
    struct sample sample;
    struct record_draft *draft = &sample.draft;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(pieces); i++) {
        memcpy(body + 5 * i, "abc\r\n", 5);
        pieces[i] = slice_of(body + 5 * i, 5);
    }
    for (unsigned i = 0; i < 2; i++) {
        sample_make(&sample, i, 1, slice_of(body, sizeof body));
        draft->body = pieces;
        draft->body_count = LENGTH_OF(pieces);
        faulty.write_most = i * 3;
        faulty.done[ACT_SYNC] = 0;
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
        assert_int_equal(faulty.done[ACT_SYNC], 1);
        sample_clear(&sample);
    }
    faulty.write_most = 0;
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 E ");
}

/* The reader follows: what is not stated yet is not read, what was read is not read again. */
static void test_tailing(void **state)
{
    struct segment_reader reader;
    struct segment_item item;
    int file = -1;

    (void)state;
    assert_int_equal(store_open_read(&store, STORE_SEGMENT, writer.generation, &file), ERR_OK);
    segment_reader_init(&reader, &faulty.disk);
    segment_aim(&reader, file, writer.generation, FILE_HEAD);
    assert_int_equal(segment_next(&reader, writer.end, true, &item), ERR_OK);
    assert_int_equal(item.found, SEGMENT_END);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = writer.end;
        append_samples(&writer, i, 1);
        assert_int_equal(segment_next(&reader, before, true, &item), ERR_OK);
        assert_int_equal(item.found, SEGMENT_END);
        assert_int_equal(segment_next(&reader, writer.end, true, &item), ERR_OK);
        assert_int_equal(item.found, SEGMENT_RECORD);
        assert_int_equal(item.offset, before);
        assert_int_equal(item.length, writer.end - before);
        assert_int_equal(item.id.low, 0x1000 + i);
        assert_true(slice_is(item.record.body, "A body.\r\n"));
    }
    segment_reader_clear(&reader);
    disk_close(&faulty.disk, &file);
}

static void test_load(void **state)
{
    struct record record;
    struct buffer bytes;
    struct arena arena;
    uint64_t second;
    int file = -1;

    (void)state;
    append_samples(&writer, 0, 1);
    second = writer.end;
    append_samples(&writer, 1, 1);
    buffer_init(&bytes, RECORD_MAX);
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_open_read(&store, STORE_SEGMENT, writer.generation, &file), ERR_OK);
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation, second, sample_id(1),
                         &bytes, &arena, &record),
        ERR_OK);
    assert_true(slice_is(record.envelope.recipients[0].address, "user0@example.net"));
    assert_true(slice_is(record.body, "A body.\r\n"));
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation, second, sample_id(0),
                         &bytes, &arena, &record),
        ERR_CORRUPT);
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation, second + 8, sample_id(1),
                         &bytes, &arena, &record),
        ERR_CORRUPT);
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation + 1, second, sample_id(1),
                         &bytes, &arena, &record),
        ERR_CORRUPT);
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation, writer.end, sample_id(1),
                         &bytes, &arena, &record),
        ERR_CORRUPT);
    assert_int_equal(segment_load(&faulty.disk, file, writer.generation, writer.size, sample_id(1),
                         &bytes, &arena, &record),
        ERR_CORRUPT);
    disk_close(&faulty.disk, &file);
    buffer_clear(&bytes);
    arena_clear(&arena);
}

/* QUE-1: torn at every octet, the last record is recognised as such and those before it stand. */
static void test_torn_tail(void **state)
{
    static const char zeros[1024];
    char last[1024];
    uint64_t start;
    size_t len;

    (void)state;
    append_samples(&writer, 0, 2);
    start = writer.end;
    append_samples(&writer, 2, 1);
    len = writer.end - start;
    assert_int_equal(temp_read(&temp, path, last, len, (off_t)start), len);
    for (size_t kept = 0; kept < len; kept++) {
        struct found found;
        size_t last_filled = kept;

        while (last_filled > 0 && last[last_filled - 1] == 0)
            last_filled--;
        temp_write(&temp, path, zeros, len, (off_t)start);
        temp_write(&temp, path, last, kept, (off_t)start);
        found = read_all(writer.size, false);
        if (kept >= len - 7 && memcmp(last + kept, zeros, len - kept) == 0)
            assert_string_equal(
                found.word, "R0 R1 R2 E "); /* only padding was lost, which is zeros anyway */
        else
            assert_string_equal(found.word, kept == 0 ? "R0 R1 E " : "R0 R1 T E ");
        if (strchr(found.word, 'T')) {
            assert_int_equal(found.last_bad.offset, start);
            assert_int_equal(found.last_bad.has_id, last_filled >= 56);
            assert_true(found.last_bad.length >= last_filled && found.last_bad.length <= len);
        }
        /* What the living writer has stated is never torn: it is damage. */
        if (kept > 0 && strchr(found.word, 'T'))
            assert_string_equal(read_all(writer.end, true).word, "R0 R1 D E ");
    }
}

/* A batch that was never synced, its middle missing: torn, and what is whole counts. A later batch
 * proves that it was synced once: damage. */
static void test_torn_batch(void **state)
{
    struct sample samples[3];
    struct record_draft *drafts[3];
    uint64_t start, second;

    (void)state;
    append_samples(&writer, 0, 1);
    start = writer.end;
    for (unsigned i = 0; i < 3; i++) {
        sample_make(&samples[i], i + 1, 1, slice_text("A body.\r\n"));
        drafts[i] = &samples[i].draft;
    }
    second = start + samples[0].draft.total;
    assert_int_equal(segment_append(&writer, drafts, 3), ERR_OK);
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 R2 R3 E ");
    temp_spoil(&temp, path, (off_t)second + 70);
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 T R3 E ");
    temp_spoil(&temp, path, (off_t)start);
    assert_string_equal(read_all(writer.size, false).word, "R0 T T R3 E ");
    append_samples(&writer, 4, 1);
    assert_string_equal(read_all(writer.size, false).word, "R0 D D R3 R4 E ");
    for (unsigned i = 0; i < 3; i++)
        sample_clear(&samples[i]);
}

/* QUE-14: a bit flipped in any octet of a record in the middle: it alone is set aside, with its id
 * where the head is sound. */
static void test_damage_in_the_middle(void **state)
{
    char octet;
    uint64_t start, end;

    (void)state;
    append_samples(&writer, 0, 1);
    start = writer.end;
    append_samples(&writer, 1, 1);
    end = writer.end;
    append_samples(&writer, 2, 1);
    for (uint64_t at = start; at < end; at++) {
        struct found found;
        temp_read(&temp, path, &octet, 1, (off_t)at);
        octet ^= 0x10;
        temp_write(&temp, path, &octet, 1, (off_t)at);
        found = read_all(writer.size, false);
        assert_string_equal(found.word, "R0 D R2 E ");
        assert_int_equal(found.last_bad.offset, start);
        assert_int_equal(found.last_bad.length, end - start);
        assert_int_equal(found.last_bad.has_id, at - start >= 56);
        assert_string_equal(read_all(writer.end, true).word, "R0 D R2 E ");
        octet ^= 0x10;
        temp_write(&temp, path, &octet, 1, (off_t)at);
    }
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 R2 E ");
}

/* Several damaged records in a row are told one by one. */
static void test_damage_in_a_row(void **state)
{
    uint64_t starts[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        starts[i] = writer.end;
        append_samples(&writer, i, 1);
    }
    temp_spoil(&temp, path, (off_t)starts[1] + 100);
    temp_spoil(&temp, path, (off_t)starts[2] + 100);
    assert_string_equal(read_all(writer.size, false).word, "R0 D D R3 R4 E ");
    temp_spoil(&temp, path, (off_t)starts[3]);
    temp_spoil(&temp, path, (off_t)starts[4] + 100);
    assert_string_equal(read_all(writer.size, false).word, "R0 T T T T E ");
    assert_string_equal(read_all(writer.end, true).word, "R0 D D D D E ");
    /* A head that claims more than there is. */
    assert_string_equal(read_all(starts[4] + 64, false).word, "R0 T T T T E ");
}

/* A body that holds a whole sound record of another segment, or of this one under a generation that
 * its writer guessed, is never mistaken for a record, not even when the head before it is lost. */
static void test_record_in_a_body(void **state)
{
    struct sample inner, outer;
    struct record_draft *draft = &outer.draft;
    char body[2048] = { 0 };
    size_t len = 0;
    uint64_t start;

    (void)state;
    sample_make(&inner, 66, 1, slice_text("forged\r\n"));
    record_draft_seal(&inner.draft, writer.generation ^ 1);
    for (size_t shift = 0; shift < 8; shift++) {
        len = 0;
        memset(body, 'x', shift);
        len += shift;
        memcpy(body + len, inner.draft.head, FRAME_HEAD);
        len += FRAME_HEAD;
        memcpy(body + len, inner.envelope.data, inner.envelope.len);
        len += inner.envelope.len;
        for (int i = 0; i < 2; i++) {
            memcpy(body + len, inner.header[i].data, inner.header[i].len);
            len += inner.header[i].len;
        }
        sample_make(&outer, (unsigned)shift, 1, slice_of(body, len + 64));
        start = writer.end;
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
        sample_clear(&outer);
    }
    sample_clear(&inner);
    temp_spoil(&temp, path, (off_t)start);
    assert_string_equal(read_all(writer.size, false).word, "R0 R1 R2 R3 R4 R5 R6 T E ");
}

/* A frame of the right generation inside a body (our own notice quoting one, say): the sound head
 * before it is believed. */
static void test_own_record_in_a_body(void **state)
{
    struct sample inner, outer;
    struct record_draft *draft = &outer.draft;
    struct buffer body;
    uint64_t start = writer.end;

    (void)state;
    sample_make(&inner, 66, 1, slice_text("quoted\r\n"));
    record_draft_seal(&inner.draft, writer.generation);
    buffer_init(&body, 4096);
    for (size_t i = 0; i < 8; i++) {
        buffer_put(&body, "x", i > 0);
        buffer_put(&body, inner.draft.head, FRAME_HEAD);
        buffer_put_slice(&body, buffer_slice(&inner.envelope));
    }
    sample_make(&outer, 1, 1, buffer_slice(&body));
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    append_samples(&writer, 2, 1);
    assert_string_equal(read_all(writer.size, false).word, "R1 R2 E ");
    temp_spoil(&temp, path, (off_t)start + 100);
    assert_string_equal(read_all(writer.size, false).word, "D R2 E ");
    sample_clear(&inner);
    sample_clear(&outer);
    buffer_clear(&body);
}

/* Pages of a batch that reached the disk in another order: the later record stands, the lost one is
 * named. */
static void test_hole(void **state)
{
    static const char zeros[2048];
    uint64_t start;

    (void)state;
    append_samples(&writer, 0, 1);
    start = writer.end;
    append_samples(&writer, 1, 2);
    temp_write(&temp, path, zeros, (writer.end - start) / 2, (off_t)start);
    assert_string_equal(read_all(writer.size, false).word, "R0 D R2 E ");
}

/* A page that cannot be read spoils the records that touch it and no other. */
static void test_unreadable_page(void **state)
{
    uint64_t starts[40];
    struct found found;

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        starts[i] = writer.end;
        append_samples(&writer, i, 1);
    }
    faulty.bad_from = FILE_HEAD + 4096;
    faulty.bad_to = FILE_HEAD + 8192;
    found = read_all(writer.end, true);
    assert_non_null(strstr(found.word, "R6 "));
    assert_non_null(strstr(found.word, "D "));
    assert_non_null(strstr(found.word, "R39 E "));
    assert_true(found.last_bad.offset + found.last_bad.length >= faulty.bad_to);
    assert_true(starts[39] > faulty.bad_to);
}

/* CMD-29, QUE-1: after a failed write or sync nothing more goes into the segment; the cut is where
 * it was good. */
static void test_failed_sync(void **state)
{
    static const struct {
        int act;
        enum err with;
    } cases[] = { { ACT_SYNC, ERR_IO }, { ACT_WRITE, ERR_IO }, { ACT_SYNC, ERR_NOSPACE } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct sample sample;
        struct record_draft *draft = &sample.draft;
        uint64_t good;

        if (i > 0) {
            segment_writer_clear(&writer);
            new_writer();
        }
        append_samples(&writer, 0, 2);
        good = writer.end;
        sample_make(&sample, 2, 1, slice_text("refused"));
        faulty_plan(&faulty, cases[i].act, 1, cases[i].with);
        assert_int_equal(segment_append(&writer, &draft, 1), cases[i].with);
        assert_true(writer.is_spoiled);
        assert_int_equal(writer.end, good);
        assert_false(segment_fits(&writer, 8));
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_LIMIT);
        /* The cut is honoured whether or not the octets are there. */
        assert_string_equal(read_all(good, false).word, "R0 R1 E ");
        sample_clear(&sample);
    }
}

/* DATA-16: no room or no leave at the first octet: the segment is as it was and goes on. When some
 * octets were written before, it is spoiled as by any other failure. */
static void test_refused_write(void **state)
{
    static const struct {
        enum err with;
        size_t write_most; /* 0: all at once */
        int at;
        bool is_spoiled;
    } cases[] = { { ERR_NOSPACE, 0, 1, false }, { ERR_DENIED, 0, 1, false },
        { ERR_NOSPACE, 7, 2, true }, { ERR_DENIED, 7, 2, true } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct sample sample;
        struct record_draft *draft = &sample.draft;
        uint64_t good;

        if (i > 0) {
            segment_writer_clear(&writer);
            new_writer();
        }
        append_samples(&writer, 0, 2);
        good = writer.end;
        sample_make(&sample, 2, 1, slice_text("refused"));
        faulty.write_most = cases[i].write_most;
        faulty_plan(&faulty, ACT_WRITE, cases[i].at, cases[i].with);
        assert_int_equal(segment_append(&writer, &draft, 1), cases[i].with);
        faulty.write_most = 0;
        assert_int_equal(writer.is_spoiled, cases[i].is_spoiled);
        assert_int_equal(writer.end, good);
        if (!cases[i].is_spoiled)
            append_samples(&writer, 2, 1);
        assert_string_equal(
            read_all(writer.end, false).word, cases[i].is_spoiled ? "R0 R1 E " : "R0 R1 R2 E ");
        sample_clear(&sample);
    }
}

/* Zeros go ahead of the records now and then, never beyond the end of the file. */
static void test_zeros_ahead(void **state)
{
    struct sample sample;
    struct record_draft *draft = &sample.draft;
    uint64_t zeroed;

    (void)state;
    sample_make(&sample, 0, 1, slice_text("A body.\r\n"));
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    zeroed = writer.zeroed;
    assert_true(zeroed > writer.end + 64 * 1024 && zeroed <= writer.size);
    while (writer.end + draft->total <= zeroed) {
        assert_int_equal(writer.zeroed, zeroed);
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    }
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    assert_true(writer.zeroed > zeroed);
    sample_clear(&sample);
    assert_int_equal(disk_zeros_ahead(4096, 4097, 4097).iov_len, 0);
    assert_int_equal(disk_zeros_ahead(4096, 4097, 5000).iov_len, 5000 - 4097);
    assert_int_equal(disk_zeros_ahead(4096, 4096, 5000).iov_len, 0);
    assert_int_equal(disk_zeros_ahead(0, 6000, 5000).iov_len, 0);
}

static void test_full(void **state)
{
    static char body[RECORD_BODY_MAX];
    struct sample sample;
    struct record_draft *draft = &sample.draft;
    struct record_draft *many[9];
    unsigned count = 0;

    (void)state;
    memset(body, 'b', sizeof body);
    sample_make(&sample, 0, 1, slice_of(body, sizeof body));
    for (int i = 0; i < 9; i++)
        many[i] = draft;
    assert_int_equal(segment_append(&writer, many, 9), ERR_LIMIT); /* larger than the segment */
    assert_false(writer.is_spoiled);
    assert_int_equal(writer.end, FILE_HEAD);
    while (segment_fits(&writer, draft->total)) {
        assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
        count++;
    }
    assert_int_equal(count, 7);
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_LIMIT);
    sample_clear(&sample);
    /* To the last octet: there is no room for the zero head, and none is needed. */
    sample_make(&sample, 1, 1, slice_of(body, 16));
    {
        uint64_t left = writer.size - writer.end;
        size_t other = draft->total - 16;
        sample_clear(&sample);
        sample_make(&sample, 1, 1, slice_of(body, (size_t)(left - other)));
    }
    assert_int_equal(draft->total, writer.size - writer.end);
    assert_int_equal(segment_append(&writer, &draft, 1), ERR_OK);
    assert_int_equal(writer.end, writer.size);
    assert_int_equal(temp_size(&temp, path), (long)writer.size);
    assert_string_equal(read_all(writer.size, false).word, "R0 R0 R0 R0 R0 R0 R0 R1 E ");
    sample_clear(&sample);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_group_commit),
        TEST(test_spare_zeros),
        TEST(test_short_writes),
        TEST(test_tailing),
        TEST(test_load),
        TEST(test_torn_tail),
        TEST(test_torn_batch),
        TEST(test_damage_in_the_middle),
        TEST(test_damage_in_a_row),
        TEST(test_record_in_a_body),
        TEST(test_own_record_in_a_body),
        TEST(test_hole),
        TEST(test_unreadable_page),
        TEST(test_failed_sync),
        TEST(test_refused_write),
        TEST(test_zeros_ahead),
        TEST(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
