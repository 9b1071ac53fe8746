/* OUT-10, EXT-ESC-4: a reply is judged by its first digit; the enhanced code only where it fits. */
#include "../check.h"

#include "relay/verdict.h"

static const struct {
    const char *wire;
    enum delivery_result result;
    const char *status;
} cases[] = {
    { "250 2.1.5 ok\r\n", DELIVERY_DONE, "2.1.5" },
    { "299 odd\r\n", DELIVERY_DONE, "2.0.0" },
    { "499 odd\r\n", DELIVERY_DEFERRED, "4.0.0" },
    { "599 odd\r\n", DELIVERY_FAILED, "5.0.0" },
    { "550 5.1.1 unknown\r\n", DELIVERY_FAILED, "5.1.1" },
    { "550 4.1.1 of another class\r\n", DELIVERY_FAILED, NULL },
    { "354 go\r\n", DELIVERY_DEFERRED, "4.5.0" },
    { "199 odd\r\n", DELIVERY_DEFERRED, "4.5.0" },
    { "699 odd\r\n", DELIVERY_DEFERRED, "4.5.0" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct peer_reply_reader reader;
        struct peer_reply reply;
        struct verdict v;
        size_t consumed;

        peer_reply_reader_init(&reader);
        assert_int_equal(peer_reply_read(&reader, slice_text(cases[i].wire), &consumed, &reply),
            PEER_REPLY_READY);
        v = verdict_of_reply(&reply);
        assert_int_equal(v.result, cases[i].result);
        if (cases[i].status)
            assert_string_equal(v.status, cases[i].status);
        else
            assert_int_equal(v.status[0], '5');
        assert_int_equal(v.code, atoi(cases[i].wire));
        peer_reply_reader_clear(&reader);
    }
}

/* A reply that nobody asked for decides nothing, however good it sounds. */
static void test_unasked(void **state)
{
    static const char *const wires[] = { "250 ok\r\n", "550 5.1.1 no\r\n", "354 go\r\n",
        "421 4.3.2 bye\r\n" };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(wires); i++) {
        struct peer_reply_reader reader;
        struct peer_reply reply;
        struct verdict v;
        size_t consumed;

        peer_reply_reader_init(&reader);
        assert_int_equal(
            peer_reply_read(&reader, slice_text(wires[i]), &consumed, &reply), PEER_REPLY_READY);
        v = verdict_of_unasked(&reply);
        assert_int_equal(v.result, DELIVERY_DEFERRED);
        assert_string_equal(v.status, reply.code == 421 ? "4.3.2" : "4.5.0");
        assert_int_equal(v.code, atoi(wires[i]));
        peer_reply_reader_clear(&reader);
    }
}

static void test_long_reasons_are_cut(void **state)
{
    static char text[5000];
    struct verdict v;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    v = verdict_of(DELIVERY_FAILED, CAUSE_LOCAL, "5.3.0", "%s", text);
    assert_int_equal(strlen(v.text), VERDICT_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
        cmocka_unit_test(test_unasked), cmocka_unit_test(test_long_reasons_are_cut) };

    return cmocka_run_group_tests_name("relay/verdict", tests, NULL, NULL);
}
