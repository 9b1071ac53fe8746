/* tests/unit/spool/test_store.c: the spool directory: layout, numbers, locks, what failures leave
 * behind, the sweep. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static struct temp temp;
static struct faulty_disk faulty;

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    faulty_init(&faulty);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
    return 0;
}

/* SEC-4: the layout, 0700 and 0600, and names that are numbers. */
static void test_layout(void **state)
{
    static const char *const folders[] = { "segments", "bodies", "journal", "aside" };
    struct store_blank blank;
    struct store_spare spare;
    struct store store;
    struct stat st;
    char name[STORE_NAME];

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    assert_true(faulty.done[ACT_SYNC_DIR] >= 1);
    for (size_t i = 0; i < LENGTH_OF(folders); i++) {
        assert_int_equal(fstatat(temp.root, folders[i], &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
    }
    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    assert_int_equal(store_spare(&store, &spare), ERR_OK);
    assert_int_equal(blank.size, STORE_SEGMENT_MIN);
    assert_int_equal(blank.start, FILE_HEAD);
    store_name(STORE_SEGMENT, blank.generation, name);
    assert_int_equal(fstatat(store.dirs[STORE_SEGMENT], name, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, STORE_SEGMENT_MIN);
    assert_true(st.st_blocks * 512 >= STORE_SEGMENT_MIN); /* reserved, not only promised */
    assert_int_equal(fcntl(blank.write, F_GETFL) & O_ACCMODE, O_WRONLY);
    store_name(STORE_BODY, spare.number, name);
    assert_int_equal(fstatat(store.dirs[STORE_BODY], name, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 0);
    disk_close(&faulty.disk, &blank.write);
    disk_close(&faulty.disk, &spare.write);
    store_close(&store);
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "000000000000000g.seg",
        "0000000000000001.sex",
        "0000000000000001",
        "0000000000000000.seg",
        "00000000000000001.seg",
        "000000000000001.seg",
        "0000000000000001.seg2",
        "000000000000000A.seg",
        "0000000000000001.body",
        "../0000000000000001.seg",
    };
    uint64_t number = 42;
    char name[STORE_NAME];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(store_parse_name(STORE_SEGMENT, bad[i], &number));
    assert_int_equal(number, 42);
    for (int kind = 0; kind < STORE_KINDS; kind++) {
        store_name((enum store_kind)kind, UINT64_MAX, name);
        assert_true(store_parse_name((enum store_kind)kind, name, &number));
        assert_true(number == UINT64_MAX);
    }
    store_name(STORE_JOURNAL, 0xab, name);
    assert_string_equal(name, "00000000000000ab.jnl");
}

/* A second instance on the same spool is refused, and gets in when the first is gone. */
static void test_second_instance(void **state)
{
    const struct store_settings settings = { .lock = -1 };
    struct store first, second;
    int lock = -1;

    (void)state;
    open_store(&first, &faulty.disk, &temp);
    assert_int_equal(store_open(&second, &faulty.disk, temp_root(&temp), &settings), ERR_BUSY);
    assert_int_equal(store_lock(&faulty.disk, temp.root, &lock), ERR_BUSY);
    assert_int_equal(lock, -1);
    store_close(&first);
    assert_int_equal(store_lock(&faulty.disk, temp.root, &lock), ERR_OK);
    assert_int_equal(store_open(&second, &faulty.disk, temp_root(&temp), &settings), ERR_BUSY);
    /* With the lock handed over, the store opens on it and leaves it alone. */
    assert_int_equal(store_open(&second, &faulty.disk, temp_root(&temp),
                         &(struct store_settings){ .lock = lock }),
        ERR_OK);
    assert_int_equal(second.segment_size, STORE_SEGMENT_SIZE);
    store_close(&second);
    assert_int_equal(store_lock(&faulty.disk, temp.root, &(int){ -1 }), ERR_BUSY);
    disk_close(&faulty.disk, &lock);
}

static void test_settings(void **state)
{
    static const uint64_t bad[] = { 1, STORE_SEGMENT_MIN - 4096, STORE_SEGMENT_MIN + 1,
        STORE_SEGMENT_MAX + 4096ULL };
    struct store store;

    (void)state;
    assert_true(STORE_SEGMENT_MIN >= RECORD_MAX + FILE_HEAD);
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        const struct store_settings settings = { .segment_size = bad[i], .lock = -1 };
        assert_int_equal(
            store_open(&store, &faulty.disk, temp_root(&temp), &settings), ERR_INVALID);
    }
}

/* Numbers never come back: not after a restart, not below what is on disk or was seen in a journal.
 */
static void test_numbers(void **state)
{
    struct store_spare spare;
    struct store store;
    uint64_t last = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        open_store(&store, &faulty.disk, &temp);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(store_spare(&store, &spare), ERR_OK);
            assert_true(spare.number >> 32 > last >> 32);
            last = spare.number;
            disk_close(&faulty.disk, &spare.write);
        }
        store_close(&store);
    }
    open_store(&store, &faulty.disk, &temp);
    store_note_number(&store, last + (UINT64_C(5) << 32));
    store_note_number(&store, 1);
    assert_int_equal(store_spare(&store, &spare), ERR_OK);
    assert_true(spare.number >> 32 == (last >> 32) + 6);
    disk_close(&faulty.disk, &spare.write);
    store_note_number(&store, UINT64_MAX);
    assert_int_equal(store_spare(&store, &spare), ERR_LIMIT);
    store_close(&store);
}

/* Several stores of one spool, one for each thread that makes files, give out numbers in one order.
 */
static void test_shared_numbers(void **state)
{
    struct store_numbers numbers = { 0 };
    struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .numbers = &numbers };
    struct store stores[2];
    struct store_spare spare;
    uint64_t last = 0;

    (void)state;
    assert_int_equal(store_lock(&faulty.disk, temp.root, &settings.lock), ERR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_open(&stores[i], &faulty.disk, temp_root(&temp), &settings), ERR_OK);
    store_note_number(&stores[0], UINT64_C(7) << 32);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(store_spare(&stores[1 - i % 2], &spare), ERR_OK);
        assert_true(spare.number >> 32 == (uint64_t)(8 + i) && spare.number > last);
        last = spare.number;
        disk_close(&faulty.disk, &spare.write);
    }
    store_close(&stores[0]);
    store_close(&stores[1]);
    disk_close(&faulty.disk, &settings.lock);
}

/* Whichever act fails, with whatever: an error, no file left behind, no descriptor lost, and the
 * next try works. */
static void test_failing_blank(void **state)
{
    struct store_blank blank;
    struct store store;
    int first_free, fails = 0;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    first_free = dup(0);
    close(first_free);
    for (int n = 1; n < 20; n++) {
        enum err rc;
        faulty_plan(&faulty, ACTS, n, n % 2 ? ERR_IO : ERR_NOSPACE);
        rc = store_blank(&store, &blank);
        if (rc == ERR_OK)
            break;
        fails++;
        assert_int_equal(rc, n % 2 ? ERR_IO : ERR_NOSPACE);
        assert_int_equal(temp_count(&temp, "segments"), 0);
        assert_int_equal(dup(0), first_free);
        close(first_free);
    }
    assert_int_equal(fails, 6); /* create, lock, allocate, write, sync, sync_dir */
    assert_int_equal(temp_count(&temp, "segments"), 1);
    disk_close(&faulty.disk, &blank.write);
    store_close(&store);
}

static void test_failing_spare(void **state)
{
    struct store_spare spare;
    struct store store;
    int n = 1;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    for (; n < 20; n++) {
        faulty_plan(&faulty, ACTS, n, ERR_NOSPACE);
        if (store_spare(&store, &spare) == ERR_OK)
            break;
        assert_int_equal(temp_count(&temp, "bodies"), 0);
    }
    assert_int_equal(n, 4); /* create, lock, sync_dir */
    disk_close(&faulty.disk, &spare.write);
    store_close(&store);
}

static void test_failing_open(void **state)
{
    const struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .lock = -1 };
    struct store store;
    int n = 1, first_free = dup(0);
    enum err rc = ERR_IO;

    (void)state;
    close(first_free);
    for (; n < 40 && rc != ERR_OK; n++) {
        faulty_plan(&faulty, ACTS, n, ERR_IO);
        rc = store_open(&store, &faulty.disk, temp_root(&temp), &settings);
        if (rc != ERR_OK) {
            assert_int_equal(dup(0), first_free);
            close(first_free);
        }
    }
    assert_true(n > 10 && rc == ERR_OK);
    store_close(&store);
}

/* DATA-16: no room for the folder that an older spool does not have: it is opened all the same, has
 * no such file, and gets the folder with the first one for which there is room. */
static void test_missing_folder(void **state)
{
    const struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .lock = -1 };
    struct store_file *files;
    struct store store;
    uint64_t number = 0;
    size_t count;
    int file = -1;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    store_close(&store);
    assert_int_equal(unlinkat(temp.root, "partials", AT_REMOVEDIR), 0);
    for (int folder = 1; folder <= 4; folder++) { /* the fourth of five can wait */
        faulty_plan(&faulty, ACT_MAKE_DIR, folder, ERR_NOSPACE);
        assert_int_equal(store_open(&store, &faulty.disk, temp_root(&temp), &settings),
            folder == 4 ? ERR_OK : ERR_NOSPACE);
    }
    assert_int_equal(store_list(&store, STORE_PARTIAL, &files, &count), ERR_OK);
    assert_int_equal(count, 0);
    free(files);
    faulty_plan(&faulty, ACT_MAKE_DIR, 1, ERR_NOSPACE);
    assert_int_equal(store_new_file(&store, STORE_PARTIAL, &number, &file), ERR_NOSPACE);
    assert_true(number == 0 && file == -1);
    assert_int_equal(store_new_file(&store, STORE_PARTIAL, &number, &file), ERR_OK);
    assert_true(number != 0);
    disk_close(&faulty.disk, &file);
    assert_int_equal(temp_count(&temp, "partials"), 1);
    store_close(&store);
}

/* A blank belongs to who holds its description. */
static void test_claim_and_unlink(void **state)
{
    struct store_blank blank;
    struct store store;
    int claimed = -1, file = -1;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    assert_int_equal(store_claim(&store, STORE_SEGMENT, blank.generation, &claimed), ERR_BUSY);
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, blank.generation), ERR_BUSY);
    assert_int_equal(claimed, -1);
    disk_close(&faulty.disk, &blank.write);
    assert_int_equal(store_claim(&store, STORE_SEGMENT, blank.generation, &claimed), ERR_OK);
    disk_close(&faulty.disk, &claimed);
    faulty.done[ACT_SYNC_DIR] = 0;
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, blank.generation), ERR_OK);
    assert_int_equal(faulty.done[ACT_SYNC_DIR], 1);
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, blank.generation), ERR_NOTFOUND);
    /* The name went and the sync failed: the next call makes up for it. */
    assert_int_equal(store_blank(&store, &blank), ERR_OK);
    disk_close(&faulty.disk, &blank.write);
    faulty_plan(&faulty, ACT_SYNC_DIR, 1, ERR_IO);
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, blank.generation), ERR_IO);
    faulty.done[ACT_SYNC_DIR] = 0;
    assert_int_equal(store_unlink(&store, STORE_SEGMENT, blank.generation), ERR_NOTFOUND);
    assert_int_equal(faulty.done[ACT_SYNC_DIR], 1);
    assert_int_equal(store_claim(&store, STORE_SEGMENT, blank.generation, &claimed), ERR_NOTFOUND);
    assert_int_equal(store_open_read(&store, STORE_SEGMENT, blank.generation, &file), ERR_NOTFOUND);
    store_close(&store);
}

static void test_list(void **state)
{
    struct store_file *files;
    struct store store;
    size_t count;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    temp_write(&temp, "segments/0000000300000000.seg", "", 0, 0);
    temp_write(&temp, "segments/0000000100000000.seg", "abc", 3, 0);
    temp_write(&temp, "segments/0000000200000000.seg", "", 0, 0);
    temp_write(&temp, "segments/README", "", 0, 0);
    assert_int_equal(store_list(&store, STORE_SEGMENT, &files, &count), ERR_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(files[i].number == (uint64_t)(i + 1) << 32);
    free(files);
    {
        uint64_t size;
        assert_int_equal(store_file_size(&store, STORE_SEGMENT, UINT64_C(1) << 32, &size), ERR_OK);
        assert_int_equal(size, 3);
    }
    faulty_plan(&faulty, ACT_LIST, 1, ERR_IO);
    assert_int_equal(store_list(&store, STORE_SEGMENT, &files, &count), ERR_IO);
    store_close(&store);
}

/* QUE-14: what is damaged is kept apart, whole and only once. */
static void test_copy_aside(void **state)
{
    struct store store;
    char octets[70000], into[70001];
    int file = -1, n = 3; /* the first two acts only ask whether it is there and there is room */
    enum err rc = ERR_IO;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)(i ^ i >> 8);
    temp_write(&temp, "segments/0000000100000000.seg", octets, sizeof octets, 100);
    assert_int_equal(store_open_read(&store, STORE_SEGMENT, UINT64_C(1) << 32, &file), ERR_OK);
    /* Whatever fails (but an unreadable page, which is no failure), a later try completes it. */
    for (; n < 30 && rc != ERR_OK; n++) {
        faulty_plan(&faulty, ACTS, n, ERR_NOSPACE);
        rc = store_copy_aside(&store, file, UINT64_C(1) << 32, 100, sizeof octets);
        if (rc == ERR_EXISTS)
            break;
    }
    assert_true(n > 5);
    faulty.fail_act = -1;
    assert_int_equal(
        store_copy_aside(&store, file, UINT64_C(1) << 32, 100, sizeof octets), ERR_EXISTS);
    assert_int_equal(
        temp_read(&temp, "aside/0000000100000000-0000000000000064.rec", into, sizeof into, 0),
        sizeof octets);
    assert_memory_equal(into, octets, sizeof octets);
    assert_int_equal(temp_count(&temp, "aside"), 1);
    faulty.bad_from = 4196;
    faulty.bad_to = 4197;
    assert_int_equal(
        store_copy_aside(&store, file, UINT64_C(1) << 32, 101, sizeof octets - 1), ERR_OK);
    assert_int_equal(
        temp_read(&temp, "aside/0000000100000000-0000000000000065.rec", into, sizeof into, 0),
        sizeof octets - 1);
    /* Only the page that holds the bad octet is spoiled: file octets 4096 to 8191. */
    assert_memory_equal(into, octets + 1, 4096 - 101);
    assert_memory_equal(
        into + 8192 - 101, octets + 1 + 8192 - 101, sizeof octets - 1 - (8192 - 101));
    disk_close(&faulty.disk, &file);
    store_close(&store);
}

static bool is_second(void *context, uint64_t number)
{
    return number == *(uint64_t *)context;
}

/* Of four spares one is held, one is named, one is held at the beginning only: only the free
 * nameless one goes. */
static void test_sweep(void **state)
{
    struct store_spare spares[4];
    struct store_sweep sweep;
    struct store_file *files;
    struct store store;
    size_t removed, count;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    for (int i = 0; i < 4; i++)
        assert_int_equal(store_spare(&store, &spares[i]), ERR_OK);
    disk_close(&faulty.disk, &spares[1].write);
    disk_close(&faulty.disk, &spares[3].write);
    assert_int_equal(store_sweep_begin(&store, &sweep), ERR_OK);
    assert_int_equal(sweep.count, 2);
    disk_close(&faulty.disk, &spares[2].write);
    assert_int_equal(
        store_sweep_finish(&store, &sweep, is_second, &spares[1].number, &removed), ERR_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(store_list(&store, STORE_BODY, &files, &count), ERR_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(files[i].number == spares[i].number);
    free(files);
    disk_close(&faulty.disk, &spares[0].write);
    store_close(&store);
}

/* DATA-16: below 256 MiB or below 5 % there is no room for new mail. */
static void test_space(void **state)
{
    static const struct {
        uint64_t total, free; /* MiB */
        bool low;
    } cases[] = {
        { 100000, 5000, false },
        { 100000, 4999, true },
        { 1000, 256, false },
        { 1000, 255, true },
        { 5120, 256, false },
        { 5140, 256, true },
        { 0, 0, true },
    };
    struct store store;

    (void)state;
    open_store(&store, &faulty.disk, &temp);
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct disk_space space;
        faulty.space = (struct disk_space){ cases[i].total << 20, cases[i].free << 20 };
        assert_int_equal(store_space(&store, &space), ERR_OK);
        assert_int_equal(store_is_low(&space), cases[i].low);
        assert_false(store_lacks_files(&space));
    }
    store_close(&store);
}

/* DATA-16: a file system that has octets and no more files has no room either. */
static void test_files(void **state)
{
    static const struct {
        uint64_t files, free;
        bool lacks;
    } cases[] = {
        { 0, 0, false }, /* not counted */
        { 1000, 64, false },
        { 1000, 63, true },
        { 1000, 0, true },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct disk_space space = { .files = cases[i].files, .files_free = cases[i].free };
        assert_int_equal(store_lacks_files(&space), cases[i].lacks);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_layout),
        TEST(test_names),
        TEST(test_second_instance),
        TEST(test_settings),
        TEST(test_numbers),
        TEST(test_shared_numbers),
        TEST(test_failing_blank),
        TEST(test_failing_spare),
        TEST(test_failing_open),
        TEST(test_missing_folder),
        TEST(test_claim_and_unlink),
        TEST(test_list),
        TEST(test_copy_aside),
        TEST(test_sweep),
        TEST(test_space),
        TEST(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
