/* OUT-3, OUT-4, OUT-5: which MX hosts are tried, in which order. */
#include "../check.h"

#include "base/macros.h"
#include "relay/mx.h"

static uint32_t lots[DNS_RECORDS_MAX];
static size_t lot;

static uint32_t drawn(void)
{
    return lots[lot++];
}

struct row {
    uint16_t preference;
    const char *name;
};

static const struct {
    const char *what;
    struct row records[8];
    size_t count;
    enum mx_verdict verdict;
    const char *order; /* names with a comma behind each */
} cases[] = {
    { "sorted", { { 30, "c" }, { 10, "a" }, { 20, "b" } }, 3, MX_HOSTS, "a,b,c," },
    { "null MX (OUT-3)", { { 0, "" } }, 1, MX_NULL, "" },
    { "a root beside a host means nothing", { { 0, "" }, { 10, "a" } }, 2, MX_HOSTS, "a," },
    { "no record", { { 0, "" } }, 0, MX_NONE, "" },
    { "we are the best (OUT-5)", { { 10, "mail.example.net" }, { 20, "b" } }, 2, MX_SELF, "" },
    { "we are second (OUT-5)",
        { { 10, "a" }, { 20, "MAIL.example.net" }, { 20, "b" }, { 30, "c" } }, 4, MX_HOSTS, "a," },
    { "five at most (OUT-4)",
        { { 1, "a" }, { 2, "b" }, { 3, "c" }, { 4, "d" }, { 5, "e" }, { 6, "f" } }, 6, MX_HOSTS,
        "a,b,c,d,e," },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct dns_record records[8] = { 0 };
        struct mx_host hosts[MX_HOSTS_MAX];
        char order[100] = "";
        size_t count;

        lot = 0;
        for (size_t r = 0; r < cases[i].count; r++)
            records[r] = (struct dns_record){ .preference = cases[i].records[r].preference,
                .name = slice_text(cases[i].records[r].name) };
        assert_int_equal(
            mx_order(records, cases[i].count, slice_text("mail.example.net"), drawn, hosts, &count),
            cases[i].verdict);
        for (size_t h = 0; h < count; h++) {
            strncat(order, hosts[h].name.data, hosts[h].name.len);
            strcat(order, ",");
        }
        assert_string_equal(order, cases[i].order);
    }
}

static void test_equals_are_shuffled(void **state)
{
    struct dns_record records[3] = { { .preference = 10, .name = SLICE_LITERAL("a") },
        { .preference = 10, .name = SLICE_LITERAL("b") },
        { .preference = 5, .name = SLICE_LITERAL("c") } };
    struct mx_host hosts[MX_HOSTS_MAX];
    size_t count;

    (void)state;
    lot = 0;
    lots[0] = 9;
    lots[1] = 3;
    assert_int_equal(mx_order(records, 3, slice_text("x"), drawn, hosts, &count), MX_HOSTS);
    assert_true(slice_is(hosts[0].name, "c") && slice_is(hosts[1].name, "b") &&
                slice_is(hosts[2].name, "a"));
    lot = 0;
    lots[1] = 12;
    assert_int_equal(mx_order(records, 3, slice_text("x"), drawn, hosts, &count), MX_HOSTS);
    assert_true(slice_is(hosts[1].name, "a") && slice_is(hosts[2].name, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
        cmocka_unit_test(test_equals_are_shuffled) };

    return cmocka_run_group_tests_name("relay/mx", tests, NULL, NULL);
}
