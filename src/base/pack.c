/* base/pack.c: the one codec. Numbers are little-endian and of fixed size, bytes and lists carry a
 * u32 count. */
#include "base/pack.h"

#include <assert.h>

static uint64_t read_number(const struct field *field, const char *at)
{
    switch (field->kind) {
    case FIELD_U8:
        return *(const uint8_t *)at;
    case FIELD_U16:
        return *(const uint16_t *)(const void *)at;
    case FIELD_U32:
        return *(const uint32_t *)(const void *)at;
    case FIELD_U64:
    case FIELD_I64:
        return *(const uint64_t *)(const void *)at;
    case FIELD_BOOL:
        return *(const bool *)at;
    default:
        return (uint64_t) * (const unsigned int *)(const void *)at;
    }
}

static void write_number(const struct field *field, char *at, uint64_t v)
{
    switch (field->kind) {
    case FIELD_U8:
        *(uint8_t *)at = (uint8_t)v;
        break;
    case FIELD_U16:
        *(uint16_t *)(void *)at = (uint16_t)v;
        break;
    case FIELD_U32:
        *(uint32_t *)(void *)at = (uint32_t)v;
        break;
    case FIELD_U64:
    case FIELD_I64:
        *(uint64_t *)(void *)at = v;
        break;
    case FIELD_BOOL:
        *(bool *)at = v != 0;
        break;
    default:
        *(unsigned int *)(void *)at = (unsigned int)v;
        break;
    }
}

static const size_t widths[] = {
    [FIELD_U8] = 1,
    [FIELD_U16] = 2,
    [FIELD_U32] = 4,
    [FIELD_U64] = 8,
    [FIELD_I64] = 8,
    [FIELD_BOOL] = 1,
    [FIELD_ENUM] = 1,
};

static void put_width(struct buffer *out, uint64_t v, size_t octets)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < octets; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    buffer_put(out, bytes, octets);
}

static void pack_field(struct buffer *out, const struct field *field, const char *base)
{
    const char *at = base + field->offset;

    switch (field->kind) {
    case FIELD_BYTES: {
        const struct slice *s = (const struct slice *)(const void *)at;
        if (s->len > field->max)
            out->error = ERR_LIMIT;
        buffer_put_u32(out, (uint32_t)s->len);
        buffer_put_slice(out, *s);
        break;
    }
    case FIELD_LIST: {
        size_t count = *(const size_t *)(const void *)(base + field->count_offset);
        const char *element = *(const char *const *)(const void *)at;
        if (count > field->max) {
            out->error = ERR_LIMIT;
            break;
        }
        buffer_put_u32(out, (uint32_t)count);
        for (size_t i = 0; i < count; i++)
            pack(out, field->of, element + i * field->of->size);
        break;
    }
    case FIELD_SHAPE:
        pack(out, field->of, at);
        break;
    default: {
        uint64_t v = read_number(field, at);
        if (field->kind == FIELD_ENUM && v > field->max)
            out->error = ERR_LIMIT;
        put_width(out, v, widths[field->kind]);
        break;
    }
    }
}

void pack(struct buffer *out, const struct shape *shape, const void *from)
{
    for (size_t i = 0; i < shape->field_count; i++)
        pack_field(out, &shape->fields[i], from);
}

static uint64_t take_width(struct cursor *in, size_t octets)
{
    struct slice bytes = cursor_take(in, octets);
    uint64_t v = 0;

    for (size_t i = 0; i < bytes.len; i++)
        v |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    return v;
}

static enum err unpack_list(
    struct cursor *in, const struct field *field, struct arena *arena, char *base)
{
    size_t count = cursor_u32(in);
    char *elements = NULL;
    enum err rc = in->error;

    /* Every element takes at least an octet on the wire, so a count above what is left is a lie. */
    if (rc != ERR_OK || count > field->max || count > in->rest.len)
        return ERR_CORRUPT;
    if (count > 0) {
        elements = arena_array(arena, count, field->of->size);
        if (!elements)
            return ERR_NOMEM;
    }
    for (size_t i = 0; i < count && rc == ERR_OK; i++)
        rc = unpack(in, field->of, arena, elements + i * field->of->size);
    if (rc != ERR_OK)
        return rc;
    *(char **)(void *)(base + field->offset) = elements;
    *(size_t *)(void *)(base + field->count_offset) = count;
    return ERR_OK;
}

static enum err unpack_field(
    struct cursor *in, const struct field *field, struct arena *arena, char *base)
{
    char *at = base + field->offset;

    switch (field->kind) {
    case FIELD_BYTES: {
        size_t len = cursor_u32(in);
        if (len > field->max)
            return ERR_CORRUPT;
        *(struct slice *)(void *)at = cursor_take(in, len);
        return in->error;
    }
    case FIELD_LIST:
        return unpack_list(in, field, arena, base);
    case FIELD_SHAPE:
        return unpack(in, field->of, arena, at);
    default: {
        uint64_t v = take_width(in, widths[field->kind]);
        if ((field->kind == FIELD_BOOL && v > 1) || (field->kind == FIELD_ENUM && v > field->max))
            return ERR_CORRUPT;
        write_number(field, at, v);
        return in->error;
    }
    }
}

enum err unpack(struct cursor *in, const struct shape *shape, struct arena *arena, void *to)
{
    enum err rc = ERR_OK;

    memset(to, 0, shape->size);
    for (size_t i = 0; i < shape->field_count && rc == ERR_OK; i++)
        rc = unpack_field(in, &shape->fields[i], arena, to);
    return rc;
}
