/* queue/report.c: a report from its making to the journal. */
#include "queue/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "queue/memory.h"

enum {
    REPORT_MEMORY = 1 << 20,
    SECOND = 1000000,
};

void report_log(const struct report *report, enum log_level level, const char *event)
{
    char id[QUEUE_ID_TEXT + 1];

    queue_id_format(report->message->id, id);
    log_event(level, NULL, event, log_text("id", id),
        log_slice("sender", message_sender(report->message)),
        log_number("recipients", (int64_t)report->count));
}

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

struct report *report_new(struct queue *queue, struct message *message, enum envelope_notice kind,
    const struct ending *endings, size_t count)
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

void report_free(struct report *report)
{
    ack_release(report->ack);
    notice_clear(&report->notice);
    arena_clear(&report->arena);
    free(report);
}

static void recorded(struct commit_wait *wait)
{
    report_free(CONTAINER_OF(wait, struct report, wait));
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

void report_put_owed(const struct report *report, uint32_t recipient)
{
    struct journal_entry entry = {
        .kind = JOURNAL_OWED,
        .id = report->message->id,
        .owed = { .notice_id = report->notice.id },
    };

    for (size_t i = 0; i < report->count; i++) {
        const struct ending *ending = &report->endings[i];
        if (ending->recipient != recipient)
            continue;
        entry.owed.is_relayed = ending->is_relayed;
        entry.owed.finished_us = ending->at_us;
        entry.owed.outcome = ending->outcome;
        commit_put(&report->queue->commit, &entry);
    }
}

void report_owe(struct report *report, bool is_journalled)
{
    struct queue *queue = report->queue;

    report->is_owed = true;
    for (size_t i = 0; i < report->count; i++) {
        uint32_t index = report->endings[i].recipient;
        struct recipient *r = &report->message->recipients[index];
        recipient_move(&queue->messages, r, RECIPIENT_TELLING, INT64_MAX, NULL);
        reply_drop(&queue->messages.replies, &r->reply);
        r->report = report;
        if (is_journalled)
            continue;
        report_put_owed(report, index);
        queue->counters.delivered++;
    }
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
    else if (ending->to != RECIPIENT_DELIVERED)
        queue->counters.bounced++;
    else if (!report->is_owed)
        queue->counters.delivered++;
    if (!report->is_owed || !report->is_told) /* "noticed" says it of what is owed */
        commit_put(&queue->commit, &entry);
    recipient_move(&queue->messages, r, ending->to, 0, NULL);
}

void report_settle(struct report *report)
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

void report_give_up(struct report *report)
{
    struct queue *queue = report->queue;
    struct message *message = report->message;
    enum err reason = report->result;

    if (report->notice.kind == NOTICE_SUCCESS) {
        report_log(report, LOG_ERROR, "no notice of success: the message does not read back");
        report_settle(report);
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
