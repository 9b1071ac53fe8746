/* gate/commit_queue.c: the conversation with the queue: blanks and spares come in, doorbells and
 * cuts go out. Owns the channel. */
#include "gate/held_segment.h"
#include "gate/partial.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"

/* What the queue is told and asked. */

static void tell_queue(struct commit *c, enum message_type type, const void *message)
{
    /* A channel that fails says so through on_queue_closed; the next one hears all of it again. */
    if (c->queue && channel_send(c->queue, type, message, -1) != ERR_OK)
        log_event(LOG_WARNING, NULL, "the queue does not listen");
}

bool commit_tell(struct commit *c, enum message_type type, const void *message)
{
    return c->queue && channel_send(c->queue, type, message, -1) == ERR_OK;
}

void commit_ring(struct commit *c, struct held_segment *segment, bool is_final)
{
    struct msg_doorbell message = {
        .generation = segment->generation, .upto = segment->good, .final = is_final
    };

    segment->rung = segment->good;
    tell_queue(c, MSG_DOORBELL, &message);
}

static void ring_list(struct commit *c, struct held_segment *list)
{
    struct held_segment *segment;

    DL_FOREACH (list, segment)
        if (segment->rung != segment->good)
            commit_ring(c, segment, false);
}

void commit_tell_cut(struct commit *c, const struct held_segment *segment)
{
    struct msg_cut message = { .generation = segment->generation, .upto = segment->good };

    tell_queue(c, MSG_CUT, &message);
}

static uint32_t blanks_shortage(const struct commit *c)
{
    struct held_segment *segment;
    uint32_t have = c->current ? 1 : 0;

    DL_FOREACH (c->blanks, segment)
        have++;
    return have < 1 + BLANKS_AHEAD ? 1 + BLANKS_AHEAD - have : 0;
}

/* Each message adds to the earlier ones, so only what was not asked for yet is named. */
static uint32_t not_asked(uint32_t shortage, uint32_t asked)
{
    return shortage > asked ? shortage - asked : 0;
}

static void ask_queue(struct commit *c)
{
    struct msg_need need = {
        .blanks = not_asked(blanks_shortage(c), c->blanks_asked),
        .spares = not_asked((uint32_t)spares_shortage(&c->spares), c->spares_asked),
    };

    if (!c->queue || (need.blanks == 0 && need.spares == 0))
        return;
    c->blanks_asked += need.blanks;
    c->spares_asked += need.spares;
    tell_queue(c, MSG_NEED, &need);
}

void commit_speak(void *owner)
{
    struct commit *c = owner;

    if (c->current)
        ring_list(c, c->current);
    ring_list(c, c->full);
    ask_queue(c);
}

void commit_ask_held(struct commit *c, const struct msg_held_ask *ask)
{
    tell_queue(c, MSG_HELD_ASK, ask);
}

/* What the queue says. */

static void on_blank(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_blank *m = message;
    struct held_segment *segment = calloc(1, sizeof *segment);

    (void)channel;
    /* The gate has no more of them than it asked for, whatever the queue says. */
    if (!segment || c->blanks_asked == 0 || m->start > m->size) {
        log_event(LOG_ERROR, NULL, "a blank that cannot be used");
        disk_close(c->disk, &fd);
        free(segment);
        return;
    }
    c->blanks_asked--;
    segment_writer_init(&segment->writer, c->disk, fd, m->generation, m->size, m->start);
    segment->commit = c;
    segment->generation = m->generation;
    segment->size = m->size;
    segment->reserved = segment->good = segment->rung = m->start;
    DL_APPEND(c->blanks, segment);
    commit_feed(c);
}

static void on_spare(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_spare *m = message;

    (void)channel;
    if (c->spares_asked == 0) {
        log_event(LOG_ERROR, NULL, "a spare that nobody asked for");
        disk_close(c->disk, &fd);
        return;
    }
    c->spares_asked--;
    spares_add(&c->spares, fd, m->number);
    deferred_ask(&c->ring);
}

static struct held_segment *find_cut(const struct commit *c, const struct msg_cut *m)
{
    struct held_segment *segment;

    DL_FOREACH (c->cut, segment)
        if (segment->generation == m->generation && segment->good == m->upto)
            return segment;
    return NULL;
}

static void on_cut_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    struct held_segment *segment = find_cut(c, message);

    (void)channel, (void)fd;
    if (segment)
        commit_cut_known(c, segment);
}

static void on_disk(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_disk *m = message;

    (void)channel, (void)fd;
    if (c->is_disk_full != m->full)
        log_event(LOG_WARNING, NULL, m->full ? "no room for new mail" : "room for new mail again");
    c->is_disk_full = m->full;
}

static void on_held_answer(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;

    (void)channel, (void)fd;
    if (c->held_known)
        c->held_known(c->owner, message);
}

static void on_partial_state(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;

    (void)channel;
    if (c->partials)
        partials_state(c->partials, message, fd);
    else
        disk_close(c->disk, &fd);
}

static void on_partial_yield(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_number *m = message;

    (void)channel, (void)fd;
    if (c->partials)
        partials_yield(c->partials, m->number);
}

static const struct channel_handler handlers[] = {
    { MSG_HELD_ANSWER, on_held_answer },
    { MSG_BLANK, on_blank },
    { MSG_SPARE, on_spare },
    { MSG_CUT_DONE, on_cut_done },
    { MSG_DISK, on_disk },
    { MSG_PARTIAL_STATE, on_partial_state },
    { MSG_PARTIAL_YIELD, on_partial_yield },
};

static void on_queue_closed(void *owner, struct channel *channel)
{
    struct commit *c = owner;

    (void)channel;
    channel_free(&c->queue);
    c->blanks_asked = c->spares_asked = 0;
    if (c->partials)
        partials_lost(c->partials);
}

static void restate(struct commit *c, struct held_segment *list)
{
    struct held_segment *segment;

    DL_FOREACH (list, segment)
        commit_ring(c, segment, false);
}

void commit_attach(struct commit *c, int fd)
{
    const struct channel_spec spec = { .self = ROLE_GATE,
        .peer = ROLE_QUEUE,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_queue_closed,
        .owner = c };
    struct held_segment *segment;

    channel_free(&c->queue);
    if (c->partials)
        partials_lost(c->partials);
    c->blanks_asked = c->spares_asked = 0;
    c->is_disk_full = false; /* a queue says only when it is; what its last life said is over */
    c->queue = channel_new(c->loop, fd, &spec);
    restate(c, c->blanks);
    restate(c, c->current);
    restate(c, c->full);
    restate(c, c->cut);
    DL_FOREACH (c->cut, segment)
        commit_tell_cut(c, segment);
    ask_queue(c);
    if (c->partials)
        partials_attach(c->partials);
}
