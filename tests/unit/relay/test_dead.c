/* QUE-5: a host that cannot be reached is left alone for a while, longer each time, one hour at
 * most. */
#include "../check.h"

#include "relay/dead.h"

static void test_doubling(void **state)
{
    struct conf_queue queue = { .dead_host = 300 };
    struct dead_hosts *hosts = dead_hosts_new();
    int64_t now = 1000, wait = 300;

    (void)state;
    assert_non_null(hosts);
    for (int i = 0; i < 10; i++) {
        assert_false(dead_hosts_has(hosts, "192.0.2.1:25", now));
        dead_hosts_add(hosts, "192.0.2.1:25", &queue, now);
        dead_hosts_add(hosts, "192.0.2.1:25", &queue, now); /* a delivery that had begun before */
        assert_true(dead_hosts_has(hosts, "192.0.2.1:25", now + wait * 1000 - 1));
        assert_false(dead_hosts_has(hosts, "192.0.2.1:25", now + wait * 1000));
        assert_false(dead_hosts_has(hosts, "192.0.2.1:26", now));
        now += wait * 1000;
        wait = wait * 2 < 3600 ? wait * 2 : 3600;
    }
    dead_hosts_remove(hosts, "192.0.2.1:25");
    dead_hosts_add(hosts, "192.0.2.1:25", &queue, now);
    assert_false(dead_hosts_has(hosts, "192.0.2.1:25", now + 300 * 1000));
    dead_hosts_free(&hosts);
}

static void test_switched_off(void **state)
{
    struct conf_queue queue = { .dead_host = 0 };
    struct dead_hosts *hosts = dead_hosts_new();

    (void)state;
    dead_hosts_add(hosts, "192.0.2.1:25", &queue, 0);
    assert_false(dead_hosts_has(hosts, "192.0.2.1:25", 0));
    dead_hosts_free(&hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_switched_off) };

    return cmocka_run_group_tests_name("relay/dead", tests, NULL, NULL);
}
