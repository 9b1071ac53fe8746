/* tests/unit/users/test_save.c: what submitctl does with the user file: change, lock, replace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "users/file.h"

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/submitd-users-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/users", folder);
    return 0;
}

static int remove_folder(void **state)
{
    char other[160];

    (void)state;
    unlink(path);
    snprintf(other, sizeof other, "%s/link", folder);
    unlink(other);
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static void write_text(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static struct users *load(void)
{
    struct users_report report;
    struct users *users = NULL;

    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_OK);
    return users;
}

/* SASL-15: a tool sets passwords; the file has no clear password and mode 0600. */
static void test_new_file(void **state)
{
    const struct slice senders[] = { SLICE_LITERAL("*@Lists.example.org"),
        SLICE_LITERAL("info@example.org") };
    struct users *users = NULL;
    const struct user *user;
    struct stat st;
    char text[4096] = "";
    FILE *file;

    (void)state;
    assert_int_equal(users_new(&users), ERR_OK);
    assert_int_equal(
        users_add(users, slice_text("Alice@Example.org"), slice_text("hunter2secret"), senders, 2),
        USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    file = fopen(path, "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_null(strstr(text, "hunter2"));
    users = load();
    user = users_find(users, slice_text("Alice@example.org"));
    assert_non_null(user);
    assert_true(user->rights.may_submit);
    assert_int_equal(user->state, USER_ACTIVE);
    assert_true(slice_is(user->rights.senders[0].pattern, "*@lists.example.org"));
    assert_true(password_verify(slice_text("hunter2secret"), user->hash));
    assert_int_equal(user->scram.iterations, SCRAM_ITERATIONS);
    assert_int_equal(users_key(users).len, USERS_KEY);
    users_free(&users);
}

/* Writes and reads what an operator does to app passwords. */
static void test_apps(void **state)
{
    struct slice a = slice_text("a@example.org"), name = slice_text("phone");
    struct slice patterns[APP_PATTERNS_MAX + 1];
    struct rights_change change = { .has_submit = true, .senders = { true, patterns, 1 } };
    char secret[APP_SECRET + 1], other[APP_SECRET + 1], number[8];
    struct users *users = NULL;
    const struct user *user;
    struct scram_verifier got;
    size_t muted;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(patterns); i++)
        patterns[i] = slice_text("*@X.example");
    assert_int_equal(users_new(&users), ERR_OK);
    assert_int_equal(users_add_app(users, a, name, 0, &change, secret), USER_UNKNOWN);
    assert_int_equal(users_add(users, a, slice_text("pencil"), NULL, 0), USER_OK);
    assert_int_equal(users_add_app(users, a, slice_text("a b"), 0, &change, secret), USER_BAD_APP);
    assert_int_equal(users_add_app(users, a, slice_text(""), 0, &change, secret), USER_BAD_APP);
    change.senders.count = APP_PATTERNS_MAX + 1;
    assert_int_equal(users_add_app(users, a, name, 0, &change, secret), USER_MANY_SENDERS);
    change.senders.count = 1;
    assert_int_equal(users_add_app(users, a, name, 12345, &change, secret), USER_OK);
    assert_int_equal(users_add_app(users, a, name, 0, &change, other), USER_HAS_APP);
    assert_int_equal(strlen(secret), APP_SECRET);
    for (int i = 1; i < USER_APPS_MAX; i++) {
        snprintf(number, sizeof number, "n%d", i);
        assert_int_equal(users_add_app(users, a, slice_text(number), 0, &change, other), USER_OK);
        assert_string_not_equal(secret, other);
    }
    assert_int_equal(
        users_add_app(users, a, slice_text("last"), 0, &change, other), USER_MANY_APPS);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    users = load();
    user = users_find(users, a);
    assert_int_equal(user->app_count, USER_APPS_MAX);
    assert_true(slice_equals(user->apps->name, name));
    assert_int_equal(user->apps->until, 12345);
    assert_false(user->apps->rights.may_submit);
    assert_true(slice_is(user->apps->rights.senders[0].pattern, "*@x.example"));
    assert_int_equal(
        scram_derive(SCRAM_SHA_256, slice_text(secret),
            slice_of(user->scram.salt, user->scram.salt_len), user->scram.iterations, &got),
        ERR_OK);
    assert_ptr_equal(user_app(user, slice_of(got.stored_key, SCRAM_KEY), 12344), user->apps);
    assert_null(user_app(user, slice_of(got.stored_key, SCRAM_KEY), 12345));
    assert_null(user_app(user, slice_of(user->scram.stored_key, SCRAM_KEY), 0));
    assert_int_equal(users_remove_app(users, a, slice_text("nobody"), &muted), USER_NO_APP);
    assert_int_equal(users_remove_app(users, a, name, &muted), USER_OK);
    assert_int_equal(users_remove_app(users, a, name, &muted), USER_NO_APP);
    assert_int_equal(user->app_count, USER_APPS_MAX - 1);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    assert_int_equal(users_remove(users, a), USER_OK); /* and all that it had */
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    users = load();
    assert_int_equal(users_count(users), 0);
    users_free(&users);
}

/* SASL-2: a verifier for SCRAM-SHA-1 is made where it is wanted, and goes with the next password
 * that is set where it is not. */
static void test_sha1(void **state)
{
    struct slice a = slice_text("a@example.org");
    struct users *users = NULL;

    (void)state;
    assert_int_equal(users_new(&users), ERR_OK);
    users_make_sha1(users, true);
    assert_int_equal(users_add(users, a, slice_text("pencil"), NULL, 0), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    users = load();
    assert_int_equal(user_scram(users_find(users, a), SCRAM_SHA_1)->iterations, SCRAM_ITERATIONS);
    assert_int_equal(user_scram(users_find(users, a), SCRAM_SHA_1)->hash, SCRAM_SHA_1);
    assert_int_equal(user_scram(users_find(users, a), SCRAM_SHA_256)->hash, SCRAM_SHA_256);
    assert_int_equal(users_set_password(users, a, slice_text("pencil")), USER_OK);
    assert_null(user_scram(users_find(users, a), SCRAM_SHA_1));
    users_free(&users);
}

static void test_owner(void **state)
{
    struct users *users = NULL;
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(users_new(&users), ERR_OK);
    assert_int_equal(users_save(users, path, 4242, 4243), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 4242);
    assert_int_equal(st.st_gid, 4243);
    assert_int_equal(chmod(path, 0640), 0);
    /* A file that exists keeps what it has. */
    assert_int_equal(users_save(users, path, 1, 1), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 4242);
    assert_int_equal(st.st_gid, 4243);
    assert_int_equal(st.st_mode & 07777, 0640);
    users_free(&users);
}

#define HASH "hash=$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7O"

/* What was set aside and what says nothing survives a change of something else, octet by octet. */
static void test_nothing_lost(void **state)
{
    static const char before[] =
        "submitd-users 1\n# staff\nbroken line\n\na@example.org state=active submit=no "
        "min_mech=scram " HASH " sender=* group=g\n@g max_size=5 recipient=*@x.org submit=no\n"
        "c@example.org state=active group=nobody " HASH "\nb@example.org state=active " HASH "\n";
    static const char after[] =
        "submitd-users 1\n# staff\nbroken line\n\na@example.org state=disabled "
        "min_mech=scram " HASH
        " group=g submit=no sender=*\n@g submit=no max_size=5 recipient=*@x.org\n"
        "c@example.org state=active group=nobody " HASH "\n";
    struct users *users;
    char text[1024] = "";
    FILE *file;

    (void)state;
    write_text(before, 0600);
    users = load();
    assert_int_equal(users_set_state(users, slice_text("a@EXAMPLE.org"), USER_DISABLED), USER_OK);
    assert_int_equal(users_remove(users, slice_text("b@example.org")), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    file = fopen(path, "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, after);
}

static void test_changes(void **state)
{
    static char many[USER_SENDERS_MAX + 1][32];
    static struct slice senders[USER_SENDERS_MAX + 1];
    struct users *users = NULL;
    struct slice a = slice_text("a@example.org"), pw = slice_text("one two");
    struct slice bad = slice_text("x y");

    (void)state;
    assert_int_equal(users_new(&users), ERR_OK);
    assert_int_equal(users_add(users, slice_text("alice"), pw, NULL, 0), USER_BAD_LOGIN);
    assert_int_equal(users_add(users, slice_text("a@x state=active"), pw, NULL, 0), USER_BAD_LOGIN);
    assert_int_equal(users_add(users, a, slice_text(""), NULL, 0), USER_BAD_PASSWORD);
    assert_int_equal(users_add(users, a, slice_text("a\nb"), NULL, 0), USER_BAD_PASSWORD);
    assert_int_equal(users_add(users, a, pw, &bad, 1), USER_BAD_SENDER);
    for (size_t i = 0; i < USER_SENDERS_MAX + 1; i++) {
        snprintf(many[i], sizeof many[i], "%zu@example.org", i);
        senders[i] = slice_text(many[i]);
    }
    assert_int_equal(users_add(users, a, pw, senders, USER_SENDERS_MAX + 1), USER_MANY_SENDERS);
    assert_int_equal(users_count(users), 0);
    assert_int_equal(users_add(users, a, pw, senders, USER_SENDERS_MAX), USER_OK);
    assert_int_equal(users_add(users, a, pw, NULL, 0), USER_EXISTS);
    assert_int_equal(users_set_password(users, slice_text("b@example.org"), pw), USER_UNKNOWN);
    assert_int_equal(users_set_password(users, a, slice_text("three")), USER_OK);
    assert_true(password_verify(slice_text("three"), users_find(users, a)->hash));
    assert_int_equal(
        users_set_state(users, slice_text("b@example.org"), USER_ACTIVE), USER_UNKNOWN);
    assert_int_equal(users_remove(users, a), USER_OK);
    assert_int_equal(users_remove(users, a), USER_UNKNOWN);
    assert_null(users_find(users, a));
    users_free(&users);
    for (int i = 0; i < USER_FAULTS; i++)
        assert_non_null(user_fault_text((enum user_fault)i));
}

/* A second line for a user must not come to life when the first is removed. */
static void test_remove_takes_all_lines(void **state)
{
    struct users *users;

    (void)state;
    write_text("submitd-users 1\na@example.org state=disabled " HASH
               "\na@example.org state=active " HASH "\n",
        0600);
    users = load();
    assert_int_equal(users_remove(users, slice_text("a@example.org")), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    users = load();
    assert_int_equal(users_count(users), 0);
    users_free(&users);
}

/* A line that was cut may lack the word that takes a right away: saving gives it no life. */
static void test_cut_line(void **state)
{
    static const char text[] = "submitd-users 1\nalice@example.org state=active " HASH
                               "\nbob@example.org state=active " HASH;
    struct users *users;

    (void)state;
    write_text(text, 0600);
    users = load();
    assert_int_equal(users_count(users), 1);
    assert_int_equal(
        users_set_state(users, slice_text("alice@example.org"), USER_DISABLED), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    users = load();
    assert_int_equal(users_count(users), 1);
    assert_null(users_find(users, slice_text("bob@example.org")));
    users_free(&users);
}

/* A change whose line could not be read again is refused, and the file is as it was: the members of
 * a group with such a line could not log in any more. */
static void test_long_line(void **state)
{
    static char names[USER_SENDERS_MAX][80];
    struct slice words[USER_SENDERS_MAX];
    struct rights_change change = { .senders = { true, words, 200 } };
    struct users *users;

    (void)state;
    write_text("submitd-users 1\n@sales submit=yes\na@example.org state=active " HASH
               " group=sales\n",
        0600);
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        snprintf(names[i], sizeof names[i], "s%03zu.%055d@example.org", i, 0);
        words[i] = slice_text(names[i]);
    }
    users = load();
    assert_int_equal(users_set_group(users, slice_text("sales"), &change), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    change.senders.count = LENGTH_OF(words);
    assert_int_equal(users_set_group(users, slice_text("sales"), &change), USER_OK);
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_LIMIT);
    users_free(&users);
    users = load();
    assert_int_equal(users_count(users), 1);
    assert_int_equal(users_first_group(users)->rights.sender_count, 200);
    users_free(&users);
}

/* A comment is nobody's membership; a line that was set aside is. */
static void test_group_in_comment(void **state)
{
    struct users *users;

    (void)state;
    write_text("submitd-users 1\n@sales submit=yes\n@staff submit=no\n"
               "#a@example.org state=active group=sales\n# group=sales\n"
               "b@example.org state=odd group=staff\n",
        0600);
    users = load();
    assert_int_equal(users_remove_group(users, slice_text("sales")), USER_OK);
    assert_int_equal(users_remove_group(users, slice_text("staff")), USER_HAS_GROUP);
    users_free(&users);
}

static void test_unreadable(void **state)
{
    struct users_report report;
    struct users *users = NULL;
    struct users_stamp stamp;

    (void)state;
    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_NOTFOUND);
    assert_int_equal(users_stamp_read(AT_FDCWD, path, &stamp), ERR_NOTFOUND);
    write_text("submitd-users 1\n", 0604);
    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_DENIED);
    assert_int_equal(report.count, 1);
    write_text("submitd-users 1\n", 0602);
    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_DENIED);
    write_text("root:x:0:0\n", 0600);
    assert_int_equal(users_load(AT_FDCWD, path, &report, &users), ERR_INVALID);
    assert_int_equal(users_load(AT_FDCWD, folder, &report, &users), ERR_INVALID);
    assert_null(users);
}

static void test_stamp(void **state)
{
    struct users *users;
    struct users_stamp before, after;
    int dir;

    (void)state;
    write_text("submitd-users 1\n", 0600);
    users = load();
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    before = users_stamp_of(users);
    assert_int_equal(users_stamp_read(dir, "users", &after), ERR_OK);
    assert_true(users_stamp_equals(&before, &after));
    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    assert_int_equal(users_stamp_read(dir, "users", &after), ERR_OK);
    assert_false(users_stamp_equals(&before, &after));
    close(dir);
    users_free(&users);
}

/* A link stays a link; what it points to is replaced. */
static void test_link(void **state)
{
    struct users *users;
    struct stat st;
    char link[160];

    (void)state;
    write_text("submitd-users 1\n", 0600);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("users", link), 0);
    users = load();
    assert_int_equal(users_save(users, link, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void test_lock(void **state)
{
    char nowhere[sizeof folder + sizeof "/nowhere/users"];
    int first = -1, second = -1, status;
    pid_t child;

    (void)state;
    assert_int_equal(users_lock(path, &first), ERR_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* waits until the first lets go */
        enum err rc;

        close(first); /* the lock is the description's, which both share */
        rc = users_lock(path, &second);
        _exit(rc == ERR_OK ? 0 : 1);
    }
    usleep(150000);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    users_unlock(&first);
    assert_int_equal(first, -1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    users_unlock(&first);
    snprintf(nowhere, sizeof nowhere, "%s/nowhere/users", folder);
    assert_int_equal(users_lock(nowhere, &first), ERR_NOTFOUND);
}

#define ZERO44 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SALT_A "scram=4096:AAAA:" ZERO44 ":" ZERO44
#define SALT_B "scram=4096:BBBB:" ZERO44 ":" ZERO44

/* Saves, loads and gives back the text. */
static struct users *save_and_load(struct users *users, char *text, size_t size)
{
    FILE *file;

    assert_int_equal(users_save(users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(&users);
    file = fopen(path, "r");
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    return load();
}

/* A line that was refused for what others say is not accepted because one of them is revoked,
 * wherever it stands among them. */
static void test_rivals(void **state)
{
    struct slice a = slice_text("a@example.org");
    struct users *users;
    const struct user *user;
    char text[8192];
    size_t muted;

    (void)state;
    write_text(
        "submitd-users 1\na@example.org state=active hash=$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7O\n"
        "a@example.org:one " SALT_A "\na@example.org:odd " SALT_B " submit=no\n"
        "a@example.org:two " SALT_A "\nb@example.org:odd " SALT_B "\n",
        0600);
    users = load();
    assert_int_equal(users_find(users, a)->app_count, 2);
    assert_int_equal(users_remove_app(users, a, slice_text("one"), &muted), USER_OK);
    assert_int_equal(muted, 1);
    users = save_and_load(users, text, sizeof text);
    user = users_find(users, a);
    assert_int_equal(user->app_count, 1);
    assert_true(slice_is(user->apps->name, "two"));
    assert_non_null(strstr(text, "\n#a@example.org:odd " SALT_B " submit=no\n"));
    assert_non_null(strstr(text, "\nb@example.org:odd " SALT_B "\n"));
    assert_int_equal(users_remove_app(users, a, slice_text("two"), &muted), USER_OK);
    assert_int_equal(muted, 0);
    users = save_and_load(users, text, sizeof text);
    assert_int_equal(users_find(users, a)->app_count, 0);
    users_free(&users);
}

/* What was set aside can itself be revoked, and that mutes nobody. */
static void test_rival_removed(void **state)
{
    struct slice a = slice_text("a@example.org");
    struct users *users;
    char text[8192];
    size_t muted;

    (void)state;
    write_text("submitd-users 1\na@example.org state=active " SALT_A "\na@example.org:odd " SALT_B
               "\na@example.org:one " SALT_A "\na@example.org:even " SALT_B "\n",
        0600);
    users = load();
    assert_int_equal(users_remove_app(users, a, slice_text("odd"), &muted), USER_OK);
    assert_int_equal(muted, 0);
    users = save_and_load(users, text, sizeof text);
    assert_null(strstr(text, "odd"));
    assert_non_null(strstr(text, "\na@example.org:even "));
    assert_int_equal(users_find(users, a)->app_count, 1);
    users_free(&users);
}

/* The same for the seventeenth; a new one then has the place of the one that has gone. */
static void test_seventeenth(void **state)
{
    struct slice a = slice_text("a@example.org");
    struct rights_change change = { .has_submit = true, .may_submit = true };
    char secret[APP_SECRET + 1],
        text[8192] = "submitd-users 1\na@example.org state=active " SALT_A "\n";
    struct users *users;
    size_t muted;

    (void)state;
    for (int i = 0; i <= USER_APPS_MAX; i++)
        snprintf(
            text + strlen(text), sizeof text - strlen(text), "a@example.org:n%d " SALT_A "\n", i);
    write_text(text, 0600);
    users = load();
    assert_int_equal(users_remove_app(users, a, slice_text("n3"), &muted), USER_OK);
    assert_int_equal(muted, 1);
    assert_int_equal(users_add_app(users, a, slice_text("new"), 0, &change, secret), USER_OK);
    users = save_and_load(users, text, sizeof text);
    assert_non_null(strstr(text, "\n#a@example.org:n16 "));
    assert_int_equal(users_find(users, a)->app_count, USER_APPS_MAX);
    users_free(&users);
}

/* A second line for a group goes with the first. */
static void test_second_group(void **state)
{
    struct users *users;
    char text[8192];

    (void)state;
    write_text("submitd-users 1\n@staff submit=no\n@staff sender=*\n@other\n", 0600);
    users = load();
    assert_int_equal(users_remove_group(users, slice_text("staff")), USER_OK);
    users = save_and_load(users, text, sizeof text);
    assert_null(users_find_group(users, slice_text("staff")));
    assert_non_null(users_find_group(users, slice_text("other")));
    users_free(&users);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_new_file),
        IN_FOLDER(test_apps),
        IN_FOLDER(test_sha1),
        IN_FOLDER(test_owner),
        IN_FOLDER(test_nothing_lost),
        IN_FOLDER(test_changes),
        IN_FOLDER(test_remove_takes_all_lines),
        IN_FOLDER(test_cut_line),
        IN_FOLDER(test_long_line),
        IN_FOLDER(test_group_in_comment),
        IN_FOLDER(test_unreadable),
        IN_FOLDER(test_stamp),
        IN_FOLDER(test_link),
        IN_FOLDER(test_lock),
        IN_FOLDER(test_rivals),
        IN_FOLDER(test_rival_removed),
        IN_FOLDER(test_seventeenth),
        IN_FOLDER(test_second_group),
    };

    return cmocka_run_group_tests_name("users/save", tests, NULL, NULL);
}
