/* smtp/status.h: enhanced status codes, RFC 3463. */
#ifndef SMTP_STATUS_H
#define SMTP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* All zero: none. */
struct status {
    uint8_t class;    /* 2, 4 or 5 */
    uint16_t subject; /* 0 to 999 */
    uint16_t detail;  /* 0 to 999 */
};

static inline bool status_is_set(struct status status)
{
    return status.class != 0;
}

/* Reads "c.s.d" at the front of text: class 2, 4 or 5, one to three digits without leading zeros
 * (EXT-ESC-3), followed by white space or the end. *out_len: its octets. */
MUST_CHECK bool status_parse(struct slice text, struct status *out_status, size_t *out_len);
/* The status for a reply of a next hop that gave none (EXT-ESC-4, DSN-9): mapped where the basic
 * code says enough, else x.0.0 by its first digit. Not set for codes outside 2yz, 4yz, 5yz. */
struct status status_of_code(unsigned code);

#endif
