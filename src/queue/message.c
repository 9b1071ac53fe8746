/* queue/message.c: the table of messages and the moves of their recipients. */
#include "queue/message.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/memory.h"

enum { S = 1 };
#define TO(state) (S << RECIPIENT_##state)
enum {
    OPEN_STATES = TO(WAITING) | TO(READY) | TO(IN_HAND) | TO(HELD) | TO(SETTLING) | TO(TELLING),
    END_STATES = TO(DELIVERED) | TO(FAILED) | TO(EXPIRED) | TO(DELETED),
};

/* The lawful moves. An outcome may come from an earlier life, so any open state can end. */
static const unsigned lawful[RECIPIENT_STATES] = {
    [RECIPIENT_WAITING] = OPEN_STATES | END_STATES,
    [RECIPIENT_READY] = OPEN_STATES | END_STATES,
    [RECIPIENT_IN_HAND] = OPEN_STATES | END_STATES,
    [RECIPIENT_HELD] = OPEN_STATES | END_STATES,
    [RECIPIENT_SETTLING] = TO(HELD) | END_STATES,
    [RECIPIENT_TELLING] = TO(DELIVERED),
};

void messages_init(struct messages *ms, struct destinations *destinations)
{
    *ms = (struct messages){ .destinations = destinations };
    heap_init(&ms->due);
}

void messages_clear(struct messages *ms)
{
    struct message *message, *next;

    DL_FOREACH_SAFE (ms->order, message, next)
        message_remove(ms, message);
    heap_clear(&ms->due);
}

static struct message **map_of(struct messages *ms, struct queue_id id)
{
    /* Other bits than the map itself takes. */
    return &ms->maps[(map_hash(&id, sizeof id) >> 26) % MESSAGE_MAPS];
}

static struct name *name_take(struct name **map, struct slice text)
{
    const char *data = text.len > 0 ? text.data : "";
    struct name *name;

    HASH_FIND(hh, *map, data, text.len, name);
    if (!name) {
        name = need_memory(sizeof *name + text.len + 1);
        name->len = (uint32_t)text.len;
        memcpy(name->text, data, text.len);
        HASH_ADD_KEYPTR(hh, *map, name->text, name->len, name);
    }
    name->refs++;
    return name;
}

static void name_drop(struct name **map, struct name *name)
{
    if (--name->refs > 0)
        return;
    HASH_DEL(*map, name);
    free(name);
}

struct message *message_add(struct messages *ms, const struct message_spec *spec)
{
    size_t size = sizeof(struct message) + spec->recipient_count * sizeof(struct recipient);
    struct message *message = need_memory(size);

    message->id = spec->id;
    message->user = user_take(ms->destinations, spec->user);
    message->sender = name_take(&ms->senders, spec->sender);
    message->recipient_count = spec->recipient_count;
    message->open_count = spec->recipient_count;
    for (uint32_t i = 0; i < spec->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        r->message = message;
        r->state = RECIPIENT_WAITING;
        need(heap_set(&ms->due, &r->due, INT64_MAX));
    }
    ms->in[RECIPIENT_WAITING] += spec->recipient_count;
    HASH_ADD(hh, *map_of(ms, spec->id), id, sizeof message->id, message);
    DL_APPEND(ms->order, message);
    ms->count++;
    return message;
}

static bool is_deferred(const struct recipient *r)
{
    return r->attempts > 0 && (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY ||
                                  r->state == RECIPIENT_HELD);
}

void message_remove(struct messages *ms, struct message *message)
{
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (r->state == RECIPIENT_READY)
            lane_take_out(ms->destinations, r);
        ms->in[r->state]--;
        ms->deferred -= is_deferred(r);
        heap_remove(&ms->due, &r->due);
        reply_drop(&ms->replies, &r->reply);
        if (r->domain)
            domain_drop(ms->destinations, r->domain);
    }
    message_hold(ms, message, false);
    HASH_DEL(*map_of(ms, message->id), message);
    if (ms->cursor == message)
        ms->cursor = message->next;
    if (ms->placing == message)
        ms->placing = message->next;
    DL_DELETE(ms->order, message);
    ms->count--;
    ms->closing -= message->is_closing;
    user_drop(ms->destinations, message->user);
    name_drop(&ms->senders, message->sender);
    free(message);
}

struct message *message_find(struct messages *ms, struct queue_id id)
{
    struct message *message;

    HASH_FIND(hh, *map_of(ms, id), &id, sizeof id, message);
    return message;
}

void message_hold(struct messages *ms, struct message *message, bool held)
{
    if (message->is_held == held)
        return;
    message->is_held = held;
    ms->held += held ? 1 : (size_t)-1;
}

void recipient_move(struct messages *ms, struct recipient *r, enum recipient_state to, int64_t key,
    struct destination *destination)
{
    enum recipient_state from = r->state;

    assert(lawful[from] & (1U << to));
    if (from == RECIPIENT_READY)
        lane_take_out(ms->destinations, r);
    r->job = NULL;
    ms->in[from]--;
    ms->in[to]++;
    ms->deferred -= is_deferred(r);
    r->state = (uint8_t)to;
    ms->deferred += is_deferred(r);
    if (!recipient_is_open(to)) {
        heap_remove(&ms->due, &r->due);
        reply_drop(&ms->replies, &r->reply);
        r->message->open_count--;
        return;
    }
    /* The node never left the heap, so this is a move and cannot fail. */
    need(heap_set(&ms->due, &r->due, key));
    if (to == RECIPIENT_READY)
        lane_put(ms->destinations, r->message->user, destination, r);
}

void recipient_tried(struct messages *ms, struct recipient *r, uint32_t attempts)
{
    ms->deferred -= is_deferred(r);
    r->attempts = attempts < UINT16_MAX ? (uint16_t)attempts : UINT16_MAX;
    ms->deferred += is_deferred(r);
}

void recipient_remember(struct messages *ms, struct recipient *r, const struct reply_parts *parts)
{
    struct reply *reply = reply_take(&ms->replies, parts);

    reply_drop(&ms->replies, &r->reply);
    r->reply = reply;
}
