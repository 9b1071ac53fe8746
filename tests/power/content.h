/* tests/power/content.h: the octets of a file in memory, in pages that many states share: a copy
 * costs nothing until it is written. One thread at a time. */
#ifndef TESTS_POWER_CONTENT_H
#define TESTS_POWER_CONTENT_H

#include <stddef.h>
#include <stdint.h>

enum { CONTENT_PAGE = 4096 };

struct page;

struct content {
    unsigned refs;
    uint64_t size;
    size_t page_count;   /* of the array; what lies behind it is zeros */
    struct page **pages; /* NULL: zeros */
};

/* Empty, one reference. Without memory the process ends: this is a test. */
struct content *content_new(void);
struct content *content_share(struct content *content);
void content_drop(struct content **content);
/* Makes *content the caller's alone, to be changed. The functions below that change want that. */
void content_own(struct content **content);

void content_write(struct content *content, uint64_t offset, const void *data, size_t len);
/* Zeros in the range; never makes the file longer. */
void content_zero(struct content *content, uint64_t offset, uint64_t len);
void content_resize(struct content *content, uint64_t size);
/* Octets read: fewer than len only at the end of the file. */
size_t content_read(const struct content *content, uint64_t offset, void *into, size_t len);

/* calloc that ends the process instead of failing. */
void *power_alloc(size_t size);
void *power_grow(void *array, size_t *room, size_t count, size_t each);

#endif
