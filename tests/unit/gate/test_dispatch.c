/* gate/dispatch: the table of commands is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/dispatch.h"

enum {
    TALKING = PHASE_BIT(PHASE_GREETED) | PHASE_BIT(PHASE_READY) | PHASE_BIT(PHASE_MAIL) |
              PHASE_BIT(PHASE_RCPT) | PHASE_BIT(PHASE_CHUNKS) | PHASE_BIT(PHASE_SPOILT)
};

/* CMD-1, CMD-19: what is offered has a handler and a place, what is not has neither */
static void test_complete(void **state)
{
    (void)state;
    for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
        const struct command_row *row = &command_rows[verb];
        bool is_offered = verb >= VERB_EHLO && verb <= VERB_BURL;

        assert_int_equal(row->handle != NULL, is_offered);
        assert_int_equal(row->phases != 0, is_offered);
        assert_int_equal(row->phases & ~(unsigned)TALKING, 0);
    }
}

/* CMD-11 to CMD-13: always lawful; SUB-4.3-3: never asks for a login; TLS-7, D-5: nor for TLS */
static void test_always(void **state)
{
    static const enum verb verbs[] = { VERB_EHLO, VERB_HELO, VERB_RSET, VERB_NOOP, VERB_HELP,
        VERB_QUIT };

    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        assert_int_equal(command_rows[verbs[i]].phases, TALKING);
        assert_int_equal(
            command_rows[verbs[i]].rules & (AFTER_EHLO | NEEDS_TLS | NEEDS_AUTH | NEEDS_GRANT), 0);
    }
}

/* SUB-4.3-1, SUB-4.3-3, SUB-7-8, SUB-9-1: whatever leads to mail asks for all three */
static void test_submission(void **state)
{
    static const enum verb verbs[] = { VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_BURL };
    const unsigned all = AFTER_EHLO | NEEDS_TLS | NEEDS_AUTH | NEEDS_GRANT;

    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        assert_int_equal(command_rows[verbs[i]].rules & all, AFTER_EHLO | NEEDS_TLS | NEEDS_GRANT);
    assert_int_equal(command_rows[VERB_AUTH].rules & all, AFTER_EHLO | NEEDS_TLS);
    assert_int_equal(command_rows[VERB_VRFY].rules & all, NEEDS_TLS | NEEDS_AUTH); /* CMD-16 */
    assert_int_equal(command_rows[VERB_EXPN].rules & all, NEEDS_TLS | NEEDS_AUTH);
}

/* EXT-CHUNKING-3, EXT-BURL-2: what a refusal has to take along, or leaves a hole for. */
static void test_refusals(void **state)
{
    (void)state;
    for (unsigned verb = 0; verb < VERB_COUNT; verb++)
        assert_int_equal(
            command_rows[verb].refused != NULL, verb == VERB_BDAT || verb == VERB_BURL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_always),
        cmocka_unit_test(test_submission),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests_name("gate/dispatch", tests, NULL, NULL);
}
