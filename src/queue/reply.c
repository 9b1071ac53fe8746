/* queue/reply.c: the shared reasons. */
#include "queue/reply.h"

#include <stdlib.h>

#include "queue/memory.h"

enum {
    KEY_START = offsetof(struct reply, code),
    KEY_FIXED = offsetof(struct reply, text) - KEY_START
};

static uint16_t put(struct reply *reply, size_t *at, struct slice part)
{
    struct slice kept = slice_first(part, REPLY_TEXT_MAX);

    if (kept.len > 0)
        memcpy(reply->text + *at, kept.data, kept.len);
    *at += kept.len;
    return (uint16_t)kept.len;
}

struct reply *reply_take(struct replies *replies, const struct reply_parts *parts)
{
    struct reply *fresh = need_memory(sizeof *fresh + 4 * REPLY_TEXT_MAX);
    struct reply *found;
    size_t len = 0;

    fresh->code = parts->code;
    fresh->cause = parts->cause;
    fresh->status_len = put(fresh, &len, parts->status);
    fresh->host_len = put(fresh, &len, parts->host);
    fresh->address_len = put(fresh, &len, parts->address);
    fresh->text_len = put(fresh, &len, parts->text);
    HASH_FIND(hh, replies->map, &fresh->code, KEY_FIXED + len, found);
    if (found) {
        free(fresh);
    } else {
        struct reply *fitted = realloc(fresh, sizeof *fresh + len);
        found = fitted ? fitted : fresh;
        HASH_ADD_KEYPTR(hh, replies->map, &found->code, KEY_FIXED + len, found);
    }
    found->refs++;
    return found;
}

struct reply *reply_share(struct reply *reply)
{
    if (reply)
        reply->refs++;
    return reply;
}

void reply_drop(struct replies *replies, struct reply **reply)
{
    struct reply *dropped = *reply;

    *reply = NULL;
    if (!dropped || --dropped->refs > 0)
        return;
    HASH_DEL(replies->map, dropped);
    free(dropped);
}

struct reply_parts reply_parts_of(const struct reply *reply)
{
    struct reply_parts parts = { 0 };
    const char *at;

    if (!reply)
        return parts;
    at = reply->text;
    parts.code = reply->code;
    parts.cause = reply->cause;
    parts.status = slice_of(at, reply->status_len);
    at += reply->status_len;
    parts.host = slice_of(at, reply->host_len);
    at += reply->host_len;
    parts.address = slice_of(at, reply->address_len);
    at += reply->address_len;
    parts.text = slice_of(at, reply->text_len);
    return parts;
}
