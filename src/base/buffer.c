/* base/buffer.c: the growing buffer. */
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 256 };

void buffer_init(struct buffer *b, size_t cap)
{
    *b = (struct buffer){ .cap = cap };
}

void buffer_clear(struct buffer *b)
{
    free(b->data);
    buffer_init(b, b->cap);
}

void buffer_reset(struct buffer *b)
{
    b->start = 0;
    b->len = 0;
    b->error = ERR_OK;
}

static void compact(struct buffer *b)
{
    if (b->start > 0 && b->len > 0)
        memmove(b->data, b->data + b->start, b->len);
    b->start = 0;
}

static bool grow(struct buffer *b, size_t need)
{
    size_t size = b->size ? b->size : SMALLEST;
    char *data;

    if (need > b->cap) {
        b->error = ERR_LIMIT;
        return false;
    }
    while (size < need)
        size = size > b->cap / 2 ? b->cap : size * 2;
    if (size > b->cap)
        size = b->cap;
    compact(b);
    data = realloc(b->data, size);
    if (!data) {
        b->error = ERR_NOMEM;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

char *buffer_reserve(struct buffer *b, size_t len)
{
    size_t need;

    if (b->error != ERR_OK)
        return NULL;
    if (__builtin_add_overflow(b->len, len, &need)) {
        b->error = ERR_LIMIT;
        return NULL;
    }
    if (b->start > 0 && b->size - b->start < need && b->size >= need)
        compact(b);
    if (b->size - b->start < need && !grow(b, need))
        return NULL;
    return b->data + b->start + b->len;
}

void buffer_commit(struct buffer *b, size_t len)
{
    assert(len <= b->size - b->start - b->len);
    b->len += len;
}

void buffer_put(struct buffer *b, const void *data, size_t len)
{
    char *at;

    if (len == 0)
        return;
    at = buffer_reserve(b, len);
    if (!at)
        return;
    memcpy(at, data, len);
    b->len += len;
}

void buffer_put_slice(struct buffer *b, struct slice s)
{
    buffer_put(b, s.data, s.len);
}

void buffer_put_text(struct buffer *b, const char *text)
{
    buffer_put(b, text, strlen(text));
}

void buffer_put_char(struct buffer *b, char c)
{
    buffer_put(b, &c, 1);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    char *at;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return;
    at = buffer_reserve(b, (size_t)len + 1);
    if (!at)
        return;
    va_start(args, format);
    vsnprintf(at, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

static void put_little(struct buffer *b, uint64_t v, size_t octets)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < octets; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    buffer_put(b, bytes, octets);
}

void buffer_put_u8(struct buffer *b, uint8_t v)
{
    put_little(b, v, 1);
}

void buffer_put_u32(struct buffer *b, uint32_t v)
{
    put_little(b, v, 4);
}

void buffer_put_u64(struct buffer *b, uint64_t v)
{
    put_little(b, v, 8);
}

void buffer_consume(struct buffer *b, size_t len)
{
    assert(len <= b->len);
    b->start += len;
    b->len -= len;
    if (b->len == 0)
        b->start = 0;
}

void buffer_truncate(struct buffer *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
}

void buffer_shrink(struct buffer *b)
{
    char *data;

    if (b->len == 0) {
        enum err error = b->error;
        buffer_clear(b);
        b->error = error;
        return;
    }
    compact(b);
    data = realloc(b->data, b->len);
    if (data) {
        b->data = data;
        b->size = b->len;
    }
}
