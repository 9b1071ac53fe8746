/* tests/unit/net/test_addresses.c: where a host is, without a name server: what is an address
 * itself, and the names that the resolver library answers alone. */
#include "../check.h"

#include "base/clock.h"
#include "net/addresses.h"
#include "net/loop.h"
#include "net/resolve.h"

enum { WAIT_MS = 10000 };

static struct loop *loop;
static struct resolver *resolver;

struct heard {
    unsigned times;
    struct peer peers[ADDRESSES_MAX];
    size_t count;
    const char *why;
};

static void on_addresses(void *owner, const struct peer *peers, size_t count, const char *why)
{
    struct heard *heard = owner;

    assert_true(count <= ADDRESSES_MAX);
    heard->times++;
    heard->count = count;
    heard->why = why;
    memcpy(heard->peers, peers, count * sizeof *peers);
}

static struct addresses *start(const char *host, int64_t ms, struct heard *heard)
{
    struct addresses *lookup = NULL;

    *heard = (struct heard){ 0 };
    assert_int_equal(
        addresses_start(loop, resolver, slice_text(host), 443, ms, on_addresses, heard, &lookup),
        ERR_OK);
    assert_int_equal(heard->times, 0);
    return lookup;
}

static void await(struct heard *heard)
{
    int64_t end = clock_mono_ms() + WAIT_MS;

    while (heard->times == 0 && clock_mono_ms() < end)
        loop_turn(loop, 10);
    loop_turn(loop, 10);
    assert_int_equal(heard->times, 1);
}

static int set_up(void **state)
{
    const struct resolver_settings settings = { .trust_anchor = "" };
    char why[RESOLVE_WHY];

    (void)state;
    loop = loop_new();
    return loop && resolver_new(loop, &settings, &resolver, why) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    resolver_free(&resolver);
    loop_free(&loop);
    return 0;
}

static void test_literals(void **state)
{
    static const struct {
        const char *host;
        enum peer_family family;
    } rows[] = { { "192.0.2.1", PEER_IPV4 }, { "2001:db8::1", PEER_IPV6 } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct heard heard;
        char text[PEER_TEXT];

        start(rows[i].host, WAIT_MS, &heard);
        await(&heard);
        assert_null(heard.why);
        assert_int_equal(heard.count, 1);
        assert_int_equal(heard.peers[0].family, rows[i].family);
        assert_int_equal(heard.peers[0].port, 443);
        peer_text(&heard.peers[0], text);
        assert_string_equal(text, rows[i].host);
    }
}

/* Both families, IPv6 first. */
static void test_name(void **state)
{
    struct heard heard;

    (void)state;
    start("localhost", WAIT_MS, &heard);
    await(&heard);
    assert_null(heard.why);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.peers[0].family, PEER_IPV6);
    assert_int_equal(heard.peers[1].family, PEER_IPV4);
}

static void test_no_name(void **state)
{
    struct heard heard;

    (void)state;
    start("nothing.invalid", WAIT_MS, &heard);
    await(&heard);
    assert_int_equal(heard.count, 0);
    assert_string_equal(heard.why, "the host has no address");
    start("", WAIT_MS, &heard);
    await(&heard);
    assert_non_null(heard.why);
}

/* Who asked no longer is not told, and what the library still answers finds nobody. */
static void test_cancel(void **state)
{
    static const char *const hosts[] = { "192.0.2.1", "localhost", "nothing.invalid" };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(hosts); i++) {
        struct heard heard;
        struct addresses *lookup = start(hosts[i], WAIT_MS, &heard);

        addresses_cancel(&lookup);
        assert_null(lookup);
        addresses_cancel(&lookup);
        for (int turn = 0; turn < 5; turn++)
            loop_turn(loop, 5);
        assert_int_equal(heard.times, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_literals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("net/addresses", tests, NULL, NULL);
}
