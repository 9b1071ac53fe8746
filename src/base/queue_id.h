/* base/queue_id.h: the identity of a message for ever: 128 bits, shown as 26 characters (the form
 * known as ULID, so ids sort by time). Made by the gate; that of a notification is derived from
 * what it reports, so a crash never makes two. */
#ifndef BASE_QUEUE_ID_H
#define BASE_QUEUE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { QUEUE_ID_TEXT = 26 };

struct queue_id {
    uint64_t high; /* 48 bits of milliseconds since 1970, 16 bits of randomness */
    uint64_t low;  /* randomness */
};

/* A new id, given before by nobody except with negligible chance. */
struct queue_id queue_id_new(void);
/* The id of a notification about the message: the same inputs give the same id. kind: a small
 * number that names the kind of notice; recipients: any bytes that name the recipients reported. */
struct queue_id queue_id_derive(struct queue_id about, uint8_t kind, struct slice recipients);
/* 26 characters of [0-9A-HJKMNP-TV-Z] and NUL. */
void queue_id_format(struct queue_id id, char out_text[QUEUE_ID_TEXT + 1]);
/* Either case. False for anything that queue_id_format does not make. */
MUST_CHECK bool queue_id_parse(struct slice text, struct queue_id *out_id);

static inline bool queue_id_equals(struct queue_id a, struct queue_id b)
{
    return a.high == b.high && a.low == b.low;
}

#endif
