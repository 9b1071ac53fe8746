/* queue/carrier.c: the channels to relays and maildrop. Nothing is given to a carrier before it has
 * said what it has in hand. */
#include <stdlib.h>

#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"

/* Outcomes that were not acknowledged follow MSG_IN_HAND at once; a job that comes neither way died
 * with its process. */
enum { LOST_AFTER_MS = 1000 };

struct carrier *carrier_find(struct queue *queue, enum role role, uint32_t index)
{
    if (role == ROLE_MAILDROP)
        return &queue->maildrop;
    return role == ROLE_RELAY && index < queue->relay_count ? &queue->relays[index] : NULL;
}

bool carrier_is_open(void *owner, enum role role, uint32_t index)
{
    const struct carrier *carrier = carrier_find(owner, role, index);

    return carrier && carrier->is_open;
}

static void set_open(struct carrier *carrier, bool is_open)
{
    struct queue *queue = carrier->queue;

    carrier->is_open = is_open;
    destinations_served(&queue->destinations, carrier->role, carrier->index);
    schedule_kick(queue);
}

static void end_lost(void *owner)
{
    struct carrier *carrier = owner;
    struct job *job, *next;
    size_t count = 0;

    HASH_ITER (hh, carrier->queue->jobs, job, next) {
        if (job->carrier != carrier || !job->is_lost)
            continue;
        job_end(carrier->queue, job);
        count++;
    }
    if (count > 0)
        log_event(LOG_NOTICE, NULL, "jobs of a dead process are scheduled again",
            log_text("room", role_name(carrier->role)), log_number("index", carrier->index),
            log_number("jobs", (int64_t)count));
}

static void note_foreign(struct carrier *carrier, const struct msg_job_ref *ref)
{
    struct queue *queue = carrier->queue;
    struct queue_id id = { ref->id_high, ref->id_low };
    struct message *message = message_find(&queue->messages, id);
    struct foreign *foreign, *first;

    if (message) {
        job_adopt(queue, carrier, ref->job, message);
        return;
    }
    if (queue->is_recovered)
        return;
    foreign = need_memory(sizeof *foreign);
    *foreign = (struct foreign){
        .number = ref->job, .id = id, .carrier = carrier, .saying = carrier->sayings
    };
    HASH_FIND(hh, queue->foreigners, &id, sizeof id, first);
    if (first) {
        foreign->next = first->next;
        first->next = foreign;
    } else {
        HASH_ADD(hh, queue->foreigners, id, sizeof foreign->id, foreign);
    }
}

void carrier_claim(struct queue *queue, struct message *message)
{
    struct foreign *foreign, *next;

    HASH_FIND(hh, queue->foreigners, &message->id, sizeof message->id, foreign);
    if (foreign)
        HASH_DEL(queue->foreigners, foreign);
    for (; foreign; foreign = next) {
        next = foreign->next;
        /* What a carrier said before its latest saying died with it. */
        if (foreign->saying == foreign->carrier->sayings && !job_find(queue, foreign->number))
            job_adopt(queue, foreign->carrier, foreign->number, message);
        free(foreign);
    }
}

void carriers_forget(struct queue *queue)
{
    struct foreign *first, *after, *foreign, *next;

    HASH_ITER (hh, queue->foreigners, first, after) {
        HASH_DEL(queue->foreigners, first);
        for (foreign = first; foreign; foreign = next) {
            next = foreign->next;
            free(foreign);
        }
    }
}

static void on_in_hand(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;
    struct queue *queue = carrier->queue;
    const struct msg_in_hand *m = message;
    struct job *job, *next;

    (void)channel, (void)fd;
    carrier->sayings++;
    HASH_ITER (hh, queue->jobs, job, next) {
        if (job->carrier != carrier || job->is_fetching)
            continue;
        job->is_lost = true;
        job->claim_count = 0;
    }
    for (size_t i = 0; i < m->job_count; i++) {
        job = job_find(queue, m->jobs[i].job);
        if (job && job->carrier == carrier)
            job->is_lost = false;
        else if (!job && m->jobs[i].job < queue->first_job)
            note_foreign(carrier, &m->jobs[i]);
    }
    timer_set(&carrier->lost, LOST_AFTER_MS);
    set_open(carrier, true);
}

static void on_outcome(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;

    (void)channel, (void)fd;
    outcome_take(carrier->queue, carrier, message);
}

static const struct channel_handler handlers[] = {
    { MSG_IN_HAND, on_in_hand },
    { MSG_OUTCOME, on_outcome },
};

void carriers_forgive(struct queue *queue)
{
    struct msg_empty nothing = { 0 };

    /* A relay that is not there has forgotten already. */
    for (size_t i = 0; i < queue->relay_count; i++)
        if (queue->relays[i].channel)
            (void)channel_send(queue->relays[i].channel, MSG_FORGIVE, &nothing, -1);
}

static void on_closed(void *owner, struct channel *channel)
{
    struct carrier *carrier = owner;

    (void)channel;
    timer_stop(&carrier->lost);
    channel_free(&carrier->channel);
    set_open(carrier, false);
}

void carrier_connect(struct carrier *carrier, int fd)
{
    struct channel_spec spec = {
        .self = ROLE_QUEUE,
        .peer = carrier->role,
        .peer_index = carrier->index,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_closed,
        .owner = carrier,
    };

    if (carrier->channel)
        on_closed(carrier, carrier->channel);
    carrier->channel = channel_new(carrier->queue->loop, fd, &spec);
    if (!carrier->channel)
        log_event(LOG_ERROR, NULL, "no channel", log_text("room", role_name(carrier->role)),
            log_reason(ERR_NOMEM));
}

void carrier_init(struct queue *queue, struct carrier *carrier, enum role role, uint32_t index)
{
    *carrier = (struct carrier){ .queue = queue, .role = role, .index = index };
    timer_init(&carrier->lost, queue->loop, end_lost, carrier);
}

void carrier_clear(struct carrier *carrier)
{
    timer_stop(&carrier->lost);
    if (carrier->channel)
        channel_free(&carrier->channel);
    carrier->is_open = false;
}
