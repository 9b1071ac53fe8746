/* What a reload changes at once and what waits for a restart (OPS-2). */
#include "full.h"

struct diff_case {
    const char *old;
    const char *fresh;
    const char *lines;   /* of conf_diff */
    const char *pending; /* of conf_adopt, one a line */
};

#define BASE SAMPLE_TOP SAMPLE_LISTENER SAMPLE_TLS SAMPLE_USERS

static const struct diff_case cases[] = {
    { SAMPLE, SAMPLE, "", "" },
    { FULL, FULL, "", "" },
    { SAMPLE, SAMPLE "hide_client = true", "hide_client\n", "" },
    { SAMPLE, SAMPLE "gates = 2 relays = 0", "gates (restart)\nrelays (restart)\n",
        "gates\nrelays\n" },
    { SAMPLE, SAMPLE "queue { retry = { 300, 600, 1200, 1800, 3600, 7200 } }", "", "" },
    { SAMPLE, SAMPLE "queue { retry = { 300, 600, 1200, 1800, 3600, 7201 } }", "queue retry\n",
        "" },
    { SAMPLE, SAMPLE "queue { retry = { 300 } lifetime = 5 }", "queue retry\nqueue lifetime\n",
        "" },
    { SAMPLE, SAMPLE "accounts { vault = \"x\" }", "accounts vault (restart)\n",
        "accounts vault\n" },
    { SAMPLE, SAMPLE "dns { forward = { \"127.0.0.1\" } }", "dns forward (restart)\n",
        "dns forward\n" },
    { SAMPLE, SAMPLE "domain \"a.example\" { }", "domain \"a.example\" added\n", "" },
    { SAMPLE "domain \"a.example\" { }", SAMPLE "domain \"a.example\" { dkim_check = false }",
        "domain \"a.example\" dkim_check\n", "" },
    { BASE "route \"*\" { via = \"mx\" } route \"a.example\" { via = \"mx\" }",
        BASE "route \"*\" { via = \"mx\" port = 26 }",
        "route \"*\" port\nroute \"a.example\" removed\n", "" },
    /* The order of routes says nothing. */
    { BASE "route \"*\" { via = \"mx\" } route \"a.example\" { via = \"mx\" }",
        BASE "route \"a.example\" { via = \"mx\" } route \"*\" { via = \"mx\" }", "", "" },
    { SAMPLE, SAMPLE "listener \"b\" { address = \"[::]:587\" tls = \"starttls\" }",
        "listener \"b\" added (restart)\n", "listener \"b\"\n" },
    { SAMPLE "listener \"b\" { address = \"[::]:587\" tls = \"starttls\" }", SAMPLE,
        "listener \"b\" removed (restart)\n", "listener \"b\"\n" },
    { SAMPLE,
        SAMPLE_TOP SAMPLE_TLS SAMPLE_USERS SAMPLE_ROUTE
        "listener \"submissions\" { address = \"[::]:466\" tls = \"starttls\" }",
        "listener \"submissions\" address (restart)\nlistener \"submissions\" tls\n",
        "listener \"submissions\" address\n" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct arena old_arena, arena;
        struct buffer lines;
        struct conf *old, *fresh;
        size_t count, ends = 0;

        arena_init(&old_arena, 1 << 20);
        arena_init(&arena, 1 << 20);
        buffer_init(&lines, 65536);
        old = sample_load(&old_arena, cases[i].old);
        fresh = sample_load(&arena, cases[i].fresh);
        count = conf_diff(old, fresh, &lines);
        if (!slice_is(buffer_slice(&lines), cases[i].lines))
            fail_msg(
                "case %zu: got\n%.*swant\n%s", i, SLICE_ARGS(buffer_slice(&lines)), cases[i].lines);
        for (size_t j = 0; j < lines.len; j++)
            ends += buffer_slice(&lines).data[j] == '\n';
        assert_int_equal(count, ends);
        assert_int_equal(conf_adopt(old, &arena, fresh), ERR_OK);
        buffer_reset(&lines);
        for (size_t j = 0; j < fresh->pending_count; j++)
            buffer_printf(&lines, "%.*s\n", SLICE_ARGS(fresh->pending[j].text));
        if (!slice_is(buffer_slice(&lines), cases[i].pending))
            fail_msg("case %zu: pending\n%.*swant\n%s", i, SLICE_ARGS(buffer_slice(&lines)),
                cases[i].pending);
        buffer_clear(&lines);
        arena_clear(&arena);
        arena_clear(&old_arena);
    }
}

/* After adoption nothing that waits for a restart differs from what runs, and nothing points into
 * the old memory. */
static void test_adoption(void **state)
{
    struct arena old_arena, arena, third;
    struct buffer lines;
    struct conf *old, *fresh;

    (void)state;
    arena_init(&old_arena, 1 << 20);
    arena_init(&arena, 1 << 20);
    arena_init(&third, 1 << 20);
    buffer_init(&lines, 65536);
    old = sample_load(&old_arena, FULL);
    fresh = sample_load(&arena, SAMPLE_TOP FULL_REST
        "listener \"c\" { address = \"127.0.0.1:1\" tls = \"implicit\" }\n"
        "listener \"b\" { address = \"127.0.0.1:2\" tls = \"starttls\" command_timeout = 77 }\n");
    assert_int_equal(conf_adopt(old, &arena, fresh), ERR_OK);
    arena_clear(&old_arena);
    assert_true(slice_is(fresh->state, "/srv/state"));
    assert_true(slice_is(fresh->control, "/run/c"));
    assert_int_equal(fresh->gates, 3);
    assert_false(fresh->hide_client);
    assert_int_equal(fresh->listener_count, 2);
    assert_true(slice_is(fresh->listeners[0].name, "a"));
    assert_int_equal(fresh->listeners[0].port, 1465);
    assert_true(slice_is(fresh->listeners[1].name, "b"));
    assert_true(slice_is(fresh->listeners[1].address, "127.0.0.1:1587"));
    assert_true(slice_is(fresh->listeners[1].host, "127.0.0.1"));
    assert_int_equal(fresh->listeners[1].command_timeout, 77);
    assert_true(fresh->listeners[1].require_tls);
    conf_diff(sample_load(&third, FULL), fresh, &lines);
    assert_true(memmem(lines.data, lines.len, "(restart)", 9) == NULL);
    buffer_clear(&lines);
    arena_clear(&third);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_adoption),
    };

    return cmocka_run_group_tests_name("conf/diff", tests, NULL, NULL);
}
