/* The argument of BURL: whole, and through the line reader byte by byte. */
#include "cases.h"

#include "smtp/burl.h"
#include "smtp/command.h"
#include "smtp/line.h"

#define TOKEN "91354a473744909de610943775f92038"
#define AUTH  ";URLAUTH=submit+alice:INTERNAL:" TOKEN

struct burl_case {
    const char *name;
    const char *argument;
    enum burl_fault fault;
    bool last;
    const char *user, *host, *mailbox, *section, *access_user;
    uint16_t port;
    uint64_t uid_validity, uid;
    bool is_other; /* access is said */
    enum burl_access access;
    bool is_partial;
};

/* What is not said is as in BASE and AUTH. */
#define GOOD(words, text, ...)                                                                     \
    {                                                                                              \
        .name = (words), .argument = (text)__VA_OPT__(, ) __VA_ARGS__                              \
    }
#define BAD(words, text, of)                                                                       \
    {                                                                                              \
        .name = (words), .argument = (text), .fault = (of)                                         \
    }
#define BASE "imap://alice@imap.example.org/Sent"

static const struct burl_case cases[] = {
    GOOD("EXT-BURL-2 a whole message, LAST", BASE "/;UID=25" AUTH " LAST", .last = true),
    GOOD("EXT-BURL-2 without LAST", BASE "/;UID=25" AUTH),
    GOOD("EXT-BURL-2 any case", "IMAP://alice@imap.example.org/Sent/;uid=25" AUTH " last",
        .last = true),
    GOOD("RFC 4468's example", BASE ";uidvalidity=1078863300/;uid=25" AUTH " LAST", .last = true,
        .uid_validity = 1078863300),
    GOOD("a section", BASE "/;UID=25/;SECTION=1.2" AUTH, .section = "1.2"),
    GOOD("a section with a slash", BASE "/;UID=25/;SECTION=HEADER/x" AUTH, .section = "HEADER/x"),
    GOOD("a part of a section", BASE "/;UID=25/;SECTION=1/;PARTIAL=0.1024" AUTH, .section = "1",
        .is_partial = true),
    GOOD("a part of all", BASE "/;UID=25/;PARTIAL=10" AUTH, .is_partial = true),
    GOOD("an end", BASE "/;UID=25;EXPIRE=2026-03-03T10:00:00Z" AUTH),
    GOOD("a port", "imap://alice@imap.example.org:1143/Sent/;UID=25" AUTH, .port = 1143),
    GOOD("the last port", "imap://alice@imap.example.org:65535/Sent/;UID=25" AUTH, .port = 65535),
    GOOD("an IPv6 address", "imap://alice@[2001:db8::1]:1143/Sent/;UID=25" AUTH,
        .host = "[2001:db8::1]", .port = 1143),
    GOOD("no user", "imap://imap.example.org/Sent/;UID=25" AUTH, .user = ""),
    GOOD("a mechanism", "imap://alice;AUTH=*@imap.example.org/Sent/;UID=25" AUTH),
    GOOD("a mechanism alone", "imap://;AUTH=PLAIN@imap.example.org/Sent/;UID=25" AUTH, .user = ""),
    GOOD("folders", "imap://alice@imap.example.org/a/b%20c:d/;UID=25" AUTH, .mailbox = "a/b%20c:d"),
    GOOD(
        "an address as user", "imap://al%40x@imap.example.org/Sent/;UID=25" AUTH, .user = "al%40x"),
    GOOD("the largest UID", BASE "/;UID=4294967295" AUTH, .uid = 4294967295),
    GOOD("EXT-BURL-3 another kind of access", BASE "/;UID=25;URLAUTH=user+alice:INTERNAL:" TOKEN,
        .is_other = true, .access = BURL_ACCESS_USER),
    GOOD("EXT-BURL-3 any user", BASE "/;UID=25;URLAUTH=authuser:INTERNAL:" TOKEN, .is_other = true,
        .access = BURL_ACCESS_AUTHUSER, .access_user = ""),
    GOOD("EXT-BURL-3 anybody", BASE "/;UID=25;URLAUTH=anonymous:INTERNAL:" TOKEN, .is_other = true,
        .access = BURL_ACCESS_ANONYMOUS, .access_user = ""),
    GOOD("without URLAUTH", BASE "/;UID=25", .is_other = true, .access = BURL_ACCESS_NONE,
        .access_user = ""),
    GOOD("an encoded user", BASE "/;UID=25;URLAUTH=submit+al%40x:INTERNAL:" TOKEN,
        .access_user = "al%40x"),

    BAD("EXT-BURL-2 nothing", "", BURL_SYNTAX),
    BAD("EXT-BURL-2 LAST alone", "LAST", BURL_SYNTAX),
    BAD("EXT-BURL-2 a relative URI", "/Sent/;UID=25 LAST", BURL_SYNTAX),
    BAD("EXT-BURL-2 something else behind it", BASE "/;UID=25" AUTH " FIRST", BURL_SYNTAX),
    BAD("EXT-BURL-2 LAST twice", BASE "/;UID=25" AUTH " LAST LAST", BURL_SYNTAX),
    BAD("no scheme", ":x", BURL_SYNTAX),
    BAD("nothing behind the scheme", "imap:", BURL_SYNTAX),
    BAD("a scheme of digits", "1map://x/", BURL_SYNTAX),
    BAD("a quote", BASE "\"/;UID=25" AUTH, BURL_SYNTAX),
    BAD("a backslash", BASE "\\/;UID=25" AUTH, BURL_SYNTAX),
    BAD("a brace", BASE "{3}/;UID=25" AUTH, BURL_SYNTAX),
    BAD("a NUL", BASE "%00/;UID=25" AUTH, BURL_SYNTAX),
    BAD("a broken escape", BASE "%4/;UID=25" AUTH, BURL_SYNTAX),
    BAD("an octet above 127", BASE "\xe9/;UID=25" AUTH, BURL_SYNTAX),
    BAD("HTTP", "http://imap.example.org/x LAST", BURL_FOREIGN),
    BAD("imaps is no scheme", "imaps://alice@imap.example.org/Sent/;UID=25" AUTH, BURL_FOREIGN),
    BAD("no host", "imap:///Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("no user before the at", "imap://@imap.example.org/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("two ats", "imap://alice@x@imap.example.org/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("a host with a user's octets", "imap://imap_example.org/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("an open bracket", "imap://alice@[2001:db8::1/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("empty brackets", "imap://alice@[]/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("port zero", "imap://imap.example.org:0/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("a port too far", "imap://imap.example.org:65536/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("no port behind the colon", "imap://imap.example.org:/Sent/;UID=25" AUTH, BURL_UNFIT),
    BAD("a server alone", "imap://imap.example.org", BURL_UNFIT),
    BAD("a mailbox alone", BASE, BURL_UNFIT),
    BAD("no mailbox", "imap://imap.example.org/;UID=25" AUTH, BURL_UNFIT),
    BAD("a search", BASE "?SUBJECT%20x", BURL_UNFIT),
    BAD("UID zero", BASE "/;UID=0" AUTH, BURL_UNFIT),
    BAD("UID with a leading zero", BASE "/;UID=025" AUTH, BURL_UNFIT),
    BAD("UID above 32 bits", BASE "/;UID=4294967296" AUTH, BURL_UNFIT),
    BAD("UID of twenty digits", BASE "/;UID=99999999999999999999" AUTH, BURL_UNFIT),
    BAD("UIDVALIDITY zero", BASE ";UIDVALIDITY=0/;UID=25" AUTH, BURL_UNFIT),
    BAD("an empty section", BASE "/;UID=25/;SECTION=" AUTH, BURL_UNFIT),
    BAD("an empty part", BASE "/;UID=25/;PARTIAL=" AUTH, BURL_UNFIT),
    BAD("an end without URLAUTH", BASE "/;UID=25;EXPIRE=2026-03-03T10:00:00Z", BURL_UNFIT),
    BAD("an empty end", BASE "/;UID=25;EXPIRE=" AUTH, BURL_UNFIT),
    BAD("an unknown access", BASE "/;UID=25;URLAUTH=root:INTERNAL:" TOKEN, BURL_UNFIT),
    BAD("nobody's access", BASE "/;UID=25;URLAUTH=submit+:INTERNAL:" TOKEN, BURL_UNFIT),
    BAD("no mechanism", BASE "/;UID=25;URLAUTH=submit+alice::" TOKEN, BURL_UNFIT),
    BAD("no verifier", BASE "/;UID=25;URLAUTH=submit+alice", BURL_UNFIT),
    BAD("a short token", BASE "/;UID=25;URLAUTH=submit+alice:INTERNAL:91354a47", BURL_UNFIT),
    BAD("a token that is not hexadecimal", BASE "/;UID=25;URLAUTH=submit+alice:INTERNAL:" TOKEN "g",
        BURL_UNFIT),
    BAD("something behind the token", BASE "/;UID=25" AUTH ";x", BURL_UNFIT),
    BAD("URLAUTH twice", BASE "/;UID=25" AUTH AUTH, BURL_UNFIT),
};

static void check(const struct burl_case *c, struct slice argument)
{
    struct burl burl = { 0 };
    enum burl_fault fault = burl_parse(argument, &burl);

    expect_number(c->name, fault, c->fault);
    if (fault != BURL_OK)
        return;
    expect_text(c->name, burl.imap.user, c->user ? c->user : "alice");
    expect_text(c->name, burl.imap.host, c->host ? c->host : "imap.example.org");
    expect_text(c->name, burl.imap.mailbox, c->mailbox ? c->mailbox : "Sent");
    expect_text(c->name, burl.imap.section, c->section ? c->section : "");
    expect_text(c->name, burl.imap.access_user, c->access_user ? c->access_user : "alice");
    expect_number(c->name, burl.imap.port, c->port ? c->port : 143);
    expect_number(c->name, burl.imap.uid_validity, c->uid_validity);
    expect_number(c->name, burl.imap.uid, c->uid ? c->uid : 25);
    expect_number(c->name, burl.imap.access, c->is_other ? c->access : BURL_ACCESS_SUBMIT);
    expect_number(c->name, burl.imap.is_partial, c->is_partial);
    expect_number(c->name, burl.last, c->last);
    expect_octets(c->name, burl.url, slice_first(argument, burl.url.len));
}

static void test_whole(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        check(&cases[i], slice_text(cases[i].argument));
}

static void test_byte_by_byte(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct line_reader reader = { 0 };
        char input[1024];
        int len = snprintf(input, sizeof input, "BURL %s\r\n", cases[i].argument);
        enum line_answer answer = LINE_MORE;
        struct line line;

        assert_true(len > 0 && (size_t)len < sizeof input);
        for (int at = 1; at <= len; at++) {
            struct slice seen = slice_of(input, (size_t)at);

            answer = line_read(&reader, seen, command_line_max(seen), &line);
            assert_true(at == len || answer == LINE_MORE);
        }
        assert_int_equal(answer, LINE_READY);
        check(&cases[i], command_parse(line.text).argument);
    }
}

/* CMD-22: the longest URL that a line can carry, and a mailbox as long as that. */
static void test_long(void **state UNUSED)
{
    char *mailbox = repeated('m', 3900), *user = repeated('u', BURL_USER_MAX + 1);
    char text[5000];
    struct burl burl;

    snprintf(text, sizeof text, "imap://h/%s/;UID=1" AUTH " LAST", mailbox);
    assert_int_equal(burl_parse(slice_text(text), &burl), BURL_OK);
    assert_int_equal(burl.imap.mailbox.len, 3900);
    snprintf(text, sizeof text, "imap://h/m/;UID=1;URLAUTH=submit+%s:INTERNAL:" TOKEN, user + 1);
    assert_int_equal(burl_parse(slice_text(text), &burl), BURL_OK);
    snprintf(text, sizeof text, "imap://h/m/;UID=1;URLAUTH=submit+%s:INTERNAL:" TOKEN, user);
    assert_int_equal(burl_parse(slice_text(text), &burl), BURL_UNFIT);
    free(mailbox);
    free(user);
}

static void test_encoded(void **state UNUSED)
{
    static const struct {
        const char *encoded, *plain;
        bool is_equal;
    } rows[] = {
        { "alice", "alice", true },
        { "al%69ce", "alice", true },
        { "alice%40example.net", "alice@example.net", true },
        { "%C3%A9", "\xc3\xa9", true },
        { "alice", "Alice", false },
        { "alice", "alic", false },
        { "alic", "alice", false },
        { "", "", true },
        { "", "alice", false },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        expect_number(rows[i].encoded,
            burl_equals(slice_text(rows[i].encoded), slice_text(rows[i].plain)), rows[i].is_equal);
}

/* EXT-BURL-6 */
static void test_server(void **state UNUSED)
{
    struct imap_url url = { .host = slice_text("Imap.Example.org"), .port = 143 };

    assert_true(burl_is_at(&url, slice_text("imap.example.org"), 143));
    assert_false(burl_is_at(&url, slice_text("imap.example.org"), 993));
    assert_false(burl_is_at(&url, slice_text("example.org"), 143));
    url.host = slice_text("[2001:db8::1]");
    assert_true(burl_is_at(&url, slice_text("2001:db8::1"), 143));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_encoded),
        cmocka_unit_test(test_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
