/* queue/outcome.c: what became of a job: into memory at once, into the journal with the next
 * commit, and only then acknowledged to the carrier (QUE-12). */
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/concurrency.h"
#include "policy/retry.h"
#include "queue/memory.h"
#include "queue/state.h"

enum {
    SECOND = 1000000,
    /* Of one carrier, waiting for the journal: each job has one, and once more for each channel
     * that broke meanwhile. Also as many as it may name in one MSG_IN_HAND. */
    ACKS_MOST = 65536,
};

/* One outcome being taken. */
struct taking {
    struct queue *queue;
    struct carrier *carrier;
    const struct msg_outcome *outcome;
    struct job *job;
    bool is_claim; /* of a job that it stands for, and not of the one whose number it bears */
    struct message *message;
    bool *is_named; /* by an earlier result: for each recipient of the message */
    struct ending *endings;
    size_t ending_count;
    struct ending *successes; /* behind them; of whom the sender is to be told */
    size_t success_count;
    bool has_taken;    /* somebody's mail was taken */
    bool is_strained;  /* the connection was lost, or the server said that it cannot now */
    bool is_unreached; /* nobody answered at all */
    const struct recipient *unreached;
};

static bool is_connection(enum delivery_cause cause)
{
    return cause == CAUSE_CONNECT || cause == CAUSE_LOST || cause == CAUSE_DNS ||
           cause == CAUSE_TLS;
}

static uint32_t chance(void)
{
    uint32_t number = 0;

    (void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
    return number;
}

static struct slice address_of(const struct job *job, const struct recipient *r)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->recipients[i].recipient == r)
            return job->recipients[i].address;
    return (struct slice){ 0 };
}

static struct journal_outcome journal_outcome_of(
    const struct taking *taking, const struct recipient *r, const struct msg_result *result)
{
    const struct msg_outcome *outcome = taking->outcome;

    return (struct journal_outcome){
        .recipient = recipient_index(r),
        .attempt = r->attempts,
        .started_us = outcome->started_us,
        .mailbox = address_of(taking->job, r),
        .cause = (uint8_t)result->cause,
        .code = result->code,
        .status = result->status,
        .host = outcome->remote_host,
        .address = outcome->remote_address,
        .text = result->text,
        .tls_version = outcome->tls_version,
        .tls_cipher = outcome->tls_cipher,
    };
}

static void put(const struct taking *taking, const struct journal_outcome *outcome)
{
    struct journal_entry entry = {
        .kind = JOURNAL_OUTCOME,
        .id = taking->message->id,
        .outcome = *outcome,
    };

    commit_put(&taking->queue->commit, &entry);
}

/* The line that answers "where is my mail?". A relay has said it already; what the queue made of it
 * is news only when it ends. */
static void log_result(
    const struct taking *taking, const char *event, const struct journal_outcome *outcome)
{
    bool is_said = taking->carrier->role == ROLE_RELAY && outcome->result != JOURNAL_EXPIRED;
    char id[QUEUE_ID_TEXT + 1];

    queue_id_format(taking->message->id, id);
    log_event(is_said ? LOG_DEBUG : LOG_INFO, NULL, event, log_text("id", id),
        log_slice("from", message_sender(taking->message)), log_slice("to", outcome->mailbox),
        log_number("attempt", outcome->attempt), log_slice("host", outcome->host),
        log_slice("remote", outcome->address), log_slice("tls", outcome->tls_version),
        log_number("code", outcome->code), log_slice("status", outcome->status),
        log_slice("text", slice_first(outcome->text, 256)));
}

static void end(struct taking *taking, enum recipient_state to, struct journal_outcome *outcome)
{
    static const enum journal_result results[RECIPIENT_STATES] = {
        [RECIPIENT_FAILED] = JOURNAL_FAILED,
        [RECIPIENT_EXPIRED] = JOURNAL_EXPIRED,
        [RECIPIENT_DELETED] = JOURNAL_FAILED,
    };

    outcome->result = results[to];
    log_result(taking, to == RECIPIENT_EXPIRED ? "expired" : "failed", outcome);
    taking->endings[taking->ending_count++] = (struct ending){
        .recipient = outcome->recipient,
        .to = to,
        .outcome = *outcome,
        .at_us = taking->outcome->finished_us,
    };
}

/* Who asked for it is told (EXT-DSN-8). */
static void tell_success(
    struct taking *taking, const struct msg_result *result, const struct journal_outcome *outcome)
{
    taking->successes[taking->success_count++] = (struct ending){
        .recipient = outcome->recipient,
        .to = RECIPIENT_DELIVERED,
        .is_relayed = result->end == END_RELAYED,
        .outcome = *outcome,
        .at_us = taking->outcome->finished_us,
    };
}

static void take_delivered(struct taking *taking, struct recipient *r,
    const struct msg_result *result, struct journal_outcome *outcome)
{
    struct notify_case notify = recipient_notify_case(r);

    outcome->result = JOURNAL_DELIVERED;
    log_result(taking, "delivered", outcome);
    if (notify_on_success(&notify, result->end == END_REPORTED) == NOTIFY_DUE) {
        tell_success(taking, result, outcome);
        return;
    }
    put(taking, outcome);
    taking->queue->counters.delivered++;
    recipient_move(&taking->queue->messages, r, RECIPIENT_DELIVERED, 0, NULL);
}

/* Is the recipient in hand otherwise than by the job that has just ended? Then it waits for that:
 * to try it now might be to send it twice. */
static bool is_in_other_hands(const struct taking *taking)
{
    return taking->is_claim || taking->job->claim_count > 0;
}

static void take_deferred(struct taking *taking, struct recipient *r,
    const struct msg_result *result, struct journal_outcome *outcome)
{
    struct queue *queue = taking->queue;
    int64_t expiry = message_expiry_us(queue, taking->message) / SECOND;
    int64_t now = time_now(queue) / SECOND;
    int64_t next;

    if (now >= expiry && !is_in_other_hands(taking)) {
        end(taking, RECIPIENT_EXPIRED, outcome);
        return;
    }
    next = retry_next(&queue->conf->queue,
        is_connection(result->cause) ? RETRY_CONNECTION : RETRY_REPLY, r->attempts, chance(), now,
        expiry);
    outcome->result = JOURNAL_DEFERRED;
    outcome->next_us = time_to_wall(queue, next * SECOND);
    log_result(taking, "deferred", outcome);
    put(taking, outcome);
    recipient_remember(&queue->messages, r,
        &(struct reply_parts){ outcome->code, outcome->cause, outcome->status, outcome->host,
            outcome->address, outcome->text });
    r->next_s = time_seconds(next * SECOND);
    if (!is_in_other_hands(taking))
        schedule_place(queue, r);
}

/* A result counts for a recipient in this very job, and the first of each: nobody ends what is not
 * in his hands, or twice. */
static struct recipient *recipient_for(const struct taking *taking, uint32_t index)
{
    struct recipient *r;

    if (index >= taking->message->recipient_count || taking->is_named[index])
        return NULL;
    taking->is_named[index] = true;
    r = &taking->message->recipients[index];
    return r->state == RECIPIENT_IN_HAND && r->job == taking->job ? r : NULL;
}

static void take_result(struct taking *taking, const struct msg_result *result)
{
    struct recipient *r = recipient_for(taking, result->index);
    struct journal_outcome outcome;

    if (!r)
        return;
    if (result->result == DELIVERY_RETURNED && !(r->flags & RECIPIENT_UNWANTED)) {
        /* job_end schedules it again; not at once, or a room that is ending would get it back as
         * fast as it returns it. */
        r->next_s = time_seconds(time_now(taking->queue)) + 1;
        return;
    }
    if (result->result != DELIVERY_RETURNED)
        recipient_tried(&taking->queue->messages, r, r->attempts + 1U);
    outcome = journal_outcome_of(taking, r, result);
    if (result->result == DELIVERY_DONE) {
        taking->has_taken = true;
        take_delivered(taking, r, result, &outcome);
    } else if (r->flags & RECIPIENT_UNWANTED) {
        end(taking, RECIPIENT_DELETED, &outcome);
    } else if (result->result == DELIVERY_FAILED) {
        end(taking, RECIPIENT_FAILED, &outcome);
    } else {
        take_deferred(taking, r, result, &outcome);
        taking->is_strained |=
            result->cause == CAUSE_LOST || concurrency_is_strain(result->code, result->status);
        if (result->cause == CAUSE_CONNECT || result->cause == CAUSE_DNS) {
            taking->is_unreached = true;
            taking->unreached = r;
        }
    }
}

static void judge_destination(const struct taking *taking)
{
    struct destinations *ds = &taking->queue->destinations;
    struct destination *d = taking->job->destination; /* NULL: of an earlier life */

    if (!d)
        return;
    if (taking->is_unreached)
        destination_unreachable(ds, d, clock_mono_ms(), taking->unreached->reply);
    else if (taking->outcome->remote_host.len > 0 || taking->has_taken)
        destination_answered(ds, d,
            taking->is_strained ? CONCURRENCY_STRAINED
            : taking->has_taken ? CONCURRENCY_TOOK
                                : CONCURRENCY_ANSWERED);
}

/* ---- acknowledging ---- */

/* The outcome of a carrier's job. It keeps the job's place until it is synced: so what a crash
 * makes us forget is never more than may be in hand, however long the disk takes. Not until it is
 * acknowledged: a notice may have to wait for room on the disk, and deliveries make that room. Nor
 * does the destination's window wait: that learns from how many are really under way there. */
struct told {
    struct ack ack;
    struct carrier *carrier;
    uint64_t job;
    bool has_place;
};

void ack_release(struct ack *ack)
{
    if (ack && --ack->holds == 0)
        ack->released(ack);
}

static void acknowledge(struct ack *ack)
{
    struct told *told = CONTAINER_OF(ack, struct told, ack);
    struct msg_job_ref ref = { .job = told->job };

    told->carrier->acks--;
    if (told->carrier->channel &&
        channel_send(told->carrier->channel, MSG_OUTCOME_DONE, &ref, -1) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "an outcome could not be acknowledged");
    free(told);
}

static void synced(struct commit_wait *wait)
{
    struct ack *ack = CONTAINER_OF(wait, struct ack, wait);
    struct told *told = CONTAINER_OF(ack, struct told, ack);
    struct queue *queue = told->carrier->queue;

    if (told->has_place) {
        destinations_vacate(&queue->destinations);
        schedule_kick(queue);
    }
    ack_release(ack);
}

static struct told *told_new(struct carrier *carrier, uint64_t job)
{
    struct told *told = need_memory(sizeof *told);

    *told = (struct told){
        .ack = { .wait = { .done = synced }, .holds = 1, .released = acknowledge },
        .carrier = carrier,
        .job = job,
    };
    carrier->acks++;
    return told;
}

/* ---- taking ---- */

static void take(struct taking *taking, struct ack *ack)
{
    const struct msg_outcome *outcome = taking->outcome;
    struct queue *queue = taking->queue;

    taking->message->uses++;
    taking->is_named = need_memory(taking->message->recipient_count * sizeof *taking->is_named);
    taking->endings = need_memory(2 * (outcome->result_count + 1) * sizeof *taking->endings);
    taking->successes = taking->endings + outcome->result_count + 1;
    for (size_t i = 0; i < outcome->result_count; i++)
        take_result(taking, &outcome->results[i]);
    judge_destination(taking);
    if (taking->success_count > 0)
        bounce_begin(
            queue, taking->message, NOTICE_SUCCESS, taking->successes, taking->success_count, NULL);
    if (taking->ending_count > 0) {
        ack->holds++;
        bounce_begin(
            queue, taking->message, NOTICE_FAILURE, taking->endings, taking->ending_count, ack);
    }
    free(taking->endings);
    free(taking->is_named);
    if (taking->is_claim)
        job_disclaim(queue, taking->job, outcome->job);
    else
        job_end(queue, taking->job);
    message_close_check(queue, taking->message);
    message_release(queue, taking->message);
}

/* The job that the outcome is of, if it is in the carrier's hands: one that this life has given
 * out, or one of an earlier life that the carrier has named. */
static void find_job(struct taking *taking)
{
    uint64_t number = taking->outcome->job;
    struct job *job = job_find(taking->queue, number);

    taking->is_claim = !job;
    if (!job && taking->message)
        job = job_foreign(taking->carrier, taking->message);
    if (!job || job->carrier != taking->carrier || job->message != taking->message ||
        job->is_fetching || (taking->is_claim && !job_has_claim(job, number)))
        return;
    taking->job = job;
}

/* Told twice, or of a job that was given up: nothing new, or nothing that we can know. */
static void note_strange(struct carrier *carrier, uint64_t job)
{
    if (!carrier->is_strange)
        log_event(LOG_INFO, NULL, "an outcome fits no job",
            log_text("room", role_name(carrier->role)), log_number("index", carrier->index),
            log_number("job", (int64_t)job));
    carrier->is_strange = true;
}

void outcome_take(struct queue *queue, struct carrier *carrier, const struct msg_outcome *outcome)
{
    struct queue_id id = { outcome->id_high, outcome->id_low };
    struct taking taking = {
        .queue = queue,
        .carrier = carrier,
        .outcome = outcome,
        .message = message_find(&queue->messages, id),
    };
    struct told *told;

    if (!taking.message && !queue->is_recovered && carrier_keep(carrier, outcome))
        return;
    if (carrier->acks >= ACKS_MOST) {
        carrier_refuse(carrier, "more outcomes than jobs");
        return;
    }
    find_job(&taking);
    told = told_new(carrier, outcome->job);
    if (taking.job && !taking.message->is_closing) {
        told->has_place = true;
        destinations_occupy(&queue->destinations);
        take(&taking, &told->ack);
    } else if (!taking.job) {
        note_strange(carrier, outcome->job);
    }
    /* Also where there is nothing new: what was told before may still wait for its sync. */
    commit_await(&queue->commit, &told->ack.wait);
}
