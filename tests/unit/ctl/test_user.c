/* The user commands, end to end on a file: password from standard input, state, list, removal, exit
 * statuses. */
#include "capture.h"
#include "../folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "users/file.h"

static char folder[64];

static void put_conf(void)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/conf", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
        "hostname = \"mail.example.org\" state = \"%s\"\n"
        "listener \"a\" { address = \"127.0.0.1:2465\" tls = \"implicit\" }\n"
        "tls { certificate = \"/c\" key = \"/k\" }\nusers \"file\" { path = \"%s/users\" }\nroute "
        "\"*\" { via = \"mx\" }\n",
        folder, folder);
    fclose(file);
}

/* Runs with this text as standard input. */
static struct capture run(const char *words, const char *input)
{
    struct capture capture;
    char line[512];
    int before = dup(STDIN_FILENO);
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], input, strlen(input)), (ssize_t)strlen(input));
    close(pipes[1]);
    dup2(pipes[0], STDIN_FILENO);
    close(pipes[0]);
    snprintf(line, sizeof line, "-c %s/conf %s", folder, words);
    capture = capture_run(line);
    dup2(before, STDIN_FILENO);
    close(before);
    return capture;
}

struct step {
    const char *words;
    const char *input;
    int status;
    const char *out;
    const char *err;
};

static const struct step steps[] = {
    { "user add alice@example.org --sender *@example.org", "first secret\nsecond line\n", 0, "",
        "" },
    { "user add alice@example.org", "x\n", 65, "",
        "submitctl: alice@example.org: there is such a user already\n" },
    { "user add Bob@Example.ORG", "no line end", 0, "", "" },
    { "user add nobody", "x\n", 65, "", NULL },
    { "user add c@example.org", "", 65, "", "submitctl: no password was given\n" },
    { "user add c@example.org", "\n", 65, "", NULL },
    { "user add c@example.org --sender nonsense", "x\n", 65, "",
        "submitctl: c@example.org: not a pattern; allowed is user@domain, *@domain or *\n" },
    { "user disable Bob@example.org", "", 0, "", "" },
    { "user list", "", 0,
        "alice@example.org  active    also as *@example.org\nBob@example.org    disabled\n", "" },
    { "user enable Bob@example.org", "", 0, "", "" },
    { "user passwd Bob@example.org", "changed\r\n", 0, "", "" },
    { "user passwd c@example.org", "x\n", 67, "",
        "submitctl: c@example.org: there is no such user\n" },
    { "user disable c@example.org", "", 67, "",
        "submitctl: c@example.org: there is no such user\n" },
    { "user remove c@example.org", "", 67, "",
        "submitctl: c@example.org: there is no such user\n" },
    { "user list --json", "", 0, NULL, "" },
    { "password list alice@example.org", "", 0, "", "" },
    { "password list nobody@example.org", "", 67, "",
        "submitctl: nobody@example.org: there is no such user\n" },
    { "password add nobody@example.org phone", "", 67, "",
        "submitctl: nobody@example.org: there is no such user\n" },
    { "password add alice@example.org a/b", "", 65, "", NULL },
    { "password add alice@example.org phone --days 0", "", 64, "",
        "submitctl: --days takes a number from 1 to 36500, not 0\n" },
    { "password add alice@example.org phone --submit no --max-size 1000", "", 0, NULL, "" },
    { "password add alice@example.org phone", "", 65, "",
        "submitctl: alice@example.org: the user has an app password of that name already\n" },
    { "password list alice@Example.org", "", 0, "phone  may not submit  at most 1000 octets\n",
        "" },
    { "password remove alice@example.org tablet", "", 65, "",
        "submitctl: alice@example.org: the user has no app password of that name\n" },
    { "password remove alice@example.org phone", "", 0, "", "" },
    { "password list alice@example.org", "", 0, "", "" },
    { "group set sales --sender *@sales.example.org --max-recipients 20", "", 0, "", "" },
    { "group set @staff --submit no --recipient *@example.org", "", 0, "", "" },
    { "group set a@b", "", 65, "",
        "submitctl: a@b: not a group's name; allowed are 64 of letters, digits, dots, hyphens and "
        "underscores\n" },
    { "group set none", "", 65, "", NULL },
    { "group set sales --max-recipients 0", "", 64, "",
        "submitctl: --max-recipients takes a number from 1 to 1000000, or none, not 0\n" },
    { "group list", "", 0,
        "sales  also as *@sales.example.org  at most 20 recipients\n"
        "staff  may not submit  only to *@example.org\n",
        "" },
    { "user set alice@example.org", "", 64, "",
        "submitctl: user set takes at least one right to change\n" },
    { "user set alice@example.org --group sales --group staff --max-size 1000", "", 0, "", "" },
    { "user set alice@example.org --group nobody --max-size 1", "", 67, "",
        "submitctl: alice@example.org: there is no such group\n" },
    { "user set alice@example.org --submit perhaps", "", 64, "",
        "submitctl: --submit takes yes or no, not perhaps\n" },
    { "user set c@example.org --submit no", "", 67, "", NULL },
    { "user list", "", 0,
        "alice@example.org  active    in sales, staff  also as *@example.org  at most 1000 octets\n"
        "Bob@example.org    active  \n",
        "" },
    { "user set alice@example.org --group sales --recipient *@x.org --recipient a@y.org --sender "
      "none --max-size none",
        "", 0, "", "" },
    { "user list", "", 0,
        "alice@example.org  active    in sales  only to *@x.org, a@y.org\n"
        "Bob@example.org    active  \n",
        "" },
    { "group remove sales", "", 65, "", "submitctl: sales: the group has members\n" },
    { "group remove staff", "", 0, "", "" },
    { "group remove staff", "", 67, "", "submitctl: staff: there is no such group\n" },
    { "group list --json", "", 0,
        "{\n  \"groups\": [\n    {\n      \"name\": \"sales\",\n      \"submit\": true,\n      "
        "\"senders\": [\n        \"*@sales.example.org\"\n      ],\n      \"recipients\": [],\n    "
        "  "
        "\"max_recipients\": 20,\n      \"max_size\": null\n    }\n  ]\n}\n",
        "" },
    { "user remove alice@example.org --json", "", 0, "{\n  \"ok\": true\n}\n", "" },
    { "user list", "", 0, "Bob@example.org  active  \n", "" },
};

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(steps); i++) {
        struct capture capture = run(steps[i].words, steps[i].input);

        if (capture.status != steps[i].status ||
            (steps[i].out && strcmp(capture.out, steps[i].out) != 0) ||
            (steps[i].err && strcmp(capture.err, steps[i].err) != 0))
            fail_msg("%s: %d\n%s%s", steps[i].words, capture.status, capture.out, capture.err);
        capture_clear(&capture);
    }
}

/* The file that was made says what was typed, and only the first line of it; nobody else may read
 * it (SASL-15). */
static void test_file(void **state)
{
    struct users_report report;
    struct users *users = NULL;
    const struct user *bob;
    struct stat about;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/users", folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_OK);
    bob = users_find(users, slice_text("Bob@example.org"));
    assert_non_null(bob);
    assert_true(password_verify(slice_text("changed"), bob->hash));
    users_free(&users);
}

static void test_missing_file(void **state)
{
    struct capture capture;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/users", folder);
    unlink(path);
    capture = run("user list", "");
    assert_int_equal(capture.status, 66);
    capture_clear(&capture);
    capture = run("user disable a@example.org", "");
    assert_int_equal(capture.status, 66);
    capture_clear(&capture);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/submitd-user-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    put_conf();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests_name("ctl/user", tests, set_up, tear_down);
}
