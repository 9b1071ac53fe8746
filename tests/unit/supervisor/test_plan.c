/* How many of each room a configuration asks for, so what a reload starts and ends. */
#include "../check.h"

#include <unistd.h>

#include "ipc/counters.h"
#include "supervisor/plan.h"

static long cores = 3;

/* The linker puts this in the place of the C library's. */
long __wrap_sysconf(int name);
long __wrap_sysconf(int name)
{
    assert_int_equal(name, _SC_NPROCESSORS_ONLN);
    return cores;
}

static size_t count_of(enum role role, const struct conf *conf)
{
    for (size_t i = 0; i < room_plan_count; i++)
        if (room_plans[i].role == role)
            return room_plans[i].count(conf);
    fail_msg("no such room");
    return 0;
}

/* A core that is switched on or off while the program runs adds or ends no gate at a reload. */
static void test_gates(void **state)
{
    struct conf conf = { 0 };

    (void)state;
    assert_int_equal(count_of(ROLE_GATE, &conf), 3);
    cores = 5;
    assert_int_equal(count_of(ROLE_GATE, &conf), 3);
    cores = 1;
    assert_int_equal(count_of(ROLE_GATE, &conf), 3);
    conf.gates = 1;
    assert_int_equal(count_of(ROLE_GATE, &conf), 1);
    conf.gates = COUNTERS_GATES_MAX;
    assert_int_equal(count_of(ROLE_GATE, &conf), COUNTERS_GATES_MAX);
    conf.gates = COUNTERS_GATES_MAX + 1;
    assert_int_equal(count_of(ROLE_GATE, &conf), COUNTERS_GATES_MAX);
}

static void test_others(void **state)
{
    struct conf_route routes[] = { { .via = CONF_VIA_SMTP }, { .via = CONF_VIA_MAILDIR },
        { .via = CONF_VIA_MAILDIR } };
    struct conf conf = { .relays = 2, .routes = routes };

    (void)state;
    for (size_t routes_used = 0; routes_used <= LENGTH_OF(routes); routes_used++) {
        conf.route_count = routes_used;
        assert_int_equal(count_of(ROLE_MAILDROP, &conf), routes_used > 1);
    }
    assert_int_equal(count_of(ROLE_RELAY, &conf), 2);
    assert_int_equal(count_of(ROLE_VAULT, &conf), 1);
    assert_int_equal(count_of(ROLE_QUEUE, &conf), 1);
}

/* Somebody outside is asked only for what the configuration names. */
static void test_fetch(void **state)
{
    struct conf conf = { 0 };

    (void)state;
    assert_int_equal(count_of(ROLE_FETCH, &conf), 0);
    conf.auth.oauth_jwks = slice_text("/etc/keys");
    assert_int_equal(count_of(ROLE_FETCH, &conf), 0);
    conf.auth = (struct conf_auth){ .oauth_jwks_uri = slice_text("https://id.example/keys") };
    assert_int_equal(count_of(ROLE_FETCH, &conf), 1);
    conf.auth = (struct conf_auth){ .oauth_introspection = slice_text("https://id.example/") };
    assert_int_equal(count_of(ROLE_FETCH, &conf), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_fetch),
    };

    return cmocka_run_group_tests_name("supervisor/plan", tests, NULL, NULL);
}
