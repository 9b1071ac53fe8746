/* Paths, mailboxes and domains. The paths run through the line reader too, byte by byte, so that
 * what a session sees is what the table says. */
#include "cases.h"

#include "base/arena.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/line.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 A50 "aaaaaaaaaaaaa"
#define A64 A50 "aaaaaaaaaaaaaa"
/* 253 octets and 189 octets of domain. */
#define DOMAIN_189 A63 "." A63 "." A50 "aaaaaaaaaaa"
/* 189 octets too, but 190 in lower case: U+023A has two octets and its small letter three. */
#define DOMAIN_GROWS                                                                               \
    A63 "." A63 "." A50 ".\xc8\xba"                                                                \
        "bbbbbbbb"

static const struct path_case {
    const char *name;
    const char *line;
    enum address_fault fault;
    size_t at;           /* in the argument, for a fault */
    const char *written; /* path_write */
    enum address_kind kind;
    const char *rest;
} cases[] = {
    { "GRM-1 plain", "MAIL FROM:<alice@example.net>", ADDRESS_OK, 0, "<alice@example.net>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-1 parameters", "MAIL FROM:<alice@example.net> SIZE=1 BODY=7BIT", ADDRESS_OK, 0,
        "<alice@example.net>", ADDRESS_QUALIFIED, "SIZE=1 BODY=7BIT" },
    { "SUB-3.2-4 null sender", "MAIL FROM:<>", ADDRESS_OK, 0, "<>", ADDRESS_NULL, "" },
    { "GRM-1 null recipient", "RCPT TO:<>", ADDRESS_EMPTY, 5 },
    { "GRM-1 no brackets", "MAIL FROM:alice@example.net", ADDRESS_NO_BRACKET, 5 },
    { "GRM-1 nothing", "MAIL FROM:", ADDRESS_NO_BRACKET, 5 },
    { "GRM-1 no keyword", "MAIL alice@example.net", ADDRESS_KEYWORD, 0 },
    { "GRM-1 wrong keyword", "RCPT FROM:<bob@example.org>", ADDRESS_KEYWORD, 0 },
    { "GRM-1 not closed", "MAIL FROM:<alice@example.net", ADDRESS_UNCLOSED, 23 },
    { "GRM-1 not closed, parameters", "MAIL FROM:<alice@example.net SIZE=1", ADDRESS_DOMAIN_OCTET,
        23 },
    { "GRM-1 no space after", "MAIL FROM:<alice@example.net>SIZE=1", ADDRESS_TRAILING, 24 },
    { "GRM-1 closed twice", "MAIL FROM:<alice@example.net>>", ADDRESS_TRAILING, 24 },
    { "GRM-1 opened twice", "MAIL FROM:<<alice@example.net>", ADDRESS_LOCAL_OCTET, 6 },
    { "CMD-20 case of the keyword, not of the local-part", "RCPT tO:<BoB@Example.ORG>", ADDRESS_OK,
        0, "<BoB@Example.ORG>", ADDRESS_QUALIFIED, "" },
    { "GRM-2 space after the colon", "MAIL FROM: <a@b.example>", ADDRESS_OK, 0, "<a@b.example>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-2 space before the colon", "MAIL FROM :<a@b.example>", ADDRESS_KEYWORD, 0 },
    { "SUB-5.1-1 two @", "MAIL FROM:<a@b@c>", ADDRESS_DOMAIN_OCTET, 9 },
    { "SUB-5.1-1 leading dot", "RCPT TO:<.bob@example.org>", ADDRESS_LOCAL_DOT, 4 },
    { "SUB-5.1-3 trailing dot", "RCPT TO:<bob.@example.org>", ADDRESS_LOCAL_DOT, 7 },
    { "GRM-3 doubled dot", "RCPT TO:<a..b@example.org>", ADDRESS_LOCAL_DOT, 6 },
    { "GRM-3 dots", "RCPT TO:<a.b.c@example.org>", ADDRESS_OK, 0, "<a.b.c@example.org>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-3 quoted string", "RCPT TO:<\"a b\"@example.org>", ADDRESS_OK, 0,
        "<\"a b\"@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-3 quoted pairs", "RCPT TO:<\"a\\\"\\\\b\"@example.org>", ADDRESS_OK, 0,
        "<\"a\\\"\\\\b\"@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-3 quoted brackets and @", "RCPT TO:<\"a>b@c\"@example.org>", ADDRESS_OK, 0,
        "<\"a>b@c\"@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-3 quoted dots", "RCPT TO:<\"a..b\"@example.org>", ADDRESS_OK, 0,
        "<\"a..b\"@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-3 space without quotes", "RCPT TO:<a b@example.org>", ADDRESS_LOCAL_OCTET, 5 },
    { "GRM-3 quote not closed", "RCPT TO:<\"a@example.org>", ADDRESS_LOCAL_QUOTE, 19 },
    { "GRM-3 backslash at the end", "RCPT TO:<\"a\\", ADDRESS_LOCAL_QUOTE, 7 },
    { "GRM-3 text after the quotes", "RCPT TO:<\"a\"b@example.org>", ADDRESS_LOCAL_QUOTE, 7 },
    { "GRM-3 quotes after text", "RCPT TO:<b\"a\"@example.org>", ADDRESS_LOCAL_OCTET, 5 },
    { "GRM-3 two quoted strings", "RCPT TO:<\"a\".\"b\"@example.org>", ADDRESS_LOCAL_QUOTE, 7 },
    { "GRM-3 control in quotes", "RCPT TO:<\"a\x01\"@example.org>", ADDRESS_LOCAL_OCTET, 6 },
    { "GRM-3 bare CR in quotes", "RCPT TO:<\"a\rb\"@example.org>", ADDRESS_LOCAL_OCTET, 6 },
    { "GRM-3 escaped control", "RCPT TO:<\"a\\\x01\"@example.org>", ADDRESS_LOCAL_OCTET, 7 },
    { "GRM-4 empty quoted string", "RCPT TO:<\"\"@example.org>", ADDRESS_LOCAL_EMPTY, 5 },
    { "GRM-5 quotes that nobody needs", "RCPT TO:<\"bob\"@example.org>", ADDRESS_OK, 0,
        "<bob@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-5 backslash that nobody needs", "RCPT TO:<\"b\\ob\"@example.org>", ADDRESS_OK, 0,
        "<bob@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-6 underscore", "RCPT TO:<a@ex_ample.org>", ADDRESS_DOMAIN_OCTET, 8 },
    { "GRM-6 leading hyphen", "RCPT TO:<a@-x.org>", ADDRESS_DOMAIN_LABEL, 6 },
    { "GRM-6 trailing hyphen", "RCPT TO:<a@x-.org>", ADDRESS_DOMAIN_LABEL, 7 },
    { "GRM-6 inner hyphens", "RCPT TO:<a@x--y.org>", ADDRESS_OK, 0, "<a@x--y.org>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-6 empty label", "RCPT TO:<a@x..org>", ADDRESS_DOMAIN_LABEL, 8 },
    { "GRM-6 leading dot", "RCPT TO:<a@.org>", ADDRESS_DOMAIN_LABEL, 6 },
    { "GRM-6 dot alone", "RCPT TO:<a@.>", ADDRESS_DOMAIN_LABEL, 6 },
    { "GRM-6 no domain", "RCPT TO:<a@>", ADDRESS_DOMAIN_EMPTY, 6 },
    { "GRM-6 longest label", "RCPT TO:<a@" A63 ".org>", ADDRESS_OK, 0, "<a@" A63 ".org>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-6 one octet more", "RCPT TO:<a@" A64 ".org>", ADDRESS_DOMAIN_LONG, 6 },
    { "GRM-7 trailing dot", "RCPT TO:<bob@example.org.>", ADDRESS_OK, 0, "<bob@example.org>",
        ADDRESS_QUALIFIED, "" },
    { "GRM-7 two trailing dots", "RCPT TO:<bob@example.org..>", ADDRESS_DOMAIN_LABEL, 20 },
    { "GRM-8 longest local-part", "RCPT TO:<" A64 "@example.org>", ADDRESS_OK, 0,
        "<" A64 "@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-8 one octet more", "MAIL FROM:<" A64 "a@example.org>", ADDRESS_LOCAL_LONG, 6 },
    { "GRM-8 counted in its least quoted form", "RCPT TO:<\"" A64 "\"@example.org>", ADDRESS_OK, 0,
        "<" A64 "@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-8 quotes that are needed count", "RCPT TO:<\"" A63 " \"@example.org>",
        ADDRESS_LOCAL_LONG, 4 },
    { "GRM-8 longest path", "RCPT TO:<" A64 "@" DOMAIN_189 ">", ADDRESS_OK, 0,
        "<" A64 "@" DOMAIN_189 ">", ADDRESS_QUALIFIED, "" },
    { "GRM-8 path one octet more", "RCPT TO:<" A64 "@" DOMAIN_189 "a>", ADDRESS_PATH_LONG, 260 },
    { "GRM-8 path that grows in its canonical form", "RCPT TO:<" A64 "@" DOMAIN_GROWS ">",
        ADDRESS_PATH_LONG, 259 },
    { "GRM-8 domain too long", "RCPT TO:<a@" A63 "." A63 "." A63 "." A63 ".a>", ADDRESS_DOMAIN_LONG,
        6 },
    { "GRM-9 source route", "RCPT TO:<@a.example,@b.example:bob@example.org>", ADDRESS_OK, 0,
        "<bob@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-9 source route in MAIL", "MAIL FROM:<@a.example:bob@example.org> SIZE=1", ADDRESS_OK, 0,
        "<bob@example.org>", ADDRESS_QUALIFIED, "SIZE=1" },
    { "GRM-9 no @ in the route", "RCPT TO:<@a.example,b.example:bob@example.org>", ADDRESS_ROUTE,
        15 },
    { "GRM-9 no colon", "RCPT TO:<@a.example bob@example.org>", ADDRESS_ROUTE, 14 },
    { "GRM-9 nothing after the route", "RCPT TO:<@a.example:>", ADDRESS_LOCAL_EMPTY, 15 },
    { "nothing before the @", "RCPT TO:<@example.org>", ADDRESS_LOCAL_EMPTY, 16 },
    { "SUB-9-1 percent", "RCPT TO:<user%example.org@example.net>", ADDRESS_OK, 0,
        "<user%example.org@example.net>", ADDRESS_QUALIFIED, "" },
    { "SUB-9-1 bang", "RCPT TO:<example.org!user>", ADDRESS_OK, 0, "<example.org!user>",
        ADDRESS_BARE, "" },
    { "GRM-10 IPv4 literal, SUB-4.2-7", "RCPT TO:<bob@[192.0.2.1]>", ADDRESS_OK, 0,
        "<bob@[192.0.2.1]>", ADDRESS_LITERAL, "" },
    { "GRM-10 IPv6 literal", "RCPT TO:<bob@[IPv6:2001:db8::1]>", ADDRESS_OK, 0,
        "<bob@[IPv6:2001:db8::1]>", ADDRESS_LITERAL, "" },
    { "GRM-10 IPv6 with IPv4 tail", "RCPT TO:<bob@[ipv6:::ffff:192.0.2.1]>", ADDRESS_OK, 0,
        "<bob@[ipv6:::ffff:192.0.2.1]>", ADDRESS_LITERAL, "" },
    { "GRM-10 two ::", "RCPT TO:<bob@[IPv6:1::2::3]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 IPv6 without tag", "RCPT TO:<bob@[2001:db8::1]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 three parts", "RCPT TO:<bob@[192.0.2]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 five parts", "RCPT TO:<bob@[192.0.2.1.1]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 trailing dot", "RCPT TO:<bob@[192.0.2.1.]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 256", "RCPT TO:<bob@[192.0.2.256]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 empty", "RCPT TO:<bob@[]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 tag alone", "RCPT TO:<bob@[IPv6:]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 unregistered tag", "RCPT TO:<bob@[x400:abc]>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 not closed", "RCPT TO:<bob@[192.0.2.1>", ADDRESS_LITERAL_SYNTAX, 8 },
    { "GRM-10 text after it", "RCPT TO:<bob@[192.0.2.1]x>", ADDRESS_DOMAIN_OCTET, 19 },
    { "SUB-4.2-1 single label, GRM-17", "MAIL FROM:<alice@sales>", ADDRESS_OK, 0, "<alice@sales>",
        ADDRESS_SINGLE_LABEL, "" },
    { "SUB-4.2-1 single label with a dot", "MAIL FROM:<alice@sales.>", ADDRESS_OK, 0,
        "<alice@sales>", ADDRESS_SINGLE_LABEL, "" },
    { "SUB-4.2-1 no domain", "RCPT TO:<bob>", ADDRESS_OK, 0, "<bob>", ADDRESS_BARE, "" },
    { "SUB-6.4-2 postmaster", "RCPT TO:<PostMaster>", ADDRESS_OK, 0, "<PostMaster>", ADDRESS_BARE,
        "" },
    { "GRM-18 odd but valid", "RCPT TO:<o'neil+x%y/z@example.org>", ADDRESS_OK, 0,
        "<o'neil+x%y/z@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-18 all of atext", "RCPT TO:<!#$%&'*+-/=?^_`{|}~@example.org>", ADDRESS_OK, 0,
        "<!#$%&'*+-/=?^_`{|}~@example.org>", ADDRESS_QUALIFIED, "" },
    { "GRM-18 specials", "RCPT TO:<a(b@example.org>", ADDRESS_LOCAL_OCTET, 5 },
    { "GRM-19 case and tag kept", "RCPT TO:<B.o.B+Tag@example.org>", ADDRESS_OK, 0,
        "<B.o.B+Tag@example.org>", ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 local-part", "MAIL FROM:<\xce\xb4@example.net> SMTPUTF8", ADDRESS_OK, 0,
        "<\xce\xb4@example.net>", ADDRESS_QUALIFIED, "SMTPUTF8" },
    { "EXT-SMTPUTF8-3 quoted", "MAIL FROM:<\"\xce\xb4 x\"@example.net>", ADDRESS_OK, 0,
        "<\"\xce\xb4 x\"@example.net>", ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 domain",
        "RCPT TO:<bob@b\xc3\xbc"
        "cher.example>",
        ADDRESS_OK, 0,
        "<bob@b\xc3\xbc"
        "cher.example>",
        ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 domain, capitals",
        "RCPT TO:<bob@B\xc3\x9c"
        "CHER.example>",
        ADDRESS_OK, 0,
        "<bob@b\xc3\xbc"
        "cher.example>",
        ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 domain, decomposed",
        "RCPT TO:<bob@bu\xcc\x88"
        "cher.example>",
        ADDRESS_OK, 0,
        "<bob@b\xc3\xbc"
        "cher.example>",
        ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 A-label", "RCPT TO:<bob@xn--bcher-kva.example>", ADDRESS_OK, 0,
        "<bob@xn--bcher-kva.example>", ADDRESS_QUALIFIED, "" },
    { "EXT-SMTPUTF8-3 overlong", "RCPT TO:<\xc0\xaf@example.org>", ADDRESS_UTF8, 4 },
    { "EXT-SMTPUTF8-3 lone surrogate", "RCPT TO:<\xed\xa0\x80@example.org>", ADDRESS_UTF8, 4 },
    { "EXT-SMTPUTF8-3 cut short", "RCPT TO:<\xce@example.org>", ADDRESS_UTF8, 4 },
    { "EXT-SMTPUTF8-3 cut short in quotes", "RCPT TO:<\"\xce\"@example.org>", ADDRESS_UTF8, 4 },
    { "EXT-SMTPUTF8-3 domain cut short", "RCPT TO:<bob@b\xc3.example>", ADDRESS_UTF8, 8 },
    { "EXT-SMTPUTF8-3 symbol is no U-label", "RCPT TO:<bob@\xe2\x98\x83.example>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 ideographic full stop", "RCPT TO:<bob@example\xe3\x80\x82org>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 fullwidth letters", "RCPT TO:<bob@\xef\xbd\x85\xef\xbd\x98.example>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 zero width space",
        "RCPT TO:<bob@a\xe2\x80\x8b"
        "b.example>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 Greek question mark folds to a semicolon",
        "RCPT TO:<bob@\xcd\xbe"
        "a.example>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 kelvin sign folds to a k", "RCPT TO:<bob@\xe2\x84\xaa.example>",
        ADDRESS_DOMAIN_IDN, 8 },
    { "EXT-SMTPUTF8-3 underscore beside a U-label", "RCPT TO:<bob@a_\xc3\xbc.example>",
        ADDRESS_DOMAIN_OCTET, 9 },
};

static enum address_fault parse(
    struct arena *arena, struct slice text, struct path *path, struct slice *rest, size_t *at)
{
    struct command command = command_parse(text);

    return command.verb == VERB_MAIL ? path_parse_from(arena, command.argument, path, rest, at)
                                     : path_parse_to(arena, command.argument, path, rest, at);
}

static void check_case(const struct path_case *c, struct slice text)
{
    struct path path;
    struct slice rest;
    size_t at = 0;
    struct arena arena;
    struct buffer out;

    arena_init(&arena, 65536);
    buffer_init(&out, 65536);
    expect_number(c->name, parse(&arena, text, &path, &rest, &at), c->fault);
    if (c->fault == ADDRESS_OK) {
        path_write(&out, &path.address);
        expect_text(c->name, buffer_slice(&out), c->written);
        expect_number(c->name, path.address.kind, c->kind);
        expect_text(c->name, rest, c->rest);
        expect_number(c->name, path.is_routed, strncmp(c->name, "GRM-9", 5) == 0);
        expect_number(c->name, path.is_spaced, strncmp(c->name, "GRM-2", 5) == 0);
        expect_number(c->name, path.address.non_ascii, !text_is_ascii(slice_text(c->written)));
    } else {
        expect_number(c->name, at, c->at);
    }
    buffer_clear(&out);
    arena_clear(&arena);
}

static void test_whole(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        check_case(&cases[i], slice_text(cases[i].line));
}

static void test_byte_by_byte(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct line_reader reader = { 0 };
        enum line_answer answer = LINE_MORE;
        struct buffer stream;
        struct line line;
        size_t len = strlen(cases[i].line);

        buffer_init(&stream, 8192);
        for (size_t at = 0; at < len + 2 && answer == LINE_MORE; at++) {
            buffer_put_char(&stream, at < len ? cases[i].line[at] : "\r\n"[at - len]);
            answer = line_read(
                &reader, buffer_slice(&stream), command_line_max(buffer_slice(&stream)), &line);
        }
        assert_int_equal(answer, LINE_READY);
        check_case(&cases[i], line.text);
        buffer_clear(&stream);
    }
}

/* Every octet that is cut off makes a fault or a shorter address, never a read past the end. */
static void test_prefixes(void **state UNUSED)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        for (size_t len = 0; len <= strlen(cases[i].line); len++) {
            char *copy = malloc(len + 1);
            struct path path;
            struct slice rest;
            size_t at = 0;

            assert_non_null(copy);
            memcpy(copy, cases[i].line, len);
            if (parse(&arena, slice_of(copy, len), &path, &rest, &at) != ADDRESS_OK)
                assert_true(at <= len);
            free(copy);
        }
    arena_clear(&arena);
}

static void test_nul(void **state UNUSED)
{
    static const struct slice text = OCTETS("TO:<bob@example.org\0.net>");
    struct path path;
    struct slice rest;
    size_t at;

    assert_int_equal(path_parse_to(NULL, text, &path, &rest, &at), ADDRESS_DOMAIN_OCTET);
    assert_int_equal(at, 19);
}

static bool are_same(const struct address *a, const struct address *b)
{
    return slice_equals(a->local, b->local) && domain_equals(a->domain, b->domain);
}

/* GRM-5: equivalent quoted forms are equal; GRM-19: local-parts are not folded. */
static void test_equality(void **state UNUSED)
{
    static const struct {
        const char *a, *b;
        bool are_equal;
    } pairs[] = {
        { "bob@example.org", "bob@EXAMPLE.org", true },
        { "bob@example.org", "\"bob\"@example.org", true },
        { "\"b b\"@example.org", "\"b\\ b\"@example.org", true },
        { "bob@example.org", "Bob@example.org", false },
        { "bob@example.org", "bob@example.org.", true },
        { "bob@example.org", "bob@example.net", false },
        { "bob@example.org", "b.ob@example.org", false },
        { "bob@example.org", "bob+tag@example.org", false },
        { "bob@b\xc3\xbc"
          "cher.example",
            "bob@xn--bcher-kva.example", true },
        { "bob@b\xc3\xbc"
          "cher.example",
            "bob@XN--BCHER-KVA.EXAMPLE", true },
        { "bob@b\xc3\xbc"
          "cher.example",
            "bob@bucher.example", false },
        { "bob@[192.0.2.1]", "bob@[192.0.2.1]", true },
        { "bob@[192.0.2.1]", "bob@[192.0.2.2]", false },
    };
    struct arena arena;

    arena_init(&arena, 65536);
    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        struct address a, b, copy;
        size_t at;

        assert_int_equal(mailbox_parse(&arena, slice_text(pairs[i].a), &a, &at), ADDRESS_OK);
        assert_int_equal(mailbox_parse(&arena, slice_text(pairs[i].b), &b, &at), ADDRESS_OK);
        expect_number(pairs[i].b, are_same(&a, &b), pairs[i].are_equal);
        expect_number(pairs[i].b, are_same(&b, &a), pairs[i].are_equal);
        assert_true(address_copy(&arena, &a, &copy));
        assert_true(are_same(&a, &copy));
    }
    arena_clear(&arena);
}

static void test_mailbox(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum address_fault fault;
        size_t at;
    } mailboxes[] = {
        { "alice@example.net", ADDRESS_OK, 0 },
        { "\"a b\"@example.net", ADDRESS_OK, 0 },
        { "a@[192.0.2.1]", ADDRESS_OK, 0 },
        { "", ADDRESS_EMPTY, 0 },
        { "alice", ADDRESS_NO_DOMAIN, 5 },
        { "<alice@example.net>", ADDRESS_LOCAL_OCTET, 0 },
        { "alice@example.net ", ADDRESS_DOMAIN_OCTET, 17 },
        { "a@@b", ADDRESS_DOMAIN_OCTET, 2 },
        { "@example.net", ADDRESS_LOCAL_EMPTY, 0 },
        { "a>b@example.net", ADDRESS_LOCAL_OCTET, 1 },
        { A64 "@" DOMAIN_189, ADDRESS_OK, 0 },
        { A64 "@" DOMAIN_189 "a", ADDRESS_PATH_LONG, 255 },
        { A64 "@" DOMAIN_GROWS, ADDRESS_PATH_LONG, 254 },
        { A63 "@" DOMAIN_GROWS, ADDRESS_OK, 0 },
    };
    struct arena arena;

    arena_init(&arena, 65536);
    for (size_t i = 0; i < LENGTH_OF(mailboxes); i++) {
        struct address address;
        size_t at = 0;

        expect_number(mailboxes[i].text,
            mailbox_parse(&arena, slice_text(mailboxes[i].text), &address, &at),
            mailboxes[i].fault);
        expect_number(mailboxes[i].text, at, mailboxes[i].at);
    }
    arena_clear(&arena);
}

static void test_postmaster(void **state UNUSED)
{
    struct address address;
    struct arena arena;
    size_t at;

    arena_init(&arena, 4096);
    assert_int_equal(
        mailbox_parse(&arena, slice_text("PostMaster@example.net"), &address, &at), ADDRESS_OK);
    assert_true(address_is_postmaster(&address));
    assert_int_equal(
        mailbox_parse(&arena, slice_text("postmaster2@example.net"), &address, &at), ADDRESS_OK);
    assert_false(address_is_postmaster(&address));
    arena_clear(&arena);
}

/* Without memory a quoted pair cannot be taken out; that is not the client's fault. */
static void test_no_memory(void **state UNUSED)
{
    struct address address;
    struct arena arena;
    size_t at;

    arena_init(&arena, 0);
    assert_int_equal(
        mailbox_parse(&arena, slice_text("\"a\\ b\"@example.net"), &address, &at), ADDRESS_NOMEM);
    assert_int_equal(
        mailbox_parse(&arena, slice_text("\"a b\"@example.net"), &address, &at), ADDRESS_OK);
    arena_clear(&arena);
}

/* EXT-SMTPUTF8-8 */
static void test_conversion(void **state UNUSED)
{
    static const struct {
        const char *domain;
        const char *ascii; /* NULL: no domain */
    } domains[] = {
        { "Example.ORG", "example.org" },
        { "b\xc3\xbc"
          "cher.Example",
            "xn--bcher-kva.example" },
        { "XN--bcher-kva.example", "xn--bcher-kva.example" },
        { "xn--a.example", "xn--a.example" },
        { "xn--.example", NULL },
        { "fa\xc3\x9f.example", "xn--fa-hia.example" },
        { "[192.0.2.1]", "[192.0.2.1]" },
        { "a..b", NULL },
        { "", NULL },
        { "\xe2\x98\x83.example", NULL },
        { "example.org.", NULL },
    };

    for (size_t i = 0; i < LENGTH_OF(domains); i++) {
        struct slice domain = slice_text(domains[i].domain);
        struct buffer out;

        buffer_init(&out, 4096);
        expect_number(domains[i].domain, domain_to_ascii(&out, domain), domains[i].ascii != NULL);
        expect_text(domains[i].domain, buffer_slice(&out), domains[i].ascii);
        buffer_clear(&out);
    }
}

static void test_domains(void **state UNUSED)
{
    size_t at;

    assert_int_equal(domain_check(slice_text("example.org"), &at), ADDRESS_OK);
    assert_int_equal(domain_check(slice_text("localhost"), &at), ADDRESS_OK);
    assert_int_equal(domain_check(slice_text("example.org."), &at), ADDRESS_DOMAIN_LABEL);
    assert_int_equal(domain_check(slice_text("a b"), &at), ADDRESS_DOMAIN_OCTET);
    assert_int_equal(at, 1);
    assert_true(domain_is_qualified(slice_text("example.org")));
    assert_false(domain_is_qualified(slice_text("localhost")));
}

static void test_fault_texts(void **state UNUSED)
{
    for (enum address_fault fault = 0; fault <= ADDRESS_FAULT_COUNT; fault++)
        assert_non_null(address_fault_text(fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_postmaster),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_fault_texts),
    };

    return cmocka_run_group_tests_name("smtp/address", tests, NULL, NULL);
}
