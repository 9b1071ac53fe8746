/* queue/compact.c: empties segments that few messages keep alive: copies the records of a portion
 * of them into a segment of the queue's own and syncs it, has the reader know them, journals where
 * they lie, and lets the old segment go when that is synced
 * (docs/decisions/0006-checkpoint-and-compaction.md). Owns struct move and the segment moved to.
 *
 * A message in the middle of it may come to its end: it is in use, so it is remembered until the
 * reader knows its copy. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"

enum {
    SPARSE = 4,               /* a segment is worth it when less than this part of it is needed */
    PORTION_OCTETS = 4 << 20, /* copied together, about */
    RECORD_MEMORY = 4 << 20,
};

enum stage {
    STAGE_IDLE,
    STAGE_COPYING,
    STAGE_PASSING,    /* synced; the reader is to know it */
    STAGE_JOURNALLED, /* they lie in the new place; that is being synced */
};

struct move {
    struct message *message; /* in use */
    struct queue_id id;
    struct place from; /* in use */
    uint64_t to;       /* offset */
    struct buffer bytes;
    struct arena arena;
    struct record record;
    struct record_draft draft;
    enum err result;
};

struct compaction {
    struct queue *queue;
    enum stage stage;
    bool is_paused;       /* after trouble, until the next tick */
    struct segment *from; /* in use; NULL: none */
    struct segment *to;   /* NULL: none yet */
    struct segment_writer writer;
    struct move *moves;
    size_t count;
    struct hand_job job;
    enum err result;
    struct commit_wait wait;
    size_t moved; /* of this segment */
};

bool compaction_is_moving(const struct compaction *c)
{
    return c->stage == STAGE_COPYING || c->stage == STAGE_PASSING;
}

/* ---- the portion ---- */

static void copies_clear(struct compaction *c)
{
    for (size_t i = 0; i < c->count; i++) {
        buffer_clear(&c->moves[i].bytes);
        arena_clear(&c->moves[i].arena);
    }
}

/* The portion is over, moved or not. */
static void portion_end(struct compaction *c)
{
    size_t count = c->count;

    c->stage = STAGE_IDLE;
    c->count = 0;
    for (size_t i = 0; i < count; i++) {
        place_release(c->queue, &c->moves[i].from);
        message_release(c->queue, c->moves[i].message);
    }
    checkpoint_step(c->queue);
    compaction_step(c);
}

static bool may_move(const struct message *message)
{
    return !message->is_closing && !message->is_damaged;
}

static void pick(struct compaction *c)
{
    struct message *message;
    uint64_t octets = 0;

    DL_FOREACH2(c->from->messages, message, next_there)
    {
        struct move *move = &c->moves[c->count];
        if (!may_move(message))
            continue;
        octets += message_weight(message);
        if (c->count > 0 && octets > PORTION_OCTETS)
            break;
        *move = (struct move){ .message = message, .id = message->id, .from = place_take(message) };
        message->uses++;
        buffer_init(&move->bytes, RECORD_MAX);
        arena_init(&move->arena, RECORD_MEMORY);
        if (++c->count == c->queue->upkeep.compact_portion)
            break;
    }
}

static void work(struct hand_job *job)
{
    struct compaction *c = CONTAINER_OF(job, struct compaction, job);
    struct record_draft **drafts = calloc(c->count, sizeof *drafts);
    uint64_t at = c->writer.end;
    size_t count = 0;

    for (size_t i = 0; i < c->count && drafts; i++) {
        struct move *move = &c->moves[i];
        move->result = segment_load(c->queue->seam, move->from.handle, move->from.generation,
            move->from.offset, move->id, &move->bytes, &move->arena, &move->record);
        if (move->result != ERR_OK)
            continue;
        record_draft_copy(&move->draft, &move->record);
        move->to = at;
        at += move->draft.total;
        drafts[count++] = &move->draft;
    }
    c->result = !drafts     ? ERR_NOMEM
                : count > 0 ? segment_append(&c->writer, drafts, count)
                            : ERR_OK;
    free(drafts);
}

/* ---- the segment moved to ---- */

/* It is full, or spoiled: nobody writes it any more. */
static void retire(struct compaction *c)
{
    struct segment *segment = c->to;
    bool is_spoiled = c->writer.is_spoiled;
    uint64_t end = c->writer.end;

    c->to = NULL;
    segment_writer_clear(&c->writer);
    if (is_spoiled)
        segment_cut(c->queue, segment, end);
    segment->is_orphan = true;
    intake_step(c->queue);
}

static bool has_target(struct compaction *c)
{
    struct store_blank blank;

    if (c->to)
        return true;
    if (!stock_take_own(&c->queue->stock, &blank))
        return false;
    segment_writer_init(
        &c->writer, c->queue->seam, blank.write, blank.generation, blank.size, blank.start);
    c->to = segment_add(c->queue, blank.generation);
    c->to->is_ours = true;
    c->to->read = blank.start;
    stock_fill(&c->queue->stock);
    return true;
}

/* ---- moving ---- */

static bool is_damage(enum err rc)
{
    return rc == ERR_CORRUPT || rc == ERR_INVALID || rc == ERR_LIMIT;
}

/* What does not read back is held and named, and keeps its segment. */
static void judge_records(struct compaction *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct move *move = &c->moves[i];
        if (is_damage(move->result) && !move->message->is_closing)
            message_damaged(c->queue, move->message, move->result);
        else if (move->result != ERR_OK)
            c->is_paused = true;
    }
}

static void copied(struct hand_job *job)
{
    struct compaction *c = CONTAINER_OF(job, struct compaction, job);

    copies_clear(c);
    if (c->queue->phase != QUEUE_RUNNING) {
        portion_end(c);
        return;
    }
    if (c->result == ERR_OK) {
        judge_records(c);
        c->stage = STAGE_PASSING;
        c->to->passed = c->writer.end;
        intake_step(c->queue);
        return;
    }
    /* A fresh one takes any portion. */
    if (c->result != ERR_LIMIT || c->writer.end == FILE_HEAD) {
        log_event(
            LOG_ERROR, NULL, "a segment could not be compacted; trying on", log_reason(c->result));
        c->is_paused = true;
    }
    retire(c);
    portion_end(c);
}

static void moved(struct commit_wait *wait)
{
    portion_end(CONTAINER_OF(wait, struct compaction, wait));
}

static void put_moved(struct compaction *c, const struct move *move)
{
    struct journal_entry entry = {
        .kind = JOURNAL_MOVED,
        .id = move->id,
        .moved = { .segment = c->to->generation, .offset = move->to },
    };

    commit_put(&c->queue->commit, &entry);
}

/* From here on memory says what the journal will: a checkpoint that begins now states the new
 * place. The old one stays, in use, until the journal is synced. */
void compaction_passed(struct compaction *c, struct segment *segment)
{
    if (c->stage != STAGE_PASSING || segment != c->to || segment->taken < segment->passed)
        return;
    c->is_paused |= segment->handle < 0;
    for (size_t i = 0; i < c->count && segment->handle >= 0; i++) {
        struct move *move = &c->moves[i];
        if (move->result != ERR_OK || !may_move(move->message))
            continue;
        put_moved(c, move);
        segment_part(move->message);
        segment_join(segment, move->message, move->to);
        c->moved++;
    }
    c->stage = STAGE_JOURNALLED;
    c->wait.done = moved;
    commit_await(&c->queue->commit, &c->wait);
    checkpoint_step(c->queue);
}

/* ---- which ---- */

static bool is_sparse(const struct queue *queue, const struct segment *segment)
{
    return segment->is_owned && segment->uncopied == 0 && !segment->is_going &&
           !segment->is_spent && segment->live > 0 && segment->uses == 0 &&
           clock_mono_ms() - segment->owned_ms >= queue->upkeep.compact_age_ms &&
           segment->live_octets < queue_segment_size(queue->conf) / SPARSE;
}

static struct segment *choose(struct queue *queue)
{
    struct segment *segment, *best = NULL;

    for (segment = queue->segments; segment; segment = segment->hh.next)
        if (is_sparse(queue, segment) && (!best || segment->live_octets < best->live_octets))
            best = segment;
    return best;
}

/* Nothing more can be moved out of it. */
static void from_end(struct compaction *c)
{
    struct segment *segment = c->from;

    if (c->moved > 0)
        log_event(LOG_INFO, NULL, "compacted", log_number("segment", (int64_t)segment->generation),
            log_number("moved", (int64_t)c->moved), log_number("left", (int64_t)segment->live));
    c->from = NULL;
    c->moved = 0;
    segment->is_spent = segment->live > 0;
    segment->uses--;
    segment_check(c->queue, segment);
}

void compaction_step(struct compaction *c)
{
    if (!c || c->stage != STAGE_IDLE || c->is_paused || !c->from ||
        c->queue->phase != QUEUE_RUNNING || c->queue->commit.is_failing ||
        c->queue->checkpoint.stage == CHECKPOINT_DUE || !has_target(c))
        return;
    pick(c);
    if (c->count == 0) {
        from_end(c);
        return;
    }
    c->stage = STAGE_COPYING;
    hands_give(c->queue->disk, &c->job);
}

void compaction_tick(struct compaction *c)
{
    c->is_paused = false;
    if (!c->from && c->queue->is_recovered && c->queue->phase == QUEUE_RUNNING) {
        c->from = choose(c->queue);
        if (c->from)
            c->from->uses++;
    }
    compaction_step(c);
}

/* ---- life ---- */

enum err compaction_new(struct queue *queue, struct compaction **out_compaction)
{
    struct compaction *c = calloc(1, sizeof *c);

    if (!c)
        return ERR_NOMEM;
    c->moves = calloc(queue->upkeep.compact_portion, sizeof *c->moves);
    if (!c->moves) {
        free(c);
        return ERR_NOMEM;
    }
    c->queue = queue;
    c->job = (struct hand_job){ .work = work, .done = copied };
    *out_compaction = c;
    return ERR_OK;
}

void compaction_free(struct compaction **compaction)
{
    struct compaction *c = *compaction;

    if (!c)
        return;
    if (c->to)
        segment_writer_clear(&c->writer);
    free(c->moves);
    free(c);
    *compaction = NULL;
}
