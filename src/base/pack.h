/* base/pack.h: typed structs to bytes and back, driven by one table (a shape) for each struct.
 * Channel messages, the configuration snapshot, spool envelopes and journal entries all use it, so
 * there is one codec to prove. */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/macros.h"

enum field_kind {
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_BOOL,  /* bool; any octet but 0 and 1 is refused */
    FIELD_ENUM,  /* an enum object (int size), values 0 .. max, one octet on the wire */
    FIELD_BYTES, /* struct slice of at most max octets; unpacked in place or copied, see unpack */
    FIELD_LIST, /* pointer member to an array of shape `of`, and a size_t member at count_offset; at
                   most max elements */
    FIELD_SHAPE, /* an embedded struct of shape `of` */
};

struct shape;

struct field {
    enum field_kind kind;
    const char *name;
    size_t offset;
    size_t max;
    const struct shape *of;
    size_t count_offset;
};

struct shape {
    const char *name;
    size_t size; /* of the struct */
    const struct field *fields;
    size_t field_count;
};

/* Rows of a field table. */
#define PACK_NUMBER(KIND, type, member)                                                            \
    {                                                                                              \
        FIELD_##KIND, #member, offsetof(type, member), 0, NULL, 0                                  \
    }
#define PACK_ENUM(type, member, last)                                                              \
    {                                                                                              \
        FIELD_ENUM, #member, offsetof(type, member), last, NULL, 0                                 \
    }
#define PACK_BYTES(type, member, max)                                                              \
    {                                                                                              \
        FIELD_BYTES, #member, offsetof(type, member), max, NULL, 0                                 \
    }
#define PACK_LIST(type, member, count_member, element_shape, max)                                  \
    {                                                                                              \
        FIELD_LIST, #member, offsetof(type, member), max, element_shape,                           \
            offsetof(type, count_member)                                                           \
    }
#define PACK_SHAPE(type, member, member_shape)                                                     \
    {                                                                                              \
        FIELD_SHAPE, #member, offsetof(type, member), 0, member_shape, 0                           \
    }
#define SHAPE(type, table)                                                                         \
    {                                                                                              \
#type, sizeof(type), table, LENGTH_OF(table)                                               \
    }

/* Appends the struct at `from`. A value above its field's max sets the buffer's sticky error to
 * ERR_LIMIT. */
void pack(struct buffer *out, const struct shape *shape, const void *from);

/* Fills the struct at `to` (zeroed first) from the cursor; lists come from the arena, FIELD_BYTES
 * point into the cursor's bytes (so those must live as long as the struct). ERR_CORRUPT for
 * anything that pack would not have written, ERR_NOMEM above the arena's cap. Bytes behind the
 * struct stay in the cursor. */
MUST_CHECK enum err unpack(
    struct cursor *in, const struct shape *shape, struct arena *arena, void *to);

#endif
