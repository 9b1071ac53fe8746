/* base/arena.c: a chain of blocks, newest first. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 2048, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* octets in data */
    size_t fill;
    _Alignas(ALIGNMENT) char data[];
};

void arena_init(struct arena *arena, size_t cap)
{
    *arena = (struct arena){ .cap = cap };
}

void arena_clear(struct arena *arena)
{
    while (arena->head) {
        struct arena_block *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

static struct arena_block *grow(struct arena *arena, size_t size)
{
    struct arena_block *block;
    size_t total;

    if (size < BLOCK_SIZE - sizeof *block)
        size = BLOCK_SIZE - sizeof *block;
    if (__builtin_add_overflow(size, sizeof *block, &total) || total > arena->cap - arena->used)
        return NULL;
    block = malloc(total);
    if (!block) {
        arena->is_starved = true;
        return NULL;
    }
    block->size = size;
    block->fill = 0;
    block->next = arena->head;
    arena->head = block;
    arena->used += total;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->head;
    size_t rounded;
    void *at;

    if (__builtin_add_overflow(size, (size_t)(ALIGNMENT - 1), &rounded))
        return NULL;
    rounded &= ~(size_t)(ALIGNMENT - 1);
    if (!block || block->size - block->fill < rounded) {
        block = grow(arena, rounded);
        if (!block)
            return NULL;
    }
    at = block->data + block->fill;
    block->fill += rounded;
    memset(at, 0, size);
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

char *arena_text(struct arena *arena, struct slice bytes)
{
    char *copy = bytes.len < SIZE_MAX ? arena_alloc(arena, bytes.len + 1) : NULL;

    if (copy && bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out_copy)
{
    char *copy = arena_text(arena, bytes);

    if (!copy)
        return false;
    *out_copy = slice_of(copy, bytes.len);
    return true;
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return slice_of(NULL, 0);
    text = arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return slice_of(NULL, 0);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return slice_of(text, (size_t)len);
}
