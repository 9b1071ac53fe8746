/* base/heap.c: the binary heap. Slots are 1-based so that 0 can mean "in no heap". */
#include "base/heap.h"

#include <stdlib.h>

void heap_init(struct heap *heap)
{
    *heap = (struct heap){ 0 };
}

void heap_clear(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->nodes[i]->slot = 0;
    free(heap->nodes);
    heap_init(heap);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

static void place(struct heap *heap, struct heap_node *node, size_t slot)
{
    heap->nodes[slot - 1] = node;
    node->slot = slot;
}

static void rise(struct heap *heap, struct heap_node *node)
{
    size_t slot = node->slot;

    while (slot > 1 && heap->nodes[slot / 2 - 1]->key > node->key) {
        place(heap, heap->nodes[slot / 2 - 1], slot);
        slot /= 2;
    }
    place(heap, node, slot);
}

static void sink(struct heap *heap, struct heap_node *node)
{
    size_t slot = node->slot;

    for (;;) {
        size_t child = slot * 2;
        if (child > heap->count)
            break;
        if (child < heap->count && heap->nodes[child]->key < heap->nodes[child - 1]->key)
            child++;
        if (heap->nodes[child - 1]->key >= node->key)
            break;
        place(heap, heap->nodes[child - 1], slot);
        slot = child;
    }
    place(heap, node, slot);
}

static bool make_room(struct heap *heap)
{
    size_t size = heap->size ? heap->size * 2 : 64;
    struct heap_node **nodes;

    if (heap->count < heap->size)
        return true;
    nodes = reallocarray(heap->nodes, size, sizeof *nodes);
    if (!nodes)
        return false;
    heap->nodes = nodes;
    heap->size = size;
    return true;
}

bool heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
    if (node->slot == 0) {
        if (!make_room(heap))
            return false;
        place(heap, node, ++heap->count);
    }
    node->key = key;
    rise(heap, node);
    sink(heap, node);
    return true;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *last;

    if (node->slot == 0)
        return;
    last = heap->nodes[--heap->count];
    if (last != node) {
        place(heap, last, node->slot);
        rise(heap, last);
        sink(heap, last);
    }
    node->slot = 0;
}
