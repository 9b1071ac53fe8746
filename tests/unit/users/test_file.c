/* tests/unit/users/test_file.c: the user file as it is read: one bad line sets one user aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "users/file.h"

#define FIRST "submitd-users 1\n"
#define KEY44 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SCRAM "scram=4096:AAAA:" KEY44 ":" KEY44
#define HASH  "hash=$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7O"

static const struct {
    const char *line; /* behind the first line, with its line end */
    size_t users, problems;
    const char *says; /* in the first problem */
} lines[] = {
    { "", 0, 0, NULL },
    { "\n# people\n\n", 0, 0, NULL },
    { "a@example.org state=active " HASH "\n", 1, 0, NULL },
    { "a@example.org state=disabled " SCRAM "\n", 1, 0, NULL },
    { "a@example.org state=active submit=no min_mech=scram " HASH " " SCRAM
      " sender=b@x.org sender=*@y.org sender=*\n",
        1, 0, NULL },
    { "a@example.org " HASH " state=active\n", 1, 0, NULL },
    { "a@example.org state=active " HASH, 0, 1, "has no end" },
    { "a@example.org state=active " HASH "\na@example.org state=active " HASH "\n", 1, 1,
        "a line for this user already" },
    { "a@example.org " HASH "\n", 0, 1, "state= is missing" },
    { "a@example.org state=active\n", 0, 1, "hash= and scram= are both missing" },
    { "a@example.org\n", 0, 1, "state= is missing" },
    { " a@example.org state=active " HASH "\n", 0, 1, "not a login name" },
    { "alice state=active " HASH "\n", 0, 1, "alice: not a login name" },
    { "a@\x9b.example.org state=active " HASH "\n", 0, 1, "not a login name" },
    { "\xef\xbd\x81@example.org state=active " HASH "\n", 0, 1, "not a login name" },
    { "\xc3\xa4@example.org state=active " HASH "\n", 1, 0, NULL },
    { "a@Example.org state=active " HASH "\n", 0, 1, "not a login name" },
    { "a@example.org state=on " HASH "\n", 0, 1,
        "state=on: allowed is state=active or state=disabled" },
    { "a@example.org  state=active " HASH "\n", 0, 1, "unknown word" },
    { "a@example.org state=active " HASH "\r\n", 0, 1, "hash=: not a password hash" },
    { "a@example.org state=active " HASH " submit=maybe\n", 0, 1, "submit=maybe: allowed is" },
    { "a@example.org state=active " HASH " min_mech=plain\n", 0, 1, "min_mech=plain: allowed is" },
    { "a@example.org state=active " HASH " state=disabled\n", 0, 1, "state=: given twice" },
    { "a@example.org state=active hash=secret\n", 0, 1, "hash=: not a password hash" },
    { "a@example.org state=active hsah=$6$SECRET$\n", 0, 1, "hsah=: unknown word" },
    { "a@example.org state=active " HASH " sender=nobody\n", 0, 1, "sender=nobody: allowed" },
    { "a@example.org state=active " HASH " sender=a\x1b[m@x.org\n", 0, 1,
        "sender=a?[m@x.org: allowed" },
    { "a@example.org state=active scram=4095:AAAA:" KEY44 ":" KEY44 "\n", 0, 1,
        "scram=: allowed is" },
    { "a@example.org state=active scram=10000001:AAAA:" KEY44 ":" KEY44 "\n", 0, 1,
        "scram=: allowed is" },
    { "a@example.org state=active scram=99999999999999999999:AAAA:" KEY44 ":" KEY44 "\n", 0, 1,
        "scram=: allowed is" },
    { "a@example.org state=active scram=4096::" KEY44 ":" KEY44 "\n", 0, 1, "scram=: allowed is" },
    { "a@example.org state=active scram=4096:AAA:" KEY44 ":" KEY44 "\n", 0, 1,
        "scram=: allowed is" },
    { "a@example.org state=active scram=4096:AAAA:AAAA:" KEY44 "\n", 0, 1, "scram=: allowed is" },
    { "a@example.org state=active scram=4096:AAAA:" KEY44 "\n", 0, 1, "scram=: allowed is" },
    { "a@example.org state=active scram=4096:AAAA:" KEY44 ":" KEY44 ":\n", 0, 1,
        "scram=: allowed is" },
    { "bad\na@example.org state=active " HASH "\nworse\n", 1, 2, "bad: not a login name" },
};

static enum err parse(struct slice text, struct users_report *out_report, struct users **out_users)
{
    char *copy = malloc(text.len + 1);

    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    return users_parse(copy, text.len, out_report, out_users);
}

static void test_lines(void **state)
{
    char text[4096];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        struct users_report report;
        struct users *users = NULL;

        snprintf(text, sizeof text, "%s%s", FIRST, lines[i].line);
        assert_int_equal(parse(slice_text(text), &report, &users), ERR_OK);
        if (users_count(users) != lines[i].users || report.count != lines[i].problems)
            fail_msg("row %zu: %zu users, %zu problems: %s", i, users_count(users), report.count,
                report.problems[0].text);
        if (lines[i].says && !strstr(report.problems[0].text, lines[i].says))
            fail_msg("row %zu says: %s", i, report.problems[0].text);
        assert_null(strstr(report.problems[0].text, "SECRET"));
        users_free(&users);
        assert_null(users);
    }
}

static void test_line_numbers(void **state)
{
    struct users_report report;
    struct users *users;

    (void)state;
    assert_int_equal(parse(slice_text(FIRST "\n# x\nbad\n"), &report, &users), ERR_OK);
    assert_int_equal(report.problems[0].line, 4);
    users_free(&users);
}

static const struct {
    const char *text;
    enum err error;
} firsts[] = {
    { "", ERR_INVALID },
    { "\n", ERR_INVALID },
    { "a@example.org state=active " HASH "\n", ERR_INVALID },
    { "submitd-users 2\n", ERR_INVALID },
    { "submitd-users 10\n", ERR_INVALID },
    { "submitd-users 1 key=\n", ERR_INVALID },
    { "submitd-users 1 key=AAAA\n", ERR_INVALID },
    { "submitd-users 1 other=" KEY44 "\n", ERR_INVALID },
    { "submitd-users 1 key=" KEY44 " \n", ERR_INVALID },
    { "submitd-users 1", ERR_OK },
    { "submitd-users 1 key=" KEY44 "\n", ERR_OK },
};

static void test_first_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(firsts); i++) {
        struct users_report report;
        struct users *users = NULL;

        if (parse(slice_text(firsts[i].text), &report, &users) != firsts[i].error)
            fail_msg("row %zu", i);
        assert_int_equal(report.count, firsts[i].error == ERR_OK ? 0 : 1);
        users_free(&users);
    }
}

static void test_record(void **state)
{
    struct users_report report;
    struct users *users;
    const struct user *user;

    (void)state;
    assert_int_equal(parse(slice_text("submitd-users 1 key=" KEY44 "\n"
                                      "a@example.org state=disabled submit=no min_mech=scram " HASH
                                      " " SCRAM " sender=b@x.org sender=*@y.org\n"
                                      "c@example.org state=active " SCRAM "\n"),
                         &report, &users),
        ERR_OK);
    user = users_find(users, slice_text("a@example.org"));
    assert_non_null(user);
    assert_int_equal(user->state, USER_DISABLED);
    assert_false(user->may_submit); /* SUB-3.3-4 */
    assert_int_equal(user->min_mech, USER_MECH_SCRAM);
    assert_true(slice_is(user->hash, &HASH[5]));
    assert_int_equal(user->scram.iterations, 4096);
    assert_int_equal(user->scram.salt_len, 3);
    assert_int_equal(user->sender_count, 2);
    assert_true(slice_is(user->senders[1].pattern, "*@y.org"));
    assert_ptr_equal(users_first(users), user);
    assert_true(slice_is(users_next(user)->login, "c@example.org"));
    assert_null(users_next(users_next(user)));
    assert_null(users_find(users, slice_text("A@example.org")));
    assert_null(users_find(users, slice_text("")));
    assert_non_null(users_model(users, 12345));
    assert_ptr_equal(users_model(users, 12345), users_model(users, 12345));
    assert_int_equal(users_key(users).len, USERS_KEY);
    users_free(&users);
}

/* The line of at most USERS_LINE_MAX octets, the 256th sender, and one past each. */
static void test_bounds(void **state)
{
    static char text[USERS_LINE_MAX * 2 + 64];
    struct users_report report;
    struct users *users;
    size_t len;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        len = (size_t)snprintf(text, sizeof text, FIRST "a@example.org state=active " HASH);
        for (size_t i = 0; i < USER_SENDERS_MAX + extra; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, " sender=%zu@x.org", i);
        snprintf(text + len, sizeof text - len, "\n");
        assert_int_equal(parse(slice_text(text), &report, &users), ERR_OK);
        assert_int_equal(users_count(users), 1 - extra);
        users_free(&users);
    }
    for (size_t extra = 0; extra < 2; extra++) {
        len = (size_t)snprintf(text, sizeof text, FIRST "#");
        memset(text + len, 'x', USERS_LINE_MAX);
        text[sizeof FIRST - 1 + USERS_LINE_MAX + extra] = '\n';
        assert_int_equal(
            parse(slice_of(text, sizeof FIRST + USERS_LINE_MAX + extra), &report, &users), ERR_OK);
        assert_int_equal(report.count, extra);
        users_free(&users);
    }
}

static void test_grant(void **state)
{
    static char text[8192] = FIRST "a@example.org state=active " HASH;
    struct users_report report;
    struct users *users;
    struct grant grant;
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < GRANT_SENDERS_MAX + 1; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " sender=%zu@x.org", i);
    snprintf(text + len, sizeof text - len, "\n");
    assert_int_equal(parse(slice_text(text), &report, &users), ERR_OK);
    grant = grant_of(users_first(users));
    assert_true(grant.truncated);
    assert_true(grant.may_submit);
    assert_int_equal(grant.sender_count, GRANT_SENDERS_MAX);
    assert_true(slice_is(grant.user, "a@example.org"));
    assert_true(slice_is(grant.senders[0].pattern, "0@x.org"));
    assert_true(slice_is(grant.senders[GRANT_SENDERS_MAX - 1].pattern, "31@x.org"));
    users_free(&users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_line_numbers),
        cmocka_unit_test(test_first_line),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_grant),
    };

    return cmocka_run_group_tests_name("users/file", tests, NULL, NULL);
}
