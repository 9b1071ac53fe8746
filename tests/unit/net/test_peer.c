/* tests/unit/net/test_peer.c: addresses, their text and CIDR blocks as tables. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "net/peer.h"

/* LSN-11: both families. text NULL: refused. */
static const struct {
    struct slice input;
    enum peer_family family;
    const char *text;
} addresses[] = {
    { SLICE_LITERAL("192.0.2.1"), PEER_IPV4, "192.0.2.1" },
    { SLICE_LITERAL("0.0.0.0"), PEER_IPV4, "0.0.0.0" },
    { SLICE_LITERAL("255.255.255.255"), PEER_IPV4, "255.255.255.255" },
    { SLICE_LITERAL("2001:DB8:0:0::1"), PEER_IPV6, "2001:db8::1" },
    { SLICE_LITERAL("::"), PEER_IPV6, "::" },
    { SLICE_LITERAL("::ffff:192.0.2.1"), PEER_IPV4, "192.0.2.1" },
    { SLICE_LITERAL("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), PEER_IPV6,
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    { SLICE_LITERAL(""), PEER_NONE, NULL },
    { SLICE_LITERAL("192.0.2"), PEER_NONE, NULL },
    { SLICE_LITERAL("192.0.2.256"), PEER_NONE, NULL },
    { SLICE_LITERAL("192.0.2.1 "), PEER_NONE, NULL },
    { SLICE_LITERAL("192.0.2.1\0"), PEER_NONE, NULL },
    { SLICE_LITERAL("[::1]"), PEER_NONE, NULL },
    { SLICE_LITERAL("fe80::1%eth0"), PEER_NONE, NULL },
    { SLICE_LITERAL("mail.example.org"), PEER_NONE, NULL },
    { SLICE_LITERAL("0000000000000000000000000000000000000000000000000000000000000000"), PEER_NONE,
        NULL },
};

static void addresses_parse_and_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        struct peer peer = { .port = 1 };
        char text[PEER_TEXT];

        assert_int_equal(peer_parse(addresses[i].input, 25, &peer), addresses[i].text != NULL);
        if (!addresses[i].text) {
            assert_int_equal(peer.port, 1);
            continue;
        }
        assert_int_equal(peer.family, addresses[i].family);
        assert_int_equal(peer.port, 25);
        peer_text(&peer, text);
        assert_string_equal(text, addresses[i].text);
    }
}

static const struct {
    struct slice input;
    const char *text;
} with_ports[] = {
    { SLICE_LITERAL("192.0.2.1:25"), "192.0.2.1:25" },
    { SLICE_LITERAL("[2001:db8::1]:587"), "[2001:db8::1]:587" },
    { SLICE_LITERAL("[::]:0"), "[::]:0" },
    { SLICE_LITERAL("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
    { SLICE_LITERAL("192.0.2.1"), NULL },
    { SLICE_LITERAL("192.0.2.1:"), NULL },
    { SLICE_LITERAL("192.0.2.1:65536"), NULL },
    { SLICE_LITERAL("192.0.2.1:-1"), NULL },
    { SLICE_LITERAL("[192.0.2.1]:25"), NULL },
    { SLICE_LITERAL("::1:25"), NULL },
    { SLICE_LITERAL("[::1]"), NULL },
    { SLICE_LITERAL("[::1:25"), NULL },
    { SLICE_LITERAL("[]:25"), NULL },
    { SLICE_LITERAL("[:25"), NULL },
    { SLICE_LITERAL(":25"), NULL },
    { SLICE_LITERAL(""), NULL },
};

static void addresses_with_ports(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(with_ports); i++) {
        struct peer peer;
        char text[PEER_TEXT];

        assert_int_equal(
            peer_parse_with_port(with_ports[i].input, &peer), with_ports[i].text != NULL);
        if (!with_ports[i].text)
            continue;
        peer_text_with_port(&peer, text);
        assert_string_equal(text, with_ports[i].text);
    }
}

static void sockaddr_and_back(void **state)
{
    const struct slice texts[] = { SLICE_LITERAL("192.0.2.1"), SLICE_LITERAL("2001:db8::1") };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct sockaddr_storage address;
        struct peer peer;
        struct peer back;

        assert_true(peer_parse(texts[i], 587, &peer));
        peer.scope = i == 1 ? 3 : 0;
        assert_int_equal(peer_to_sockaddr(&peer, &address),
            i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        back = peer_of_sockaddr((struct sockaddr *)&address);
        assert_true(peer_same_address(&peer, &back));
        assert_int_equal(back.port, 587);
        assert_int_equal(back.scope, peer.scope);
    }
}

static void mapped_sockaddr_is_ipv4(void **state)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
    struct peer peer;
    char text[PEER_TEXT];

    (void)state;
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
    in6.sin6_addr.s6_addr[12] = 127;
    in6.sin6_addr.s6_addr[15] = 1;
    peer = peer_of_sockaddr((struct sockaddr *)&in6);
    peer_text_with_port(&peer, text);
    assert_string_equal(text, "127.0.0.1:25");
}

static void others_have_names(void **state)
{
    const struct peer local = { .family = PEER_UNIX };
    const struct peer none = { .family = PEER_NONE };
    char text[PEER_TEXT];

    (void)state;
    peer_text(&local, text);
    assert_string_equal(text, "unix");
    peer_text_with_port(&none, text);
    assert_string_equal(text, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_parse_and_print),
        cmocka_unit_test(addresses_with_ports),
        cmocka_unit_test(sockaddr_and_back),
        cmocka_unit_test(mapped_sockaddr_is_ipv4),
        cmocka_unit_test(others_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
