/* The codec: what is packed comes back, and every cut or flipped octet is either refused or still
 * within bounds. */
#include "../check.h"

#include "base/pack.h"

enum colour { RED, GREEN, BLUE };

struct part {
    struct slice name;
    uint16_t number;
};

struct whole {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    bool yes;
    enum colour colour;
    struct slice text;
    struct part *parts;
    size_t part_count;
    struct part one;
};

static const struct field part_fields[] = { PACK_BYTES(struct part, name, 10),
    PACK_NUMBER(U16, struct part, number) };
static const struct shape part_shape = SHAPE(struct part, part_fields);
static const struct field whole_fields[] = {
    PACK_NUMBER(U8, struct whole, u8),
    PACK_NUMBER(U16, struct whole, u16),
    PACK_NUMBER(U32, struct whole, u32),
    PACK_NUMBER(U64, struct whole, u64),
    PACK_NUMBER(I64, struct whole, i64),
    PACK_NUMBER(BOOL, struct whole, yes),
    PACK_ENUM(struct whole, colour, BLUE),
    PACK_BYTES(struct whole, text, 20),
    PACK_LIST(struct whole, parts, part_count, &part_shape, 3),
    PACK_SHAPE(struct whole, one, &part_shape),
};
static const struct shape whole_shape = SHAPE(struct whole, whole_fields);

static struct part parts[] = { { SLICE_LITERAL("first"), 1 }, { SLICE_LITERAL(""), 2 },
    { SLICE_LITERAL("0123456789"), 65535 } };

static const struct whole sample = { .u8 = 255,
    .u16 = 65535,
    .u32 = UINT32_MAX,
    .u64 = UINT64_MAX,
    .i64 = INT64_MIN,
    .yes = true,
    .colour = BLUE,
    .text = SLICE_LITERAL("a\0b"),
    .parts = parts,
    .part_count = 3,
    .one = { SLICE_LITERAL("one"), 7 } };

static void pack_sample(struct buffer *out)
{
    buffer_init(out, 10000);
    pack(out, &whole_shape, &sample);
    assert_int_equal(out->error, ERR_OK);
}

static enum err unpack_all(struct slice bytes, struct whole *out)
{
    struct arena arena;
    struct cursor in = cursor_of(bytes);
    enum err rc;

    arena_init(&arena, 4096);
    rc = unpack(&in, &whole_shape, &arena, out);
    if (rc == ERR_OK)
        rc = cursor_finish(&in);
    arena_clear(&arena);
    return rc;
}

static void test_round_trip(void **state)
{
    struct buffer bytes;
    struct arena arena;
    struct cursor in;
    struct whole back;

    (void)state;
    pack_sample(&bytes);
    arena_init(&arena, 4096);
    in = cursor_of(buffer_slice(&bytes));
    assert_int_equal(unpack(&in, &whole_shape, &arena, &back), ERR_OK);
    assert_int_equal(cursor_finish(&in), ERR_OK);
    assert_true(back.u64 == UINT64_MAX && back.i64 == INT64_MIN && back.yes && back.colour == BLUE);
    assert_true(slice_equals(back.text, sample.text));
    assert_int_equal(back.part_count, 3);
    assert_true(slice_is(back.parts[2].name, "0123456789"));
    assert_true(slice_is(back.one.name, "one"));
    arena_clear(&arena);
    buffer_clear(&bytes);
}

static void test_every_cut_is_refused(void **state)
{
    struct buffer bytes;
    struct whole back;

    (void)state;
    pack_sample(&bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        char *exact = malloc(len ? len : 1);
        memcpy(exact, buffer_slice(&bytes).data, len);
        assert_int_equal(unpack_all(slice_of(exact, len), &back), ERR_CORRUPT);
        free(exact);
    }
    buffer_put_char(&bytes, 'x');
    assert_int_equal(unpack_all(buffer_slice(&bytes), &back), ERR_CORRUPT);
    buffer_clear(&bytes);
}

static void test_flips_stay_in_bounds(void **state)
{
    struct buffer bytes;
    struct whole back;

    (void)state;
    pack_sample(&bytes);
    for (size_t i = 0; i < bytes.len; i++)
        for (int value = 0; value < 256; value++) {
            char saved = bytes.data[i];
            bytes.data[i] = (char)value;
            if (unpack_all(buffer_slice(&bytes), &back) == ERR_OK)
                assert_true(
                    back.part_count <= 3 && back.text.len <= 20 && (int)back.colour <= BLUE);
            bytes.data[i] = saved;
        }
    buffer_clear(&bytes);
}

static void test_packing_above_a_bound_fails(void **state)
{
    struct buffer bytes;
    struct whole big = sample;

    (void)state;
    buffer_init(&bytes, 10000);
    big.text = slice_text("123456789012345678901");
    pack(&bytes, &whole_shape, &big);
    assert_int_equal(bytes.error, ERR_LIMIT);
    buffer_clear(&bytes);
    buffer_init(&bytes, 10000);
    big = sample;
    big.part_count = 4;
    pack(&bytes, &whole_shape, &big);
    assert_int_equal(bytes.error, ERR_LIMIT);
    buffer_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_flips_stay_in_bounds),
        cmocka_unit_test(test_packing_above_a_bound_fails),
    };

    return cmocka_run_group_tests_name("base/pack", tests, NULL, NULL);
}
