/* tests/unit/maildrop/test_folder.c: one copy into one Maildir folder (OUT-20). */
#include "../check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildrop/folder.h"

static char path[64];
static int directory;
static struct folder folder;

static int make(void **state)
{
    (void)state;
    strcpy(path, "/tmp/maildrop-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    directory = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(folder_open(directory, &folder), ERR_OK);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    folder_close(&folder);
    close(directory);
    snprintf(command, sizeof command, "rm -r %s", path);
    return system(command);
}

static struct folder_copy sample(void)
{
    return (struct folder_copy){
        .id = { 0x018f000000000001, 2 },
        .recipient = 3,
        .arrival_us = INT64_C(1700000000123456),
        .hostname = SLICE_LITERAL("mail.example.org"),
        .sender = SLICE_LITERAL("alice@example.org"),
        .address = SLICE_LITERAL("bob@box.example"),
        .header = SLICE_LITERAL("Subject: x\r\n\r\n"),
        .body = SLICE_LITERAL("one\r\ntwo\r\n"),
        .body_file = -1,
    };
}

static size_t count(const char *part, char *out_name)
{
    char full[128];
    struct dirent *entry;
    size_t found = 0;
    DIR *dir;

    snprintf(full, sizeof full, "%s/%s", path, part);
    dir = opendir(full);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        found++;
        if (out_name)
            strcpy(out_name, entry->d_name);
    }
    closedir(dir);
    return found;
}

static void assert_content(const char *expected)
{
    char name[256], full[512], content[70000] = "";
    int file;

    assert_int_equal(count("new", name), 1);
    snprintf(full, sizeof full, "%s/new/%s", path, name);
    file = open(full, O_RDONLY);
    assert_true(read(file, content, sizeof content - 1) >= 0);
    close(file);
    assert_string_equal(content, expected);
}

#define TOP "Return-Path: <alice@example.org>\nDelivered-To: bob@box.example\n"

static void test_put(void **state)
{
    struct folder_copy copy = sample();
    char name[256];

    (void)state;
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_int_equal(folder_sync(&folder), ERR_OK);
    assert_content(TOP "Subject: x\n\none\ntwo\n");
    assert_int_equal(count("tmp", NULL), 0);
    assert_int_equal(count("new", name), 1);
    assert_string_equal(name, "1700000000.Q01HW000000000G000000000002R3.mail.example.org");
}

/* CRLF becomes LF wherever it is cut; a CR alone stays. */
static void test_line_ends(void **state)
{
    static const struct {
        const char *body, *expected;
    } cases[] = {
        { "", "" },
        { "\r\n", "\n" },
        { "\n", "\n" },
        { "\r", "\r" },
        { "\r\r\n", "\r\n" },
        { "a\r\n\r\nb", "a\n\nb" },
        { "a\rb\r\n", "a\rb\n" },
        { "end\r", "end\r" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct folder_copy copy = sample();
        char expected[256];
        copy.body = slice_text(cases[i].body);
        assert_int_equal(folder_put(&folder, &copy), ERR_OK);
        snprintf(expected, sizeof expected, "%sSubject: x\n\n%s", TOP, cases[i].expected);
        assert_content(expected);
    }
}

/* A large body from its file, with a CRLF across every border of the reader's chunks. */
static void test_body_file(void **state)
{
    static char body[200001], expected[200400];
    struct folder_copy copy = sample();
    char name[] = "/tmp/maildrop-body-XXXXXX", at[256], full[512];
    struct stat info;
    size_t len;

    (void)state;
    for (size_t i = 0; i + 1 < 200000; i += 2)
        memcpy(body + i, i % 65536 == 65534 ? "\rx" : "\r\n", 2);
    copy.body_file = mkstemp(name);
    unlink(name);
    body[0] = 'y'; /* shifts the pairs over the borders */
    memmove(body + 1, body, 199999);
    assert_int_equal(write(copy.body_file, body, 200000), 200000);
    copy.body_size = 200000;
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    len = (size_t)snprintf(expected, sizeof expected, "%sSubject: x\n\n", TOP);
    for (size_t i = 0; i < 200000; i++)
        if (!(body[i] == '\r' && body[i + 1] == '\n' && i + 1 < 200000))
            len++;
    assert_int_equal(count("new", at), 1);
    snprintf(full, sizeof full, "%s/new/%s", path, at);
    assert_int_equal(stat(full, &info), 0);
    assert_int_equal(info.st_size, len);
    /* And one that is shorter than the message says. */
    copy.body_size = 200001;
    copy.recipient = 4;
    assert_int_equal(folder_put(&folder, &copy), ERR_CORRUPT);
    assert_int_equal(count("new", NULL), 1);
    assert_int_equal(count("tmp", NULL), 0);
    close(copy.body_file);
}

/* The same mail again replaces itself, and is left where a mail program has put it. */
static void test_again(void **state)
{
    struct folder_copy copy = sample();
    char name[256], from[512], to[512];

    (void)state;
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_int_equal(count("new", name), 1);
    snprintf(from, sizeof from, "%s/new/%s", path, name);
    snprintf(to, sizeof to, "%s/cur/%s:2,S", path, name);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_int_equal(count("new", NULL), 0);
    copy.recipient = 5;
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_int_equal(count("new", NULL), 1);
}

/* What an address holds cannot end its line, and the host's name no file name. */
static void test_hostile(void **state)
{
    struct folder_copy copy = sample();
    char name[256];

    (void)state;
    copy.address = slice_text("\"a\r\nX-Evil: 1\"@box.example");
    copy.hostname = slice_text("../../a b:c");
    assert_int_equal(folder_put(&folder, &copy), ERR_OK);
    assert_content("Return-Path: <alice@example.org>\nDelivered-To: \"a??X-Evil: 1\"@box.example\n"
                   "Subject: x\n\none\ntwo\n");
    assert_int_equal(count("new", name), 1);
    assert_null(strchr(name, '/'));
    assert_null(strchr(name, ' '));
}

static void test_no_folder(void **state)
{
    struct folder other;
    int nothing = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_not_equal(folder_open(nothing, &other), ERR_OK);
    close(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put, make, end),
        cmocka_unit_test_setup_teardown(test_line_ends, make, end),
        cmocka_unit_test_setup_teardown(test_body_file, make, end),
        cmocka_unit_test_setup_teardown(test_again, make, end),
        cmocka_unit_test_setup_teardown(test_hostile, make, end),
        cmocka_unit_test_setup_teardown(test_no_folder, make, end),
    };

    return cmocka_run_group_tests_name("maildrop/folder", tests, NULL, NULL);
}
