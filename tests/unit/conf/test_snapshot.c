/* The snapshot: what is packed unpacks to the same, and nothing else unpacks. */
#include "full.h"

static void pack_text(struct arena *arena, const char *text, struct buffer *out)
{
    struct conf *conf = sample_load(arena, text);

    conf->number = 7;
    conf->pending = arena_array(arena, 2, sizeof *conf->pending);
    assert_non_null(conf->pending);
    conf->pending[0].text = slice_text("state");
    conf->pending[1].text = slice_text("listener \"a\" address");
    conf->pending_count = 2;
    buffer_init(out, CONF_SNAPSHOT_MAX);
    conf_pack(conf, out);
    assert_int_equal(out->error, ERR_OK);
}

static void test_round_trip(void **state)
{
    static const char *const texts[] = { SAMPLE, FULL, FULL_FILE, FULL_ADDRESS };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct arena arena;
        struct buffer once, twice, changes;
        struct conf *conf = NULL;

        arena_init(&arena, 4 << 20);
        pack_text(&arena, texts[i], &once);
        assert_int_equal(conf_unpack(buffer_slice(&once), &arena, &conf), ERR_OK);
        buffer_init(&twice, CONF_SNAPSHOT_MAX);
        conf_pack(conf, &twice);
        assert_true(slice_equals(buffer_slice(&once), buffer_slice(&twice)));
        /* The bytes may go: the configuration is the arena's. */
        memset(once.data, 0xff, once.size);
        buffer_clear(&once);
        assert_int_equal(conf->number, 7);
        assert_true(slice_is(conf->pending[1].text, "listener \"a\" address"));
        /* Every setting of the table survived, also one whose shape somebody forgot. */
        buffer_init(&changes, 65536);
        if (conf_diff(sample_load(&arena, texts[i]), conf, &changes) != 0)
            fail_msg("%.*s", SLICE_ARGS(buffer_slice(&changes)));
        buffer_clear(&changes);
        buffer_clear(&twice);
        arena_clear(&arena);
    }
}

/* Derived members have no row in the table, so they are looked at by name. */
static void test_derived(void **state)
{
    struct arena arena;
    struct buffer bytes;
    struct conf *conf = NULL;

    (void)state;
    arena_init(&arena, 4 << 20);
    pack_text(&arena, FULL, &bytes);
    assert_int_equal(conf_unpack(buffer_slice(&bytes), &arena, &conf), ERR_OK);
    assert_true(slice_is(conf->listeners[1].host, "127.0.0.1"));
    assert_int_equal(conf->listeners[1].port, 1587);
    assert_true(slice_is(conf->routes[0].host, "b.example"));
    assert_int_equal(conf->routes[0].port, 26);
    assert_true(slice_is(conf->routes[1].path, "/l"));
    assert_true(slice_is(conf->routes[2].path, "/m"));
    assert_int_equal(conf->trusted_networks[0].low, 0xffff0a000000);
    assert_int_equal(conf->trusted_networks[0].prefix, 104);
    assert_int_equal(conf->trusted_networks[1].high, 0x20010db800000000);
    buffer_clear(&bytes);
    arena_clear(&arena);
}

/* Cut at every octet, with an octet too many, and of another format: refused. */
static void test_corrupt(void **state)
{
    struct arena arena, other;
    struct buffer bytes;
    struct conf *conf = NULL;
    size_t len;

    (void)state;
    arena_init(&arena, 4 << 20);
    pack_text(&arena, FULL, &bytes);
    len = bytes.len;
    for (size_t i = 0; i < len; i++) {
        arena_init(&other, 1 << 20);
        assert_int_equal(
            conf_unpack(slice_first(buffer_slice(&bytes), i), &other, &conf), ERR_CORRUPT);
        arena_clear(&other);
    }
    buffer_put_char(&bytes, 'x');
    assert_int_equal(conf_unpack(buffer_slice(&bytes), &arena, &conf), ERR_CORRUPT);
    bytes.data[0] ^= 1;
    assert_int_equal(
        conf_unpack(slice_first(buffer_slice(&bytes), len), &arena, &conf), ERR_CORRUPT);
    arena_init(&other, 2100);
    bytes.data[0] ^= 1;
    assert_int_equal(conf_unpack(slice_first(buffer_slice(&bytes), len), &other, &conf), ERR_NOMEM);
    assert_null(conf);
    arena_clear(&other);
    buffer_clear(&bytes);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_corrupt),
    };

    return cmocka_run_group_tests_name("conf/snapshot", tests, NULL, NULL);
}
