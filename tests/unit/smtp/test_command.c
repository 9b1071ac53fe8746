/* Verbs and the arguments that are no paths. */
#include "cases.h"

#include "smtp/command.h"
#include "smtp/line.h"

static void test_verbs(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct slice text;
        enum verb verb;
        const char *argument;
    } cases[] = {
        { "CMD-1 EHLO", OCTETS("EHLO c.example"), VERB_EHLO, "c.example" },
        { "CMD-1 HELO", OCTETS("HELO c.example"), VERB_HELO, "c.example" },
        { "CMD-1 DATA", OCTETS("DATA"), VERB_DATA, "" },
        { "CMD-1 RSET", OCTETS("RSET"), VERB_RSET, "" },
        { "CMD-1 NOOP", OCTETS("NOOP hi"), VERB_NOOP, "hi" },
        { "CMD-1 QUIT", OCTETS("QUIT"), VERB_QUIT, "" },
        { "CMD-1 VRFY", OCTETS("VRFY bob@example.org"), VERB_VRFY, "bob@example.org" },
        { "CMD-14 QUIT with an argument", OCTETS("QUIT now"), VERB_QUIT, "now" },
        { "STARTTLS", OCTETS("STARTTLS"), VERB_STARTTLS, "" },
        { "AUTH", OCTETS("AUTH PLAIN AGE="), VERB_AUTH, "PLAIN AGE=" },
        { "BDAT", OCTETS("BDAT 86 LAST"), VERB_BDAT, "86 LAST" },
        { "EXPN", OCTETS("EXPN staff"), VERB_EXPN, "staff" },
        { "HELP", OCTETS("HELP"), VERB_HELP, "" },
        { "CMD-20 any case", OCTETS("mAiL fRoM:<Alice@example.net> bOdY=7bit"), VERB_MAIL,
            "fRoM:<Alice@example.net> bOdY=7bit" },
        { "CMD-21 trailing white space", OCTETS("RSET  "), VERB_RSET, "" },
        { "CMD-21 trailing tab", OCTETS("RSET\t"), VERB_RSET, "" },
        { "CMD-21 after an argument", OCTETS("RCPT TO:<a@b.example> \t "), VERB_RCPT,
            "TO:<a@b.example>" },
        { "CMD-19 unknown", OCTETS("FOO"), VERB_UNKNOWN, "" },
        { "CMD-19 XFOO", OCTETS("XFOO"), VERB_UNKNOWN, "" },
        { "CMD-19 empty line", OCTETS(""), VERB_UNKNOWN, "" },
        { "CMD-19 leading space", OCTETS(" NOOP"), VERB_UNKNOWN, "NOOP" },
        { "CMD-19 longer verb", OCTETS("NOOPS"), VERB_UNKNOWN, "" },
        { "CMD-19 NUL cuts nothing", OCTETS("NOOP\0X"), VERB_UNKNOWN, "" },
        { "CMD-19 ETRN", OCTETS("ETRN example.org"), VERB_ETRN, "example.org" },
        { "EXT-NEG-1 ATRN", OCTETS("ATRN"), VERB_ATRN, "" },
        { "CMD-19 TURN", OCTETS("TURN"), VERB_TURN, "" },
        { "CMD-19 SEND", OCTETS("SEND FROM:<a@b.example>"), VERB_SEND, "FROM:<a@b.example>" },
        { "CMD-19 SOML", OCTETS("SOML"), VERB_SOML, "" },
        { "CMD-19 SAML", OCTETS("SAML"), VERB_SAML, "" },
        { "BURL when off", OCTETS("BURL imap://x LAST"), VERB_BURL, "imap://x LAST" },
        { "LSN-15 POST", OCTETS("POST / HTTP/1.1"), VERB_FOREIGN, "/ HTTP/1.1" },
        { "LSN-15 get", OCTETS("get /"), VERB_FOREIGN, "/" },
        { "LSN-15 CONNECT", OCTETS("CONNECT h:25"), VERB_FOREIGN, "h:25" },
        { "LSN-15 header field", OCTETS("Host: x"), VERB_FOREIGN, "x" },
        { "LSN-15 lone colon", OCTETS(":"), VERB_FOREIGN, "" },
        { "a colon inside is no field", OCTETS("a:b c"), VERB_UNKNOWN, "c" },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct command command = command_parse(cases[i].text);

        expect_number(cases[i].name, command.verb, cases[i].verb);
        expect_text(cases[i].name, command.argument, cases[i].argument);
    }
    assert_string_equal(verb_name(VERB_STARTTLS), "STARTTLS");
    assert_string_equal(verb_name(VERB_UNKNOWN), "?");
    assert_string_equal(verb_name(VERB_COUNT), "?");
}

/* CMD-23 */
static void test_clean(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct slice input;
        bool is_clean;
    } cases[] = {
        { "plain", OCTETS("NOOP hi\r\n"), true },
        { "CMD-23 NOOP with 0xE9", OCTETS("NOOP \xe9\r\n"), false },
        { "CMD-23 NUL", OCTETS("NOOP \0\r\n"), false },
        { "CMD-23 bare CR", OCTETS("NOOP \rx\r\n"), false },
        { "EXT-SMTPUTF8-3 MAIL", OCTETS("MAIL FROM:<\xce\xb4@example.net>\r\n"), true },
        { "EXT-SMTPUTF8-2 VRFY", OCTETS("VRFY \xce\xb4\r\n"), true },
        { "CMD-23 control in MAIL", OCTETS("MAIL FROM:<\x01@example.net>\r\n"), false },
        { "CMD-23 8-bit in an unknown verb", OCTETS("FOO\xe9\r\n"), false },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct line_reader reader = { 0 };
        struct line line;

        assert_int_equal(line_read(&reader, cases[i].input, 100, &line), LINE_READY);
        expect_number(cases[i].name, command_is_clean(&line, command_parse(line.text).verb),
            cases[i].is_clean);
    }
}

/* CMD-6, GRM-10 */
static void test_helo(void **state UNUSED)
{
    static const struct {
        const char *argument;
        bool is_valid;
    } cases[] = {
        { "", false },
        { "a b", false },
        { "c.example", true },
        { "foo.invalid", true },
        { "odd_name!", true },
        { "[192.0.2.1]", true },
        { "[IPv6:2001:db8::1]", true },
        { "[IPv6:1::2::3]", false },
        { "[192.0.2.256]", false },
        { "[192.0.2]", false },
        { "[", false },
        { "a\x7f", false },
        { "\xc3\xa9.example", false },
    };
    char *longest = repeated('a', 256);

    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect_number(
            cases[i].argument, helo_is_valid(slice_text(cases[i].argument)), cases[i].is_valid);
    assert_true(helo_is_valid(slice_of(longest, 255)));
    assert_false(helo_is_valid(slice_of(longest, 256)));
    free(longest);
}

/* EXT-CHUNKING-6 */
static void test_bdat(void **state UNUSED)
{
    static const struct {
        const char *argument;
        enum bdat_fault fault;
        uint64_t size;
        bool last;
    } cases[] = {
        { "86 LAST", BDAT_OK, 86, true },
        { "86", BDAT_OK, 86, false },
        { "0 LAST", BDAT_OK, 0, true },
        { "0", BDAT_OK, 0, false },
        { "007 last", BDAT_OK, 7, true },
        { "5  LAST", BDAT_OK, 5, true },
        { "4294967296", BDAT_OK, 4294967296, false },
        { "9223372036854775807", BDAT_OK, INT64_MAX, false },
        { "9223372036854775808", BDAT_LOST, 0, false },
        { "18446744073709551615", BDAT_LOST, 0, false },
        { "18446744073709551616", BDAT_LOST, 0, false },
        { "99999999999999999999", BDAT_LOST, 0, false },
        { "36893488147419103233 LAST", BDAT_LOST, 0, false },
        { "-1", BDAT_LOST, 0, false },
        { "+5", BDAT_LOST, 0, false },
        { "0x10", BDAT_LOST, 0, false },
        { "12x", BDAT_LOST, 0, false },
        { "5LAST", BDAT_LOST, 0, false },
        { "5.", BDAT_LOST, 0, false },
        { "", BDAT_SYNTAX, 0, false },
        { "x", BDAT_SYNTAX, 0, false },
        { "LAST", BDAT_SYNTAX, 0, false },
        { "5 FIRST", BDAT_OPTION, 5, false },
        { "5 LAST LAST", BDAT_OPTION, 5, false },
        { "5 6", BDAT_OPTION, 5, false },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct bdat bdat = { 0 };

        expect_number(
            cases[i].argument, bdat_parse(slice_text(cases[i].argument), &bdat), cases[i].fault);
        expect_number(cases[i].argument, bdat.size, cases[i].size);
        expect_number(cases[i].argument, bdat.last, cases[i].last);
    }
}

static void test_auth(void **state UNUSED)
{
    static const struct {
        const char *argument;
        bool is_valid;
        const char *mechanism;
        bool has_initial;
        const char *initial;
    } cases[] = {
        { "PLAIN AGFsaWNlAHNlY3JldA==", true, "PLAIN", true, "AGFsaWNlAHNlY3JldA==" }, /* AUTH-4 */
        { "PLAIN", true, "PLAIN", false, "" },                                         /* AUTH-8 */
        { "EXTERNAL =", true, "EXTERNAL", true, "" },                                  /* AUTH-9 */
        { "scram-sha-256 n,,", true, "scram-sha-256", true, "n,," },
        { "", false },
        { "PLAIN a b", false },
        { "PL$IN", false },
        { "ABCDEFGHIJKLMNOPQRST", true, "ABCDEFGHIJKLMNOPQRST", false, "" },
        { "ABCDEFGHIJKLMNOPQRSTU", false },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct auth_command auth;

        expect_number(
            cases[i].argument, auth_parse(slice_text(cases[i].argument), &auth), cases[i].is_valid);
        if (!cases[i].is_valid)
            continue;
        expect_text(cases[i].argument, auth.mechanism, cases[i].mechanism);
        expect_number(cases[i].argument, auth.has_initial, cases[i].has_initial);
        expect_text(cases[i].argument, auth.initial, cases[i].initial);
    }
}

/* EXT-SMTPUTF8-2 */
static void test_vrfy(void **state UNUSED)
{
    static const struct {
        const char *argument;
        bool is_valid;
        const char *string;
        bool smtputf8;
    } cases[] = {
        { "bob@example.org", true, "bob@example.org", false },
        { "bob smtputf8", true, "bob", true },
        { "Bob Smith", true, "Bob Smith", false },
        { "SMTPUTF8", true, "SMTPUTF8", false },
        { "\xce\xb4 SMTPUTF8", true, "\xce\xb4", true },
        { "\xce", false },
        { "", false },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct slice string;
        bool smtputf8;

        expect_number(cases[i].argument,
            vrfy_parse(slice_text(cases[i].argument), &string, &smtputf8), cases[i].is_valid);
        if (!cases[i].is_valid)
            continue;
        expect_text(cases[i].argument, string, cases[i].string);
        expect_number(cases[i].argument, smtputf8, cases[i].smtputf8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_helo),
        cmocka_unit_test(test_bdat),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_vrfy),
    };

    return cmocka_run_group_tests_name("smtp/command", tests, NULL, NULL);
}
