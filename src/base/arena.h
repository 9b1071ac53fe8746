/* base/arena.h: memory that is freed as a whole: one arena for each connection, transaction and
 * job. For: many small things with one end. Not for: things that outlive their owner or are freed
 * one by one. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

struct arena_block;

/* Embedded in its owner. Holds no memory until the first allocation. */
struct arena {
    struct arena_block *head;
    size_t used; /* octets taken from the system, bounded by cap */
    size_t cap;
    bool is_starved; /* the system had no memory, within the cap */
};

/* cap: octets that the arena may take from the system; reaching it makes allocations fail, nothing
 * else. */
void arena_init(struct arena *arena, size_t cap);
/* Frees everything; the arena is ready for use again with the same cap. */
void arena_clear(struct arena *arena);

/* size octets, aligned for any type, zeroed. NULL above the cap or without memory. */
MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);
/* count objects of size octets, zeroed; NULL also where the product overflows. */
MUST_CHECK void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy of the bytes, followed by a NUL that is not counted. False without memory; *out_copy
 * untouched. */
MUST_CHECK bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out_copy);
/* A NUL-ended copy; NULL without memory. */
MUST_CHECK char *arena_text(struct arena *arena, struct slice bytes);
/* printf into the arena; the empty slice with data NULL without memory. */
MUST_CHECK PRINTF_LIKE(2, 3) struct slice
    arena_printf(struct arena *arena, const char *format, ...);

#endif
