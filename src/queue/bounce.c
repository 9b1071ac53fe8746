/* queue/bounce.c: tells senders of failures and delays through the same spool: the notice is synced
 * in a segment of the queue's own before the outcome that it reports (DSN-1). A bounce never
 * bounces (QUE-7). Owns the reports that wait and the queue's own segment. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/notify.h"
#include "queue/memory.h"
#include "queue/report.h"
#include "queue/tally.h"

enum { BATCH = 8 };

struct bounces {
    struct queue *queue;
    struct report *waiting;
    struct report *working;
    size_t batch; /* reports written together at most */
    struct hand_job job;
    enum err result;
    bool is_busy;
    bool is_paused;          /* after trouble, until the next tick */
    struct segment *segment; /* NULL: none yet */
    struct segment_writer writer;
    struct tallies tallies;
    struct noticed_ids known;
};

/* ---- deciding ---- */

static enum notify_verdict verdict_on(const struct message *message, const struct ending *ending)
{
    struct notify_case notify = recipient_notify_case(&message->recipients[ending->recipient]);

    return notify_on_failure(&notify);
}

static bool is_unwanted(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        uint8_t flags = report->message->recipients[report->endings[i].recipient].flags;
        if (report->endings[i].to != RECIPIENT_DELETED || (flags & RECIPIENT_UNWANTED_BOUNCE))
            return false;
    }
    return true;
}

/* Is the notice in the spool, or was it in this life? */
static bool is_known(struct bounces *bounces, const struct report *report)
{
    return message_find(&bounces->queue->messages, report->notice.id) ||
           bounces_know(bounces, report->notice.id);
}

/* Is a notice to be written? Says in the log why not. */
static bool is_due(struct bounces *bounces, struct report *report)
{
    struct message *message = report->message;
    struct queue *queue = bounces->queue;

    if (report->is_silent || is_unwanted(report))
        return false;
    if (report->notice.kind == NOTICE_FAILURE &&
        verdict_on(message, &report->endings[0]) == NOTIFY_NOBODY) {
        report_log(report, LOG_WARNING, "double-bounce");
        queue->counters.double_bounces++;
        return false;
    }
    report->is_told = is_known(bounces, report);
    if (report->is_told)
        return false;
    if (!tally_allows(&bounces->tallies, message_sender(message), report->notice.kind)) {
        report_log(report, LOG_WARNING, "bounce withheld: too many to this sender");
        queue->counters.notices_withheld++;
        return false;
    }
    return true;
}

/* ---- writing ---- */

static void work(struct hand_job *job)
{
    struct bounces *bounces = CONTAINER_OF(job, struct bounces, job);
    struct record_draft *drafts[BATCH];
    struct report *report;
    size_t count = 0;

    LL_FOREACH (bounces->working, report) {
        if (!report->notice.is_ready)
            report->result =
                notice_make(&report->notice, bounces->queue->seam, &bounces->queue->stock.store);
        if (report->result == ERR_OK)
            drafts[count++] = &report->notice.draft;
    }
    bounces->result = count > 0 ? segment_append(&bounces->writer, drafts, count) : ERR_OK;
}

/* The segment is full, or spoiled: nobody writes it any more. */
static void retire(struct bounces *bounces)
{
    struct segment *segment = bounces->segment;
    bool is_spoiled = bounces->writer.is_spoiled;
    uint64_t end = bounces->writer.end;

    bounces->segment = NULL;
    segment_writer_clear(&bounces->writer);
    if (is_spoiled)
        segment_cut(bounces->queue, segment, end);
    segment->is_orphan = true;
    intake_step(bounces->queue);
}

static void put_back(struct bounces *bounces, struct report *working)
{
    LL_CONCAT(working, bounces->waiting);
    bounces->waiting = working;
}

static void log_notice(const struct report *report)
{
    static const char *const events[] = {
        [NOTICE_FAILURE] = "bounce",
        [NOTICE_DELAY] = "delay notice",
        [NOTICE_SUCCESS] = "success notice",
    };
    char id[QUEUE_ID_TEXT + 1], about[QUEUE_ID_TEXT + 1];

    queue_id_format(report->notice.id, id);
    queue_id_format(report->notice.about, about);
    log_event(LOG_INFO, NULL, events[report->notice.kind], log_text("id", about),
        log_text("notice", id), log_slice("to", message_sender(report->message)),
        log_number("recipients", (int64_t)report->count));
}

static void wrote(struct bounces *bounces, struct report *working)
{
    struct report *report, *next;

    bounces->segment->stated = bounces->writer.end;
    intake_step(bounces->queue);
    LL_FOREACH_SAFE (working, report, next) {
        report->next = NULL;
        if (report->result == ERR_OK) {
            report->is_told = true;
            bounces->queue->counters.notices++;
            log_notice(report);
            report_settle(report);
        } else if (report->result == ERR_CORRUPT || report->result == ERR_INVALID ||
                   report->result == ERR_LIMIT) {
            report_give_up(report);
        } else {
            log_event(LOG_ERROR, NULL, "a notice could not be made; trying on",
                log_reason(report->result));
            bounces->is_paused = true;
            LL_APPEND(bounces->waiting, report);
        }
    }
}

static void done(struct hand_job *job)
{
    struct bounces *bounces = CONTAINER_OF(job, struct bounces, job);
    struct report *working = bounces->working, *report;

    bounces->is_busy = false;
    bounces->working = NULL;
    LL_FOREACH (working, report)
        place_release(bounces->queue, &report->place);
    if (bounces->result == ERR_OK) {
        bounces->batch = BATCH;
        wrote(bounces, working);
    } else {
        /* A batch too large for a fresh segment is written one by one. */
        if (bounces->result == ERR_LIMIT && bounces->writer.end == FILE_HEAD)
            bounces->batch = 1;
        else if (bounces->result == ERR_LIMIT || bounces->writer.is_spoiled)
            retire(bounces);
        if (bounces->result != ERR_LIMIT) {
            log_event(LOG_ERROR, NULL, "a notice could not be written; trying on",
                log_reason(bounces->result));
            bounces->is_paused = true;
        }
        put_back(bounces, working);
    }
    bounces_step(bounces);
    drain_check(bounces->queue);
}

static bool has_segment(struct bounces *bounces)
{
    struct store_blank blank;

    if (bounces->segment)
        return true;
    if (!stock_take_own(&bounces->queue->stock, &blank))
        return false;
    segment_writer_init(&bounces->writer, bounces->queue->seam, blank.write, blank.generation,
        blank.size, blank.start);
    bounces->segment = segment_add(bounces->queue, blank.generation);
    bounces->segment->is_ours = true;
    bounces->segment->read = blank.start;
    stock_fill(&bounces->queue->stock);
    return true;
}

void bounces_step(struct bounces *bounces)
{
    struct report *report;

    if (!bounces || bounces->is_busy || bounces->is_paused || !bounces->waiting)
        return;
    if (bounces->queue->phase == QUEUE_DRAINED || !has_segment(bounces))
        return;
    for (size_t i = 0; i < bounces->batch && (report = bounces->waiting); i++) {
        LL_DELETE(bounces->waiting, report);
        /* It may have been read, and even have gone out, since the report began to wait. A second
         * record of a notice that is closed would be taken for a new one once a checkpoint has
         * forgotten the first. All of an earlier life has been read when there is a blank. */
        report->is_told = is_known(bounces, report);
        if (report->is_told) {
            report_settle(report);
            continue;
        }
        LL_APPEND(bounces->working, report);
        report->place = place_take(report->message);
        report->notice.handle = report->place.handle;
        report->notice.generation = report->place.generation;
        report->notice.offset = report->place.offset;
    }
    if (!bounces->working)
        return;
    bounces->is_busy = true;
    hands_give(bounces->queue->disk, &bounces->job);
}

/* ---- beginning ---- */

/* The ends are recorded when the sender was told. */
static void settle_later(struct report *report)
{
    struct message *message = report->message;

    for (size_t i = 0; i < report->count; i++)
        if (report->endings[i].to != RECIPIENT_WAITING)
            recipient_move(&report->queue->messages,
                &message->recipients[report->endings[i].recipient], RECIPIENT_SETTLING, INT64_MAX,
                NULL);
}

static void begin_reports(struct queue *queue, struct message *message, enum envelope_notice kind,
    const struct ending *endings, size_t count, struct ack *ack, bool is_silent)
{
    for (size_t at = 0; at < count; at += REPORT_ROWS) {
        size_t rows = count - at < REPORT_ROWS ? count - at : REPORT_ROWS;
        struct report *report = report_new(queue, message, kind, endings + at, rows);
        bool is_wanted;
        if (ack)
            ack->holds++;
        report->ack = ack;
        report->is_silent = is_silent;
        message->uses++;
        is_wanted = is_due(queue->bounces, report);
        if (is_wanted && kind == NOTICE_SUCCESS)
            report_owe(report, false);
        else
            settle_later(report);
        if (is_wanted)
            LL_APPEND(queue->bounces->waiting, report);
        else
            report_settle(report);
    }
}

/* Copies those of whom the sender wants to hear to the front, the others behind them. Returns how
 * many the former are. */
static size_t part_endings(const struct message *message, enum envelope_notice kind,
    const struct ending *endings, size_t count, struct ending *out_parted)
{
    size_t wanted = 0, others = count;

    for (size_t i = 0; i < count; i++)
        if (kind == NOTICE_FAILURE && verdict_on(message, &endings[i]) == NOTIFY_UNWANTED)
            out_parted[--others] = endings[i];
        else
            out_parted[wanted++] = endings[i];
    return wanted;
}

void bounce_begin(struct queue *queue, struct message *message, enum envelope_notice notice,
    const struct ending *endings, size_t count, struct ack *ack)
{
    struct ending *parted = need_memory((count + 1) * sizeof *parted);
    size_t wanted = part_endings(message, notice, endings, count, parted);

    message->uses++;
    begin_reports(queue, message, notice, parted, wanted, ack, false);
    begin_reports(queue, message, notice, parted + wanted, count - wanted, ack, true);
    message_release(queue, message);
    free(parted);
    ack_release(ack);
    bounces_step(queue->bounces);
}

void bounce_resume(struct queue *queue, struct message *message, struct queue_id notice,
    const struct ending *endings, size_t count)
{
    struct report *report = report_new(queue, message, NOTICE_SUCCESS, endings, count);

    report->notice.id = notice;
    message->uses++;
    report_owe(report, true);
    LL_APPEND(queue->bounces->waiting, report);
    bounces_step(queue->bounces);
}

/* ---- life ---- */

enum err bounces_new(struct queue *queue, struct bounces **out_bounces)
{
    struct bounces *bounces = calloc(1, sizeof *bounces);

    if (!bounces)
        return ERR_NOMEM;
    bounces->queue = queue;
    bounces->batch = BATCH;
    bounces->job = (struct hand_job){ .work = work, .done = done };
    *out_bounces = bounces;
    return ERR_OK;
}

/* What waits is begun again by the next life: nothing of it was acknowledged. */
static void reports_free(struct report *reports)
{
    struct report *report, *next;

    LL_FOREACH_SAFE (reports, report, next)
        report_free(report);
}

void bounces_free(struct bounces **bounces)
{
    struct bounces *b = *bounces;

    if (!b)
        return;
    reports_free(b->waiting);
    if (b->segment)
        segment_writer_clear(&b->writer);
    tallies_clear(&b->tallies);
    noticed_clear(&b->known);
    free(b);
    *bounces = NULL;
}

bool bounces_are_idle(const struct bounces *bounces)
{
    return !bounces->is_busy && !bounces->waiting;
}

bool bounces_know(const struct bounces *bounces, struct queue_id id)
{
    return noticed_has(&bounces->known, id);
}

void bounces_remember(struct bounces *bounces, struct queue_id id)
{
    noticed_add(&bounces->known, id);
}

void bounces_tick(struct bounces *bounces)
{
    bounces->is_paused = false;
    bounces_step(bounces);
    if (bounces->queue->ticks % 60 == 0)
        tallies_expire(&bounces->tallies);
}
