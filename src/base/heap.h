/* base/heap.h: a binary heap of things ordered by a 64-bit key (a time), with the position kept in
 * the thing so that any one can be moved or taken out. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/* Embedded in what is ordered. Zeroed: in no heap. */
struct heap_node {
    int64_t key;
    size_t slot; /* 1-based position, 0 when in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t size;
};

void heap_init(struct heap *heap);
/* Frees the heap's own array; the nodes are their owners'. */
void heap_clear(struct heap *heap);
/* The node with the smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *heap);
/* Puts the node in, or moves it to its new key when it is in already. False without memory: the
 * node is not in. */
MUST_CHECK bool heap_set(struct heap *heap, struct heap_node *node, int64_t key);
/* Takes the node out; nothing when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

#endif
