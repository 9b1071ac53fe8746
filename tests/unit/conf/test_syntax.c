/* The forms of texts: first, last and one past of each. */
#include "../check.h"

#include "conf/syntax.h"

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    enum syntax syntax;
    const char *text;
    bool fits;
} cases[] = {
    { SYNTAX_HOSTNAME, "a.b", true },
    { SYNTAX_HOSTNAME, "a", false },
    { SYNTAX_HOSTNAME, "", false },
    { SYNTAX_HOSTNAME, "a..b", false },
    { SYNTAX_HOSTNAME, "a.b.", false },
    { SYNTAX_HOSTNAME, "-a.b", false },
    { SYNTAX_HOSTNAME, "a_c.b", false },
    { SYNTAX_HOSTNAME, "a.1", false },
    { SYNTAX_HOSTNAME, "1.a", true },
    { SYNTAX_HOSTNAME, LABEL63 ".b", true },
    { SYNTAX_HOSTNAME, LABEL63 "a.b", false },
    { SYNTAX_HOSTNAME, "b\xc3\xbc.example", false },
    { SYNTAX_DOMAIN, "b\xc3\xbc.example", true },
    { SYNTAX_DOMAIN, "b\xc3.example", false },
    { SYNTAX_PATTERN, "*", true },
    { SYNTAX_PATTERN, "*.a", true },
    { SYNTAX_PATTERN, "*.", false },
    { SYNTAX_PATTERN, "*.*.a", false },
    { SYNTAX_PATTERN, "a.*", false },
    { SYNTAX_PATTERN, "localhost", true },
    { SYNTAX_MAILBOX, "a@b.example", true },
    { SYNTAX_MAILBOX, "\"a b\"@b.example", true },
    { SYNTAX_MAILBOX, "a@", false },
    { SYNTAX_MAILBOX, "@b.example", false },
    { SYNTAX_MAILBOX, "a", false },
    { SYNTAX_MAILBOX, "a@[192.0.2.1]", false },
    { SYNTAX_MAILBOX, "<a@b.example>", false },
    { SYNTAX_SENDER, "*", true },
    { SYNTAX_SENDER, "*@b.example", true },
    { SYNTAX_SENDER, "*@", false },
    { SYNTAX_SENDER, "*@*", false },
    { SYNTAX_SENDER, "a@b.example", true },
    { SYNTAX_NETWORK, "10.0.0.0/8", true },
    { SYNTAX_NETWORK, "10.0.0.0/33", false },
    { SYNTAX_NETWORK, "10.0.0.0/", false },
    { SYNTAX_NETWORK, "10.0.0.0/08", true },
    { SYNTAX_NETWORK, "10.0.0/8", false },
    { SYNTAX_NETWORK, "10.0.0.1/31", false },
    { SYNTAX_NETWORK, "10.0.0.1/32", true },
    { SYNTAX_NETWORK, "10.0.0.1", true },
    { SYNTAX_NETWORK, "2001:db8::/32", true },
    { SYNTAX_NETWORK, "2001:db8::/28", false },
    { SYNTAX_NETWORK, "2001:db8::1/127", false },
    { SYNTAX_NETWORK, "2001:db8::1/128", true },
    { SYNTAX_NETWORK, "2001:db8::1/129", false },
    { SYNTAX_NETWORK, "2001:db8:0:1::/64", true },
    { SYNTAX_NETWORK, "2001:db8:0:1::/63", false },
    { SYNTAX_NETWORK, "example.org/8", false },
    { SYNTAX_FILE, "/", true },
    { SYNTAX_FILE, "", false },
    { SYNTAX_FILE, "a/b", false },
    { SYNTAX_ANCHOR, "/usr/share/dns/root.key", true },
    { SYNTAX_ANCHOR, "", true },
    { SYNTAX_ANCHOR, "a/b", false },
    { SYNTAX_LISTEN, "[::]:465", true },
    { SYNTAX_LISTEN, "0.0.0.0:1", true },
    { SYNTAX_LISTEN, "0.0.0.0:0", false },
    { SYNTAX_LISTEN, "0.0.0.0:65535", true },
    { SYNTAX_LISTEN, "0.0.0.0:65536", false },
    { SYNTAX_LISTEN, "0.0.0.0:0465", false },
    { SYNTAX_LISTEN, "0.0.0.0:", false },
    { SYNTAX_LISTEN, "0.0.0.0", false },
    { SYNTAX_LISTEN, ":::465", false },
    { SYNTAX_LISTEN, "[::465", false },
    { SYNTAX_LISTEN, "[127.0.0.1]:465", false },
    { SYNTAX_LISTEN, "*:465", false },
    { SYNTAX_HOP, "a", true },
    { SYNTAX_HOP, "a:25", true },
    { SYNTAX_HOP, "a:smtp", false },
    { SYNTAX_HOP, "a:25:26", false },
    { SYNTAX_HOP, "unix:/a", true },
    { SYNTAX_HOP, "unix:a", false },
    { SYNTAX_HOP, "2001:db8::1", false },
    { SYNTAX_RESOLVER, "127.0.0.1", true },
    { SYNTAX_RESOLVER, "127.0.0.1@5300", true },
    { SYNTAX_RESOLVER, "127.0.0.1@", false },
    { SYNTAX_RESOLVER, "::1@53", true },
    { SYNTAX_RESOLVER, "localhost", false },
    { SYNTAX_HTTPS, "https://id.example/keys", true },
    { SYNTAX_HTTPS, "https://id.example", true },
    { SYNTAX_HTTPS, "https://localhost/", true },
    { SYNTAX_HTTPS, "https://id.example:8443/a?b=c&d=%20", true },
    { SYNTAX_HTTPS, "https://id.example?b", true },
    { SYNTAX_HTTPS, "https://127.0.0.1:1/a", true },
    { SYNTAX_HTTPS, "https://[::1]:1/a", true },
    { SYNTAX_HTTPS, "https://[::1]/a", true },
    { SYNTAX_HTTPS, "", false },
    { SYNTAX_HTTPS, "https://", false },
    { SYNTAX_HTTPS, "https:///a", false },
    { SYNTAX_HTTPS, "https:/id.example/a", false },
    { SYNTAX_HTTPS, "http://id.example/a", false },
    { SYNTAX_HTTPS, "HTTPS://id.example/a", false },
    { SYNTAX_HTTPS, "file:///etc/passwd", false },
    { SYNTAX_HTTPS, "https://user@id.example/a", false },
    { SYNTAX_HTTPS, "https://user:word@id.example/a", false },
    { SYNTAX_HTTPS, "https://id.example:0/a", false },
    { SYNTAX_HTTPS, "https://id.example:65536/a", false },
    { SYNTAX_HTTPS, "https://id.example:/a", false },
    { SYNTAX_HTTPS, "https://id.example/a#b", false },
    { SYNTAX_HTTPS, "https://id.example/a b", false },
    { SYNTAX_HTTPS, "https://id.example/\"", false },
    { SYNTAX_HTTPS, "https://id.example/\\", false },
    { SYNTAX_HTTPS, "https://id.example\\@other.example/", false },
    { SYNTAX_HTTPS, "https://id.example/{a,b}", false },
    { SYNTAX_HTTPS, "https://id.example/[1-9]", true },
    { SYNTAX_HTTPS, "https://b\xc3\xbc.example/", false },
    { SYNTAX_HTTPS, "https://id.example/\x7f", false },
    { SYNTAX_HTTPS, "https://id.example/\r\nA: b", false },
    { SYNTAX_ACCOUNT, "submitd-gate", true },
    { SYNTAX_ACCOUNT, "-x", false },
    { SYNTAX_ACCOUNT, "1", true },
    { SYNTAX_ACCOUNT, "1x", false },
    { SYNTAX_ACCOUNT, "4294967294", true },
    { SYNTAX_ACCOUNT, "4294967295", false },
    { SYNTAX_ACCOUNT, "00", false },
    { SYNTAX_WORD, "a_b-c.d", true },
    { SYNTAX_WORD, LABEL63, true },
    { SYNTAX_WORD, LABEL63 "a", false },
    { SYNTAX_WORD, "a\"b", false },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        if (syntax_fits(cases[i].syntax, slice_text(cases[i].text)) != cases[i].fits)
            fail_msg("%s (%s)", cases[i].text, syntax_allowed(cases[i].syntax));
}

static void test_lengths(void **state)
{
    char path[TEXT_MAX + 1];

    (void)state;
    memset(path, '/', sizeof path);
    assert_true(syntax_fits(SYNTAX_FILE, slice_of(path, TEXT_MAX)));
    assert_false(syntax_fits(SYNTAX_FILE, slice_of(path, TEXT_MAX + 1)));
    assert_true(syntax_fits(SYNTAX_SOCKET, slice_of(path, SOCKET_PATH_MAX)));
    assert_false(syntax_fits(SYNTAX_SOCKET, slice_of(path, SOCKET_PATH_MAX + 1)));
    assert_false(syntax_fits(SYNTAX_NETWORK, slice_of("10.0.0.0\0/8", 11)));
    assert_false(syntax_fits(SYNTAX_HOSTNAME, slice_of("a.b\0c", 5)));
}

static void test_canonical(void **state)
{
    static const struct {
        enum syntax syntax;
        const char *text;
        const char *kept;
    } forms[] = {
        { SYNTAX_DOMAIN, "Example.ORG", "example.org" },
        { SYNTAX_DOMAIN,
            "b\xc3\xbc"
            "cher.Example",
            "xn--bcher-kva.example" },
        { SYNTAX_PATTERN, "*", "*" },
        { SYNTAX_PATTERN,
            "*.B\xc3\xbc"
            "cher.Example",
            "*.xn--bcher-kva.example" },
        { SYNTAX_FILE, "/A", "/A" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(forms); i++) {
        struct buffer kept;

        buffer_init(&kept, 1024);
        assert_true(syntax_canonical(forms[i].syntax, slice_text(forms[i].text), &kept));
        assert_true(slice_is(buffer_slice(&kept), forms[i].kept));
        buffer_clear(&kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_canonical),
    };

    return cmocka_run_group_tests_name("conf/syntax", tests, NULL, NULL);
}
