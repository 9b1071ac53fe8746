/* The arena: alignment, the cap, the reuse after clearing. */
#include "../check.h"

#include "base/arena.h"

static void test_alignment_and_zero(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t size = 0; size < 300; size++) {
        char *at = arena_alloc(&arena, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xff, size);
    }
    arena_clear(&arena);
}

static void test_cap(void **state)
{
    struct arena arena;
    size_t blocks = 0;

    (void)state;
    arena_init(&arena, 10000);
    while (arena_alloc(&arena, 1000))
        blocks++;
    assert_true(blocks > 0 && blocks < 10);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 1000));
    arena_clear(&arena);
}

static void test_copies(void **state)
{
    struct arena arena;
    struct slice copy;

    (void)state;
    arena_init(&arena, 10000);
    assert_true(arena_copy(&arena, slice_of("a\0b", 3), &copy));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    copy = arena_printf(&arena, "%s-%d", "x", 7);
    assert_true(slice_is(copy, "x-7"));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_zero),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_copies),
    };

    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
