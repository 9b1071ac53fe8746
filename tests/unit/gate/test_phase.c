/* gate/phase: the lawful moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/phase.h"

/* Every phase but the last can end, none can follow the last. */
static void test_ends(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
        assert_int_equal(phase_may_follow(phase, PHASE_CLOSING), phase != PHASE_CLOSING);
        assert_false(phase_may_follow(PHASE_CLOSING, phase));
        assert_true(phase_name(phase)[0] != '\0');
    }
}

/* From either beginning every phase can be reached. */
static void test_reachable(void **state)
{
    unsigned seen = PHASE_BIT(PHASE_HANDSHAKE), before = 0;

    (void)state;
    while (seen != before) {
        before = seen;
        for (unsigned from = 0; from < PHASE_COUNT; from++)
            for (unsigned to = 0; to < PHASE_COUNT; to++)
                if (phase_in(from, before) && phase_may_follow(from, to))
                    seen |= PHASE_BIT(to);
    }
    assert_int_equal(seen, PHASE_BIT(PHASE_COUNT) - 1);
}

/* What must never happen. CMD-10, TLS-5, AUTH-7, EXT-CHUNKING-4 */
static void test_unlawful(void **state)
{
    static const struct {
        enum phase from, to;
    } rows[] = {
        { PHASE_GREETED, PHASE_MAIL }, /* without EHLO */
        { PHASE_GREETED, PHASE_AUTH },
        { PHASE_HANDSHAKE, PHASE_READY },
        { PHASE_MAIL, PHASE_DATA }, /* without a recipient */
        { PHASE_MAIL, PHASE_AUTH },
        { PHASE_RCPT, PHASE_AUTH },
        { PHASE_RCPT, PHASE_HANDSHAKE },
        { PHASE_RCPT, PHASE_COMMIT }, /* without content */
        { PHASE_CHUNKS, PHASE_DATA },
        { PHASE_MAIL, PHASE_FETCH }, /* EXT-BURL-2: without a recipient */
        { PHASE_READY, PHASE_FETCH },
        { PHASE_SPOILT, PHASE_FETCH },
        { PHASE_FETCH, PHASE_DATA },
        { PHASE_FETCH, PHASE_READY }, /* a hole */
        { PHASE_SPOILT, PHASE_RCPT },
        { PHASE_SPOILT, PHASE_COMMIT },
        { PHASE_COMMIT, PHASE_DATA },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(phase_may_follow(rows[i].from, rows[i].to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_reachable),
        cmocka_unit_test(test_unlawful),
    };

    return cmocka_run_group_tests_name("gate/phase", tests, NULL, NULL);
}
