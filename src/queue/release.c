/* queue/release.c: until when a message is held, and the quota of that. */
#include "queue/release.h"

#include "base/clock.h"
#include "queue/state.h"

enum { SECOND = 1000000 };

static int64_t after_hold(const struct message *message)
{
    return message->arrival_us > INT64_MAX - message->hold_us
               ? INT64_MAX
               : message->arrival_us + message->hold_us;
}

/* In the queue's own time, of a message that waits. */
static int64_t waits_until(struct queue *queue, const struct message *message)
{
    return message->hold_date != 0 ? time_from_wall(queue, message->hold_date * SECOND)
                                   : after_hold(message);
}

static bool was_tried(const struct message *message)
{
    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].attempts > 0 || !recipient_is_open(message->recipients[i].state))
            return true;
    return false;
}

void release_begin(struct queue *queue, struct message *message)
{
    bool is_asked = message->hold_us > 0 || message->hold_date != 0;

    if (!is_asked || was_tried(message) || waits_until(queue, message) <= time_now(queue))
        return;
    message->is_timed = true;
    message->user->timed++;
    message->user->timed_octets += message->size;
    queue->dated += message->hold_date != 0;
}

void release_end(struct queue *queue, struct message *message)
{
    if (!message->is_timed)
        return;
    message->is_timed = false;
    message->user->timed--;
    message->user->timed_octets -= message->size;
    queue->dated -= message->hold_date != 0;
}

int64_t release_time(struct queue *queue, struct message *message, int64_t now_us)
{
    int64_t until;

    if (!message->is_timed)
        return INT64_MIN;
    until = waits_until(queue, message);
    if (until > now_us)
        return until;
    if (now_us > after_hold(message)) /* the clock was set back meanwhile: its life begins now */
        message->hold_us = now_us - message->arrival_us;
    release_end(queue, message);
    return INT64_MIN;
}

int64_t release_due(struct queue *queue, const struct message *message)
{
    return message->is_timed ? waits_until(queue, message) : INT64_MIN;
}

int64_t release_base(struct queue *queue, const struct message *message)
{
    int64_t hold = after_hold(message);
    int64_t until = message->is_timed ? waits_until(queue, message) : hold;

    return until > hold ? until : hold;
}

bool release_has_room(struct queue *queue, struct slice user, uint64_t size)
{
    const struct conf_extensions *limits = &queue->conf->extensions;
    const struct user *known = user_find(&queue->destinations, user);
    uint64_t messages = known ? known->timed : 0, octets = known ? known->timed_octets : 0;

    if (limits->futurerelease_messages > 0 && messages >= limits->futurerelease_messages)
        return false;
    if (limits->futurerelease_octets == 0)
        return true;
    return octets < limits->futurerelease_octets && size <= limits->futurerelease_octets - octets;
}
