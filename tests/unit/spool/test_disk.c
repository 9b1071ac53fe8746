/* tests/unit/spool/test_disk.c: the real disk does what the seam promises. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static struct temp temp;

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

/* SEC-4: folders 0700, files 0600, whatever was there is not followed. */
static void test_modes(void **state)
{
    struct disk *disk = disk_posix();
    struct stat st;
    int dir, file, other;

    (void)state;
    assert_int_equal(disk->ops->make_dir(disk, temp.root, "d"), ERR_OK);
    assert_int_equal(disk->ops->make_dir(disk, temp.root, "d"), ERR_EXISTS);
    assert_int_equal(disk->ops->open_dir(disk, temp.root, "d", &dir), ERR_OK);
    assert_int_equal(disk->ops->create(disk, dir, "f", &file), ERR_OK);
    assert_int_equal(disk->ops->create(disk, dir, "f", &other), ERR_EXISTS);
    assert_int_equal(fstat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fstat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fcntl(file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_int_not_equal(disk->ops->open_read(disk, dir, "link", &other), ERR_OK);
    assert_int_equal(disk->ops->open_read(disk, dir, "none", &other), ERR_NOTFOUND);
    disk_close(disk, &file);
    disk_close(disk, &dir);
    assert_int_equal(dir, -1);
}

static void test_write_and_read(void **state)
{
    struct disk *disk = disk_posix();
    struct iovec parts[3] = { { (char[]){ "one " }, 4 }, { NULL, 0 }, { (char[]){ "two" }, 3 } };
    char into[16] = { 0 };
    uint64_t size;
    size_t got;
    int file, reader;

    (void)state;
    assert_int_equal(disk->ops->create(disk, temp.root, "f", &file), ERR_OK);
    assert_int_equal(disk->ops->allocate(disk, file, 4096), ERR_OK);
    assert_int_equal(disk_write_all(disk, file, parts, 3, 10), ERR_OK);
    assert_int_equal(disk->ops->sync(disk, file), ERR_OK);
    assert_int_equal(disk->ops->open_read(disk, temp.root, "f", &reader), ERR_OK);
    assert_int_equal(disk->ops->read_at(disk, reader, into, 9, 9, &got), ERR_OK);
    assert_int_equal(got, 9);
    assert_memory_equal(into, "\0one two\0", 9);
    assert_int_equal(disk->ops->truncate(disk, file, 12), ERR_OK);
    assert_int_equal(disk->ops->read_at(disk, reader, into, 9, 9, &got), ERR_OK);
    assert_int_equal(got, 3);
    assert_int_equal(disk->ops->size(disk, reader, &size), ERR_OK);
    assert_int_equal(size, 12);
    assert_int_equal(disk_write_all(disk, reader, parts, 0, 0), ERR_OK);
    disk_close(disk, &file);
    disk_close(disk, &reader);
}

/* More parts than one call takes, and a disk that takes a few octets at a time: the same bytes. */
static void test_write_all_loops(void **state)
{
    enum { MANY = 2 * IOV_MAX + 3 };
    static char octets[MANY], into[MANY];
    static struct iovec parts[MANY];
    struct faulty_disk faulty;
    int file;

    (void)state;
    faulty_init(&faulty);
    for (size_t most = 0; most < 2; most++) {
        const char *name = most ? "short" : "whole";
        for (size_t i = 0; i < MANY; i++) {
            octets[i] = (char)('a' + i % 26);
            parts[i] = (struct iovec){ &octets[i], 1 };
        }
        faulty.write_most = most;
        assert_int_equal(faulty.disk.ops->create(&faulty.disk, temp.root, name, &file), ERR_OK);
        assert_int_equal(disk_write_all(&faulty.disk, file, parts, MANY, 0), ERR_OK);
        disk_close(&faulty.disk, &file);
        assert_int_equal(temp_read(&temp, name, into, MANY, 0), MANY);
        assert_memory_equal(into, octets, MANY);
    }
    assert_int_equal(faulty.done[ACT_WRITE], 3 + MANY);
}

/* The lock belongs to the description: another one is refused, a copy holds it on. */
static void test_lock(void **state)
{
    struct disk *disk = disk_posix();
    int first, second, copy;

    (void)state;
    assert_int_equal(disk->ops->create(disk, temp.root, "f", &first), ERR_OK);
    assert_int_equal(disk->ops->open_write(disk, temp.root, "f", &second), ERR_OK);
    assert_int_equal(disk->ops->lock(disk, first), ERR_OK);
    assert_int_equal(disk->ops->lock(disk, second), ERR_BUSY);
    copy = fcntl(first, F_DUPFD_CLOEXEC, 0);
    disk_close(disk, &first);
    assert_int_equal(disk->ops->lock(disk, second), ERR_BUSY);
    disk_close(disk, &copy);
    assert_int_equal(disk->ops->lock(disk, second), ERR_OK);
    disk_close(disk, &second);
}

static void count_name(void *context, const char *name)
{
    *(size_t *)context += strlen(name);
}

static void test_names(void **state)
{
    struct disk *disk = disk_posix();
    struct disk_space space;
    size_t octets = 0;
    int file;

    (void)state;
    assert_int_equal(disk->ops->create(disk, temp.root, "abc", &file), ERR_OK);
    disk_close(disk, &file);
    assert_int_equal(disk->ops->rename(disk, temp.root, "abc", temp.root, "abcde"), ERR_OK);
    assert_int_equal(disk->ops->list(disk, temp.root, count_name, &octets), ERR_OK);
    assert_int_equal(octets, 5);
    assert_int_equal(disk->ops->list(disk, temp.root, count_name, &octets), ERR_OK);
    assert_int_equal(octets, 10);
    assert_int_equal(disk->ops->sync_dir(disk, temp.root), ERR_OK);
    assert_int_equal(disk->ops->unlink(disk, temp.root, "abcde"), ERR_OK);
    assert_int_equal(disk->ops->unlink(disk, temp.root, "abcde"), ERR_NOTFOUND);
    assert_int_equal(disk->ops->space(disk, temp.root, &space), ERR_OK);
    assert_true(space.free <= space.total && space.total > 0);
    assert_true(disk->ops->random(disk) != disk->ops->random(disk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_all_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
