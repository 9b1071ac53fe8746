/* gate/domains: what is remembered, and for how long. SUB-4.2-6, OPS-7 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/domains.h"

static struct domains domains;

static void test_keeps_what_is_sure(void **state)
{
    static const struct {
        const char *name;
        enum domain_verdict verdict;
        bool is_kept;
    } rows[] = {
        { "a.example", DOMAIN_EXISTS, true },
        { "b.example", DOMAIN_MISSING, true },
        { "c.example", DOMAIN_NULL_MX, true },
        { "d.example", DOMAIN_TEMPORARY, false },
        { "e.example", DOMAIN_SILENT, false },
    };
    enum domain_verdict verdict;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice name = slice_text(rows[i].name);
        domains_keep(&domains, name, 1000, rows[i].verdict);
        assert_int_equal(domains_find(&domains, name, 2000, &verdict), rows[i].is_kept);
        assert_true(!rows[i].is_kept || verdict == rows[i].verdict);
        assert_false(domains_find(&domains, name, 10000000, &verdict));
    }
}

static void test_names(void **state)
{
    static const char name[DOMAIN_NAME_MAX + 1] = { [0 ... DOMAIN_NAME_MAX] = 'x' };
    enum domain_verdict verdict;

    (void)state;
    domains_keep(&domains, slice_of(name, sizeof name), 0, DOMAIN_EXISTS);
    assert_false(domains_find(&domains, slice_of(name, sizeof name), 1, &verdict));
    domains_keep(&domains, slice_of(name, sizeof name - 1), 0, DOMAIN_EXISTS);
    assert_true(domains_find(&domains, slice_of(name, sizeof name - 1), 1, &verdict));
    assert_false(domains_find(&domains, slice_text("never.example"), 1, &verdict));
    assert_false(domains_find(&domains, slice_text(""), 1, &verdict));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_is_sure),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("gate/domains", tests, NULL, NULL);
}
