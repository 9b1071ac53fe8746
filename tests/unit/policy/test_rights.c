/* Who may say what to MAIL and RCPT, and how large (policy/rights.h). */
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
        if (rights_sender(&grant, slice_text(cases[i].path)) != cases[i].verdict)
            fail_msg("%s", cases[i].name);
        grant.truncated = true;
        if (rights_sender(&grant, slice_text(cases[i].path)) != cut)
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
    assert_int_equal(rights_sender(&grant, slice_text("x@y.example")), RIGHTS_ALLOWED);
    assert_int_equal(rights_sender(&grant, slice_text("")), RIGHTS_ALLOWED);
    assert_int_equal(rights_sender(&grant, slice_text("x")), RIGHTS_REFUSED);
    conf.trusted_senders = some;
    assert_true(rights_trusted(&conf, &arena, &grant));
    assert_int_equal(rights_sender(&grant, slice_text("x@example.org")), RIGHTS_ALLOWED);
    assert_int_equal(rights_sender(&grant, slice_text("x@y.example")), RIGHTS_REFUSED);
    arena_clear(&arena);
}

/* One grant after another at one question. */
enum who { ALICE, NO_SUBMIT, NARROW, CUT, TRUSTED, STRANGER, APP, APP_CUT };

static struct sender targets[] = {
    { SLICE_LITERAL("*@example.org") },
    { SLICE_LITERAL("dave@example.com") },
};
static struct sender other_targets[] = { { SLICE_LITERAL("dave@example.com") } };

#define USER SLICE_LITERAL("alice@example.net")

static struct grant grant_for(enum who who)
{
    static struct sender everybody[] = { { SLICE_LITERAL("*") } };
    struct grant all = { .user = USER, .may_submit = true, .senders = senders, .sender_count = 3 };

    switch (who) {
    case NO_SUBMIT:
        all.may_submit = false;
        break;
    case NARROW:
    case CUT:
        all.recipients = targets;
        all.recipient_count = 2;
        all.recipients_truncated = who == CUT;
        all.truncated = who == CUT;
        all.max_recipients = 2;
        all.max_size = 1000;
        break;
    case TRUSTED:
        return (struct grant){ .may_submit = true, .senders = everybody, .sender_count = 1 };
    case STRANGER:
        return rights_stranger();
    default:
        break;
    }
    return all;
}

/* What takes away from the grant: an app password for one recipient, from the own address. */
static struct grant app(enum who who)
{
    return (struct grant){ .user = USER,
        .may_submit = true,
        .recipients = other_targets,
        .recipient_count = 1,
        .recipients_truncated = who == APP_CUT,
        .max_size = 500 };
}

struct decision {
    const char *name;
    enum who who;
    enum rights_step step;
    const char *address;
    uint64_t size;
    size_t recipients;
    enum rights_verdict verdict;
    enum reply_id reply;
    enum rights_rule rule;
};

#define GOOD RIGHTS_ALLOWED, REPLY_GREETING
#define BAD  RIGHTS_REFUSED

static const struct decision decisions[] = {
    { "SUB-6.1-1 own", ALICE, RIGHTS_MAIL, "alice@example.net", 0, 0, GOOD, RULE_OWN_ADDRESS },
    { "SUB-6.1-1 listed", ALICE, RIGHTS_MAIL, "carol@example.net", 0, 0, GOOD, RULE_SENDER_LISTED },
    { "SUB-6.1-1 not listed", ALICE, RIGHTS_MAIL, "dave@example.net", 0, 0, BAD,
        REPLY_SENDER_FORBIDDEN, RULE_SENDER_UNLISTED },
    { "SUB-3.2-4 null", ALICE, RIGHTS_MAIL, "", 0, 0, GOOD, RULE_NULL_SENDER },
    { "SUB-3.3-4 null, no submission", NO_SUBMIT, RIGHTS_MAIL, "", 0, 0, BAD,
        REPLY_ACCOUNT_FORBIDDEN, RULE_ACCOUNT },
    { "SUB-3.3-4 before the size", NO_SUBMIT, RIGHTS_MAIL, "alice@example.net", 999999, 0, BAD,
        REPLY_ACCOUNT_FORBIDDEN, RULE_ACCOUNT },
    { "EXT-SIZE-2 all of it", ALICE, RIGHTS_MAIL, "alice@example.net", 2000, 0, GOOD,
        RULE_OWN_ADDRESS },
    { "EXT-SIZE-2 one more", ALICE, RIGHTS_MAIL, "alice@example.net", 2001, 0, BAD, REPLY_TOO_BIG,
        RULE_SIZE },
    { "EXT-SIZE-2 own limit, all of it", NARROW, RIGHTS_MAIL, "alice@example.net", 1000, 0, GOOD,
        RULE_OWN_ADDRESS },
    { "EXT-SIZE-2 own limit, one more", NARROW, RIGHTS_MAIL, "alice@example.net", 1001, 0, BAD,
        REPLY_TOO_BIG, RULE_OWN_SIZE },
    { "EXT-SIZE-2 content", NARROW, RIGHTS_CONTENT, "", 1000, 0, GOOD, RULE_SIZE_FITS },
    { "EXT-SIZE-2 content, one more", NARROW, RIGHTS_CONTENT, "", 1001, 0, BAD, REPLY_TOO_BIG,
        RULE_OWN_SIZE },
    { "EXT-SIZE-2 content, above all", ALICE, RIGHTS_CONTENT, "", UINT64_MAX, 0, BAD, REPLY_TOO_BIG,
        RULE_SIZE },
    { "SUB-4.2-1 sender", TRUSTED, RIGHTS_MAIL, "alice@sales", 0, 0, BAD, REPLY_SENDER_UNQUALIFIED,
        RULE_SENDER_UNQUALIFIED },
    { "SUB-4.2-7 sender", TRUSTED, RIGHTS_MAIL, "alice@[192.0.2.1]", 0, 0, BAD,
        REPLY_SENDER_LITERAL, RULE_SENDER_LITERAL },
    { "SUB-3.3-2 sender", TRUSTED, RIGHTS_MAIL, "x@y.example", 0, 0, GOOD, RULE_SENDER_LISTED },
    { "SUB-6.2-1 anybody", ALICE, RIGHTS_RCPT, "bob@example.com", 0, 999, GOOD,
        RULE_ANY_RECIPIENT },
    { "SUB-6.2-1 domain", NARROW, RIGHTS_RCPT, "bob@EXAMPLE.org", 0, 0, GOOD,
        RULE_RECIPIENT_LISTED },
    { "SUB-6.2-1 address", NARROW, RIGHTS_RCPT, "dave@example.com", 0, 1, GOOD,
        RULE_RECIPIENT_LISTED },
    { "SUB-6.2-1 not listed", NARROW, RIGHTS_RCPT, "bob@example.com", 0, 0, BAD,
        REPLY_RECIPIENT_FORBIDDEN, RULE_RECIPIENT_UNLISTED },
    { "SUB-6.2-1 no tag", NARROW, RIGHTS_RCPT, "dave+x@example.com", 0, 0, BAD,
        REPLY_RECIPIENT_FORBIDDEN, RULE_RECIPIENT_UNLISTED },
    { "SUB-6.2-1 asked about", CUT, RIGHTS_RCPT, "bob@example.com", 0, 0, RIGHTS_ASK, 0, 0 },
    { "SUB-6.1-1 asked about", CUT, RIGHTS_MAIL, "x@example.com", 0, 0, RIGHTS_ASK, 0, 0 },
    { "CMD-27 the last", NARROW, RIGHTS_RCPT, "bob@example.org", 0, 1, GOOD,
        RULE_RECIPIENT_LISTED },
    { "CMD-27 one more", NARROW, RIGHTS_RCPT, "bob@example.org", 0, 2, BAD, REPLY_RECIPIENT_COUNT,
        RULE_RECIPIENT_COUNT },
    { "SUB-6.4-2 bare", NARROW, RIGHTS_RCPT, "PostMaster", 0, 2, GOOD, RULE_POSTMASTER },
    { "SUB-6.4-2 here", NARROW, RIGHTS_RCPT, "postmaster@MAIL.example.net", 0, 2, GOOD,
        RULE_POSTMASTER },
    { "SUB-6.4-2 own domain", NARROW, RIGHTS_RCPT, "postmaster@example.net", 0, 2, GOOD,
        RULE_POSTMASTER },
    { "SUB-6.4-2 elsewhere", NARROW, RIGHTS_RCPT, "postmaster@example.com", 0, 0, BAD,
        REPLY_RECIPIENT_FORBIDDEN, RULE_RECIPIENT_UNLISTED },
    { "SUB-4.2-1 recipient", ALICE, RIGHTS_RCPT, "bob", 0, 0, BAD, REPLY_RECIPIENT_UNQUALIFIED,
        RULE_RECIPIENT_UNQUALIFIED },
    { "SUB-4.2-1 recipient of one label", ALICE, RIGHTS_RCPT, "bob@sales", 0, 0, BAD,
        REPLY_RECIPIENT_UNQUALIFIED, RULE_RECIPIENT_UNQUALIFIED },
    { "SUB-4.2-7 recipient", ALICE, RIGHTS_RCPT, "bob@[192.0.2.1]", 0, 0, BAD,
        REPLY_RECIPIENT_LITERAL, RULE_RECIPIENT_LITERAL },
    { "SUB-6.4-1 MAIL", STRANGER, RIGHTS_MAIL, "x@y.example", 0, 0, GOOD, RULE_SENDER_LISTED },
    { "SUB-6.4-1 MAIL, null", STRANGER, RIGHTS_MAIL, "", 0, 0, GOOD, RULE_NULL_SENDER },
    { "SUB-6.4-1 postmaster", STRANGER, RIGHTS_RCPT, "postMASTER", 0, 0, GOOD, RULE_POSTMASTER },
    { "SUB-6.4-1 postmaster of a domain", STRANGER, RIGHTS_RCPT, "Postmaster@example.net", 0, 0,
        GOOD, RULE_POSTMASTER },
    { "SUB-6.4-1 postmaster elsewhere", STRANGER, RIGHTS_RCPT, "postmaster@example.com", 0, 0, BAD,
        REPLY_AUTH_FIRST, RULE_STRANGER },
    { "SUB-6.4-1 anybody else", STRANGER, RIGHTS_RCPT, "bob@example.net", 0, 0, BAD,
        REPLY_AUTH_FIRST, RULE_STRANGER },
    { "SUB-6.4-1 a bare name", STRANGER, RIGHTS_RCPT, "bob", 0, 0, BAD, REPLY_AUTH_FIRST,
        RULE_STRANGER },
    { "SUB-9-1 tenth recipient", STRANGER, RIGHTS_RCPT, "POSTMASTER@example.net", 0, 9, GOOD,
        RULE_POSTMASTER },
    { "SUB-9-1 eleventh recipient", STRANGER, RIGHTS_RCPT, "PoSTMASTER@example.net", 0, 10, BAD,
        REPLY_RECIPIENT_COUNT, RULE_RECIPIENT_COUNT },
    { "SUB-9-1 too large", STRANGER, RIGHTS_CONTENT, "", 32769, 0, BAD, REPLY_TOO_BIG, RULE_SIZE },
    { "narrower: own", APP, RIGHTS_MAIL, "alice@example.net", 500, 0, GOOD, RULE_OWN_ADDRESS },
    { "narrower: size", APP, RIGHTS_MAIL, "alice@example.net", 501, 0, BAD, REPLY_TOO_BIG,
        RULE_OWN_SIZE },
    { "narrower: sender", APP, RIGHTS_MAIL, "carol@example.net", 0, 0, BAD, REPLY_SENDER_FORBIDDEN,
        RULE_SENDER_UNLISTED },
    { "narrower: both", APP, RIGHTS_MAIL, "dave@example.net", 0, 0, BAD, REPLY_SENDER_FORBIDDEN,
        RULE_SENDER_UNLISTED },
    { "narrower: recipient", APP, RIGHTS_RCPT, "dave@example.com", 0, 0, GOOD, RULE_ANY_RECIPIENT },
    { "narrower: other recipient", APP, RIGHTS_RCPT, "bob@example.org", 0, 0, BAD,
        REPLY_RECIPIENT_FORBIDDEN, RULE_RECIPIENT_UNLISTED },
    { "narrower: asked about", APP_CUT, RIGHTS_RCPT, "bob@example.org", 0, 0, RIGHTS_ASK, 0, 0 },
};

static void decide(const struct decision *row, const struct conf *conf)
{
    struct grant grant = grant_for(row->who), narrower = app(row->who);
    struct address address = { .kind = ADDRESS_NULL };
    struct rights_case asked = { .step = row->step,
        .conf = conf,
        .grant = &grant,
        .narrower = row->who >= APP ? &narrower : NULL,
        .address = &address,
        .text = slice_text(row->address),
        .size = row->size,
        .recipients = row->recipients };
    char argument[300];
    struct rights_answer answer;
    struct arena arena;
    struct path path;
    struct slice rest;
    size_t at;

    arena_init(&arena, 1 << 16);
    snprintf(argument, sizeof argument, "FROM:<%s>", row->address);
    assert_int_equal(path_parse_from(&arena, slice_text(argument), &path, &rest, &at), ADDRESS_OK);
    address = path.address;
    answer = rights_decide(&asked);
    if (answer.verdict != row->verdict || answer.reply != row->reply ||
        (answer.verdict != RIGHTS_ASK && answer.rule != row->rule))
        fail_msg("%s: verdict %d, reply %d, rule %d", row->name, (int)answer.verdict,
            (int)answer.reply, (int)answer.rule);
    if (answer.by_narrower != (row->who >= APP && answer.verdict != RIGHTS_ALLOWED &&
                                  strcmp(row->name, "narrower: both") != 0))
        fail_msg("%s: whose", row->name);
    arena_clear(&arena);
}

static void test_decisions(void **state)
{
    struct conf_domain domain = { .name = SLICE_LITERAL("example.net") };
    struct conf conf = { .hostname = SLICE_LITERAL("mail.example.net"),
        .domains = &domain,
        .domain_count = 1,
        .limits = { .message_size = 2000, .recipients = 1000 } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(decisions); i++)
        decide(&decisions[i], &conf);
}

/* The limit that the gate holds content to is the one of the decision. */
static void test_size(void **state)
{
    struct conf conf = { .limits = { .message_size = 2000 } };
    struct grant wide = { .may_submit = true }, small = { .max_size = 1000 };

    (void)state;
    assert_int_equal(rights_size(&conf, &wide, NULL), 2000);
    assert_int_equal(rights_size(&conf, &small, NULL), 1000);
    assert_int_equal(rights_size(&conf, &wide, &small), 1000);
    conf.limits.message_size = 0;
    assert_int_equal(rights_size(&conf, &wide, NULL), 0);
    assert_int_equal(rights_size(&conf, &small, &wide), 1000);
}

/* Each rule has its words, and a name of its own. */
static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        assert_true(strlen(rights_rule_text((enum rights_rule)i)) > 10);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(
                rights_rule_name((enum rights_rule)i), rights_rule_name((enum rights_rule)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests_name("policy/rights", tests, NULL, NULL);
}
