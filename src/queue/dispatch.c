/* queue/dispatch.c: makes jobs of recipients whose turn it is: reads the record on a hand, then
 * gives it to the carrier, a large body as a read-only descriptor, never a segment. Owns struct
 * job. */
#include <stdlib.h>

#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"
#include "spool/body.h"
#include "spool/segment.h"

enum {
    JOB_MEMORY = 256 << 10,
    RECORD_MEMORY = 4 << 20,
    PAUSE_AFTER_TROUBLE_S = 10,
    STALE_A_TURN = 1000,
    /* Claims on a message, above one for each recipient: attempts that were told and could not be
     * acknowledged. */
    CLAIMS_MORE = 64,
    /* No attempt lasts so long. */
    IN_HAND_GRACE_S = 86400,
    SECOND = 1000000,
};

/* What the hand reads. Lives as long as the reading takes. */
struct fetch {
    struct disk *disk;
    struct store *store; /* only for store_open_read, which keeps no state */
    struct place place;
    struct queue_id id;
    struct buffer bytes;
    struct arena arena;
    struct record record;
    int body;
    enum err result;
};

struct job *job_find(struct queue *queue, uint64_t number)
{
    struct job *job;

    HASH_FIND(hh, queue->jobs, &number, sizeof number, job);
    return job;
}

static struct job *job_new(struct queue *queue, struct carrier *carrier, uint64_t number,
    struct message *message, size_t most)
{
    struct job *job = need_memory(sizeof *job);

    job->number = number;
    job->carrier = carrier;
    job->message = message;
    job->recipients = need_memory(most * sizeof *job->recipients);
    arena_init(&job->arena, JOB_MEMORY);
    HASH_ADD(hh, queue->jobs, number, sizeof job->number, job);
    return job;
}

/* A day after its time is over a carrier has had the message long enough: whatever it says, no mail
 * is kept for ever. */
static int64_t in_hand_until(struct queue *queue, const struct message *message)
{
    int64_t grace = (int64_t)IN_HAND_GRACE_S * SECOND;
    int64_t expiry = message_expiry_us(queue, message), now = time_now(queue);

    if (expiry < now)
        expiry = now;
    return expiry > INT64_MAX - grace ? INT64_MAX : expiry + grace;
}

static void job_add(struct queue *queue, struct job *job, struct recipient *r, int64_t until_us)
{
    recipient_move(&queue->messages, r, RECIPIENT_IN_HAND, until_us, NULL);
    r->job = job;
    job->recipients[job->count++].recipient = r;
}

static void job_free(struct job *job)
{
    arena_clear(&job->arena);
    free(job->recipients);
    free(job->claims);
    free(job);
}

static bool is_of(const struct job *job, const struct recipient *r)
{
    return r->state == RECIPIENT_IN_HAND && r->job == job;
}

/* ---- jobs of an earlier life ---- */

static bool has_any(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (is_of(job, job->recipients[i].recipient))
            return true;
    return false;
}

bool job_has_claim(const struct job *job, uint64_t number)
{
    for (size_t i = 0; i < job->claim_count; i++)
        if (job->claims[i] == number)
            return true;
    return false;
}

static void job_claim(struct queue *queue, struct job *job, uint64_t number)
{
    if (job->claim_count >= job->message->recipient_count + CLAIMS_MORE ||
        job_has_claim(job, number))
        return;
    if (!job->claims)
        job->claims =
            need_memory((job->message->recipient_count + CLAIMS_MORE) * sizeof *job->claims);
    job->claims[job->claim_count++] = number;
    destinations_occupy(&queue->destinations);
}

static void drop_claim(struct queue *queue, struct job *job, uint64_t number)
{
    for (size_t i = 0; i < job->claim_count; i++)
        if (job->claims[i] == number) {
            job->claims[i] = job->claims[--job->claim_count];
            destinations_vacate(&queue->destinations);
            return;
        }
}

void job_ask_claims(struct job *job)
{
    job->claims_before = job->claim_count;
    job->claim_count = 0;
}

void job_confirm_claim(struct job *job, uint64_t number)
{
    for (size_t i = job->claim_count; i < job->claims_before; i++)
        if (job->claims[i] == number) {
            job->claims[i] = job->claims[job->claim_count];
            job->claims[job->claim_count++] = number;
            return;
        }
}

void job_settle_claims(struct queue *queue, struct job *job)
{
    for (; job->claims_before > job->claim_count; job->claims_before--)
        destinations_vacate(&queue->destinations);
    job->claims_before = 0;
}

struct job *job_foreign(const struct carrier *carrier, const struct message *message)
{
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const struct recipient *r = &message->recipients[i];
        if (r->state == RECIPIENT_IN_HAND && r->job->is_foreign && r->job->carrier == carrier)
            return r->job;
    }
    return NULL;
}

/* One of the jobs that it stands for has ended. False: no other goes on. */
static bool job_pass_on(struct queue *queue, struct job *job)
{
    while (job->claim_count > 0 && has_any(job)) {
        uint64_t number = job->claims[--job->claim_count];
        destinations_vacate(&queue->destinations);
        if (job_find(queue, number))
            continue;
        HASH_DEL(queue->jobs, job);
        job->number = number;
        job->is_lost = false;
        HASH_ADD(hh, queue->jobs, number, sizeof job->number, job);
        return true;
    }
    return false;
}

void job_end(struct queue *queue, struct job *job)
{
    struct message *message = job->message;

    if (job_pass_on(queue, job))
        return;
    for (size_t i = 0; i < job->count; i++) {
        struct recipient *r = job->recipients[i].recipient;
        if (!is_of(job, r))
            continue;
        r->job = NULL;
        schedule_place(queue, r);
    }
    if (queue->phase != QUEUE_DRAINED)
        unwanted_end(queue, message);
    if (job->destination)
        destination_ended(&queue->destinations, job->destination);
    job->destination = NULL;
    for (size_t i = 0; i < job->claim_count + 1; i++)
        destinations_vacate(&queue->destinations);
    HASH_DEL(queue->jobs, job);
    schedule_kick(queue);
    if (job->is_fetching)
        job->is_void = true;
    else
        job_free(job);
    message_release(queue, message);
    drain_check(queue);
}

void job_disclaim(struct queue *queue, struct job *job, uint64_t number)
{
    drop_claim(queue, job, number);
    if (!has_any(job))
        job_end(queue, job);
}

void job_give_up(struct queue *queue, struct job *job)
{
    job_ask_claims(job);
    job_settle_claims(queue, job);
    job_end(queue, job);
}

void job_adopt(
    struct queue *queue, struct carrier *carrier, uint64_t number, struct message *message)
{
    struct job *job = job_foreign(carrier, message);
    int64_t until_us = in_hand_until(queue, message);

    if (job) {
        job_claim(queue, job, number);
        return;
    }
    destinations_occupy(&queue->destinations);
    job = job_new(queue, carrier, number, message, message->recipient_count);
    job->is_foreign = true;
    message->uses++;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        struct destination *d;
        if (r->state != RECIPIENT_WAITING && r->state != RECIPIENT_READY &&
            r->state != RECIPIENT_HELD)
            continue;
        d = domain_route(&queue->destinations, queue->conf, r->domain);
        if (d && d->carrier == carrier->role && d->carrier_index == carrier->index)
            job_add(queue, job, r, until_us);
    }
    /* It has nothing of ours: what is claimed in vain costs no memory. */
    if (job->count == 0)
        job_end(queue, job);
}

void message_damaged(struct queue *queue, struct message *message, enum err reason)
{
    char id[QUEUE_ID_TEXT + 1];

    queue_id_format(message->id, id);
    log_event(LOG_ERROR, NULL, EVENT_DAMAGED, log_text("id", id),
        log_number("segment", (int64_t)message->segment->generation),
        log_number("offset", (int64_t)message->offset), log_reason(reason));
    queue->counters.damaged += !message->is_damaged;
    message->is_damaged = true;
    message_hold(&queue->messages, message, true);
    schedule_message(queue, message);
}

/* It reads back after all, since an operator has released it: mail like any other, which may be
 * moved and comes to its end. */
static void message_mended(struct message *message)
{
    if (!message->is_damaged)
        return;
    message->is_damaged = false;
    message->segment->is_spent = false;
}

/* ---- reading ---- */

/* A body is read whole before each attempt: what the disk has spoilt must not be sent, and a relay
 * that has begun to send cannot take it back (QUE-14). On a thread of its own, so nothing waits. */
static enum err open_body(struct fetch *fetch)
{
    const struct envelope *envelope = &fetch->record.envelope;
    enum err rc = store_open_read(fetch->store, STORE_BODY, envelope->body_file, &fetch->body);

    if (rc == ERR_OK)
        rc =
            body_file_check(fetch->disk, fetch->body, envelope->body_size, envelope->body_checksum);
    return rc;
}

static void fetch_work(struct hand_job *hand)
{
    struct fetch *fetch = CONTAINER_OF(hand, struct job, hand)->fetch;

    fetch->result = segment_load(fetch->disk, fetch->place.handle, fetch->place.generation,
        fetch->place.offset, fetch->id, &fetch->bytes, &fetch->arena, &fetch->record);
    if (fetch->result == ERR_OK && fetch->record.envelope.body_file != 0)
        fetch->result = open_body(fetch);
}

static void fetch_free(struct fetch *fetch)
{
    disk_close(fetch->disk, &fetch->body);
    buffer_clear(&fetch->bytes);
    arena_clear(&fetch->arena);
    free(fetch);
}

/* The addresses are kept as long as the job: for the journal. */
static bool put_recipients(
    struct job *job, const struct envelope *envelope, struct msg_recipient *rows)
{
    for (size_t i = 0; i < job->count; i++) {
        uint32_t index = recipient_index(job->recipients[i].recipient);
        struct slice *address = &job->recipients[i].address;
        if (index >= envelope->recipient_count ||
            !arena_copy(&job->arena, envelope->recipients[index].address, address))
            return false;
        rows[i] = (struct msg_recipient){
            .index = index,
            .address = *address,
            .notify = envelope->recipients[index].notify,
            .orcpt = envelope->recipients[index].orcpt,
            .rrvs = (uint8_t)envelope->recipients[index].rrvs,
            .rrvs_since = envelope->recipients[index].rrvs_since,
        };
    }
    return true;
}

static void put_parameters(const struct envelope *from, struct msg_job *job)
{
    int64_t arrival = from->arrival_us / SECOND;

    job->ret = (uint8_t)from->ret;
    job->envid = from->envid;
    job->require_tls = from->require_tls;
    job->by = (uint8_t)from->by;
    job->by_trace = from->by_trace;
    job->by_time = arrival + from->by_seconds;
    job->priority = from->priority;
    job->mtrk_certifier = from->mtrk_certifier;
    job->mtrk_until = from->mtrk_timeout > 0 ? arrival + from->mtrk_timeout : 0;
    job->solicit = from->solicit;
    job->conperm = from->conperm;
}

static enum err send_job(struct job *job, struct fetch *fetch)
{
    const struct envelope *envelope = &fetch->record.envelope;
    struct msg_recipient rows[JOB_RECIPIENTS];
    struct msg_job message = {
        .job = job->number,
        .snapshot = job->destination->snapshot,
        .route = job->destination->route,
        .id_high = envelope->id.high,
        .id_low = envelope->id.low,
        .arrival_us = envelope->arrival_us,
        .destination = slice_text(job->destination->address),
        .sender = envelope->sender,
        .eight_bit = envelope->eight_bit_body,
        .eight_bit_header = envelope->eight_bit_header,
        .binary = envelope->body_kind == ENVELOPE_BINARYMIME,
        .smtputf8 = envelope->smtputf8,
        .recipients = rows,
        .recipient_count = job->count,
        .header = fetch->record.header,
        .body = fetch->record.body,
        .body_size = envelope->body_size,
    };
    int body = fetch->body;

    put_parameters(envelope, &message);
    if (!put_recipients(job, envelope, rows))
        return ERR_CORRUPT;
    fetch->body = -1;
    return channel_send(job->carrier->channel, MSG_JOB, &message, body);
}

/* Something here failed, not the next hop: no attempt is counted. */
static void put_off(struct queue *queue, struct job *job, enum err reason)
{
    uint32_t later = time_seconds(time_now(queue)) + PAUSE_AFTER_TROUBLE_S;

    log_event(LOG_ERROR, NULL, "could not read a message; trying later", log_reason(reason));
    for (size_t i = 0; i < job->count; i++) {
        struct recipient *r = job->recipients[i].recipient;
        if (is_of(job, r))
            r->next_s = later;
    }
}

static void fetch_done(struct hand_job *hand)
{
    struct job *job = CONTAINER_OF(hand, struct job, hand);
    struct fetch *fetch = job->fetch;
    struct queue *queue = job->carrier->queue;
    struct message *message = job->message;
    enum err rc = fetch->result;

    job->is_fetching = false;
    job->fetch = NULL;
    if (rc == ERR_OK && !job->is_void)
        message_mended(message);
    if (job->is_void) {
        job_free(job);
    } else if (!job->carrier->is_open) {
        job_end(queue, job);
    } else {
        if (rc == ERR_OK)
            rc = send_job(job, fetch);
        if (rc == ERR_CORRUPT || rc == ERR_INVALID || rc == ERR_NOTFOUND || rc == ERR_LIMIT)
            message_damaged(queue, message, rc);
        else if (rc != ERR_OK && rc != ERR_CLOSED)
            put_off(queue, job, rc);
        if (rc != ERR_OK)
            job_end(queue, job);
    }
    place_release(queue, &fetch->place);
    fetch_free(fetch);
}

static void fetch_begin(struct queue *queue, struct job *job)
{
    struct message *message = job->message;
    struct fetch *fetch = need_memory(sizeof *fetch);

    fetch->disk = queue->seam;
    fetch->store = &queue->stock.store;
    fetch->place = place_take(message);
    fetch->id = message->id;
    fetch->body = -1;
    buffer_init(&fetch->bytes, RECORD_MAX);
    arena_init(&fetch->arena, RECORD_MEMORY);
    job->fetch = fetch;
    job->is_fetching = true;
    job->hand = (struct hand_job){ .work = fetch_work, .done = fetch_done };
    hands_give(queue->disk, &job->hand);
}

/* It waits where an earlier configuration would have sent it. */
static bool is_stale(struct queue *queue, const struct recipient *r)
{
    return domain_route(&queue->destinations, queue->conf, r->domain) != r->lane->key.destination;
}

/* All of the message that are ready for the same place, up to the limit of a transaction (QUE-8).
 */
static void job_begin(struct queue *queue, struct recipient *first)
{
    struct message *message = first->message;
    struct destination *d = first->lane->key.destination;
    struct carrier *carrier = carrier_find(queue, d->carrier, d->carrier_index);
    struct job *job = job_new(queue, carrier, queue->next_job++, message, JOB_RECIPIENTS);
    int64_t until_us = in_hand_until(queue, message);

    destination_began(&queue->destinations, d);
    job->destination = d;
    message->uses++;
    for (uint32_t i = 0; i < message->recipient_count && job->count < JOB_RECIPIENTS; i++) {
        struct recipient *r = &message->recipients[i];
        if (r->state == RECIPIENT_READY && r->lane->key.destination == d && !is_stale(queue, r))
            job_add(queue, job, r, until_us);
    }
    fetch_begin(queue, job);
}

void dispatch_fill(struct queue *queue)
{
    struct recipient *r;
    int stale = 0;

    while (stale < STALE_A_TURN && (r = destinations_pick(&queue->destinations))) {
        if (is_stale(queue, r)) {
            schedule_place(queue, r);
            stale++;
        } else if (r->lane->key.destination->offered !=
                   OFFER_NONE) { /* still, by its new settings */
            job_begin(queue, r);
        }
    }
}
