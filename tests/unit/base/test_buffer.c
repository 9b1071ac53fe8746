/* The buffer: growth to its cap, the sticky error, consuming at the front. */
#include "../check.h"

#include "base/buffer.h"
#include "base/cursor.h"

static void test_cap_is_sticky(void **state)
{
    struct buffer b;

    (void)state;
    buffer_init(&b, 600);
    for (int i = 0; i < 600; i++)
        buffer_put_char(&b, 'x');
    assert_int_equal(b.error, ERR_OK);
    buffer_put_char(&b, 'x');
    assert_int_equal(b.error, ERR_LIMIT);
    assert_int_equal(b.len, 600);
    buffer_consume(&b, 600);
    buffer_put_char(&b, 'x');
    assert_int_equal(b.len, 0);
    buffer_reset(&b);
    buffer_put_char(&b, 'x');
    assert_int_equal(b.len, 1);
    buffer_clear(&b);
}

/* What is taken at the front and added at the end stays in order, however the two meet. */
static void test_queue(void **state)
{
    struct buffer b;
    unsigned char in = 0, out = 0;

    (void)state;
    buffer_init(&b, 1000);
    for (size_t round = 0; round < 500; round++) {
        for (size_t i = 0; i < round % 17; i++)
            buffer_put_u8(&b, in++);
        for (size_t i = 0; i < round % 13 && b.len > 0; i++) {
            assert_int_equal((unsigned char)buffer_slice(&b).data[0], out);
            out++;
            buffer_consume(&b, 1);
        }
        if (round % 50 == 0)
            buffer_shrink(&b);
        if (b.len > 900)
            break;
        assert_int_equal(b.error, ERR_OK);
    }
    buffer_clear(&b);
}

static void test_numbers_and_cursor(void **state)
{
    struct buffer b;
    struct cursor c;

    (void)state;
    buffer_init(&b, 1000);
    buffer_put_u8(&b, 0x12);
    buffer_put_u8(&b, 0x56);
    buffer_put_u8(&b, 0x34);
    buffer_put_u32(&b, 0x789abcde);
    buffer_put_u64(&b, UINT64_MAX - 1);
    buffer_printf(&b, "%s", "end");
    c = cursor_of(buffer_slice(&b));
    assert_int_equal(cursor_u8(&c), 0x12);
    assert_int_equal(cursor_u16(&c), 0x3456);
    assert_int_equal(cursor_u32(&c), 0x789abcde);
    assert_true(cursor_u64(&c) == UINT64_MAX - 1);
    assert_int_equal(cursor_finish(&c), ERR_CORRUPT);
    assert_true(slice_is(cursor_take(&c, 3), "end"));
    assert_int_equal(cursor_finish(&c), ERR_OK);
    assert_int_equal(cursor_take(&c, 1).len, 0);
    assert_int_equal(cursor_u8(&c), 0);
    assert_int_equal(cursor_finish(&c), ERR_CORRUPT);
    buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap_is_sticky),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_numbers_and_cursor),
    };

    return cmocka_run_group_tests_name("base/buffer", tests, NULL, NULL);
}
