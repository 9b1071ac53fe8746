/* Routes: the most specific pattern decides, wherever it stands; keys of destinations (QUE-9,
 * OUT-18). */
#include "../check.h"

#include "policy/route.h"

static struct conf_route routes[] = {
    { .pattern = SLICE_LITERAL("*"), .via = CONF_VIA_MX, .port = 25 },
    { .pattern = SLICE_LITERAL("*.example.org"),
        .via = CONF_VIA_SMTP,
        .host = SLICE_LITERAL("A.example"),
        .port = 26 },
    { .pattern = SLICE_LITERAL("example.org"),
        .via = CONF_VIA_LMTP,
        .path = SLICE_LITERAL("/Run/l") },
    { .pattern = SLICE_LITERAL("*.deep.example.org"),
        .via = CONF_VIA_MAILDIR,
        .path = SLICE_LITERAL("/m") },
    { .pattern = SLICE_LITERAL("x.deep.example.org"), .via = CONF_VIA_MX, .port = 2525 },
    { .pattern = SLICE_LITERAL("login.example"),
        .via = CONF_VIA_SMTP,
        .host = SLICE_LITERAL("a.example"),
        .port = 26,
        .username = SLICE_LITERAL("u") },
    { .pattern = SLICE_LITERAL("mx.example"),
        .via = CONF_VIA_SMTP,
        .host = SLICE_LITERAL("a.example"),
        .port = 25,
        .mx = true },
    { .pattern = SLICE_LITERAL("tcp.example"),
        .via = CONF_VIA_LMTP,
        .host = SLICE_LITERAL("::1"),
        .port = 24 },
};

static const struct {
    const char *domain;
    size_t route;
    bool ask_dns;
    const char *key;
} cases[] = {
    { "example.org", 2, false, "lmtp:/Run/l" },
    { "EXAMPLE.ORG", 2, false, "lmtp:/Run/l" },
    { "a.example.org", 1, false, "smtp:a.example:26" },
    { "a.b.example.org", 1, false, "smtp:a.example:26" },
    { "deep.example.org", 1, false, "smtp:a.example:26" },
    { "a.deep.example.org", 3, false, "maildir:/m" },
    { "x.deep.example.org", 4, true, "mx:x.deep.example.org:2525" },
    { "y.x.deep.example.org", 3, false, "maildir:/m" },
    { "notexample.org", 0, true, "mx:notexample.org" },
    { ".example.org", 0, true, "mx:.example.org" },
    { "org", 0, true, "mx:org" },
    { "Other.Example", 0, true, "mx:other.example" },
    { "[192.0.2.1]", 0, false, "mx:[192.0.2.1]" },
    /* Who logs in has a connection of his own. */
    { "login.example", 5, false, "smtp:a.example:26:u" },
    { "mx.example", 6, false, "smtp-mx:a.example:25" },
    { "tcp.example", 7, false, "lmtp:::1:24" },
};

static void test_cases(void **state)
{
    const struct conf conf = { .routes = routes, .route_count = LENGTH_OF(routes) };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct slice domain = slice_text(cases[i].domain);
        struct route_choice choice;
        struct buffer key;

        buffer_init(&key, 8192);
        assert_true(route_choose(&conf, domain, &choice));
        route_destination(choice.route, domain, &key);
        if (choice.route != &routes[cases[i].route] || choice.ask_dns != cases[i].ask_dns ||
            !slice_is(buffer_slice(&key), cases[i].key))
            fail_msg("%s: route %td, key %.*s", cases[i].domain, choice.route - routes,
                SLICE_ARGS(buffer_slice(&key)));
        buffer_clear(&key);
    }
}

/* The order of the file says nothing. */
static void test_order(void **state)
{
    struct conf_route turned[LENGTH_OF(routes)];
    const struct conf conf = { .routes = turned, .route_count = LENGTH_OF(routes) };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(routes); i++)
        turned[LENGTH_OF(routes) - 1 - i] = routes[i];
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct route_choice choice;
        assert_true(route_choose(&conf, slice_text(cases[i].domain), &choice));
        assert_true(slice_equals(choice.route->pattern, routes[cases[i].route].pattern));
    }
}

static void test_none(void **state)
{
    const struct conf conf = { .routes = routes + 1, .route_count = LENGTH_OF(routes) - 1 };
    struct route_choice choice = { NULL, false };

    (void)state;
    assert_false(route_choose(&conf, slice_text("other.example"), &choice));
    assert_false(route_choose(&conf, slice_text("[192.0.2.1]"), &choice));
    assert_false(route_choose(&conf, slice_of(NULL, 0), &choice));
    assert_null(choice.route);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests_name("policy/route", tests, NULL, NULL);
}
