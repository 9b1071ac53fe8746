/* queue/reply.h: why a recipient is not delivered yet, kept once however many messages wait for the
 * same reason. */
#ifndef QUEUE_REPLY_H
#define QUEUE_REPLY_H

#include <stdint.h>

#include "base/map.h"
#include "base/slice.h"

enum { REPLY_TEXT_MAX = 256 }; /* octets kept of each part; the journal has more of it */

/* Shared and counted. What identifies it begins at `code`. */
struct reply {
    UT_hash_handle hh;
    uint32_t refs;
    uint16_t code; /* basic reply code, 0 when nobody replied */
    uint16_t cause;
    uint16_t status_len;
    uint16_t host_len;
    uint16_t address_len;
    uint16_t text_len;
    char text[]; /* status, host, address, text */
};

struct replies {
    struct reply *map;
};

struct reply_parts {
    uint16_t code;
    uint16_t cause; /* enum delivery_cause or one of the queue's own */
    struct slice status;
    struct slice host;
    struct slice address;
    struct slice text;
};

/* The shared reply of these parts, one reference taken. */
struct reply *reply_take(struct replies *replies, const struct reply_parts *parts);
/* One more reference; NULL gives NULL. */
struct reply *reply_share(struct reply *reply);
/* Gives a reference back and makes *reply NULL; nothing for NULL. */
void reply_drop(struct replies *replies, struct reply **reply);
/* The parts, pointing into the reply; all empty for NULL. */
struct reply_parts reply_parts_of(const struct reply *reply);

#endif
