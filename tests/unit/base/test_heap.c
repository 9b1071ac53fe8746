/* The heap: order kept while nodes are added, moved and removed at random. */
#include "../check.h"

#include "base/heap.h"

enum { NODES = 500 };

static struct heap_node nodes[NODES];

static void test_random_moves(void **state)
{
    struct heap heap;
    int64_t last = INT64_MIN;
    size_t count = 0;

    (void)state;
    srand(7);
    heap_init(&heap);
    for (int i = 0; i < 20000; i++) {
        struct heap_node *node = &nodes[rand() % NODES];
        if (rand() % 3 == 0)
            heap_remove(&heap, node);
        else
            assert_true(heap_set(&heap, node, rand() % 1000 - 500));
    }
    for (size_t i = 0; i < NODES; i++)
        count += nodes[i].slot > 0;
    assert_int_equal(count, heap.count);
    while (heap_first(&heap)) {
        struct heap_node *first = heap_first(&heap);
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&heap, first);
        assert_int_equal(first->slot, 0);
        count--;
    }
    assert_int_equal(count, 0);
    heap_clear(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_moves) };

    return cmocka_run_group_tests_name("base/heap", tests, NULL, NULL);
}
