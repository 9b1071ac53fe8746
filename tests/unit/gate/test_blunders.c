/* Which replies are mistakes of the client's set-up, and of which kind (SUB-5.2-2). */
#include "../check.h"

#include "gate/blunders.h"

static const struct {
    enum reply_id reply;
    enum mistake kind;
} rows[] = {
    { REPLY_SENDER_FORBIDDEN, MISTAKE_SENDER },
    { REPLY_RECIPIENT_FORBIDDEN, MISTAKE_PERMISSION },
    { REPLY_SENDER_UNQUALIFIED, MISTAKE_UNQUALIFIED },
    { REPLY_RECIPIENT_UNQUALIFIED, MISTAKE_UNQUALIFIED },
    { REPLY_BARE_LF, MISTAKE_LINE_END },
    { REPLY_BARE_NEWLINE, MISTAKE_LINE_END },
    { REPLY_TLS_FIRST, MISTAKE_CLEAR_TEXT },
    { REPLY_AUTH_NEEDS_TLS, MISTAKE_CLEAR_TEXT },
    { REPLY_AUTH_FAILED, MISTAKE_LOGIN },
    { REPLY_UNKNOWN, MISTAKE_SYNTAX },
    { REPLY_NO_FROM, MISTAKE_CONTENT },
    { REPLY_RECIPIENT_DOMAIN, MISTAKE_OTHER },
};

static void test_kinds(void **state)
{
    enum mistake kind;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_true(blunder_kind(rows[i].reply, &kind));
        assert_int_equal(kind, rows[i].kind);
    }
    for (int reply = 0; reply < REPLY_COUNT; reply++)
        assert_true(blunder_kind((enum reply_id)reply, &kind) ||
                    reply_info((enum reply_id)reply)->code < 500);
    assert_false(blunder_kind(REPLY_OK, &kind));
    assert_false(blunder_kind(REPLY_NO_SPACE, &kind)); /* our fault */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds) };

    return cmocka_run_group_tests_name("gate/blunders", tests, NULL, NULL);
}
