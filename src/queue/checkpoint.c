/* queue/checkpoint.c: when, and one portion of messages after the other: the next when the one
 * before is synced, so that neither the loop nor memory suffers from a long queue. */
#include "queue/checkpoint.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"
#include "queue/report.h"

enum { PORTION_OCTETS = 1 << 20, PORTION_MS = 2, SECOND = 1000000 };

static void put_stage(struct queue *queue, enum journal_stage stage)
{
    struct journal_entry entry = { .kind = JOURNAL_CHECKPOINT, .checkpoint = { .stage = stage } };

    commit_put(&queue->commit, &entry);
}

/* All that may still have a name on the disk: one that is being unlinked goes out of the table when
 * that is synced. */
static void put_segments(struct queue *queue)
{
    struct segment *segment, *next;

    HASH_ITER (hh, queue->segments, segment, next) {
        struct journal_entry entry = {
            .kind = JOURNAL_SEGMENT,
            .segment = {
                .generation = segment->generation,
                .upto = segment->taken,
                .cut = segment->refused,
                /* What has no other place than its octets is to be found there again. */
                .is_complete = segment->is_owned && segment->uncopied == 0,
            },
        };
        commit_put(&queue->commit, &entry);
    }
}

/* ---- messages ---- */

static const enum recover_state states[RECIPIENT_STATES] = {
    [RECIPIENT_WAITING] = RECOVER_PENDING,
    [RECIPIENT_READY] = RECOVER_PENDING,
    [RECIPIENT_IN_HAND] = RECOVER_PENDING,
    [RECIPIENT_HELD] = RECOVER_PENDING,
    /* Its end is not in the journal yet: without it the attempt is repeated. */
    [RECIPIENT_SETTLING] = RECOVER_PENDING,
    [RECIPIENT_TELLING] = RECOVER_DELIVERED, /* the rest of it: put_owed */
    [RECIPIENT_DELIVERED] = RECOVER_DELIVERED,
    [RECIPIENT_FAILED] = RECOVER_FAILED,
    [RECIPIENT_EXPIRED] = RECOVER_EXPIRED,
    [RECIPIENT_DELETED] = RECOVER_DELETED,
};

static struct journal_state_recipient state_of(struct queue *queue, const struct recipient *r)
{
    struct reply_parts last = reply_parts_of(r->reply);

    return (struct journal_state_recipient){
        .domain = domain_name(r->domain),
        .state = states[r->state],
        .attempts = r->attempts,
        .next_us = r->next_s ? time_to_wall(queue, (int64_t)r->next_s * SECOND) : 0,
        .has_delay_notice =
            (r->flags & (RECIPIENT_TOLD_DELAY | RECIPIENT_TELLING_DELAY)) == RECIPIENT_TOLD_DELAY,
        .notify = recipient_notify(r),
        .cause = (uint8_t)last.cause,
        .code = last.code,
        .status = last.status,
        .host = last.host,
        .address = last.address,
        .text = last.text,
    };
}

/* It lies behind a cut, and goes all the same, because an operator has released it: a start that
 * begins with this checkpoint is to know that. */
static bool is_excused(const struct message *message)
{
    const struct segment *segment = message->segment;

    return !message->is_held && segment->refused != 0 && message->offset >= segment->refused;
}

/* Behind the states: what they leave in force. */
static void put_owed(const struct message *message)
{
    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].state == RECIPIENT_TELLING)
            report_put_owed(message->recipients[i].report, i);
}

static void put_message(struct queue *queue, const struct message *message)
{
    struct journal_state_recipient few[8], *rows = few;
    struct journal_entry entry = {
        .kind = JOURNAL_STATE,
        .id = message->id,
        .state = {
            .segment = message->segment->generation,
            .offset = message->offset,
            .body_file = message->body_file,
            .arrival_us = time_to_wall(queue, message->arrival_us),
            .size = message->size,
            .body_size = message->size - message->header_size,
            .sender = message_sender(message),
            .user = user_name(message->user),
            .notice = (enum envelope_notice)message->notice,
            .about = message->about,
            .is_held = message->is_held,
            .recipient_total = message->recipient_count,
            .priority = message->priority,
            .hold_us = message->hold_us,
            .hold_date = message->hold_date,
        },
    };
    struct journal_state *state = &entry.state;

    if (message->recipient_count > LENGTH_OF(few))
        rows = need_memory(message->recipient_count * sizeof *rows);
    for (uint32_t i = 0; i < message->recipient_count; i++)
        rows[i] = state_of(queue, &message->recipients[i]);
    while (state->first < message->recipient_count) {
        state->recipients = rows + state->first;
        state->recipient_count = message->recipient_count - state->first;
        state->recipient_count = journal_state_fits(state);
        commit_put(&queue->commit, &entry);
        state->first += (uint32_t)state->recipient_count;
    }
    if (rows != few)
        free(rows);
    put_owed(message);
    if (is_excused(message))
        commit_put(&queue->commit, &(struct journal_entry){ .kind = JOURNAL_RELEASED,
                                       .id = message->id,
                                       .released = { .by = SLICE_LITERAL("operator") } });
}

/* False at the end of the walk. What is closing has its end in the journal before the checkpoint,
 * or behind its begin; either settles it. */
static bool put_portion(struct queue *queue)
{
    struct checkpoint *c = &queue->checkpoint;
    struct messages *ms = &queue->messages;
    size_t before = queue->commit.filling.bytes.len;
    int64_t began = clock_mono_ms();

    for (size_t i = 0; i < queue->upkeep.checkpoint_portion && c->left > 0 && ms->cursor; i++) {
        const struct message *message = ms->cursor;
        ms->cursor = message->next;
        c->left--;
        if (!message->is_closing) {
            put_message(queue, message);
            c->stated++;
        }
        if (queue->commit.filling.bytes.len - before > PORTION_OCTETS ||
            clock_mono_ms() - began > PORTION_MS)
            break;
    }
    return c->left > 0 && ms->cursor;
}

/* ---- the run ---- */

static void go_on(struct queue *queue);

static void give_up(struct queue *queue)
{
    queue->checkpoint.stage = CHECKPOINT_IDLE;
    queue->messages.cursor = NULL;
    if (queue->phase == QUEUE_RUNNING)
        log_event(LOG_WARNING, NULL, "a checkpoint was given up, and will be begun again");
    compaction_step(queue->compaction);
}

static void ended(struct queue *queue)
{
    struct checkpoint *c = &queue->checkpoint;

    c->stage = CHECKPOINT_IDLE;
    c->ended_us = clock_wall_us();
    log_event(LOG_INFO, NULL, "checkpoint", log_number("messages", (int64_t)c->stated),
        log_number("octets", (int64_t)queue->commit.tally.size),
        log_number("ms", (c->ended_us - c->began_us) / 1000));
    journal_trim(queue);
}

static void synced(struct commit_wait *wait)
{
    struct queue *queue = CONTAINER_OF(wait, struct queue, checkpoint.wait);
    struct checkpoint *c = &queue->checkpoint;

    if (c->is_void || queue->phase != QUEUE_RUNNING)
        give_up(queue);
    else if (c->stage == CHECKPOINT_ENDING)
        ended(queue);
    else
        go_on(queue);
}

static void go_on(struct queue *queue)
{
    struct checkpoint *c = &queue->checkpoint;

    if (!put_portion(queue)) {
        c->stage = CHECKPOINT_ENDING;
        put_stage(queue, JOURNAL_END);
    }
    c->wait.done = synced;
    commit_await(&queue->commit, &c->wait);
}

static void begin(struct queue *queue)
{
    struct checkpoint *c = &queue->checkpoint;

    *c = (struct checkpoint){
        .stage = CHECKPOINT_STATING,
        .left = queue->messages.count,
        .began_us = clock_wall_us(),
        .ended_us = c->ended_us,
    };
    queue->messages.cursor = queue->messages.order;
    put_stage(queue, JOURNAL_BEGIN);
    put_segments(queue);
    go_on(queue);
    compaction_step(queue->compaction);
}

static bool is_due(const struct queue *queue)
{
    const struct journal_tally *tally = &queue->commit.tally;

    return queue->phase == QUEUE_RUNNING && queue->is_recovered && queue->commit.is_open &&
           !queue->commit.is_failing && tally->since > queue->conf->spool.checkpoint &&
           tally->since > 2 * tally->size;
}

void checkpoint_step(struct queue *queue)
{
    if (queue->checkpoint.stage == CHECKPOINT_DUE && !compaction_is_moving(queue->compaction))
        begin(queue);
}

void checkpoint_tick(struct queue *queue)
{
    struct checkpoint *c = &queue->checkpoint;

    if (c->stage == CHECKPOINT_STATING || c->stage == CHECKPOINT_ENDING) {
        c->is_void |= queue->commit.is_failing;
        return;
    }
    c->stage = is_due(queue) ? CHECKPOINT_DUE : CHECKPOINT_IDLE;
    checkpoint_step(queue);
}
