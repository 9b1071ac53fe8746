/* A good configuration, small and full: every default, every value in its place (OPS-1), and what
 * follows from others. */
#include "sample.h"

static void is_text(struct slice got, const char *wanted)
{
    if (!slice_is(got, wanted))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARGS(got), wanted);
}

static void is_list(
    const struct conf_number *list, size_t count, const uint64_t *wanted, size_t wanted_count)
{
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].value, wanted[i]);
}

/* QUE-3, QUE-4, QUE-5, QUE-9: the defaults of the catalogue. */
static void test_defaults(void **state)
{
    static const uint64_t retry[] = { 300, 600, 1200, 1800, 3600, 7200 };
    static const uint64_t connect[] = { 1800, 1800, 3600, 7200, 10800 };
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena, SAMPLE);
    assert_int_equal(conf->number, 0);
    assert_int_equal(conf->pending_count, 0);
    is_text(conf->control, "/var/lib/submitd/control.sock");
    is_text(conf->postmaster, "postmaster@mail.example.org");
    assert_int_equal(conf->gates, 0);
    assert_int_equal(conf->relays, 1);
    assert_false(conf->allow_address_literals || conf->strict_envelope || conf->hide_client);
    assert_int_equal(conf->trusted_network_count, 0);
    assert_int_equal(conf->trusted_sender_count, 1);
    is_text(conf->trusted_senders[0].text, "*");
    is_list(conf->queue.retry, conf->queue.retry_count, retry, LENGTH_OF(retry));
    is_list(
        conf->queue.retry_connect, conf->queue.retry_connect_count, connect, LENGTH_OF(connect));
    assert_int_equal(conf->queue.lifetime, 5 * 86400);
    assert_int_equal(conf->queue.bounce_lifetime, 2 * 86400);
    assert_int_equal(conf->queue.delay_notice, 4 * 3600);
    assert_int_equal(conf->queue.dead_host, 300);
    assert_int_equal(conf->queue.concurrency, 100);
    assert_int_equal(conf->queue.destination_concurrency, 10);
    assert_int_equal(conf->limits.connections, 1000);
    assert_int_equal(conf->limits.connections_per_client, 50);
    assert_int_equal(conf->limits.auth_failures_per_client, 20);
    assert_int_equal(conf->limits.auth_failures_per_account, 10);
    assert_int_equal(conf->limits.message_size, 52428800);
    assert_int_equal(conf->limits.recipients, 1000);
    assert_int_equal(conf->limits.mails_per_session, 0);
    assert_int_equal(conf->spool.segment_size, 64 << 20);
    assert_int_equal(conf->spool.large_message, 128 << 10);
    assert_int_equal(conf->spool.checkpoint, 64 << 20);
    assert_int_equal(conf->spool.reserve, 256 << 20);
    is_text(conf->dns.trust_anchor, "/usr/share/dns/root.key");
    assert_int_equal(conf->dns.root_hints.len, 0);
    assert_int_equal(conf->dns.forward_count, 0);
    is_text(conf->accounts.maildrop, "submitd-maildrop");
    arena_clear(&arena);
}

/* OUT-7's time-outs, SUB-5.3-2's of a listener, OUT-17's idle time. */
static void test_timeouts(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena, SAMPLE "timeouts { data = 121 }");
    assert_int_equal(conf->timeouts.connect, 30);
    assert_int_equal(conf->timeouts.greeting, 300);
    assert_int_equal(conf->timeouts.mail, 300);
    assert_int_equal(conf->timeouts.rcpt, 300);
    assert_int_equal(conf->timeouts.data, 121);
    assert_int_equal(conf->timeouts.block, 180);
    assert_int_equal(conf->timeouts.end, 600);
    assert_int_equal(conf->timeouts.idle, 30);
    assert_int_equal(conf->listeners[0].command_timeout, 300);
    assert_int_equal(conf->listeners[0].data_timeout, 300);
    arena_clear(&arena);
}

static void test_listeners(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena, SAMPLE "listener \"clear\" { address = 127.0.0.1:2587 tls = "
                                      "starttls require_tls = no command_timeout = 2 }");
    assert_int_equal(conf->listener_count, 2);
    is_text(conf->listeners[0].name, "submissions");
    is_text(conf->listeners[0].host, "::");
    assert_int_equal(conf->listeners[0].port, 465);
    assert_int_equal(conf->listeners[0].tls, CONF_LISTENER_IMPLICIT);
    assert_true(conf->listeners[0].require_tls);
    is_text(conf->listeners[1].address, "127.0.0.1:2587");
    is_text(conf->listeners[1].host, "127.0.0.1");
    assert_int_equal(conf->listeners[1].port, 2587);
    assert_int_equal(conf->listeners[1].tls, CONF_LISTENER_STARTTLS);
    assert_false(conf->listeners[1].require_tls);
    assert_int_equal(conf->listeners[1].command_timeout, 2);
    arena_clear(&arena);
}

/* TLS-8: a server without any certificate, for a trusted network in clear text. */
static void test_without_tls(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena,
        SAMPLE_TOP SAMPLE_ROUTE "listener \"inside\" { address = \"10.0.0.1:587\" tls = "
                                "\"starttls\" require_tls = false }\n"
                                "trusted_networks = { \"10.0.0.0/8\" }\n");
    assert_int_equal(conf->tls.certificate.len, 0);
    assert_int_equal(conf->users.kind.len, 0);
    arena_clear(&arena);
}

/* TLS-14 */
static void test_sni(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena, SAMPLE_TOP SAMPLE_LISTENER SAMPLE_USERS SAMPLE_ROUTE
        "tls { certificate = \"/c\" key = \"/k\"\n"
        "  sni \"Mail.Example.Net\" { certificate = \"/c1\" key = \"/k1\" }\n"
        "  sni \"b\xc3\xbc"
        "cher.example\" { certificate = \"/c2\" key = \"/k2\" } }\n");
    assert_int_equal(conf->tls.sni_count, 2);
    is_text(conf->tls.snis[0].name, "mail.example.net");
    is_text(conf->tls.snis[0].key, "/k1");
    is_text(conf->tls.snis[1].name, "xn--bcher-kva.example");
    is_text(conf->tls.snis[1].certificate, "/c2");
    arena_clear(&arena);
}

struct route_case {
    const char *body;
    enum conf_via via;
    const char *host;
    unsigned port;
    const char *path;
    enum conf_route_tls tls;
};

static const struct route_case routes[] = {
    { "via = \"mx\"", CONF_VIA_MX, "", 25, "", CONF_TLS_MAY },
    { "via = \"mx\" port = 2525 tls = \"none\"", CONF_VIA_MX, "", 2525, "", CONF_TLS_NONE },
    { "via = \"smtp\" to = \"relay.example\"", CONF_VIA_SMTP, "relay.example", 25, "",
        CONF_TLS_MAY },
    { "via = \"smtp\" to = \"relay.example:587\" tls = \"verify\" ca_file = \"/ca\"", CONF_VIA_SMTP,
        "relay.example", 587, "", CONF_TLS_VERIFY },
    { "via = \"smtp\" to = \"[2001:db8::1]:26\"", CONF_VIA_SMTP, "2001:db8::1", 26, "",
        CONF_TLS_MAY },
    { "via = \"smtp\" to = \"[::1]\"", CONF_VIA_SMTP, "::1", 25, "", CONF_TLS_MAY },
    { "via = \"smtp\" to = \"localhost:1\"", CONF_VIA_SMTP, "localhost", 1, "", CONF_TLS_MAY },
    /* OUT-19: a username makes TLS verified. */
    { "via = \"smtp\" to = \"relay.example:587\" username = \"u\" password_file = \"/p\"",
        CONF_VIA_SMTP, "relay.example", 587, "", CONF_TLS_VERIFY },
    { "via = \"lmtp\" to = \"unix:/run/lmtp\"", CONF_VIA_LMTP, "", 0, "/run/lmtp", CONF_TLS_NONE },
    { "via = \"lmtp\" to = \"127.0.0.1\"", CONF_VIA_LMTP, "127.0.0.1", 24, "", CONF_TLS_NONE },
    { "via = \"lmtp\" to = \"127.0.0.1:65535\"", CONF_VIA_LMTP, "127.0.0.1", 65535, "",
        CONF_TLS_NONE },
    { "via = \"maildir\" to = \"/var/mail/demo\"", CONF_VIA_MAILDIR, "", 0, "/var/mail/demo",
        CONF_TLS_NONE },
};

static void test_routes(void **state)
{
    char text[2048];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(routes); i++) {
        struct arena arena;
        struct conf *conf;

        arena_init(&arena, 1 << 20);
        snprintf(text, sizeof text, "%sroute \"*.Example.NET\" { %s }\n", SAMPLE, routes[i].body);
        conf = sample_load(&arena, text);
        assert_int_equal(conf->route_count, 2);
        is_text(conf->routes[1].pattern, "*.example.net");
        assert_int_equal(conf->routes[1].via, routes[i].via);
        is_text(conf->routes[1].host, routes[i].host);
        assert_int_equal(conf->routes[1].port, routes[i].port);
        is_text(conf->routes[1].path, routes[i].path);
        assert_int_equal(conf->routes[1].tls, routes[i].tls);
        assert_true(conf->routes[1].chunking);
        arena_clear(&arena);
    }
}

/* EXT-BURL-6: what URLs name and what is called. */
static void test_imap_servers(void **state)
{
    static const struct {
        const char *title, *body;
        const char *url_host, *host;
        unsigned url_port, port;
        enum conf_imap_tls tls;
    } rows[] = {
        { "imap.example.org", "", "imap.example.org", "imap.example.org", 143, 993,
            CONF_IMAP_IMPLICIT },
        { "imap.example.org:1143", "tls = \"starttls\"", "imap.example.org", "imap.example.org",
            1143, 143, CONF_IMAP_STARTTLS },
        { "[2001:db8::1]", "", "2001:db8::1", "2001:db8::1", 143, 993, CONF_IMAP_IMPLICIT },
        { "imap.example.org", "to = \"10.0.0.1\"", "imap.example.org", "10.0.0.1", 143, 993,
            CONF_IMAP_IMPLICIT },
        { "imap.example.org", "to = \"inside:1993\"", "imap.example.org", "inside", 143, 1993,
            CONF_IMAP_IMPLICIT },
    };
    char text[2048];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct arena arena;
        const struct conf_imap_server *server;
        struct conf *conf;

        arena_init(&arena, 1 << 20);
        snprintf(text, sizeof text, "%simap_server \"%s\" { password_file = \"/p\" %s }\n", SAMPLE,
            rows[i].title, rows[i].body);
        conf = sample_load(&arena, text);
        assert_int_equal(conf->imap_server_count, 1);
        server = &conf->imap_servers[0];
        is_text(server->name, rows[i].title);
        is_text(server->url_host, rows[i].url_host);
        is_text(server->host, rows[i].host);
        assert_int_equal(server->url_port, rows[i].url_port);
        assert_int_equal(server->port, rows[i].port);
        assert_int_equal(server->tls, rows[i].tls);
        is_text(server->username, "submit");
        assert_false(conf->extensions.burl);
        arena_clear(&arena);
    }
}

/* What is written in unusual ways: comments of all three kinds, no blanks, every value on one line,
 * escapes. */
static void test_writing(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena,
        "# one\n// two { \" '\n/* three \n } ${x} "
        "*/hostname=\"MAIL.example.org\"\r\nstate=\"/a\\\"b\\\\c\""
        "listener\"l\"{address=\"127.0.0.1:1\"tls=\"starttls\"/**/}" SAMPLE_TLS SAMPLE_USERS
        "route\"*\"{via=mx}queue{retry={1,2,\n3}}#end");
    is_text(conf->hostname, "mail.example.org");
    is_text(conf->state, "/a\"b\\c");
    assert_int_equal(conf->queue.retry_count, 3);
    assert_int_equal(conf->queue.retry[2].value, 3);
    arena_clear(&arena);
}

/* What later versions know may be switched off by name. */
static void test_later(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena, SAMPLE "domain \"Example.ORG\" { dkim = { } dkim_check = false }\n"
                                      "extensions { mtrk = false  no_soliciting = { }  conperm = "
                                      "false  conneg = false  checkpoint = false"
                                      "  mt_priority = false  rrvs = false }\n");
    assert_int_equal(conf->domain_count, 1);
    is_text(conf->domains[0].name, "example.org");
    assert_int_equal(conf->domains[0].dkim_count, 0);
    assert_non_null(conf_domain_find(conf, slice_text("EXAMPLE.org")));
    assert_null(conf_domain_find(conf, slice_text("www.example.org")));
    arena_clear(&arena);
}

struct trust_case {
    uint8_t address[16];
    bool is_trusted;
};

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                                       \
    }

/* SUB-3.3-2: first and last of each network, one before, one behind. */
static const struct trust_case trusts[] = {
    { V4(192, 0, 2, 0), true },
    { V4(192, 0, 2, 255), true },
    { V4(192, 0, 1, 255), false },
    { V4(192, 0, 3, 0), false },
    { V4(198, 51, 100, 7), true },
    { V4(198, 51, 100, 6), false },
    { V4(198, 51, 100, 8), false },
    { { 0x20, 0x01, 0x0d, 0xb8 }, true },
    { { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff },
        true },
    { { 0x20, 0x01, 0x0d, 0xb9 }, false },
    { { 0x20, 0x01, 0x0d, 0xb7, 0xff }, false },
    { { 0xfd, 0x12, [15] = 1 }, true },
    { { 0xfe, 0x12, [15] = 1 }, false },
    { { [15] = 1 }, true },
    { { [15] = 2 }, false },
    /* An IPv4 address without its mapping is not an IPv4 client. */
    { { [12] = 192, 0, 2, 1 }, false },
};

static void test_trust(void **state)
{
    struct arena arena;
    struct conf *conf;

    (void)state;
    arena_init(&arena, 1 << 20);
    conf = sample_load(&arena,
        SAMPLE "trusted_networks = { \"192.0.2.0/24\", \"198.51.100.7\", \"2001:db8::/32\", "
               "\"fc00::/7\", \"::1\" }\n"
               "trusted_senders = { \"*@example.org\", \"root@host.example.net\" }");
    assert_int_equal(conf->trusted_network_count, 5);
    assert_int_equal(conf->trusted_networks[0].prefix, 120);
    for (size_t i = 0; i < LENGTH_OF(trusts); i++)
        if (conf_is_trusted(conf, trusts[i].address) != trusts[i].is_trusted)
            fail_msg("case %zu", i);
    arena_clear(&arena);
}

/* The example that is installed is good. */
static void test_example(void **state)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    if (conf_load(EXAMPLE_FILE, &arena, &conf, &error) != ERR_OK)
        fail_msg("%s", error.text);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_without_tls),
        cmocka_unit_test(test_sni),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_imap_servers),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_example),
    };

    return cmocka_run_group_tests_name("conf/values", tests, NULL, NULL);
}
