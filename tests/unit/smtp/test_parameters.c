/* ESMTP parameters, and MAIL and RCPT whole with the reply that each fault gets. */
#include "cases.h"

#include "smtp/command.h"
#include "smtp/envelope.h"
#include "smtp/xtext.h"

static const uint32_t usual = EXTENSION_BIT(EXTENSION_SIZE) | EXTENSION_BIT(EXTENSION_8BITMIME) |
                              EXTENSION_BIT(EXTENSION_SMTPUTF8) | EXTENSION_BIT(EXTENSION_AUTH);
static const uint32_t binary = usual | EXTENSION_BIT(EXTENSION_BINARYMIME);

#define D20   "18446744073709551616"
#define DELTA "\xce\xb4"

static const struct {
    const char *name;
    const char *line;
    const uint32_t *offered; /* NULL: nothing, as after HELO */
    const char *reply;       /* code and enhanced code; "" when all is well */
    const char *culprit;     /* how it begins */
} cases[] = {
    { "none", "MAIL FROM:<a@b.example>", &usual, "" },
    { "EXT-SIZE-2 least", "MAIL FROM:<> SIZE=0", &usual, "" },
    { "EXT-SIZE-2 20 digits", "MAIL FROM:<> SIZE=" D20, &usual, "" },
    { "EXT-SIZE-2 21 digits", "MAIL FROM:<> SIZE=" D20 "0", &usual, "501 5.5.4", "SIZE=" },
    { "EXT-SIZE-2 empty", "MAIL FROM:<> SIZE=", &usual, "501 5.5.4", "SIZE=" },
    { "EXT-SIZE-2 no value", "MAIL FROM:<> SIZE", &usual, "501 5.5.4", "SIZE" },
    { "EXT-SIZE-2 sign", "MAIL FROM:<> SIZE=-1", &usual, "501 5.5.4", "SIZE=-1" },
    { "EXT-SIZE-2 hex", "MAIL FROM:<> SIZE=0x1", &usual, "501 5.5.4", "SIZE=0x1" },
    { "GRM-11 two equals signs", "MAIL FROM:<> SIZE==1", &usual, "501 5.5.4", "SIZE==1" },
    { "GRM-11 no keyword", "MAIL FROM:<> =1", &usual, "501 5.5.4", "=1" },
    { "GRM-11 hyphen first", "MAIL FROM:<> -A=1", &usual, "501 5.5.4", "-A=1" },
    { "GRM-11 underscore", "MAIL FROM:<> A_B=1", &usual, "501 5.5.4", "A_B=1" },
    { "GRM-11 tab", "MAIL FROM:<> SIZE=1\tBODY=7BIT", &usual, "501 5.5.4", "SIZE=1\t" },
    { "several spaces", "MAIL FROM:<>  SIZE=1   BODY=7BIT", &usual, "" },
    { "CMD-20 keyword and value in any case", "mAiL fRoM:<> bOdY=7bit sIzE=1", &usual, "" },
    { "CMD-25 unknown", "MAIL FROM:<> FOO=1", &usual, "555 5.5.4", "FOO=1" },
    { "CMD-25 unknown without value", "MAIL FROM:<> FOO", &usual, "555 5.5.4", "FOO" },
    { "CMD-25 unknown in RCPT", "RCPT TO:<a@b.example> FOO=1", &usual, "555 5.5.4", "FOO=1" },
    { "CMD-25 of the other command", "RCPT TO:<a@b.example> SIZE=1", &usual, "555 5.5.4",
        "SIZE=1" },
    { "CMD-4 after HELO", "MAIL FROM:<> SIZE=1", NULL, "555 5.5.4", "SIZE=1" },
    { "CMD-26 twice", "MAIL FROM:<> SIZE=1 SIZE=2", &usual, "501 5.5.4", "SIZE=2" },
    { "CMD-26 twice in another case", "MAIL FROM:<> BODY=7BIT body=7BIT", &usual, "501 5.5.4",
        "body=7BIT" },
    { "EXT-8BITMIME-1 7BIT", "MAIL FROM:<> BODY=7BIT", &usual, "" },
    { "EXT-8BITMIME-1 8BITMIME", "MAIL FROM:<> BODY=8BITMIME", &usual, "" },
    { "EXT-8BITMIME-1 other", "MAIL FROM:<> BODY=FOO", &usual, "501 5.5.4", "BODY=FOO" },
    { "EXT-BINARYMIME-1 not offered", "MAIL FROM:<> BODY=BINARYMIME", &usual, "501 5.5.4",
        "BODY=BINARYMIME" },
    { "EXT-BINARYMIME-1 offered", "MAIL FROM:<> BODY=BINARYMIME", &binary, "" },
    { "EXT-SMTPUTF8-2", "MAIL FROM:<" DELTA "@b.example> SMTPUTF8", &usual, "" },
    { "EXT-SMTPUTF8-2 value", "MAIL FROM:<> SMTPUTF8=1", &usual, "501 5.5.4", "SMTPUTF8=1" },
    { "EXT-SMTPUTF8-4 MAIL", "MAIL FROM:<" DELTA "@b.example>", &usual, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 MAIL, domain", "MAIL FROM:<a@b\xc3\xbc.example>", &usual, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 MAIL after HELO", "MAIL FROM:<" DELTA "@b.example>", NULL, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 RCPT", "RCPT TO:<" DELTA "@b.example>", &usual, "553 5.6.7", "" },
    { "EXT-SMTPUTF8-3 MAIL not UTF-8", "MAIL FROM:<\xce@b.example> SMTPUTF8", &usual, "501 5.1.7",
        "\xce" },
    { "EXT-SMTPUTF8-3 RCPT not UTF-8", "RCPT TO:<\xce@b.example>", &usual, "501 5.1.3", "\xce" },
    { "UTF-8 value before SMTPUTF8", "MAIL FROM:<> AUTH=" DELTA "@b.example SMTPUTF8", &usual, "" },
    { "UTF-8 value without it", "MAIL FROM:<> AUTH=" DELTA "@b.example", &usual, "501 5.5.4",
        "AUTH=" },
    { "value that is not UTF-8", "MAIL FROM:<> AUTH=\xce@b.example SMTPUTF8", &usual, "501 5.5.4",
        "AUTH=" },
    { "UTF-8 keyword", "MAIL FROM:<> " DELTA "=1 SMTPUTF8", &usual, "501 5.5.4", DELTA },
    { "AUTH-21 xtext", "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com", &usual, "" },
    { "AUTH-21 null", "MAIL FROM:<a@b.example> AUTH=<>", &usual, "" },
    { "AUTH-21 bad mailbox", "MAIL FROM:<a@b.example> AUTH=a@@b", &usual, "501 5.5.4",
        "AUTH=a@@b" },
    { "AUTH-21 no mailbox", "MAIL FROM:<a@b.example> AUTH=alice", &usual, "501 5.5.4",
        "AUTH=alice" },
    { "AUTH-21 brackets", "MAIL FROM:<a@b.example> AUTH=<a@b.example>", &usual, "501 5.5.4",
        "AUTH=<a" },
    { "GRM-12 lower-case hex", "MAIL FROM:<> AUTH=a+2bb@c.example", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 cut short", "MAIL FROM:<> AUTH=a@c.example+", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 one digit", "MAIL FROM:<> AUTH=a@c.example+4", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 decoded control", "MAIL FROM:<> AUTH=a+0D+0A@c.example", &usual, "501 5.5.4",
        "AUTH=" },
    { "GRM-12 decoded NUL", "MAIL FROM:<> AUTH=a@c.example+00", &usual, "501 5.5.4", "AUTH=" },
    { "SUB-5.1-1 sender", "MAIL FROM:<a@b@c>", &usual, "501 5.1.7", "@c>" },
    { "SUB-5.1-3 recipient", "RCPT TO:<.bob@example.org>", &usual, "501 5.1.3", ".bob@" },
    { "GRM-1 no brackets", "MAIL FROM:alice@example.net", &usual, "501 5.1.7", "alice" },
    { "GRM-1 null recipient", "RCPT TO:<>", &usual, "501 5.1.3", "" },
    { "GRM-4 RCPT", "RCPT TO:<\"\"@example.org>", &usual, "501 5.1.3", "\"@ex" },
    { "no FROM", "MAIL alice", &usual, "501 5.5.4", "alice" },
    { "no space before parameters", "MAIL FROM:<a@b.example>SIZE=1", &usual, "501 5.5.4",
        "SIZE=1" },
};

static bool parse_line(struct arena *arena, const char *line, uint32_t offered, bool strict,
    struct mail_command *mail, struct envelope_error *error)
{
    struct command command = command_parse(slice_text(line));
    struct rcpt_command rcpt;

    if (command.verb == VERB_MAIL)
        return mail_command_parse(arena, command.argument, offered, strict, mail, error);
    return rcpt_command_parse(arena, command.argument, offered, strict, false, &rcpt, error);
}

static void test_table(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct envelope_error error = { 0 };
        struct mail_command mail;
        struct arena arena;
        struct buffer reply;
        uint32_t offered = cases[i].offered ? *cases[i].offered : 0;

        arena_init(&arena, 65536);
        buffer_init(&reply, 4096);
        if (parse_line(&arena, cases[i].line, offered, false, &mail, &error)) {
            expect_text(cases[i].name, slice_text(""), cases[i].reply);
        } else {
            envelope_error_write(&reply, &error);
            expect_text(cases[i].name, slice_first(buffer_slice(&reply), 9), cases[i].reply);
            expect_text(cases[i].name, slice_first(error.culprit, strlen(cases[i].culprit)),
                cases[i].culprit);
        }
        buffer_clear(&reply);
        arena_clear(&arena);
    }
}

static void test_values(void **state UNUSED)
{
    struct envelope_error error;
    struct mail_command mail;
    struct arena arena;
    struct buffer text;

    arena_init(&arena, 65536);
    buffer_init(&text, 4096);
    assert_true(parse_line(&arena, "MAIL FROM:<a@b.example> SIZE=" D20 " BODY=8bitmime SMTPUTF8",
        usual, false, &mail, &error));
    assert_true(mail.parameters.has_size);
    assert_true(mail.parameters.size == UINT64_MAX);
    assert_int_equal(mail.parameters.body, BODY_8BITMIME);
    assert_true(mail.parameters.smtputf8);
    assert_false(mail.parameters.has_auth);

    assert_true(parse_line(&arena, "MAIL FROM:<a@b.example> SIZE=52428801 AUTH=e+3Dmc2@example.com",
        usual, false, &mail, &error));
    assert_true(mail.parameters.size == 52428801);
    assert_int_equal(mail.parameters.body, BODY_UNSTATED);
    assert_true(mail.parameters.has_auth);
    address_write(&text, &mail.parameters.auth);
    expect_text("AUTH-21", buffer_slice(&text), "e=mc2@example.com");

    assert_true(parse_line(&arena, "MAIL FROM:<> AUTH=<>", usual, false, &mail, &error));
    assert_true(mail.parameters.has_auth);
    assert_int_equal(mail.parameters.auth.kind, ADDRESS_NULL);
    buffer_clear(&text);
    arena_clear(&arena);
}

/* GRM-2: tolerated and reported, or refused. */
static void test_strict(void **state UNUSED)
{
    struct envelope_error error;
    struct mail_command mail;

    assert_true(parse_line(NULL, "MAIL FROM: <a@b.example>", usual, false, &mail, &error));
    assert_true(mail.path.is_spaced);
    assert_false(parse_line(NULL, "MAIL FROM: <a@b.example>", usual, true, &mail, &error));
    assert_int_equal(error.reply, REPLY_BAD_ARGUMENT);
    assert_true(parse_line(NULL, "MAIL FROM:<a@b.example>", usual, true, &mail, &error));
    assert_false(mail.path.is_spaced);
}

/* EXT-SMTPUTF8-4: in a transaction with SMTPUTF8. */
static void test_rcpt_utf8(void **state UNUSED)
{
    struct slice argument = slice_text("TO:<" DELTA "@b.example>");
    struct envelope_error error;
    struct rcpt_command rcpt;

    assert_true(rcpt_command_parse(NULL, argument, usual, false, true, &rcpt, &error));
    assert_true(rcpt.path.address.local_non_ascii);
    assert_false(rcpt_command_parse(NULL, argument, usual, false, false, &rcpt, &error));
    assert_int_equal(error.reply, REPLY_RECIPIENT_UTF8);
}

/* The culprit comes from outside: what the reply shows of it is short and printable. */
static void test_reply_is_escaped(void **state UNUSED)
{
    char *value = repeated('\xff', 3000);
    struct envelope_error error = {
        .reply = REPLY_BAD_PARAMETER,
        .text = "malformed parameter",
        .culprit = slice_of(value, 3000),
    };
    struct buffer out;

    buffer_init(&out, 4096);
    envelope_error_write(&out, &error);
    assert_true(out.len < REPLY_LINE_MAX);
    assert_true(text_is_ascii(buffer_slice(&out)));
    buffer_clear(&out);
    free(value);
}

/* GRM-12 */
static void test_xtext(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_valid;
        const char *decoded;
    } texts[] = {
        { "a+2Bb", true, "a+b" },
        { "a+3Db", true, "a=b" },
        { "a+20b", true, "a b" },
        { "", true, "" },
        { "+CE+B4", true, DELTA },
        { "a+2bb", false },
        { "a+", false },
        { "a+2", false },
        { "a+G0", false },
        { "a=b", false },
        { "a b", false },
        { "+00", false },
        { "+1F", false },
        { "+7F", false },
        { "+0D+0A", false },
        { "+CE", false },
        { DELTA, false },
    };
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        buffer_reset(&out);
        buffer_put_text(&out, "x");
        expect_number(
            texts[i].text, xtext_decode(&out, slice_text(texts[i].text), false), texts[i].is_valid);
        expect_text(texts[i].text, slice_from(buffer_slice(&out), 1),
            texts[i].is_valid ? texts[i].decoded : "");
    }
    buffer_reset(&out);
    assert_true(xtext_decode(&out, slice_text(DELTA), true));
    buffer_reset(&out);
    assert_false(xtext_decode(&out, slice_text("\xce"), true));
    for (unsigned c = 32; c < 127; c++) {
        char coded[4], octet = (char)c;

        snprintf(coded, sizeof coded, "+%02X", c);
        buffer_reset(&out);
        assert_true(xtext_decode(&out, slice_text(coded), false));
        expect_octets(coded, buffer_slice(&out), slice_of(&octet, 1));
        buffer_reset(&out);
        expect_number(coded, xtext_decode(&out, slice_of(&octet, 1), false), !strchr(" +=", octet));
    }
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_rcpt_utf8),
        cmocka_unit_test(test_reply_is_escaped),
        cmocka_unit_test(test_xtext),
    };

    return cmocka_run_group_tests_name("smtp/parameters", tests, NULL, NULL);
}
