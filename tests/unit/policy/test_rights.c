/* Who may send as whom (SUB-6.1-1, SUB-6.1-2, SUB-3.2-4, SUB-3.3-2). */
#include "../check.h"

#include "policy/rights.h"

static struct sender senders[] = {
    { SLICE_LITERAL("carol@example.net") },
    { SLICE_LITERAL("*@lists.example.net") },
    { SLICE_LITERAL("info@b\xc3\xbc"
                    "cher.example") },
};

static const struct {
    const char *name;
    const char *path;
    enum rights_verdict verdict;
} cases[] = {
    { "SUB-6.1-1 own address", "alice@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 own address in other case", "Alice@EXAMPLE.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 own address quoted", "\"alice\"@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 own address quoted with an escape", "\"al\\ice\"@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 tag", "alice+shop@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 empty tag", "alice+@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 quoted tag", "\"alice+a b\"@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 longer name is no tag", "alice2@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 shorter name", "alic@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 tag without name", "+alice@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 other domain", "alice@example.org", RIGHTS_REFUSED },
    { "SUB-6.1-1 subdomain", "alice@a.example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 listed", "carol@example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-1 tag of a listed address", "carol+a@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 not listed", "dave@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-2 whole domain", "any.body@lists.example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-2 whole domain, quoted at sign", "\"a@b\"@lists.example.net", RIGHTS_ALLOWED },
    { "SUB-6.1-2 below a whole domain", "a@x.lists.example.net", RIGHTS_REFUSED },
    { "SUB-6.1-2 domain hidden in quotes", "\"a@lists.example.net\"@evil.example", RIGHTS_REFUSED },
    { "SUB-6.1-1 non-ASCII domain",
        "info@b\xc3\xbc"
        "cher.example",
        RIGHTS_ALLOWED },
    { "SUB-6.1-1 non-ASCII domain as A-label", "info@xn--bcher-kva.example", RIGHTS_ALLOWED },
    { "SUB-3.2-4 null sender", "", RIGHTS_ALLOWED },
    { "SUB-6.1-1 no at sign", "alice", RIGHTS_REFUSED },
    { "SUB-6.1-1 no local part", "@lists.example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 no domain", "alice@", RIGHTS_REFUSED },
    { "SUB-6.1-1 quote not closed", "\"alice@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 quote within a quoted string", "\"ali\"ce\"@example.net", RIGHTS_REFUSED },
    { "SUB-6.1-1 escape at the end", "\"alice\\\"@example.net", RIGHTS_REFUSED },
};

static void test_cases(void **state)
{
    struct grant grant = { .user = SLICE_LITERAL("alice@example.net"),
        .may_submit = true,
        .senders = senders,
        .sender_count = LENGTH_OF(senders) };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        enum rights_verdict cut =
            cases[i].verdict == RIGHTS_REFUSED ? RIGHTS_ASK : cases[i].verdict;

        grant.truncated = false;
        if (rights_check(&grant, slice_text(cases[i].path)) != cases[i].verdict)
            fail_msg("%s", cases[i].name);
        grant.truncated = true;
        if (rights_check(&grant, slice_text(cases[i].path)) != cut)
            fail_msg("%s, list cut", cases[i].name);
    }
}

/* SUB-3.3-2: a trusted network's client, by default as anybody, otherwise as the configuration
 * says. */
static void test_trusted(void **state)
{
    struct conf_text all[] = { { SLICE_LITERAL("*") } };
    struct conf_text some[] = { { SLICE_LITERAL("*@example.org") } };
    struct conf conf = { .trusted_senders = all, .trusted_sender_count = 1 };
    struct arena arena;
    struct grant grant;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_true(rights_trusted(&conf, &arena, &grant));
    assert_true(grant.may_submit);
    assert_int_equal(grant.user.len, 0);
    assert_int_equal(rights_check(&grant, slice_text("x@y.example")), RIGHTS_ALLOWED);
    assert_int_equal(rights_check(&grant, slice_text("")), RIGHTS_ALLOWED);
    assert_int_equal(rights_check(&grant, slice_text("x")), RIGHTS_REFUSED);
    conf.trusted_senders = some;
    assert_true(rights_trusted(&conf, &arena, &grant));
    assert_int_equal(rights_check(&grant, slice_text("x@example.org")), RIGHTS_ALLOWED);
    assert_int_equal(rights_check(&grant, slice_text("x@y.example")), RIGHTS_REFUSED);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_trusted),
    };

    return cmocka_run_group_tests_name("policy/rights", tests, NULL, NULL);
}
