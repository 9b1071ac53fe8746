/* tests/power/carriers.c: relays without their network side: they take jobs, keep each outcome
 * until it is acknowledged, and tell it again to a queue that has restarted. What becomes of a
 * recipient is decided by the message's id alone, so it is the same whoever asks. Owns struct
 * carrier_player. */
#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ipc/channel.h"

struct job {
    struct job *prev, *next;
    uint64_t number;
    struct promise *promise;
    size_t count;
    uint32_t index[ORACLE_RECIPIENTS];
    bool is_told;
    enum delivery_result results[ORACLE_RECIPIENTS]; /* once told */
    size_t tries[ORACLE_RECIPIENTS];                 /* DEFERRED: which */
};

struct carrier_player {
    struct site *site;
    uint32_t index;
    struct channel *channel;
    struct job *jobs;
    size_t count;
};

/* ---- taking jobs ---- */

static void check_body(struct carrier_player *carrier, const struct msg_job *m, int fd)
{
    struct disk *disk = &carrier->site->memory->disk;
    struct promise *promise =
        oracle_find(carrier->site->oracle, (struct queue_id){ m->id_high, m->id_low });
    uint64_t header[2], body[2];
    size_t got = 0;
    char *octets = power_alloc((size_t)m->body_size);

    if (fd >= 0 && disk->ops->read_at(disk, fd, octets, (size_t)m->body_size, 0, &got) != ERR_OK)
        abort();
    likeness_digest(m->header.data, m->header.len, header);
    likeness_digest(fd >= 0 ? octets : m->body.data, fd >= 0 ? got : m->body.len, body);
    if (!promise->is_notice && (memcmp(header, promise->likeness.header, sizeof header) != 0 ||
                                   memcmp(body, promise->likeness.body, sizeof body) != 0))
        oracle_fault(carrier->site->oracle, "a job with other octets than were sent");
    free(octets);
}

/* A notice of the queue's own is met here first. */
static struct promise *promise_of(struct carrier_player *carrier, const struct msg_job *m)
{
    struct queue_id id = { m->id_high, m->id_low };
    struct promise *promise = oracle_find(carrier->site->oracle, id);

    if (promise || m->sender.len > 0 || carrier->site->now != ORACLE_NEVER)
        return promise;
    promise = oracle_promise(carrier->site->oracle, id);
    promise->is_notice = true;
    promise->recipient_count = 1;
    return promise;
}

/* Had it happened, as far as this site goes? */
static bool was(const struct site *site, moment when)
{
    return when != ORACLE_NEVER && (site->now == ORACLE_NEVER || when < site->now);
}

/* A recipient is in hand once. */
static bool has_recipient(
    struct carrier_player *carrier, const struct promise *promise, uint32_t index)
{
    for (int i = 0; i < SITE_RELAYS; i++) {
        const struct job *job;
        if (!carrier->site->relays[i])
            continue;
        DL_FOREACH (carrier->site->relays[i]->jobs, job)
            for (size_t j = 0; job->promise == promise && j < job->count; j++)
                if (job->index[j] == index && !job->is_told)
                    return true;
    }
    return false;
}

static const char *name_of(const struct promise *promise)
{
    static char text[QUEUE_ID_TEXT + 1];

    queue_id_format(promise->id, text);
    return text;
}

static void on_job(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier_player *carrier = owner;
    const struct msg_job *m = message;
    struct promise *promise = promise_of(carrier, m);
    struct job *job;

    (void)channel;
    if (!promise) {
        oracle_fault(carrier->site->oracle, "a job for a message that nobody sent");
        return;
    }
    check_body(carrier, m, fd);
    disk_close(&carrier->site->memory->disk, &fd);
    job = power_alloc(sizeof *job);
    job->number = m->job;
    job->promise = promise;
    job->count = m->recipient_count;
    for (size_t i = 0; i < job->count; i++) {
        job->index[i] = m->recipients[i].index;
        if (!promise->is_notice && was(carrier->site, promise->fates[job->index[i]].end_known))
            oracle_fault(carrier->site->oracle, "%s: a job for a recipient whose end was recorded",
                name_of(promise));
        if (has_recipient(carrier, promise, job->index[i]))
            oracle_fault(carrier->site->oracle, "two jobs for one recipient");
    }
    if (was(carrier->site, promise->refused))
        oracle_fault(carrier->site->oracle, "a job for a message that was refused");
    DL_APPEND(carrier->jobs, job);
    carrier->count++;
}

static void job_free(struct carrier_player *carrier, struct job *job)
{
    DL_DELETE(carrier->jobs, job);
    carrier->count--;
    free(job);
}

static struct job *job_numbered(struct carrier_player *carrier, uint64_t number)
{
    struct job *job;

    DL_FOREACH (carrier->jobs, job)
        if (job->number == number)
            return job;
    return NULL;
}

static void on_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier_player *carrier = owner;
    const struct msg_job_ref *m = message;
    struct job *job = job_numbered(carrier, m->job);
    moment now = (moment)recorder_note(carrier->site->recorder);

    (void)channel, (void)fd;
    if (!job || !job->is_told)
        return;
    for (size_t i = 0; i < job->count; i++) {
        struct fate *fate = &job->promise->fates[job->index[i]];
        if (job->results[i] == DELIVERY_DEFERRED) {
            if (fate->try_known[job->tries[i]] == ORACLE_NEVER)
                fate->try_known[job->tries[i]] = now;
        } else if (job->results[i] != DELIVERY_RETURNED && fate->end_known == ORACLE_NEVER) {
            fate->end_known = now;
        }
    }
    job_free(carrier, job);
}

/* ---- telling outcomes ---- */

/* What happens to a recipient at its next attempt. */
static enum delivery_result plan(const struct promise *promise, uint32_t index)
{
    struct chance chance = { promise->id.low ^ (index * UINT64_C(0x9e3779b97f4a7c15)) };
    size_t kind = chance_below(&chance, 100);
    size_t deferrals = kind < 60 ? 0 : kind < 80 ? 1 : kind < 92 ? 2 : ORACLE_TRIES - 8;

    if (promise->fates[index].tries < deferrals)
        return DELIVERY_DEFERRED;
    return chance_of(&chance, 250) ? DELIVERY_FAILED : DELIVERY_DONE;
}

/* The notice about those who failed, as the spool's documents define its id. */
static struct queue_id notice_of(const struct job *job)
{
    struct queue_id id;
    struct buffer indices;

    buffer_init(&indices, 1024);
    for (uint32_t i = 0; i < ORACLE_RECIPIENTS; i++)
        for (size_t j = 0; j < job->count; j++)
            if (job->index[j] == i && job->results[j] == DELIVERY_FAILED)
                buffer_put_u32(&indices, i);
    id = queue_id_derive(job->promise->id, NOTICE_FAILURE, buffer_slice(&indices));
    buffer_clear(&indices);
    return id;
}

static void note_told(struct carrier_player *carrier, struct job *job)
{
    moment now = (moment)recorder_note(carrier->site->recorder);
    struct queue_id notice = job->promise->is_notice ? (struct queue_id){ 0 } : notice_of(job);

    for (size_t i = 0; i < job->count; i++) {
        struct fate *fate = &job->promise->fates[job->index[i]];
        if (job->results[i] == DELIVERY_RETURNED)
            continue;
        if (job->results[i] == DELIVERY_DEFERRED) {
            if (fate->tries == ORACLE_TRIES)
                abort();
            job->tries[i] = fate->tries;
            fate->tried[fate->tries++] = now;
            continue;
        }
        fate->end = job->results[i] == DELIVERY_DONE ? RECOVER_DELIVERED : RECOVER_FAILED;
        if (fate->end == RECOVER_FAILED)
            fate->notice = notice;
        fate->retold += fate->ended != ORACLE_NEVER;
        if (fate->ended == ORACLE_NEVER)
            fate->ended = now;
    }
}

static void tell(struct carrier_player *carrier, struct job *job)
{
    static const struct {
        uint16_t code;
        const char *status, *text;
    } words[] = {
        [DELIVERY_DONE] = { 250, "2.0.0", "2.0.0 Ok" },
        [DELIVERY_DEFERRED] = { 451, "4.7.1", "4.7.1 Greylisted" },
        [DELIVERY_FAILED] = { 550, "5.1.1", "5.1.1 No such user" },
        [DELIVERY_RETURNED] = { 0, "", "" },
    };
    struct msg_result results[ORACLE_RECIPIENTS];
    struct msg_outcome outcome = {
        .job = job->number,
        .id_high = job->promise->id.high,
        .id_low = job->promise->id.low,
        .started_us = clock_wall_us() - 1000,
        .finished_us = clock_wall_us(),
        .remote_host = SLICE_LITERAL("mx.example.net"),
        .remote_address = SLICE_LITERAL("192.0.2.1:25"),
        .results = results,
        .result_count = job->count,
    };

    for (size_t i = 0; i < job->count; i++) {
        enum delivery_result result = job->results[i];
        results[i] = (struct msg_result){ job->index[i], result,
            result == DELIVERY_RETURNED ? CAUSE_LOCAL : CAUSE_REPLY, words[result].code,
            slice_text(words[result].status), slice_text(words[result].text) };
    }
    note_told(carrier, job);
    job->is_told = true;
    (void)!channel_send(carrier->channel, MSG_OUTCOME, &outcome, -1);
}

void carrier_work(struct carrier_player *carrier, unsigned in_thousand)
{
    struct site *site = carrier->site;
    struct job *job, *next;

    DL_FOREACH_SAFE (carrier->jobs, job, next) {
        bool is_returned;
        if (job->is_told || !carrier->channel || !chance_of(&site->chance, in_thousand))
            continue;
        is_returned = chance_of(&site->chance, 20);
        for (size_t i = 0; i < job->count; i++) {
            job->results[i] = is_returned ? DELIVERY_RETURNED : plan(job->promise, job->index[i]);
            site->delivered += job->results[i] == DELIVERY_DONE;
            site->deferred += job->results[i] == DELIVERY_DEFERRED;
            site->failed += job->results[i] == DELIVERY_FAILED;
        }
        tell(carrier, job);
    }
}

size_t carrier_jobs(const struct carrier_player *carrier)
{
    return carrier->count;
}

/* ---- life ---- */

static void on_forgive(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)owner, (void)channel, (void)message, (void)fd;
}

static const struct channel_handler handlers[] = { { MSG_JOB, on_job },
    { MSG_OUTCOME_DONE, on_done }, { MSG_FORGIVE, on_forgive } };

static void on_closed(void *owner, struct channel *channel)
{
    struct carrier_player *carrier = owner;

    (void)channel;
    channel_free(&carrier->channel);
}

/* What it has in hand, then the outcomes that nobody acknowledged. */
void carrier_attach(struct carrier_player *carrier)
{
    const struct channel_spec spec = { ROLE_RELAY, ROLE_QUEUE, 0, handlers, LENGTH_OF(handlers),
        on_closed, carrier };
    struct msg_job_ref *refs = power_alloc((carrier->count + 1) * sizeof *refs);
    struct msg_in_hand in_hand = { .jobs = refs };
    struct job *job;

    if (carrier->channel)
        channel_free(&carrier->channel);
    carrier->channel = channel_new(
        carrier->site->loop, site_dial(carrier->site, ROLE_RELAY, carrier->index), &spec);
    if (!carrier->channel)
        abort();
    DL_FOREACH (carrier->jobs, job)
        refs[in_hand.job_count++] =
            (struct msg_job_ref){ job->number, job->promise->id.high, job->promise->id.low };
    (void)!channel_send(carrier->channel, MSG_IN_HAND, &in_hand, -1);
    free(refs);
    DL_FOREACH (carrier->jobs, job)
        if (job->is_told)
            tell(carrier, job);
}

struct carrier_player *carrier_new(struct site *site, uint32_t index)
{
    struct carrier_player *carrier = power_alloc(sizeof *carrier);

    carrier->site = site;
    carrier->index = index;
    return carrier;
}

void carrier_free(struct carrier_player **at)
{
    struct carrier_player *carrier = *at;

    *at = NULL;
    if (!carrier)
        return;
    while (carrier->jobs)
        job_free(carrier, carrier->jobs);
    if (carrier->channel)
        channel_free(&carrier->channel);
    free(carrier);
}
