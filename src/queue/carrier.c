/* queue/carrier.c: the channels to relays and maildrop. Nothing is given to a carrier before it has
 * said what it has in hand. */
#include <stdlib.h>

#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"

/* Outcomes that were not acknowledged follow MSG_IN_HAND at once; a job that comes neither way died
 * with its process. */
enum {
    LOST_AFTER_MS = 1000,
    /* A message goes in as many jobs as it has recipients at most, each with an earlier attempt
     * that could not be acknowledged. */
    FOREIGNERS_OF_ONE = 2 * ENVELOPE_RECIPIENTS_MAX,
    /* All outcomes of a carrier that came before their messages: 10,000 jobs, which is the most
     * that a configuration allows, with a long reply each. */
    KEPT_OCTETS = 32 << 20,
};

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

/* Until it names them anew. */
static void doubt_jobs(struct carrier *carrier)
{
    struct job *job, *next;

    HASH_ITER (hh, carrier->queue->jobs, job, next) {
        if (job->carrier != carrier || job->is_fetching)
            continue;
        job->is_lost = true;
        job_ask_claims(job);
    }
}

static void settle_claims(struct carrier *carrier)
{
    struct job *job, *next;

    HASH_ITER (hh, carrier->queue->jobs, job, next)
        if (job->carrier == carrier)
            job_settle_claims(carrier->queue, job);
}

/* Does the supervisor start it again when it has ended? */
static bool is_wanted(const struct carrier *carrier)
{
    const struct conf *conf = carrier->queue->conf;

    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].via == CONF_VIA_MAILDIR)
            return true;
    return carrier->role != ROLE_MAILDROP;
}

/* Nobody comes any more to say what it has in hand. Only its channel may have broken: then it is
 * made another soon, or it is ended. */
static void await_end(struct carrier *carrier)
{
    if (!carrier->channel && !carrier->lost.is_set && !is_wanted(carrier))
        timer_set(&carrier->lost, carrier->queue->upkeep.gone_ms);
}

static void end_lost(void *owner)
{
    struct carrier *carrier = owner;
    struct job *job, *next;
    size_t count = 0;

    if (!carrier->channel && is_wanted(carrier))
        return;
    if (!carrier->channel) {
        doubt_jobs(carrier);
        settle_claims(carrier);
    }
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

/* ---- what a carrier has since an earlier life of the queue ---- */

static struct foreign *foreign_find(
    const struct carrier *carrier, struct queue_id id, uint64_t number)
{
    struct foreign *foreign;

    HASH_FIND(hh, carrier->queue->foreigners, &id, sizeof id, foreign);
    while (foreign && (foreign->number != number || foreign->carrier != carrier))
        foreign = foreign->next;
    return foreign;
}

static void foreign_add(struct carrier *carrier, struct queue_id id, uint64_t number)
{
    struct queue *queue = carrier->queue;
    struct foreign *foreign, *first;

    HASH_FIND(hh, queue->foreigners, &id, sizeof id, first);
    if (first && first->others >= FOREIGNERS_OF_ONE)
        return;
    foreign = need_memory(sizeof *foreign);
    *foreign = (struct foreign){
        .number = number, .id = id, .carrier = carrier, .saying = carrier->sayings
    };
    buffer_init(&foreign->outcome, FRAME_MAX);
    destinations_occupy(&queue->destinations);
    if (first) {
        foreign->next = first->next;
        first->next = foreign;
        first->others++;
    } else {
        HASH_ADD(hh, queue->foreigners, id, sizeof foreign->id, foreign);
    }
}

static void foreign_free(struct foreign *foreign)
{
    destinations_vacate(&foreign->carrier->queue->destinations);
    foreign->carrier->kept_octets -= foreign->outcome.len;
    buffer_clear(&foreign->outcome);
    free(foreign);
}

/* What a carrier said before its latest saying died with it; what it told is true all the same. */
static bool is_stale(const struct foreign *foreign)
{
    return foreign->saying != foreign->carrier->sayings && foreign->outcome.len == 0;
}

static void forget_stale(struct queue *queue)
{
    struct foreign *first, *after, *foreign, *next, *all = NULL;

    HASH_ITER (hh, queue->foreigners, first, after) {
        struct foreign *kept = NULL;
        HASH_DEL(queue->foreigners, first);
        for (foreign = first; foreign; foreign = next) {
            next = foreign->next;
            if (is_stale(foreign)) {
                foreign_free(foreign);
                continue;
            }
            foreign->others = kept ? kept->others + 1 : 0;
            foreign->next = kept;
            kept = foreign;
        }
        if (kept)
            HASH_ADD(hh, all, id, sizeof kept->id, kept);
    }
    queue->foreigners = all;
}

/* A number that this life has not given out. Only a carrier that this life has not met before can
 * have such a job: all that it ever had of an earlier one it named then. */
static void note_foreign(struct carrier *carrier, const struct msg_job_ref *ref)
{
    struct queue *queue = carrier->queue;
    struct queue_id id = { ref->id_high, ref->id_low };
    struct message *message = message_find(&queue->messages, id);
    bool is_first = carrier->sayings == 1;
    struct job *job = message ? job_foreign(carrier, message) : NULL;
    struct foreign *foreign;

    if (message && is_first) {
        job_adopt(queue, carrier, ref->job, message);
    } else if (message) {
        if (job)
            job_confirm_claim(job, ref->job);
    } else if (is_first) {
        if (!queue->is_recovered)
            foreign_add(carrier, id, ref->job);
    } else if ((foreign = foreign_find(carrier, id, ref->job))) {
        foreign->saying = carrier->sayings;
    }
}

bool carrier_keep(struct carrier *carrier, const struct msg_outcome *outcome)
{
    struct queue_id id = { outcome->id_high, outcome->id_low };
    struct foreign *foreign = foreign_find(carrier, id, outcome->job);

    if (!foreign || is_stale(foreign))
        return false;
    if (foreign->outcome.len > 0)
        return true;
    pack(&foreign->outcome, message_row(MSG_OUTCOME)->shape, outcome);
    need(foreign->outcome.error == ERR_OK);
    carrier->kept_octets += foreign->outcome.len;
    if (carrier->kept_octets > KEPT_OCTETS)
        carrier_refuse(carrier, "its outcomes are too long to be kept");
    return true;
}

static void take_kept(struct foreign *foreign)
{
    struct cursor in = cursor_of(buffer_slice(&foreign->outcome));
    struct msg_outcome outcome;
    struct arena arena;

    arena_init(&arena, FRAME_MAX);
    need(unpack(&in, message_row(MSG_OUTCOME)->shape, &arena, &outcome) == ERR_OK);
    outcome_take(foreign->carrier->queue, foreign->carrier, &outcome);
    arena_clear(&arena);
}

static void foreigners_end(struct foreign *foreign, bool is_taken)
{
    struct foreign *next;

    for (; foreign; foreign = next) {
        next = foreign->next;
        if (is_taken && foreign->outcome.len > 0)
            take_kept(foreign);
        foreign_free(foreign);
    }
}

void carrier_claim(struct queue *queue, struct message *message)
{
    struct foreign *first, *foreign;

    HASH_FIND(hh, queue->foreigners, &message->id, sizeof message->id, first);
    if (first)
        HASH_DEL(queue->foreigners, first);
    for (foreign = first; foreign; foreign = foreign->next)
        if (!is_stale(foreign) && !job_find(queue, foreign->number))
            job_adopt(queue, foreign->carrier, foreign->number, message);
    foreigners_end(first, true);
}

void carriers_forget(struct queue *queue, bool is_acknowledged)
{
    struct foreign *first, *after;

    HASH_ITER (hh, queue->foreigners, first, after) {
        HASH_DEL(queue->foreigners, first);
        foreigners_end(first, is_acknowledged);
    }
}

/* ---- the channel ---- */

static void on_in_hand(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;
    struct queue *queue = carrier->queue;
    const struct msg_in_hand *m = message;
    struct job *job;

    (void)channel, (void)fd;
    if (carrier->is_open) {
        carrier_refuse(carrier, "it said twice what it has in hand");
        return;
    }
    carrier->sayings++;
    doubt_jobs(carrier);
    for (size_t i = 0; i < m->job_count; i++) {
        job = job_find(queue, m->jobs[i].job);
        if (job && job->carrier == carrier)
            job->is_lost = false;
        else if (!job && m->jobs[i].job < queue->first_job)
            note_foreign(carrier, &m->jobs[i]);
    }
    settle_claims(carrier);
    forget_stale(queue);
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

void carriers_reload(struct queue *queue)
{
    for (size_t i = 0; i < queue->relay_count; i++)
        await_end(&queue->relays[i]);
    await_end(&queue->maildrop);
}

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
    carrier->is_strange = false;
    set_open(carrier, false);
    await_end(carrier);
}

void carrier_refuse(struct carrier *carrier, const char *why)
{
    log_event(LOG_WARNING, NULL, "a carrier broke the rules",
        log_text("room", role_name(carrier->role)), log_number("index", carrier->index),
        log_text("because", why));
    if (carrier->channel)
        on_closed(carrier, carrier->channel);
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
    timer_stop(&carrier->lost);
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
