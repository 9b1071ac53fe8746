/* base/cursor.h: a bounded reader of our own formats with a sticky error: after the first failure
 * every read gives zero or the empty slice and advances nothing. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct cursor {
    struct slice rest; /* what has not been read yet */
    enum err error;    /* ERR_OK or ERR_CORRUPT */
};

struct cursor cursor_of(struct slice bytes);
/* Little-endian. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* The next len octets, still owned by who owns the bytes. */
struct slice cursor_take(struct cursor *c, size_t len);
/* ERR_OK when every read was good and nothing is left, else ERR_CORRUPT. */
enum err cursor_finish(const struct cursor *c);

#endif
