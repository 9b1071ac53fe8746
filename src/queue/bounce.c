/* queue/bounce.c: tells senders of failures and delays through the same spool: the notice is synced
 * in a segment of the queue's own before the outcome that it reports (DSN-1). A bounce never
 * bounces (QUE-7). Owns struct report and the queue's own segment. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/notify.h"
#include "queue/memory.h"
#include "queue/notice.h"
#include "queue/state.h"

enum {
    REPORT_MEMORY = 1 << 20,
    REPORT_ROWS = 100, /* more recipients get more notices */
    BATCH = 8,
    SENDER_LIMIT = 100, /* notices an hour for each sender (DSN-17) */
    SENDER_HOUR_MS = 3600 * 1000,
    KNOWN_MOST = 65536,
    SECOND = 1000000,
};

struct report {
    struct report *next;
    struct queue *queue;
    struct message *message;
    struct notice notice;
    struct place place; /* of the original, while it is being read */
    struct arena arena;
    struct ending *endings;
    size_t count;
    struct ack *ack;
    bool is_silent; /* the sender wants to hear of none of it (EXT-DSN-10) */
    bool is_told;   /* a notice about it is in the spool */
    enum err result;
    struct commit_wait wait;
};

/* How many notices a sender has been sent in this hour. */
struct tally {
    UT_hash_handle hh;
    int64_t since_ms;
    unsigned count;
    size_t len;
    char sender[];
};

/* A notice that is closed in this life: it is not made again. */
struct known {
    UT_hash_handle hh;
    struct queue_id id;
};

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
    struct tally *tallies;
    struct known *known;
};

/* ---- deciding ---- */

static bool is_within_limit(struct bounces *bounces, const struct message *message)
{
    struct slice sender = message_sender(message);
    int64_t now = clock_mono_ms();
    struct tally *tally;

    HASH_FIND(hh, bounces->tallies, sender.data, sender.len, tally);
    if (!tally) {
        tally = need_memory(sizeof *tally + sender.len);
        tally->since_ms = now;
        tally->len = sender.len;
        memcpy(tally->sender, sender.data, sender.len);
        HASH_ADD_KEYPTR(hh, bounces->tallies, tally->sender, tally->len, tally);
    }
    if (now - tally->since_ms >= SENDER_HOUR_MS) {
        tally->since_ms = now;
        tally->count = 0;
    }
    return tally->count++ < SENDER_LIMIT;
}

static enum notify_verdict verdict_on(const struct message *message, const struct ending *ending)
{
    struct notify_case notify = recipient_notify_case(&message->recipients[ending->recipient]);

    return notify_on_failure(&notify);
}

static void log_decision(const struct report *report, enum log_level level, const char *event)
{
    char id[QUEUE_ID_TEXT + 1];

    queue_id_format(report->message->id, id);
    log_event(level, NULL, event, log_text("id", id),
        log_slice("sender", message_sender(report->message)),
        log_number("recipients", (int64_t)report->count));
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
        log_decision(report, LOG_WARNING, "double-bounce");
        queue->counters.double_bounces++;
        return false;
    }
    report->is_told = is_known(bounces, report);
    if (report->is_told)
        return false;
    /* Of success nobody hears who has not asked for it: that is no flood of ours. */
    if (report->notice.kind != NOTICE_SUCCESS && !is_within_limit(bounces, message)) {
        log_decision(report, LOG_WARNING, "bounce withheld: too many to this sender");
        queue->counters.notices_withheld++;
        return false;
    }
    return true;
}

/* ---- recording ---- */

static void recorded(struct commit_wait *wait)
{
    struct report *report = CONTAINER_OF(wait, struct report, wait);

    ack_release(report->ack);
    notice_clear(&report->notice);
    arena_clear(&report->arena);
    free(report);
}

static void put_noticed(struct report *report)
{
    struct journal_noticed_recipient rows[REPORT_ROWS];
    struct journal_entry entry = {
        .kind = JOURNAL_NOTICED,
        .id = report->message->id,
        .noticed = {
            .notice = report->notice.kind,
            .notice_id = report->notice.id,
            .recipients = rows,
            .recipient_count = report->count,
        },
    };

    for (size_t i = 0; i < report->count; i++)
        rows[i].recipient = report->endings[i].recipient;
    commit_put(&report->queue->commit, &entry);
}

static void put_ending(struct report *report, const struct ending *ending)
{
    struct queue *queue = report->queue;
    struct recipient *r = &report->message->recipients[ending->recipient];
    struct journal_entry entry = {
        .kind = JOURNAL_OUTCOME,
        .id = report->message->id,
        .outcome = ending->outcome,
    };

    if (ending->to == RECIPIENT_WAITING) {
        r->flags &= (uint8_t)~RECIPIENT_TELLING_DELAY;
        return;
    }
    if (ending->to == RECIPIENT_DELETED)
        entry.outcome.cause = CAUSE_DELETED;
    else if (ending->to == RECIPIENT_DELIVERED)
        queue->counters.delivered++;
    else
        queue->counters.bounced++;
    commit_put(&queue->commit, &entry);
    recipient_move(&queue->messages, r, ending->to, 0, NULL);
}

static void settle(struct report *report)
{
    struct message *message = report->message;

    if (report->is_told && !message->is_closing) /* behind "closed" there is nothing to say */
        put_noticed(report);
    for (size_t i = 0; i < report->count; i++)
        put_ending(report, &report->endings[i]);
    report->message = NULL;
    message_close_check(report->queue, message);
    message_release(report->queue, message);
    report->wait.done = recorded;
    commit_await(&report->queue->commit, &report->wait);
}

/* The original cannot be read, so nobody can be told: it is held and named. What was delivered
 * must not be sent again for that. */
static void give_up(struct report *report)
{
    struct queue *queue = report->queue;
    struct message *message = report->message;
    enum err reason = report->result;

    if (report->notice.kind == NOTICE_SUCCESS) {
        log_decision(report, LOG_ERROR, "no notice of success: the message does not read back");
        settle(report);
        return;
    }
    for (size_t i = 0; i < report->count; i++) {
        struct recipient *r = &message->recipients[report->endings[i].recipient];
        r->flags &= (uint8_t)~RECIPIENT_TELLING_DELAY;
        if (r->state == RECIPIENT_SETTLING)
            recipient_move(&queue->messages, r, RECIPIENT_HELD, INT64_MAX, NULL);
    }
    message_damaged(queue, message, reason);
    report->message = NULL;
    message_release(queue, message);
    report->wait.done = recorded;
    commit_await(&queue->commit, &report->wait);
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
            settle(report);
        } else if (report->result == ERR_CORRUPT || report->result == ERR_INVALID ||
                   report->result == ERR_LIMIT) {
            give_up(report);
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
            settle(report);
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

static struct slice copy(struct report *report, struct slice text)
{
    struct slice out = { 0 };

    need(arena_copy(&report->arena, text, &out));
    return out;
}

static void copy_ending(struct report *report, const struct ending *from, struct ending *to)
{
    const struct journal_outcome *o = &from->outcome;

    *to = *from;
    to->outcome.mailbox = copy(report, o->mailbox);
    to->outcome.status = copy(report, o->status);
    to->outcome.host = copy(report, o->host);
    to->outcome.address = copy(report, o->address);
    to->outcome.text = copy(report, slice_first(o->text, 2048));
    to->outcome.tls_version = copy(report, o->tls_version);
    to->outcome.tls_cipher = copy(report, o->tls_cipher);
    to->outcome.local = (struct slice){ 0 };
}

/* The same failures give the same id, whoever derives it and when. */
static struct queue_id derive_id(const struct report *report)
{
    struct queue_id id;
    struct buffer recipients;

    buffer_init(&recipients, 4 * REPORT_ROWS);
    for (uint32_t i = 0; i < report->message->recipient_count; i++)
        for (size_t j = 0; j < report->count; j++)
            if (report->endings[j].recipient == i)
                buffer_put_u32(&recipients, i);
    need(recipients.error == ERR_OK);
    id = queue_id_derive(
        report->message->id, (uint8_t)report->notice.kind, buffer_slice(&recipients));
    buffer_clear(&recipients);
    return id;
}

static struct report *report_new(struct queue *queue, struct message *message,
    enum envelope_notice kind, const struct ending *endings, size_t count)
{
    struct report *report = need_memory(sizeof *report);
    struct notice *notice = &report->notice;

    report->queue = queue;
    report->message = message;
    report->count = count;
    arena_init(&report->arena, REPORT_MEMORY);
    report->endings = arena_array(&report->arena, count, sizeof *report->endings);
    notice_init(notice, &report->arena);
    notice->rows = arena_array(&report->arena, count, sizeof *notice->rows);
    need(report->endings && notice->rows);
    for (size_t i = 0; i < count; i++) {
        copy_ending(report, &endings[i], &report->endings[i]);
        notice->rows[i] = (struct notice_row){
            .recipient = endings[i].recipient,
            .is_relayed = endings[i].is_relayed,
            .at_us = endings[i].at_us,
            .outcome = &report->endings[i].outcome,
        };
    }
    notice->row_count = count;
    notice->kind = kind;
    notice->about = message->id;
    notice->id = derive_id(report);
    notice->hostname = copy(report, queue->conf->hostname);
    notice->postmaster = copy(report, queue->conf->postmaster);
    notice->now_us = clock_wall_us();
    notice->retry_until = time_to_wall(queue, message_expiry_us(queue, message)) / SECOND;
    return report;
}

static void begin_reports(struct queue *queue, struct message *message, enum envelope_notice kind,
    const struct ending *endings, size_t count, struct ack *ack, bool is_silent)
{
    for (size_t at = 0; at < count; at += REPORT_ROWS) {
        size_t rows = count - at < REPORT_ROWS ? count - at : REPORT_ROWS;
        struct report *report = report_new(queue, message, kind, endings + at, rows);
        if (ack)
            ack->holds++;
        report->ack = ack;
        report->is_silent = is_silent;
        message->uses++;
        for (size_t i = 0; i < rows; i++)
            if (endings[at + i].to != RECIPIENT_WAITING)
                recipient_move(&queue->messages, &message->recipients[endings[at + i].recipient],
                    RECIPIENT_SETTLING, INT64_MAX, NULL);
        if (is_due(queue->bounces, report))
            LL_APPEND(queue->bounces->waiting, report);
        else
            settle(report);
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
        recorded(&report->wait);
}

void bounces_free(struct bounces **bounces)
{
    struct bounces *b = *bounces;
    struct tally *tally, *next_tally;
    struct known *known, *next_known;

    if (!b)
        return;
    reports_free(b->waiting);
    if (b->segment)
        segment_writer_clear(&b->writer);
    HASH_ITER (hh, b->tallies, tally, next_tally) {
        HASH_DEL(b->tallies, tally);
        free(tally);
    }
    HASH_ITER (hh, b->known, known, next_known) {
        HASH_DEL(b->known, known);
        free(known);
    }
    free(b);
    *bounces = NULL;
}

bool bounces_are_idle(const struct bounces *bounces)
{
    return !bounces->is_busy && !bounces->waiting;
}

bool bounces_know(const struct bounces *bounces, struct queue_id id)
{
    struct known *known;

    HASH_FIND(hh, bounces->known, &id, sizeof id, known);
    return known != NULL;
}

void bounces_remember(struct bounces *bounces, struct queue_id id)
{
    struct known *known;

    if (bounces_know(bounces, id))
        return;
    if (HASH_COUNT(bounces->known) >= KNOWN_MOST) {
        known = bounces->known; /* the oldest */
        HASH_DEL(bounces->known, known);
        free(known);
    }
    known = need_memory(sizeof *known);
    known->id = id;
    HASH_ADD(hh, bounces->known, id, sizeof known->id, known);
}

void bounces_tick(struct bounces *bounces)
{
    int64_t now = clock_mono_ms();
    struct tally *tally, *next;

    bounces->is_paused = false;
    bounces_step(bounces);
    if (bounces->queue->ticks % 60 != 0)
        return;
    HASH_ITER (hh, bounces->tallies, tally, next) {
        if (now - tally->since_ms < SENDER_HOUR_MS)
            continue;
        HASH_DEL(bounces->tallies, tally);
        free(tally);
    }
}
