/* base/buffer.h: a growing run of bytes with a cap and a sticky error: append twenty times, test
 * once. Also the read side of a stream: take what is at the front with buffer_consume. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

/* Embedded in its owner. data[start .. start+len) is the content. */
struct buffer {
    char *data;
    size_t start;
    size_t len;
    size_t size;    /* octets allocated */
    size_t cap;     /* octets that may be allocated */
    enum err error; /* sticky: ERR_NOMEM or ERR_LIMIT; every later append does nothing */
};

void buffer_init(struct buffer *b, size_t cap);
/* Frees the memory; the buffer is empty, without error, and ready for use with the same cap. */
void buffer_clear(struct buffer *b);
/* Empty and without error, memory kept. */
void buffer_reset(struct buffer *b);

static inline struct slice buffer_slice(const struct buffer *b)
{
    return slice_of(b->data ? b->data + b->start : NULL, b->len);
}

void buffer_put(struct buffer *b, const void *data, size_t len);
void buffer_put_slice(struct buffer *b, struct slice s);
void buffer_put_text(struct buffer *b, const char *text);
void buffer_put_char(struct buffer *b, char c);
PRINTF_LIKE(2, 3) void buffer_printf(struct buffer *b, const char *format, ...);
/* Little-endian, for our own formats. */
void buffer_put_u8(struct buffer *b, uint8_t v);
void buffer_put_u32(struct buffer *b, uint32_t v);
void buffer_put_u64(struct buffer *b, uint64_t v);

/* Room for len more octets at the end, to be filled by the caller and declared with buffer_commit.
 * NULL above the cap or without memory, and then the error is set. */
MUST_CHECK char *buffer_reserve(struct buffer *b, size_t len);
void buffer_commit(struct buffer *b, size_t len);
/* Drops len octets at the front; len must not exceed the content. */
void buffer_consume(struct buffer *b, size_t len);
/* Cuts the content to len octets; len must not exceed the content. */
void buffer_truncate(struct buffer *b, size_t len);
/* Gives memory back that the content does not need. */
void buffer_shrink(struct buffer *b);

#endif
