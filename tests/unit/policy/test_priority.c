/* Priority and size against the configuration (EXT-MTPRI-3). */
#include "../check.h"

#include "base/macros.h"
#include "policy/priority.h"

#define ON(...)                                                                                    \
    {                                                                                              \
        .mt_priority = true, __VA_ARGS__                                                           \
    }

static const struct {
    const char *name;
    struct conf_extensions extensions;
    int priority;
    uint64_t size;
    enum priority_verdict verdict;
} cases[] = {
    { "any", ON(.mt_priority_later = true), -9, 0, PRIORITY_TAKEN },
    { "off", { .mt_priority_least = CONF_PRIORITY_URGENT, .mt_priority_urgent_size = 1 }, 4, 2,
        PRIORITY_TAKEN },
    { "EXT-MTPRI-4 -3 counts as 0", ON(.mt_priority_least = CONF_PRIORITY_NORMAL), -3, 0,
        PRIORITY_TAKEN },
    { "-4 is lower", ON(.mt_priority_least = CONF_PRIORITY_NORMAL), -4, 0, PRIORITY_TOO_LOW },
    { "for now", ON(.mt_priority_least = CONF_PRIORITY_NORMAL, .mt_priority_later = true), -4, 0,
        PRIORITY_LATER },
    { "none stated is not urgent", ON(.mt_priority_least = CONF_PRIORITY_URGENT), 0, 0,
        PRIORITY_TOO_LOW },
    { "1 is", ON(.mt_priority_least = CONF_PRIORITY_URGENT), 1, 0, PRIORITY_TAKEN },
    { "urgent, as large as may be", ON(.mt_priority_urgent_size = 100), 1, 100, PRIORITY_TAKEN },
    { "one past", ON(.mt_priority_urgent_size = 100), 1, 101, PRIORITY_TOO_BIG },
    { "size not known", ON(.mt_priority_urgent_size = 100), 9, 0, PRIORITY_TAKEN },
    { "not urgent", ON(.mt_priority_urgent_size = 100), 0, 101, PRIORITY_TAKEN },
    { "no limit", ON(.mt_priority_urgent_size = 0), 9, UINT64_MAX, PRIORITY_TAKEN },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        if (priority_judge(&cases[i].extensions, cases[i].priority, cases[i].size) !=
            cases[i].verdict)
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests_name("policy/priority", tests, NULL, NULL);
}
