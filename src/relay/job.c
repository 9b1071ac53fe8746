/* relay/job.c: the copy of a job and its outcome. */
#include "relay/job.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { JOB_ARENA_MAX = 16 << 20 };

static bool copy_message(struct job *job, const struct msg_job *from)
{
    struct msg_job *to = &job->message;
    struct arena *arena = &job->arena;

    *to = *from;
    job->recipients = arena_array(arena, from->recipient_count, sizeof *job->recipients);
    if (!job->recipients || !arena_copy(arena, from->destination, &to->destination) ||
        !arena_copy(arena, from->sender, &to->sender) ||
        !arena_copy(arena, from->header, &to->header) ||
        !arena_copy(arena, from->body, &to->body) || !arena_copy(arena, from->envid, &to->envid) ||
        !arena_copy(arena, from->mtrk_certifier, &to->mtrk_certifier) ||
        !arena_copy(arena, from->solicit, &to->solicit))
        return false;
    job->recipient_count = from->recipient_count;
    to->recipients = NULL;
    for (size_t i = 0; i < from->recipient_count; i++) {
        struct job_recipient *r = &job->recipients[i];

        r->index = from->recipients[i].index;
        r->wishes = from->recipients[i];
        if (!arena_copy(arena, from->recipients[i].address, &r->address) ||
            !arena_copy(arena, from->recipients[i].orcpt, &r->wishes.orcpt))
            return false;
        r->wishes.address = r->address;
    }
    return true;
}

struct job *job_new(const struct msg_job *message, int body)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job) {
        if (body >= 0)
            close(body);
        return NULL;
    }
    arena_init(&job->arena, JOB_ARENA_MAX);
    job->body = body;
    job->started_us = clock_wall_us();
    queue_id_format((struct queue_id){ message->id_high, message->id_low }, job->id);
    if (!copy_message(job, message))
        job_free(&job);
    return job;
}

void job_free(struct job **job)
{
    struct job *j = *job;

    *job = NULL;
    if (!j)
        return;
    if (j->body >= 0)
        close(j->body);
    arena_clear(&j->arena);
    free(j);
}

void job_decide(struct job_recipient *recipient, const struct verdict *verdict)
{
    if (recipient->decided)
        return;
    recipient->decided = true;
    recipient->verdict = *verdict;
}

void job_note_unfit(struct job_recipient *recipient, const struct verdict *why)
{
    if (recipient->decided)
        return;
    recipient->is_unfit = true;
    recipient->verdict = *why;
}

void job_decide_rest(struct job *job, const struct verdict *verdict)
{
    for (size_t i = 0; i < job->recipient_count; i++)
        job_decide(&job->recipients[i], verdict);
}

bool job_is_decided(const struct job *job)
{
    for (size_t i = 0; i < job->recipient_count; i++)
        if (!job->recipients[i].decided)
            return false;
    return true;
}

uint64_t job_content_size(const struct job *job)
{
    return job->message.header.len + job->message.body_size;
}

bool job_outcome(const struct job *job, struct arena *arena, struct msg_outcome *out_outcome)
{
    struct msg_result *results = arena_array(arena, job->recipient_count, sizeof *results);

    if (!results)
        return false;
    for (size_t i = 0; i < job->recipient_count; i++) {
        const struct job_recipient *r = &job->recipients[i];
        results[i] = (struct msg_result){ .index = r->index,
            .result = r->verdict.result,
            .cause = r->verdict.cause,
            .code = r->verdict.code,
            .end = r->verdict.end,
            .status = slice_text(r->verdict.status),
            .text = slice_text(r->verdict.text) };
    }
    *out_outcome = (struct msg_outcome){ .job = job->message.job,
        .id_high = job->message.id_high,
        .id_low = job->message.id_low,
        .started_us = job->started_us,
        .finished_us = job->finished_us,
        .remote_host = slice_text(job->remote_host),
        .remote_address = slice_text(job->remote_address),
        .tls_version = slice_text(job->tls_version),
        .tls_cipher = slice_text(job->tls_cipher),
        .results = results,
        .result_count = job->recipient_count };
    return true;
}
