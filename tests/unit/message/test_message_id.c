/* tests/unit/message/test_message_id.c: MSG-5. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/message_id.h"

static const char *const good[] = {
    "<a@b>",
    " <a.b.c@d.example> ",
    "\r\n <a@b.example>",
    "<!#$%&'*+-/=?^_`{|}~@x>",
    "<a@[192.0.2.1]>",
    "<a@[IPv6:2001:db8::1]>",
    "<a@[]>",
    "(note) <a@b> (more (nested))",
    "<\303\251@b.example>",
};

static const char *const bad[] = {
    "",
    "abc",
    "<>",
    "<a>",
    "<@b>",
    "<a@>",
    "<a@b",
    "a@b>",
    "<a@b> x",
    "<a@b><c@d>",
    "<.a@b>",
    "<a.@b>",
    "<a..b@c>",
    "<a@b.>",
    "<a@.b>",
    "<a b@c>",
    "<a@b c>",
    "<\"a b\"@c>",
    "<a@b@c>",
    "< a@b>",
    "<a@b >",
    "<a@[b>",
    "<a@[b]c]>",
    "<a@[b c]>",
    "<a@b>\r\n",
    "<a@b> (x",
    "<a\t@b>",
    "<\377@b>",
    "<a@b\177>",
};

static void test_check(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(good); i++)
        if (!message_id_is_valid(slice_text(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        if (message_id_is_valid(slice_text(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

static void test_every_cut_is_refused(void **state UNUSED)
{
    struct slice whole = slice_text("<a.b@[x]>");

    for (size_t len = 0; len < whole.len; len++)
        assert_false(message_id_is_valid(slice_first(whole, len)));
    assert_true(message_id_is_valid(whole));
}

/* SUB-8.3-1: what we make, we accept. */
static void test_made(void **state UNUSED)
{
    struct buffer out;

    buffer_init(&out, 4096);
    message_id_put(&out, slice_text("01JNDX7Z0GABCDEFGHJKMNPQRS"), UINT64_C(0x123456789abcdef),
        slice_text("msa.example.net"));
    assert_true(slice_is(
        buffer_slice(&out), "<01JNDX7Z0GABCDEFGHJKMNPQRS.0123456789abcdef@msa.example.net>"));
    assert_true(message_id_is_valid(buffer_slice(&out)));
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_made),
    };

    return cmocka_run_group_tests_name("message/message_id", tests, NULL, NULL);
}
