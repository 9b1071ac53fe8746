/* tests/unit/users/test_login.c: login names and sender patterns: form and preparation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "users/login.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text;
    bool login, sender;
} forms[] = {
    { "alice@example.org", true, true },
    { "a@b", true, true },
    { "a.b+c=d@mail.example.org", true, true },
    { "j\xc3\xbcrgen@b\xc3\xbc"
      "cher.example",
        true, true },
    { A63 "a@example.org", true, true },
    { A63 "aa@example.org", false, false },
    { "a@" A63 ".org", true, true },
    { "a@" A63 "a.org", false, false },
    { "a@" A63 "." A63 "." A63 "." A63, false, false },
    { "*@example.org", true, true },
    { "*", false, true },
    { "**@example.org", true, true },
    { "*@", false, false },
    { "", false, false },
    { "@", false, false },
    { "alice", false, false },
    { "alice@", false, false },
    { "@example.org", false, false },
    { ".a@example.org", false, false },
    { "a.@example.org", false, false },
    { "a..b@example.org", false, false },
    { "a@@example.org", false, false },
    { "a b@example.org", false, false },
    { "a\t@example.org", false, false },
    { "a\n@example.org", false, false },
    { "a@example.org\n", false, false },
    { "\"a\"@example.org", false, false },
    { "a,b@example.org", false, false },
    { "#a@example.org", false, true }, /* would be a comment */
    { "a#@example.org", true, true },
    { "b\xfc@example.org", false, false },
    { "a@b\xfc.example", false, false },
    { "*@b\xfc.example", false, false },
    { "a:b@example.org", false, false },
    { "a@Example.org", false, false },
    { "a@example..org", false, false },
    { "a@.example.org", false, false },
    { "a@example.org.", false, false },
    { "a@-example.org", false, false },
    { "a@example-.org", false, false },
    { "a@exa_mple.org", false, false },
    { "a@[192.0.2.1]", false, false },
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(forms); i++) {
        if (login_is_valid(slice_text(forms[i].text)) != forms[i].login ||
            sender_is_valid(slice_text(forms[i].text)) != forms[i].sender)
            fail_msg("row %zu: %s", i, forms[i].text);
    }
}

/* AUTH-19: names are prepared with SASLprep; empty or failed preparation fails. */
static const struct {
    struct slice raw;
    bool stored;
    const char *prepared; /* NULL: refused */
} preparations[] = {
    { SLICE_LITERAL("Alice@Example.ORG"), true, "Alice@example.org" },
    { SLICE_LITERAL("al\xc2\xadice@example.org"), true,
        "alice@example.org" }, /* soft hyphen maps to nothing */
    { SLICE_LITERAL("\xef\xbc\xa1@example.org"), true, "A@example.org" }, /* fullwidth A, NFKC */
    { SLICE_LITERAL("alice\xef\xbc\xa0"
                    "example.org"),
        true, "alice@example.org" },
    { SLICE_LITERAL("alice\xc2\xa0@example.org"), true, NULL }, /* no-break space becomes a blank */
    { SLICE_LITERAL("alice@example.org\0"), false, NULL },
    { SLICE_LITERAL("al\0ice@example.org"), false, NULL },
    { SLICE_LITERAL("al\x07ice@example.org"), false, NULL },
    { SLICE_LITERAL("al\xff@example.org"), false, NULL },
    { SLICE_LITERAL("\xc2\xad"), false, NULL }, { SLICE_LITERAL(""), false, NULL },
    { SLICE_LITERAL("alice"), false, NULL },
    { SLICE_LITERAL("\xc8\xa1@example.org"), true, NULL }, /* unassigned in Unicode 3.2 */
    { SLICE_LITERAL("\xc8\xa1@example.org"), false,
        "\xc8\xa1@example.org" }, /* but a query may hold it */
};

static void test_preparation(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(preparations); i++) {
        struct login login = { .text = "untouched", .len = 9 };
        bool good = login_prepare(preparations[i].raw, preparations[i].stored, &login);
        const char *want = preparations[i].prepared ? preparations[i].prepared : "untouched";

        if (good != (preparations[i].prepared != NULL) || !slice_is(login_slice(&login), want))
            fail_msg("row %zu: %d \"%s\"", i, good, login.text);
    }
}

static void test_bounds(void **state)
{
    char long_name[SASL_TEXT_MAX + 1];
    struct login login;
    char *prepared;

    (void)state;
    memset(long_name, 'a', sizeof long_name);
    prepared = saslprep(slice_of(long_name, SASL_TEXT_MAX), true);
    assert_non_null(prepared);
    assert_int_equal(strlen(prepared), SASL_TEXT_MAX);
    free(prepared);
    assert_null(saslprep(slice_of(long_name, SASL_TEXT_MAX + 1), true));
    /* One ligature that NFKC makes 18 letters of: the result is bounded too. */
    for (size_t i = 0; i + 3 <= 252; i += 3)
        memcpy(long_name + i, "\xef\xb7\xba", 3);
    assert_false(login_prepare(slice_of(long_name, 252), false, &login));
}

static void test_patterns(void **state)
{
    struct login pattern;

    (void)state;
    assert_true(sender_prepare(slice_text("*@Lists.Example.NET"), &pattern));
    assert_string_equal(pattern.text, "*@lists.example.net");
    assert_true(sender_prepare(slice_text("*"), &pattern));
    assert_string_equal(pattern.text, "*");
    assert_false(sender_prepare(slice_text("example.net"), &pattern));
    assert_false(sender_prepare(slice_text("a@x sender=*"), &pattern));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_preparation),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests_name("users/login", tests, NULL, NULL);
}
