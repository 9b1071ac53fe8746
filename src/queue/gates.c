/* queue/gates.c: the channels to gates: blanks and spares go out, doorbells and cuts come in. A
 * gate is believed only about files that were handed to it. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"
#include "queue/release.h"
#include "queue/state.h"

/* A gate asks for what it lost in a restart at most. */
enum { BLANKS_MOST = 4, SPARES_MOST = 32 };
/* And holds no more than this: an honest one needs a few blanks, and a spare for each client that
 * sends a large message. The disk is for all. */
enum { BLANKS_HELD_MOST = 32, SPARES_HELD_MOST = 4096 };
/* By then the supervisor has started a gate anew: see links.c. Each further channel has this part
 * of the time. */
enum { SILENCES_MOST = 5, SILENCE_PART = 6 };

/* The gate may be dead, or only its channel: the locks tell, segment by segment. */
static void on_closed(void *owner, struct channel *channel)
{
    struct gate *gate = owner;
    struct queue *queue = gate->queue;
    struct segment *segment, *next;
    struct body *body, *after;

    (void)channel;
    channel_free(&gate->channel);
    queue->stock.blanks_wanted -= gate->blanks_due;
    queue->stock.spares_wanted -= gate->spares_due;
    gate->blanks_due = gate->spares_due = 0;
    gate->was_told_low = false;
    gate->since_ms = clock_mono_ms();
    HASH_ITER (hh, queue->segments, segment, next) {
        if (segment->gate != gate)
            continue;
        segment->gate = NULL;
        segment->is_asked = false;
    }
    HASH_ITER (hh, queue->bodies, body, after)
        body->is_left |= body->gate == gate;
    partials_forget_gate(gate);
    intake_step(queue);
}

void gate_refuse(struct gate *gate, const char *why)
{
    if (!gate->channel)
        return;
    log_event(LOG_WARNING, NULL, "a gate broke the rules", log_number("gate", gate->index),
        log_text("because", why));
    on_closed(gate, gate->channel);
}

static void tell_disk(struct gate *gate)
{
    struct msg_disk message = { .full = gate->queue->stock.is_low };

    if (!gate->channel || gate->was_told_low == message.full)
        return;
    if (channel_send(gate->channel, MSG_DISK, &message, -1) == ERR_OK)
        gate->was_told_low = message.full;
}

static bool give_blank(struct gate *gate)
{
    struct queue *queue = gate->queue;
    struct store_blank blank;
    struct msg_blank message;
    struct segment *segment;

    if (!stock_take_blank(&queue->stock, &blank))
        return false;
    segment = segment_add(queue, blank.generation);
    segment->gate = segment->handed_to = gate;
    segment->read = blank.start;
    message = (struct msg_blank){ blank.generation, blank.size, blank.start };
    /* When it does not arrive its lock is free and it is found as an orphan. */
    if (channel_send(gate->channel, MSG_BLANK, &message, blank.write) != ERR_OK)
        segment->gate = NULL;
    gate->blanks_due--;
    queue->stock.blanks_wanted--;
    return true;
}

static struct body *body_add(struct queue *queue, uint64_t number, struct gate *gate)
{
    struct body *body = need_memory(sizeof *body);

    body->number = number;
    body->gate = gate;
    gate->spares_held++;
    HASH_ADD(hh, queue->bodies, number, sizeof body->number, body);
    return body;
}

static bool give_spare(struct gate *gate)
{
    struct queue *queue = gate->queue;
    struct store_spare spare;
    struct msg_spare message;

    if (!stock_take_spare(&queue->stock, &spare))
        return false;
    body_add(queue, spare.number, gate);
    message = (struct msg_spare){ spare.number };
    if (channel_send(gate->channel, MSG_SPARE, &message, spare.write) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "a spare did not reach its gate");
    gate->spares_due--;
    queue->stock.spares_wanted--;
    return true;
}

static bool may_hold_blank(const struct gate *gate)
{
    const struct segment *segment, *next;
    size_t count = 0;

    HASH_ITER (hh, gate->queue->segments, segment, next)
        count += segment->handed_to == gate && !segment->is_owned;
    return count < BLANKS_HELD_MOST;
}

void gates_serve(struct queue *queue)
{
    struct gate *gate;

    LL_FOREACH (queue->gates, gate) {
        if (!gate->channel)
            continue;
        while (gate->blanks_due > 0 && may_hold_blank(gate) && give_blank(gate))
            ;
        while (gate->spares_due > 0 && gate->spares_held < SPARES_HELD_MOST && give_spare(gate))
            ;
        tell_disk(gate);
    }
    if (queue->has_segments)
        stock_fill(&queue->stock);
}

static uint32_t add_due(uint32_t due, uint32_t more, uint32_t most)
{
    return more > most || due + more > most ? most : due + more;
}

static void on_need(void *owner, struct channel *channel, const void *message, int fd)
{
    struct gate *gate = owner;
    struct stock *stock = &gate->queue->stock;
    const struct msg_need *m = message;
    uint32_t blanks = add_due(gate->blanks_due, m->blanks, BLANKS_MOST);
    uint32_t spares = add_due(gate->spares_due, m->spares, SPARES_MOST);

    (void)channel, (void)fd;
    stock->blanks_wanted += blanks - gate->blanks_due;
    stock->spares_wanted += spares - gate->spares_due;
    gate->blanks_due = blanks;
    gate->spares_due = spares;
    gates_serve(gate->queue);
}

/* Nobody but the gate that has a segment knows its number. */
static bool may_speak_of(struct gate *gate, uint64_t generation, uint64_t upto)
{
    const struct segment *segment = segment_find(gate->queue, generation);

    if (segment && segment->gate && segment->gate != gate)
        gate_refuse(gate, "it spoke of a segment of another gate");
    else if (segment && upto < FILE_HEAD)
        gate_refuse(gate, "it spoke of the head of a segment");
    else
        return true;
    return false;
}

/* NULL: finished long ago; a doorbell may be told again. One of an earlier life of the queue
 * becomes his who speaks of it first: its lock says that a gate has it. */
static struct segment *segment_of(struct gate *gate, uint64_t generation)
{
    struct segment *segment = segment_find(gate->queue, generation);

    if (!segment || segment->is_owned || segment->is_ours)
        return NULL;
    gate->has_spoken |= !segment->handed_to;
    segment->gate = segment->handed_to = gate;
    return segment;
}

static void on_doorbell(void *owner, struct channel *channel, const void *message, int fd)
{
    struct gate *gate = owner;
    const struct msg_doorbell *m = message;
    struct segment *segment;

    (void)channel, (void)fd;
    if (!may_speak_of(gate, m->generation, m->upto))
        return;
    segment = segment_of(gate, m->generation);
    if (!segment || segment->is_cutting)
        return;
    if (m->upto > segment->stated)
        segment->stated = m->upto;
    segment->is_orphan |= m->final;
    segment->is_asked = false;
    intake_step(gate->queue);
}

static void acknowledge_cut(struct gate *gate, const struct msg_cut *cut)
{
    if (gate && gate->channel && channel_send(gate->channel, MSG_CUT_DONE, cut, -1) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "a cut could not be acknowledged");
}

/* An honest gate says where it cuts a segment again to each new channel until it hears that this is
 * done, and nowhere else. The answer to one that is being cut is on its way. */
static void cut_again(struct gate *gate, const struct segment *segment, const struct msg_cut *cut)
{
    if (cut->upto != segment->refused)
        gate_refuse(gate, "it cut a segment in two places");
    else if (!segment->is_cutting)
        acknowledge_cut(gate, cut);
}

static void on_cut(void *owner, struct channel *channel, const void *message, int fd)
{
    struct gate *gate = owner;
    const struct msg_cut *m = message;
    struct segment *segment;

    (void)channel, (void)fd;
    if (!may_speak_of(gate, m->generation, m->upto))
        return;
    segment = segment_of(gate, m->generation);
    if (!segment)
        acknowledge_cut(gate, m);
    else if (segment->refused != 0)
        cut_again(gate, segment, m);
    else if (m->upto < segment->stated || m->upto < segment->taken ||
             segment_has_behind(segment, m->upto))
        gate_refuse(gate, "it cut what it had stated as good");
    else
        segment_cut(gate->queue, segment, m->upto);
}

void gate_cut_done(struct queue *queue, struct segment *segment, uint64_t upto)
{
    struct msg_cut message = { .generation = segment->generation, .upto = upto };

    (void)queue;
    segment->is_orphan = true;
    segment->is_asked = false;
    acknowledge_cut(segment->gate, &message);
}

static void on_held_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    struct gate *gate = owner;
    const struct msg_held_ask *m = message;
    struct msg_held_answer answer = { .request = m->request,
        .has_room = release_has_room(gate->queue, m->user, m->size) };

    (void)fd;
    if (channel_send(channel, MSG_HELD_ANSWER, &answer, -1) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "a gate did not hear whether more may be held");
}

static void on_partial_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    partials_ask(owner, message);
}

static void on_partial_keep(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    partials_keep(owner, message);
}

static void on_partial_end(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    partials_end(owner, message);
}

static const struct channel_handler handlers[] = {
    { MSG_HELD_ASK, on_held_ask },
    { MSG_NEED, on_need },
    { MSG_PARTIAL_ASK, on_partial_ask },
    { MSG_PARTIAL_KEEP, on_partial_keep },
    { MSG_PARTIAL_END, on_partial_end },
    { MSG_DOORBELL, on_doorbell },
    { MSG_CUT, on_cut },
};

static struct gate *gate_for(struct queue *queue, uint32_t index)
{
    struct gate *gate;

    LL_FOREACH (queue->gates, gate)
        if (gate->index == index)
            return gate;
    gate = need_memory(sizeof *gate);
    gate->queue = queue;
    gate->index = index;
    LL_APPEND(queue->gates, gate);
    return gate;
}

void gate_connect(struct queue *queue, uint32_t index, int fd)
{
    struct gate *gate = gate_for(queue, index);
    struct channel_spec spec = {
        .self = ROLE_QUEUE,
        .peer = ROLE_GATE,
        .peer_index = index,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_closed,
        .owner = gate,
    };

    if (gate->channel)
        on_closed(gate, gate->channel);
    gate->since_ms = clock_mono_ms();
    gate->channel = channel_new(queue->loop, fd, &spec);
    if (!gate->channel)
        log_event(LOG_ERROR, NULL, "no channel", log_text("room", "gate"), log_reason(ERR_NOMEM));
    gates_serve(queue);
}

/* ---- segments of which nobody speaks ---- */

/* Somebody can write there and has not said how far it is good, so the start is not complete. */
static bool is_silent(const struct segment *segment)
{
    return segment->is_locked && segment->stated == 0 && !segment->is_owned &&
           !segment->is_cutting && !segment->is_ours;
}

static struct segment *find_silent(struct queue *queue)
{
    struct segment *segment, *next;

    HASH_ITER (hh, queue->segments, segment, next)
        if (is_silent(segment))
            return segment;
    return NULL;
}

/* Who comes first: whose the segment is known to be; who is being asked; who has never spoken. */
static unsigned suspicion(const struct gate *gate, const struct segment *segment)
{
    return (unsigned)(segment->handed_to == gate) << 2 | (unsigned)(gate->silences > 0) << 1 |
           (unsigned)!gate->has_spoken;
}

/* The lock does not tell whose it is, so one after the other. NULL: nobody is left. */
static struct gate *suspect(struct queue *queue, const struct segment *segment)
{
    struct gate *gate, *best = NULL;

    LL_FOREACH (queue->gates, gate)
        if (gate->silences < SILENCES_MOST &&
            (!best || suspicion(gate, segment) > suspicion(best, segment)))
            best = gate;
    return best;
}

static void begin_anew(struct queue *queue)
{
    struct gate *gate;

    LL_FOREACH (queue->gates, gate)
        gate->silences = 0;
}

static int64_t patience_with(const struct gate *gate)
{
    int64_t whole = gate->queue->upkeep.silence_ms;

    return gate->channel && gate->silences > 0 ? whole / SILENCE_PART : whole;
}

/* An honest gate states all that it has to each new channel. One that does not has its channel
 * closed, until the supervisor ends it; then the lock is free. */
void gates_tick(struct queue *queue)
{
    const struct segment *segment = queue->is_recovered ? NULL : find_silent(queue);
    struct gate *gate = segment ? suspect(queue, segment) : NULL;

    if (segment && !gate)
        begin_anew(queue);
    if (!gate || clock_mono_ms() - gate->since_ms < patience_with(gate))
        return;
    gate->silences++;
    gate->since_ms = clock_mono_ms();
    if (!gate->channel)
        return;
    log_event(LOG_WARNING, NULL, "nobody says how far a segment is good",
        log_number("segment", (int64_t)segment->generation), log_number("gate", gate->index));
    on_closed(gate, gate->channel);
}

/* One that is still locked is held: only the channel broke. */
static void swept(void *owner, enum store_kind kind, uint64_t number, enum err result)
{
    struct queue *queue = owner;
    struct body *body;

    (void)kind;
    HASH_FIND(hh, queue->bodies, &number, sizeof number, body);
    if (queue->phase == QUEUE_DRAINED || !body)
        return;
    body->is_going = false;
    body->is_left &= result != ERR_BUSY;
    if (!body->gate || (result != ERR_OK && result != ERR_NOTFOUND))
        return;
    body->gate->spares_held--;
    HASH_DEL(queue->bodies, body);
    free(body);
}

/* Spares that a gate held when it died: once all its segments are read, no record can name them. */
void gates_sweep(struct queue *queue)
{
    struct segment *segment, *next;
    struct body *body, *after;

    HASH_ITER (hh, queue->segments, segment, next)
        if (!segment->is_owned && !segment->gate && !segment->is_ours)
            return;
    HASH_ITER (hh, queue->bodies, body, after) {
        if (!body->gate || !body->is_left || body->is_going)
            continue;
        body->is_going = true;
        stock_remove(&queue->stock, STORE_BODY, body->number, swept, queue);
    }
}

void gates_clear(struct queue *queue)
{
    struct gate *gate, *next;

    LL_FOREACH_SAFE (queue->gates, gate, next) {
        LL_DELETE(queue->gates, gate);
        if (gate->channel)
            channel_free(&gate->channel);
        free(gate);
    }
}
