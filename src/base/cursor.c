/* base/cursor.c: the bounded reader. */
#include "base/cursor.h"

struct cursor cursor_of(struct slice bytes)
{
    return (struct cursor){ .rest = bytes };
}

struct slice cursor_take(struct cursor *c, size_t len)
{
    struct slice taken;

    if (c->error != ERR_OK || len > c->rest.len) {
        c->error = ERR_CORRUPT;
        return slice_of(NULL, 0);
    }
    taken = slice_first(c->rest, len);
    c->rest = slice_from(c->rest, len);
    return taken;
}

static uint64_t take_little(struct cursor *c, size_t octets)
{
    struct slice bytes = cursor_take(c, octets);
    uint64_t v = 0;

    for (size_t i = 0; i < bytes.len; i++)
        v |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    return v;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)take_little(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)take_little(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)take_little(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return take_little(c, 8);
}

enum err cursor_finish(const struct cursor *c)
{
    return c->error == ERR_OK && c->rest.len == 0 ? ERR_OK : ERR_CORRUPT;
}
