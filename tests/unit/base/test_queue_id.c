/* Queue ids: unique, sortable, readable back; derived ones depend on what they report and on
 * nothing else. */
#include "../check.h"

#include "base/queue_id.h"

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct queue_id));
}

static void test_unique(void **state)
{
    enum { COUNT = 200000 };
    struct queue_id *ids = calloc(COUNT, sizeof *ids);

    (void)state;
    assert_non_null(ids);
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = queue_id_new();
    qsort(ids, COUNT, sizeof *ids, compare);
    for (size_t i = 1; i < COUNT; i++)
        assert_false(queue_id_equals(ids[i - 1], ids[i]));
    free(ids);
}

static void test_text(void **state)
{
    static const char *const refused[] = { "", "0", "0123456789012345678901234",
        "012345678901234567890123456", "80000000000000000000000000", "0000000000000000000000000U",
        "0000000000000000000000000 " };
    struct queue_id id = queue_id_new(), back;
    char text[QUEUE_ID_TEXT + 1];

    (void)state;
    queue_id_format(id, text);
    assert_int_equal(strlen(text), QUEUE_ID_TEXT);
    assert_true(queue_id_parse(slice_text(text), &back));
    assert_true(queue_id_equals(id, back));
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
        assert_false(queue_id_parse(slice_text(refused[i]), &back));
    queue_id_format((struct queue_id){ UINT64_MAX, UINT64_MAX }, text);
    assert_string_equal(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert_true(queue_id_parse(slice_text("7zzzzzzzzzzzzzzzzzzzzzzzzz"), &back));
    assert_true(back.high == UINT64_MAX && back.low == UINT64_MAX);
}

static void test_derived(void **state)
{
    struct queue_id about = queue_id_new();
    struct queue_id one = queue_id_derive(about, 1, slice_text("0"));

    (void)state;
    assert_true(queue_id_equals(one, queue_id_derive(about, 1, slice_text("0"))));
    assert_false(queue_id_equals(one, queue_id_derive(about, 2, slice_text("0"))));
    assert_false(queue_id_equals(one, queue_id_derive(about, 1, slice_text("1"))));
    assert_false(queue_id_equals(one, about));
    assert_true(one.high >> 16 == about.high >> 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_unique), cmocka_unit_test(test_text),
        cmocka_unit_test(test_derived) };

    return cmocka_run_group_tests_name("base/queue_id", tests, NULL, NULL);
}
