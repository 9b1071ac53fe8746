/* ipc/mistakes: rows, their bounds, who goes when there is no room, damage. SUB-5.2-2, SUB-5.2-3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/mistakes.h"

static int write_fd, read_fd;

/* The gates' side and the reader's. */
static void make(unsigned gates, struct mistakes **out_writer, struct mistakes **out_reader)
{
    assert_int_equal(mistakes_create(gates, &write_fd, &read_fd), ERR_OK);
    assert_int_equal(mistakes_open(write_fd, true, out_writer), ERR_OK);
    assert_int_equal(mistakes_open(read_fd, false, out_reader), ERR_OK);
}

static void unmake(struct mistakes **writer, struct mistakes **reader)
{
    mistakes_free(writer);
    mistakes_free(reader);
    assert_null(*writer);
    close(write_fd);
    close(read_fd);
}

static struct mistake_maker maker(const char *client, const char *user)
{
    return (struct mistake_maker){ .client = slice_text(client),
        .user = slice_text(user),
        .name = slice_text("laptop"),
        .reply = slice_text("550 5.7.1 No") };
}

/* The row of that client; false when there is none. */
static bool find(
    const struct mistakes *mistakes, unsigned gate, const char *client, struct mistakes_row *out)
{
    for (unsigned i = 0; i < MISTAKES_ROWS; i++)
        if (mistakes_read(mistakes, gate, i, out) &&
            slice_is(slice_of(out->client, out->client_len), client))
            return true;
    return false;
}

static void test_counts(void **state)
{
    struct mistake_maker alice = maker("192.0.2.1", "alice@example.org");
    struct mistakes *writer, *reader;
    struct mistakes_row row;

    (void)state;
    make(2, &writer, &reader);
    assert_int_equal(mistakes_gates(reader), 2);
    mistakes_note(writer, 1, &alice, MISTAKE_SENDER, 100);
    mistakes_note(writer, 1, &alice, MISTAKE_SENDER, 101);
    alice.name = slice_text("desktop");
    mistakes_note(writer, 1, &alice, MISTAKE_OTHER, 102);
    assert_false(find(reader, 0, "192.0.2.1", &row));
    assert_true(find(reader, 1, "192.0.2.1", &row));
    assert_int_equal(row.counts[MISTAKE_SENDER], 2);
    assert_int_equal(row.counts[MISTAKE_OTHER], 1);
    assert_int_equal(row.counts[MISTAKE_LOGIN], 0);
    assert_int_equal(row.first_s, 100);
    assert_int_equal(row.last_s, 102);
    assert_true(slice_is(slice_of(row.user, row.user_len), "alice@example.org"));
    assert_true(slice_is(slice_of(row.name, row.name_len), "desktop"));
    assert_true(slice_is(slice_of(row.reply, row.reply_len), "550 5.7.1 No"));
    mistakes_wipe(writer, 0);
    assert_true(find(reader, 1, "192.0.2.1", &row));
    mistakes_wipe(writer, 1);
    assert_false(find(reader, 1, "192.0.2.1", &row));
    mistakes_note(writer, 2, &alice, MISTAKE_SENDER, 100); /* no such gate */
    unmake(&writer, &reader);
}

/* The same client with and without a login, and with a long name, are different rows. */
static void test_who(void **state)
{
    char longest[MISTAKES_USER_MAX + 2];
    struct mistake_maker one = maker("192.0.2.1", ""), two = maker("192.0.2.1", "a@example.org");
    struct mistake_maker three = maker("192.0.2.1", "");
    struct mistakes *writer, *reader;
    struct mistakes_row row;
    size_t rows = 0;

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    three.user = slice_text(longest);
    make(1, &writer, &reader);
    for (int i = 0; i < 3; i++) {
        mistakes_note(writer, 0, &one, MISTAKE_LOGIN, 1);
        mistakes_note(writer, 0, &two, MISTAKE_LOGIN, 1);
        mistakes_note(writer, 0, &three, MISTAKE_LOGIN, 1);
    }
    for (unsigned i = 0; i < MISTAKES_ROWS; i++)
        if (mistakes_read(reader, 0, i, &row)) {
            rows++;
            assert_int_equal(row.counts[MISTAKE_LOGIN], 3);
        }
    assert_int_equal(rows, 3);
    unmake(&writer, &reader);
}

/* What differs only behind what is kept is the same row, wherever its hash leads. */
static void test_cut(void **state)
{
    char user[MISTAKES_USER_MAX + 2];
    struct mistake_maker alike = maker("192.0.2.1", "");
    struct mistakes *writer, *reader;
    struct mistakes_row row;
    size_t rows = 0;

    (void)state;
    memset(user, 'x', sizeof user);
    alike.user = slice_of(user, sizeof user);
    make(1, &writer, &reader);
    for (char last = 'a'; last <= 'z'; last++) {
        user[MISTAKES_USER_MAX] = last;
        mistakes_note(writer, 0, &alike, MISTAKE_LOGIN, 1);
    }
    for (unsigned i = 0; i < MISTAKES_ROWS; i++)
        rows += mistakes_read(reader, 0, i, &row);
    assert_int_equal(rows, 1);
    unmake(&writer, &reader);
}

/* However many strangers come, who keeps on making mistakes stays in sight. */
static void test_bounded(void **state)
{
    struct mistake_maker stubborn = maker("192.0.2.1", "");
    struct mistakes *writer, *reader;
    struct mistakes_row row;
    char text[32];

    (void)state;
    make(1, &writer, &reader);
    for (int i = 0; i < 10; i++)
        mistakes_note(writer, 0, &stubborn, MISTAKE_SENDER, i);
    for (int i = 0; i < 20000; i++) {
        struct mistake_maker stranger = maker("", "");

        snprintf(text, sizeof text, "10.%d.%d.1", i / 256, i % 256);
        stranger.client = slice_text(text);
        mistakes_note(writer, 0, &stranger, MISTAKE_SYNTAX, 20);
    }
    assert_true(find(reader, 0, "192.0.2.1", &row));
    assert_int_equal(row.counts[MISTAKE_SENDER], 10);
    assert_true(find(reader, 0, text, &row)); /* and so is the latest */
    unmake(&writer, &reader);
}

/* Whatever a gate writes there, a reader gets lengths within bounds, and a gate goes on. */
static void test_damage(void **state)
{
    struct mistake_maker alice = maker("192.0.2.1", "");
    struct mistakes *writer, *reader;
    struct mistakes_row row;
    struct stat about;
    char *raw;

    (void)state;
    make(1, &writer, &reader);
    assert_int_equal(fstat(write_fd, &about), 0);
    raw = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, write_fd, 0);
    assert_ptr_not_equal(raw, MAP_FAILED);
    for (int octet = 0; octet < 256; octet += 5) {
        memset(raw + 4096, octet, (size_t)about.st_size - 4096);
        for (unsigned i = 0; i < MISTAKES_ROWS; i++)
            if (mistakes_read(reader, 0, i, &row))
                assert_true(row.client_len <= sizeof row.client &&
                            row.user_len <= sizeof row.user && row.name_len <= sizeof row.name &&
                            row.reply_len <= sizeof row.reply);
        mistakes_note(writer, 0, &alice, MISTAKE_SENDER, 1);
    }
    assert_int_equal(munmap(raw, (size_t)about.st_size), 0);
    unmake(&writer, &reader);
}

/* The reader's descriptor cannot be written through, and what is no such memory is refused. */
static void test_descriptors(void **state)
{
    struct mistakes *writer = NULL, *reader = NULL;
    int other = memfd_create("other", MFD_CLOEXEC);

    (void)state;
    make(3, &writer, &reader);
    unmake(&writer, &reader);
    assert_int_equal(mistakes_create(0, &write_fd, &read_fd), ERR_LIMIT);
    assert_int_equal(mistakes_create(257, &write_fd, &read_fd), ERR_LIMIT);
    assert_int_equal(mistakes_create(1, &write_fd, &read_fd), ERR_OK);
    assert_int_equal(pwrite(read_fd, "x", 1, 0), -1);
    assert_int_not_equal(mistakes_open(read_fd, true, &writer), ERR_OK);
    assert_int_not_equal(ftruncate(write_fd, 0), 0);
    assert_int_equal(mistakes_open(other, false, &reader), ERR_INVALID);
    assert_int_equal(ftruncate(other, 4096 * 40), 0);
    assert_int_equal(mistakes_open(other, false, &reader), ERR_INVALID);
    close(other);
    close(write_fd);
    close(read_fd);
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < MISTAKE_KINDS; i++)
        assert_non_null(mistake_name((enum mistake)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("ipc/mistakes", tests, NULL, NULL);
}
