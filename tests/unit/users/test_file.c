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
#define KEY28 "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
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
    { "a@example.org state=active " HASH " recipient=*@x.org max_recipients=1000000 max_size=1\n",
        1, 0, NULL },
    { "a@example.org state=active " HASH " recipient=x\n", 0, 1, "recipient=x: allowed are 256" },
    { "a@example.org state=active " HASH " max_recipients=0\n", 0, 1, "max_recipients=0: allowed" },
    { "a@example.org state=active " HASH " max_recipients=1000001\n", 0, 1, "allowed is a number" },
    { "a@example.org state=active " HASH " max_size=0\n", 0, 1, "max_size=0: allowed is" },
    { "a@example.org state=active " HASH " max_size=99999999999999999999\n", 0, 1, "allowed is" },
    { "a@example.org state=active " HASH " max_size=1 max_size=2\n", 0, 1, "given twice" },
    { "@g\na@example.org state=active " HASH " group=g\n", 1, 0, NULL },
    { "a@example.org state=active " HASH " group=g\n@g sender=*\n", 1, 0, NULL },
    { "a@example.org state=active " HASH " group=g\nb@example.org state=active " HASH "\n", 1, 1,
        "g: no line describes this group" },
    { "a@example.org state=active " HASH " group=g\n@g state=active\n", 0, 2,
        "state=: unknown word; allowed are submit=" },
    { "a@example.org state=active " HASH " group=a@b\n", 0, 1, "group=a@b: allowed are 16 names" },
    { "@g\n@g submit=no\n", 0, 1, "@g: there is a line for this group already" },
    { "@\n", 0, 1, "@: not a group" },
    { "@g h\n", 0, 1, "unknown word" },
    { "@g submit=no", 0, 1, "has no end" },
    { "@g submit=no max_recipients=3 max_size=4 sender=a@x.org recipient=*\n", 0, 0, NULL },
    { "a@example.org state=active " SCRAM " scram_sha1=4096:AAAA:" KEY28 ":" KEY28 "\n", 1, 0,
        NULL },
    { "a@example.org state=active scram_sha1=4096:AAAA:" KEY28 ":" KEY28 "\n", 0, 1,
        "hash= and scram= are both missing" },
    { "a@example.org state=active " HASH " scram_sha1=4096:AAAA:" KEY44 ":" KEY44 "\n", 0, 1,
        "scram_sha1=: allowed is" },
    { "a@example.org state=active " HASH " scram_sha1=4095:AAAA:" KEY28 ":" KEY28 "\n", 0, 1,
        "scram_sha1=: allowed is" },
    { "a@example.org state=active scram=4096:AAAA:" KEY28 ":" KEY28 "\n", 0, 1,
        "scram=: allowed is" },
    { "a@example.org state=active " HASH "\na@example.org:phone " SCRAM "\n", 1, 0, NULL },
    { "a@example.org:phone " SCRAM "\na@example.org state=active " SCRAM "\n", 1, 0, NULL },
    { "a@example.org state=active " SCRAM "\na@example.org:phone " SCRAM
      " until=1 submit=no sender=*@x.org recipient=* max_recipients=1 max_size=1\n",
        1, 0, NULL },
    { "a@example.org:phone " SCRAM "\n", 0, 1, "a@example.org:phone: no line describes the user" },
    { "a@example.org state=active " HASH "\na@example.org:phone\n", 1, 1, "scram= is missing" },
    { "a@example.org state=active " HASH "\na@example.org: " SCRAM "\n", 1, 1,
        "not an app password" },
    { "a@example.org state=active " HASH "\na:b " SCRAM "\n", 1, 1, "not an app password" },
    { "a@example.org state=active " HASH "\na@example.org:a:b " SCRAM "\n", 1, 1,
        "not an app password" },
    { "a@example.org state=active " HASH "\na@example.org:a " SCRAM " state=active\n", 1, 1,
        "state=: unknown word; allowed are scram= until=" },
    { "a@example.org state=active " HASH "\na@example.org:a " SCRAM " until=0\n", 1, 1,
        "until=0: allowed is" },
    { "a@example.org state=active " HASH " until=1\n", 0, 1, "until=: unknown word" },
    { "a@example.org state=active " HASH "\na@example.org:a " SCRAM "\na@example.org:a " SCRAM "\n",
        1, 1, "there is a line for this app password already" },
    { "a@example.org state=active " SCRAM "\na@example.org:a scram=4096:AAAB:" KEY44 ":" KEY44 "\n",
        1, 1, "another salt or count" },
    { "a@example.org state=active " HASH "\na@example.org:a " SCRAM
      "\na@example.org:b scram=4097:AAAA:" KEY44 ":" KEY44 "\n",
        1, 1, "another salt or count" },
    { "a@example.org state=active " HASH "\na@example.org:a " SCRAM, 1, 1, "has no end" },
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
    assert_false(user->rights.may_submit); /* SUB-3.3-4 */
    assert_int_equal(user->min_mech, USER_MECH_SCRAM);
    assert_true(slice_is(user->hash, &HASH[5]));
    assert_int_equal(user->scram.iterations, 4096);
    assert_int_equal(user->scram.salt_len, 3);
    assert_int_equal(user->rights.sender_count, 2);
    assert_true(slice_is(user->rights.senders[1].pattern, "*@y.org"));
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

static struct users *parsed(const char *text)
{
    struct users_report report;
    struct users *users = NULL;

    assert_int_equal(parse(slice_text(text), &report, &users), ERR_OK);
    return users;
}

static void test_grant(void **state)
{
    static char text[8192] = FIRST "a@example.org state=active " HASH;
    struct arena arena;
    struct users *users;
    struct grant grant;
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < GRANT_SENDERS_MAX + 1; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " sender=%zu@x.org", i);
    snprintf(text + len, sizeof text - len, "\n");
    users = parsed(text);
    arena_init(&arena, 1 << 16);
    assert_true(grant_of(users_first(users), GRANT_SENDERS_MAX, &arena, &grant));
    assert_true(grant.truncated);
    assert_false(grant.recipients_truncated);
    assert_true(grant.may_submit);
    assert_int_equal(grant.sender_count, GRANT_SENDERS_MAX);
    assert_int_equal(grant.recipient_count, 0);
    assert_true(slice_is(grant.user, "a@example.org"));
    assert_true(slice_is(grant.senders[0].pattern, "0@x.org"));
    assert_true(slice_is(grant.senders[GRANT_SENDERS_MAX - 1].pattern, "31@x.org"));
    assert_true(grant_of(users_first(users), SIZE_MAX, &arena, &grant));
    assert_false(grant.truncated);
    assert_int_equal(grant.sender_count, GRANT_SENDERS_MAX + 1);
    arena_clear(&arena);
    users_free(&users);
}

/* SUB-6.1-1, SUB-6.2-1: what a user and its groups come to together. */
static const struct {
    const char *rights;
    bool may_submit;
    const char *senders, *recipients;
    uint64_t max_recipients, max_size;
} grants[] = {
    { "", true, "", "", 0, 0 },
    { " sender=b@x.org recipient=*@y.org max_recipients=1 max_size=1", true, "b@x.org ", "*@y.org ",
        1, 1 },
    { " submit=no", false, "", "", 0, 0 },
    { " group=sales", true, "*@sales.org ", "*@customers.org info@x.org ", 20, 3000 },
    { " group=staff", true, "*@staff.org ", "", 10, 4000 },
    { " group=staff group=sales", true, "*@staff.org *@sales.org ", "*@customers.org info@x.org ",
        20, 4000 },
    { " sender=b@x.org group=sales recipient=c@x.org", true, "b@x.org *@sales.org ",
        "c@x.org *@customers.org info@x.org ", 20, 3000 },
    { " max_recipients=1 max_size=2 group=staff", true, "*@staff.org ", "", 1, 2 },
    { " max_size=5000 group=staff", true, "*@staff.org ", "", 10, 5000 },
    { " group=retired", false, "", "", 0, 0 },
    { " submit=yes group=staff group=retired", false, "*@staff.org ", "", 10, 4000 },
};

static void join(const struct sender *patterns, size_t count, char *out)
{
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        out += sprintf(out, "%.*s ", SLICE_ARGS(patterns[i].pattern));
}

static void test_groups(void **state)
{
    char text[2048], list[1024];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(grants); i++) {
        struct users *users;
        struct grant grant;
        struct arena arena;

        snprintf(text, sizeof text,
            FIRST "a@example.org state=active " HASH "%s\n"
                  "@sales max_size=3000 sender=*@sales.org recipient=*@customers.org "
                  "recipient=info@x.org max_recipients=20\n"
                  "@staff sender=*@staff.org max_recipients=10 max_size=4000\n@retired submit=no\n",
            grants[i].rights);
        users = parsed(text);
        arena_init(&arena, 1 << 16);
        assert_int_equal(users_count(users), 1);
        assert_true(grant_of(users_first(users), 32, &arena, &grant));
        assert_int_equal(grant.may_submit, grants[i].may_submit);
        join(grant.senders, grant.sender_count, list);
        assert_string_equal(list, grants[i].senders);
        join(grant.recipients, grant.recipient_count, list);
        assert_string_equal(list, grants[i].recipients);
        assert_int_equal(grant.max_recipients, grants[i].max_recipients);
        assert_int_equal(grant.max_size, grants[i].max_size);
        arena_clear(&arena);
        users_free(&users);
    }
}

/* Which line a pattern comes from. */
static void test_origins(void **state)
{
    struct users *users = parsed(FIRST
        "@one sender=b@x.org recipient=d@x.org\n@two sender=c@x.org\n"
        "a@example.org state=active " HASH " group=one group=two sender=a@x.org sender=a@y.org\n");
    const struct user *user = users_first(users);

    (void)state;
    assert_int_equal(user->line, 4);
    assert_int_equal(users_find_group(users, slice_text("two"))->line, 3);
    assert_ptr_equal(user->groups[1].group, users_find_group(users, slice_text("two")));
    assert_ptr_equal(users_next_group(users_first_group(users)), user->groups[1].group);
    assert_int_equal(grant_origin(user, false, 0), 2);
    assert_int_equal(grant_origin(user, false, 1), 2);
    assert_int_equal(grant_origin(user, false, 2), 0);
    assert_int_equal(grant_origin(user, false, 3), 1);
    assert_int_equal(grant_origin(user, true, 0), 0);
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
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_origins),
    };

    return cmocka_run_group_tests_name("users/file", tests, NULL, NULL);
}
