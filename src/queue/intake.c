/* queue/intake.c: from records to messages: asks the reader for one reading after the other and
 * takes what it found. Live mail, the own notices and recovery all come this way. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"
#include "queue/release.h"
#include "queue/report.h"

enum {
    SECOND = 1000000,
    ARRIVALS_A_TURN = 300,
    PACE_MS = 2, /* what gates state within that is read together: a reading costs two wake-ups */
};
#define DAY (INT64_C(86400) * SECOND)

/* ---- what to read next ---- */

static bool wants_reading(struct queue *queue, struct segment *segment, enum reading_kind *out_kind)
{
    if (segment->cut != 0)
        *out_kind = READING_CUT;
    else if (segment->is_going && !segment->is_forgotten)
        *out_kind = READING_FORGET;
    else if (segment->passed > segment->taken && !segment->is_asked)
        *out_kind = READING_PASSED;
    else if (segment->is_owned)
        return false;
    else if (segment->stated > segment->read && !segment->is_asked && !queue->pace.is_set)
        *out_kind = READING_STATED;
    else if (segment->is_cutting || segment->is_asked || segment->stated > segment->read)
        return false;
    else if (segment->is_orphan || (!segment->gate && !segment->is_ours))
        *out_kind = READING_GONE;
    else
        return false;
    return *out_kind == READING_CUT || *out_kind == READING_FORGET || *out_kind == READING_PASSED ||
           !commit_is_full(&queue->commit);
}

void intake_step(struct queue *queue)
{
    struct segment *segment, *next;
    enum reading_kind kind;

    if (queue->reader.is_busy || queue->phase < QUEUE_RUNNING || queue->phase == QUEUE_DRAINED)
        return;
    if (!queue->has_segments && queue->is_folder_asked)
        return;
    if (!queue->has_segments) {
        reader_begin(&queue->reader, READING_SEGMENTS, 0, 0);
        return;
    }
    HASH_ITER (hh, queue->segments, segment, next) {
        if (!wants_reading(queue, segment, &kind))
            continue;
        reader_begin(&queue->reader, kind, segment->generation,
            kind == READING_CUT      ? segment->cut
            : kind == READING_PASSED ? segment->passed
                                     : segment->stated);
        if (kind == READING_STATED)
            timer_set(&queue->pace, PACE_MS);
        /* To the end of the order: the others have their turn. */
        HASH_DEL(queue->segments, segment);
        HASH_ADD(hh, queue->segments, generation, sizeof segment->generation, segment);
        return;
    }
}

/* ---- messages ---- */

static void put_arrived(struct queue *queue, const struct arrival *arrival)
{
    struct journal_entry entry = {
        .kind = JOURNAL_ARRIVED,
        .id = arrival->message.id,
        .at_us = arrival->message.arrival_us,
        .arrived = arrival->said,
    };

    commit_put(&queue->commit, &entry);
}

/* A body belongs to one message, and to a gate's message only when that gate was given it; what was
 * given in an earlier life is not known, and believed. */
static bool may_name_body(struct queue *queue, const struct arrival *arrival)
{
    const struct segment *segment = segment_find(queue, arrival->message.segment);
    struct body *body;

    HASH_FIND(hh, queue->bodies, &arrival->message.body_file, sizeof body->number, body);
    if (!body)
        return !stock_has_spare(&queue->stock, arrival->message.body_file) &&
               !partials_have_body(queue, arrival->message.body_file);
    return body->gate && (!segment->handed_to || segment->handed_to == body->gate);
}

static void take_body(struct queue *queue, uint64_t number)
{
    struct body *body;

    HASH_FIND(hh, queue->bodies, &number, sizeof number, body);
    if (!body) {
        body = need_memory(sizeof *body);
        body->number = number;
        HASH_ADD(hh, queue->bodies, number, sizeof body->number, body);
    }
    if (body->gate)
        body->gate->spares_held--;
    body->gate = NULL;
}

static const enum recipient_state ends[] = {
    [RECOVER_DELIVERED] = RECIPIENT_DELIVERED,
    [RECOVER_FAILED] = RECIPIENT_FAILED,
    [RECOVER_EXPIRED] = RECIPIENT_EXPIRED,
    [RECOVER_DELETED] = RECIPIENT_DELETED,
};

static void take_recipient(
    struct queue *queue, struct recipient *r, const struct recover_recipient *from)
{
    const struct journal_outcome *last = &from->outcome;
    int64_t most_s = time_now(queue) / SECOND + 7 * 86400;

    r->domain = domain_take(&queue->destinations, from->domain);
    recipient_tried(&queue->messages, r, from->attempts);
    if (from->has_delay_notice)
        r->flags |= RECIPIENT_TOLD_DELAY;
    r->flags |= (uint8_t)(from->notify << RECIPIENT_NOTIFY_SHIFT);
    if (from->is_owed)
        return; /* see tell_owed */
    if (from->state != RECOVER_PENDING) {
        bool is_deleted = from->has_outcome && last->cause == CAUSE_DELETED;
        recipient_move(
            &queue->messages, r, is_deleted ? RECIPIENT_DELETED : ends[from->state], 0, NULL);
        return;
    }
    if (from->next_us > 0 && from->next_us / SECOND < most_s)
        r->next_s = time_seconds(from->next_us);
    if (from->has_outcome)
        recipient_remember(&queue->messages, r,
            &(struct reply_parts){
                last->code, last->cause, last->status, last->host, last->address, last->text });
}

static void log_about(enum log_level level, const char *event, struct queue_id id)
{
    char text[QUEUE_ID_TEXT + 1];

    queue_id_format(id, text);
    log_event(level, NULL, event, log_text("id", text));
}

/* When it came. What the journal knows is told in the queue's own time; the rest is a gate's word,
 * by a clock that may have jumped since. What the queue never saw was accepted shortly before it
 * was last there. */
static int64_t arrival_time(struct queue *queue, const struct arrival *arrival)
{
    bool is_told = arrival->message.is_journalled;
    int64_t now = is_told ? time_now(queue) : clock_wall_us();
    int64_t at = arrival->message.arrival_us;

    if (at > now)
        at = now;
    if (is_told)
        return at;
    return time_from_wall(queue, at < now - DAY ? now - DAY : at);
}

static struct message *add_message(struct queue *queue, const struct arrival *arrival)
{
    const struct recover_message *from = &arrival->message;
    struct message_spec spec = {
        .id = from->id,
        .user = from->user,
        .sender = from->sender,
        .recipient_count = (uint32_t)from->recipient_count,
    };
    struct message *message = message_add(&queue->messages, &spec);

    message->arrival_us = arrival_time(queue, arrival);
    message->size = from->size;
    message->header_size = (uint32_t)(from->size - from->body_size);
    message->notice = (uint8_t)from->notice;
    message->priority = from->priority;
    message->hold_us = from->hold_us;
    message->hold_date = from->hold_date;
    message->about = from->about;
    message->body_file = from->body_file;
    if (message->body_file != 0) {
        take_body(queue, message->body_file);
        queue->body_octets += message_body_octets(message);
    }
    segment_join(segment_find(queue, from->segment), message, from->offset);
    for (uint32_t i = 0; i < message->recipient_count; i++)
        take_recipient(queue, &message->recipients[i], &from->recipients[i]);
    return message;
}

/* A gate names a body that was handed to another. Nobody acknowledged this to a client who is owed
 * it, and the next start, which does not know what was handed to whom, must not believe it: it is
 * closed in the journal. */
static void drop_forged(struct queue *queue, const struct arrival *arrival)
{
    struct arrival forged = *arrival;
    struct journal_entry closed = { .kind = JOURNAL_CLOSED, .id = arrival->message.id };

    log_about(LOG_ERROR, EVENT_FORGED, closed.id);
    queue->counters.damaged++;
    forged.said.body_file = 0;
    put_arrived(queue, &forged);
    commit_put(&queue->commit, &closed);
}

/* It was read while its gate, which has died since, had it cut: nobody had a 250 for it, and an
 * "arrived" would contradict what the journal says already. */
static bool is_cut_off(struct queue *queue, const struct recover_message *from)
{
    const struct segment *segment = segment_find(queue, from->segment);

    return !from->is_journalled && segment->refused != 0 && from->offset >= segment->refused;
}

/* What raised the doubt may be gone at the next start: the record moves to where no cut is, the
 * other message that named its body ends, a checkpoint settles what was damaged. An operator's
 * release is to be all that lifts it. */
static void journal_hold(struct queue *queue, struct queue_id id, const char *why)
{
    struct journal_entry entry = {
        .kind = JOURNAL_HELD, .id = id, .held = { .why = slice_text(why) }
    };

    commit_put(&queue->commit, &entry);
}

static void take_suspicion(struct queue *queue, const struct recover_message *from)
{
    log_about(LOG_ERROR,
        from->is_refused ? EVENT_CONTRADICTION : "the journal about it is damaged: held", from->id);
    queue->counters.damaged += from->is_refused;
    if (!from->is_held)
        journal_hold(queue, from->id,
            from->is_refused ? "accepted and cut" : "the journal about it is damaged");
}

/* An earlier life has delivered it, and did not come to tell the sender of all. One notice for
 * whom one was to name: so it has the id that it had, should it be in the spool already (DSN-1). */
static void tell_owed(
    struct queue *queue, struct message *message, const struct recover_message *from)
{
    struct ending endings[REPORT_ROWS];

    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const struct recover_recipient *first = &from->recipients[i];
        size_t count = 0;
        if (!first->is_owed || message->recipients[i].state == RECIPIENT_TELLING)
            continue;
        for (uint32_t j = i; j < message->recipient_count && count < REPORT_ROWS; j++) {
            const struct recover_recipient *r = &from->recipients[j];
            if (!r->is_owed || !queue_id_equals(r->notice_id, first->notice_id))
                continue;
            endings[count++] = (struct ending){
                .recipient = j,
                .to = RECIPIENT_DELIVERED,
                .is_relayed = r->is_relayed,
                .outcome = r->outcome,
                .at_us = r->finished_us,
            };
        }
        bounce_resume(queue, message, first->notice_id, endings, count);
    }
}

static void take_message(struct queue *queue, const struct arrival *arrival)
{
    const struct recover_message *from = &arrival->message;
    struct message *message = add_message(queue, arrival);

    if (!from->is_journalled) {
        queue->counters.accepted++;
        put_arrived(queue, arrival);
    }
    if (from->is_suspect)
        take_suspicion(queue, from);
    if (from->is_held || from->is_suspect)
        message_hold(&queue->messages, message, true);
    release_begin(queue, message);
    tell_owed(queue, message, from);
    schedule_message(queue, message);
    carrier_claim(queue, message);
    message_close_check(queue, message);
}

/* The journal has known it for mail, so it may be the honest one of two that name a body: it is
 * kept for the operator, without the body being its own. */
static void hold_doubtful(struct queue *queue, const struct arrival *arrival)
{
    struct arrival doubtful = *arrival;

    log_about(LOG_ERROR, EVENT_DOUBTFUL, arrival->message.id);
    queue->counters.damaged++;
    doubtful.message.body_file = 0;
    doubtful.message.is_held = true;
    take_message(queue, &doubtful);
    if (!arrival->message.is_held)
        journal_hold(queue, arrival->message.id, "two messages name the same body");
}

static void take_arrival(struct queue *queue, const struct arrival *arrival)
{
    const struct recover_message *from = &arrival->message;

    if (is_cut_off(queue, from))
        return;
    if (message_find(&queue->messages, from->id) || bounces_know(queue->bounces, from->id))
        log_about(LOG_NOTICE, "a second record of the same id dropped", from->id);
    else if (from->body_file == 0 || may_name_body(queue, arrival))
        take_message(queue, arrival);
    else if (from->is_journalled)
        hold_doubtful(queue, arrival);
    else
        drop_forged(queue, arrival);
}

/* ---- findings ---- */

static void take_aside(struct queue *queue, const struct finding *finding)
{
    const struct recover_aside *aside = &finding->aside;
    char id[QUEUE_ID_TEXT + 1] = "";
    bool is_loss = aside->why != RECOVER_TORN;

    if (aside->has_id)
        queue_id_format(aside->id, id);
    log_event(is_loss ? LOG_ERROR : LOG_NOTICE, NULL, EVENT_ASIDE,
        log_text("id", aside->has_id ? id : "unknown"), log_text("because", aside_why(aside->why)),
        log_number("segment", (int64_t)aside->segment),
        log_number("offset", (int64_t)aside->offset), log_number("octets", (int64_t)aside->length),
        log_number("pieces", (int64_t)aside->pieces));
    queue->counters.damaged += is_loss ? aside->pieces : 0;
    queue->keeps_bodies |= is_loss;
    if (aside->copied != ERR_OK)
        aside_keep(queue, aside);
    else if (!aside->is_known)
        aside_journal(queue, aside);
}

/* How far the reader has come, with all that it has handed over until now. */
static void note_taken(struct queue *queue, uint64_t generation, uint64_t taken, uint64_t refused)
{
    struct segment *segment = segment_add(queue, generation);

    if (taken > segment->taken)
        segment->taken = taken;
    if (refused != 0)
        segment->refused = refused;
}

static void take_finding(struct queue *queue, const struct finding *finding)
{
    struct segment *segment;

    if (finding->taken != 0)
        note_taken(queue, finding->segment, finding->taken, finding->refused);
    switch (finding->kind) {
    case FINDING_ASIDE:
        take_aside(queue, finding);
        break;
    case FINDING_ALIVE:
        segment = segment_add(queue, finding->segment);
        segment->is_asked = segment->is_locked = true;
        break;
    case FINDING_OWNED:
        segment = segment_add(queue, finding->segment);
        segment->is_owned = true;
        segment->owned_ms = clock_mono_ms();
        segment_check(queue, segment);
        break;
    case FINDING_MISSING:
        log_about(LOG_ERROR, EVENT_MISSING, finding->id);
        queue->counters.damaged++;
        queue->keeps_bodies = true; /* its body, if it had one, may be there */
        break;
    case FINDING_TROUBLE:
        log_event(LOG_ERROR, NULL, "trouble in the spool", log_text("where", finding->what),
            log_number("file", (int64_t)finding->segment), log_reason(finding->reason));
        break;
    }
}

/* ---- readings ---- */

static void sweep_bodies(struct queue *queue)
{
    struct body *body, *after;
    size_t most = HASH_COUNT(queue->bodies) + partials_bodies_most(queue);
    uint64_t *named = need_memory((most + 1) * sizeof *named);
    size_t count = partials_bodies(queue, named);

    HASH_ITER (hh, queue->bodies, body, after)
        named[count++] = body->number;
    stock_sweep_finish(&queue->stock, named, count);
}

static void end_recovery(struct queue *queue)
{
    if (!queue->keeps_bodies)
        sweep_bodies(queue);
    queue->is_recovered = true;
    partials_begin(queue);
    carriers_forget(queue, true);
    log_event(LOG_NOTICE, NULL, "the spool has been read",
        log_number("messages", (int64_t)queue->messages.count),
        log_number("segments", (int64_t)HASH_COUNT(queue->segments)),
        log_number("ms", clock_mono_ms() - queue->started_ms),
        log_number("damaged", (int64_t)queue->counters.damaged));
}

static void open_rooms(struct queue *queue)
{
    struct pending_peer *peer, *next;

    queue->phase = QUEUE_RUNNING;
    LL_FOREACH_SAFE (queue->peers, peer, next) {
        LL_DELETE(queue->peers, peer);
        peer_connect(queue, &peer->peer, peer->fd);
        free(peer);
    }
}

static void took_journal(struct queue *queue, struct reading *reading)
{
    if (reading->result != ERR_OK) {
        log_event(LOG_ERROR, NULL, "the journal cannot be read", log_reason(reading->result));
        queue_fail(queue);
        return;
    }
    for (size_t i = 0; i < reading->segment_count; i++)
        segment_add(queue, reading->segments[i].number)->is_asked = true;
    if (reading->replayed.cut_octets > 0)
        log_event(LOG_NOTICE, NULL, "the journal's torn end was cut",
            log_number("octets", (int64_t)reading->replayed.cut_octets));
    for (size_t i = 0; i < reading->notice_count; i++)
        bounces_remember(queue->bounces, reading->notices[i]);
    commit_open(&queue->commit, &reading->replayed, queue->upkeep.journal_size);
    stock_sweep_begin(&queue->stock);
    open_rooms(queue);
}

static void note_result(struct queue *queue, struct reading *reading)
{
    struct segment *segment = segment_find(queue, reading->segment);

    if (reading->kind == READING_SEGMENTS && reading->result != ERR_OK &&
        reading->result != ERR_LIMIT) {
        queue->is_folder_asked = true;
        log_event(
            LOG_ERROR, NULL, "the spool cannot be read; trying on", log_reason(reading->result));
    }
    if (!segment)
        return;
    if (reading->taken != 0)
        note_taken(queue, segment->generation, reading->taken, reading->refused);
    if (reading->result == ERR_LIMIT)
        return;
    /* Asked again at the next tick: the lock was held, or the disk or memory failed. */
    segment->is_asked = reading->result != ERR_OK;
    if (reading->kind == READING_GONE)
        segment->is_locked = reading->result == ERR_BUSY;
    if (reading->result == ERR_PROTOCOL)
        segment->stated = segment->read; /* what is there is read when the lock is free */
    if (reading->result == ERR_PROTOCOL && segment->gate)
        gate_refuse(segment->gate, "it stated more than the segment holds");
    if (reading->result != ERR_OK && reading->result != ERR_BUSY && reading->result != ERR_PROTOCOL)
        log_event(LOG_ERROR, NULL, "a segment cannot be read; trying on",
            log_number("segment", (int64_t)segment->generation), log_reason(reading->result));
    if (reading->result == ERR_OK && reading->kind == READING_STATED)
        segment->read = reading->upto;
    /* For want of memory; it would be asked again at once. */
    need(reading->result == ERR_OK || reading->kind != READING_CUT);
    if (reading->result == ERR_OK && reading->kind == READING_CUT) {
        segment->cut = 0;
        segment->is_cutting = false;
        gate_cut_done(queue, segment, reading->upto);
    }
    if (reading->result == ERR_OK && reading->kind == READING_PASSED) {
        segment->handle = reading->handle;
        compaction_passed(queue->compaction, segment);
    }
}

static void took_forget(struct queue *queue, const struct reading *reading)
{
    segment_remove(queue, segment_find(queue, reading->segment));
}

/* False: there are more than one turn of the loop should take. */
static bool take_arrivals(struct queue *queue, struct reading *reading)
{
    for (int i = 0; reading->arrivals && i < ARRIVALS_A_TURN; i++) {
        const struct arrival *arrival = reading->arrivals;
        segment_add(queue, arrival->message.segment)->handle = arrival->handle;
        take_arrival(queue, arrival);
        reading->arrivals = arrival->next;
    }
    return !reading->arrivals;
}

static bool done(void *owner, struct reading *reading)
{
    struct queue *queue = owner;
    struct finding *finding;

    if (queue->phase == QUEUE_DRAINED)
        return true;
    if (!take_arrivals(queue, reading))
        return false;
    for (finding = reading->findings; finding; finding = finding->next)
        take_finding(queue, finding);
    if (reading->kind == READING_JOURNAL)
        took_journal(queue, reading);
    else if (reading->kind == READING_FORGET)
        took_forget(queue, reading);
    else
        note_result(queue, reading);
    if (queue->reader.has_segments && !queue->has_segments) {
        queue->has_segments = true;
        stock_tick(&queue->stock);
    }
    if (queue->reader.is_finished && !queue->is_recovered)
        end_recovery(queue);
    if (queue->phase >= QUEUE_RUNNING)
        gates_serve(queue);
    return true;
}

static void go_on(void *owner)
{
    intake_step(owner);
}

enum err intake_open(struct queue *queue)
{
    struct store_settings settings = { .segment_size = queue_segment_size(queue->conf),
        .lock = queue->lock,
        .numbers = &queue->numbers,
        .reserve = queue->conf->spool.reserve };
    int root;
    enum err rc = spool_open(queue, &root);

    timer_init(&queue->pace, queue->loop, go_on, queue);
    if (rc == ERR_OK)
        rc = reader_init(
            &queue->reader, queue->loop, queue->seam, root, &settings, done, go_on, queue);
    if (rc != ERR_OK)
        return rc;
    queue->phase = QUEUE_OPENING;
    reader_open(&queue->reader, time_now(queue));
    return ERR_OK;
}

void intake_tick(struct queue *queue)
{
    struct segment *segment, *next;

    if (queue->phase < QUEUE_RUNNING)
        return;
    queue->is_folder_asked = false;
    HASH_ITER (hh, queue->segments, segment, next)
        segment->is_asked = false;
    gates_tick(queue);
    gates_sweep(queue);
    intake_step(queue);
}

void intake_clear(struct queue *queue)
{
    struct segment *segment, *next;
    struct body *body, *after;

    timer_stop(&queue->pace);
    HASH_ITER (hh, queue->segments, segment, next) {
        HASH_DEL(queue->segments, segment);
        free(segment);
    }
    HASH_ITER (hh, queue->bodies, body, after) {
        HASH_DEL(queue->bodies, body);
        free(body);
    }
}
