/* tests/unit/spool/test_body.c: a body streams into its file in any pieces and is synced once. */
#include "support.h"

#include "spool/body.h"

static struct temp temp;
static struct faulty_disk faulty;
static struct store store;

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    faulty_init(&faulty);
    open_store(&store, &faulty.disk, &temp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(&store);
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
    return 0;
}

static void new_writer(struct body_writer *writer)
{
    struct store_spare spare;

    assert_int_equal(store_spare(&store, &spare), ERR_OK);
    body_writer_init(writer, &faulty.disk, spare.write, spare.number);
}

static enum err check(uint64_t number, uint64_t size, uint64_t sum)
{
    int file = -1;
    enum err rc;

    assert_int_equal(store_open_read(&store, STORE_BODY, number, &file), ERR_OK);
    rc = body_file_check(&faulty.disk, file, size, sum);
    disk_close(&faulty.disk, &file);
    return rc;
}

static void test_pieces(void **state)
{
    static char octets[200000];
    uint64_t sums[4];

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)(i * 7);
    for (size_t way = 0; way < 4; way++) {
        static const size_t steps[] = { sizeof octets, 65536, 1000, 77 };
        static struct slice pieces[3000];
        struct body_writer writer;
        size_t count = 0;

        new_writer(&writer);
        for (size_t at = 0; at < sizeof octets; at += steps[way])
            pieces[count++] = slice_first(slice_of(octets + at, sizeof octets - at), steps[way]);
        faulty.write_most = way == 1 ? 1000 : 0;
        assert_int_equal(body_writer_append(&writer, pieces, count), ERR_OK);
        faulty.done[ACT_SYNC] = 0;
        assert_int_equal(body_writer_commit(&writer, &sums[way]), ERR_OK);
        assert_int_equal(faulty.done[ACT_SYNC], 1);
        assert_int_equal(writer.size, sizeof octets);
        assert_int_equal(sums[way], sums[0]);
        assert_int_equal(check(writer.number, sizeof octets, sums[0]), ERR_OK);
        assert_int_equal(check(writer.number, sizeof octets - 1, sums[0]), ERR_CORRUPT);
        assert_int_equal(check(writer.number, sizeof octets + 1, sums[0]), ERR_CORRUPT);
        assert_int_equal(check(writer.number, sizeof octets, sums[0] + 1), ERR_CORRUPT);
        body_writer_clear(&writer);
    }
}

/* After RSET the same file takes another message. */
static void test_reset(void **state)
{
    struct slice first = slice_text("a long body that is given up"), second = slice_text("short");
    struct body_writer writer;
    uint64_t sum;

    (void)state;
    new_writer(&writer);
    assert_int_equal(body_writer_append(&writer, &first, 1), ERR_OK);
    assert_int_equal(body_writer_reset(&writer), ERR_OK);
    assert_int_equal(body_writer_append(&writer, &second, 1), ERR_OK);
    assert_int_equal(body_writer_commit(&writer, &sum), ERR_OK);
    assert_int_equal(check(writer.number, 5, sum), ERR_OK);
    body_writer_clear(&writer);
}

/* A disk that is full or fails: the error sticks, nothing is synced behind it. */
static void test_failures(void **state)
{
    static const struct {
        int act;
        enum err with;
    } cases[] = { { ACT_WRITE, ERR_NOSPACE }, { ACT_WRITE, ERR_IO }, { ACT_SYNC, ERR_IO },
        { ACT_TRUNCATE, ERR_IO } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct slice piece = slice_text("body");
        struct body_writer writer;
        uint64_t sum = 99;

        new_writer(&writer);
        faulty_plan(&faulty, cases[i].act, 1, cases[i].with);
        (void)!body_writer_append(&writer, &piece, 1);
        if (cases[i].act == ACT_TRUNCATE)
            (void)!body_writer_reset(&writer);
        assert_int_equal(body_writer_commit(&writer, &sum), cases[i].with);
        assert_int_equal(body_writer_commit(&writer, &sum), cases[i].with);
        assert_int_equal(body_writer_append(&writer, &piece, 1), cases[i].with);
        assert_int_equal(body_writer_reset(&writer), cases[i].with);
        assert_int_equal(sum, 99);
        body_writer_clear(&writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
