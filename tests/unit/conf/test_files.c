/* conf_check_files names each file that is missing, of a wrong kind, or open to others. */
#include "sample.h"
#include "../folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/submitd-files-XXXXXX";

static void put(const char *name, mode_t mode)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static size_t report(struct buffer *lines)
{
    struct arena arena;
    char text[4096];
    size_t count;

    arena_init(&arena, 1 << 20);
    snprintf(text, sizeof text,
        "hostname = \"mail.example.org\" state = \"%s\" " SAMPLE_LISTENER
        "tls { certificate = \"%s/cert\" key = \"%s/key\"\n"
        "sni \"a.example\" { certificate = \"%s/cert\" key = \"%s/key2\" } }\n"
        "users \"file\" { path = \"%s/users\" }\n"
        "route \"a.example\" { via = \"smtp\" to = \"b.example\" username = \"u\" password_file = "
        "\"%s/password\" }\n"
        "route \"*\" { via = \"maildir\" to = \"%s/mail\" }\n",
        folder, folder, folder, folder, folder, folder, folder, folder);
    buffer_reset(lines);
    count = conf_check_files(sample_load(&arena, text), lines);
    buffer_put_char(lines, '\0');
    arena_clear(&arena);
    return count;
}

static bool says(const struct buffer *lines, const char *words)
{
    return strstr(buffer_slice(lines).data, words) != NULL;
}

static void test_report(void **state)
{
    struct buffer lines;
    char path[256];

    (void)state;
    buffer_init(&lines, 65536);
    assert_int_equal(report(&lines), 6);
    assert_true(says(&lines, "/key2\": No such file or directory\n"));
    assert_true(says(&lines, "users \""));
    assert_true(says(&lines, "route \"a.example\" \""));
    put("cert", 0644);
    put("key", 0644);
    put("key2", 0640);
    put("users", 0604);
    put("password", 0600);
    put("mail", 0600);
    assert_int_equal(report(&lines), 3);
    assert_true(says(&lines, "/key\": mode 0644 lets others in; allowed is 0640 or less\n"));
    assert_true(says(&lines, "/users\": mode 0604 lets others in; allowed is 0640 or less\n"));
    assert_true(says(&lines, "/mail\": not a folder\n"));
    put("key", 0600);
    put("users", 0600);
    put("cert", 0646);
    snprintf(path, sizeof path, "%s/mail", folder);
    unlink(path);
    mkdir(path, 0700);
    assert_int_equal(report(&lines), 2);
    assert_true(says(&lines, "tls certificate \""));
    assert_true(says(&lines, "mode 0646 lets others change it\n"));
    put("cert", 0644);
    assert_int_equal(report(&lines), 0);
    buffer_clear(&lines);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),
    };

    return cmocka_run_group_tests_name("conf/files", tests, make_folder, remove_folder);
}
