/* queue/segment.c: the files of records as the room sees them: which messages lie there, who reads
 * there, what was cut, when one can go. Owns struct segment. */
#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"

enum { ENVELOPE_WEIGHT = 192, RECIPIENT_WEIGHT = 40 };

struct segment *segment_find(struct queue *queue, uint64_t generation)
{
    struct segment *segment;

    HASH_FIND(hh, queue->segments, &generation, sizeof generation, segment);
    return segment;
}

struct segment *segment_add(struct queue *queue, uint64_t generation)
{
    struct segment *segment = segment_find(queue, generation);

    if (segment)
        return segment;
    segment = need_memory(sizeof *segment);
    segment->generation = generation;
    segment->taken = FILE_HEAD;
    segment->handle = -1;
    HASH_ADD(hh, queue->segments, generation, sizeof segment->generation, segment);
    return segment;
}

/* ---- what lies there ---- */

uint64_t message_weight(const struct message *message)
{
    return ENVELOPE_WEIGHT + (uint64_t)RECIPIENT_WEIGHT * message->recipient_count + message->size -
           message_body_octets(message);
}

uint64_t message_body_octets(const struct message *message)
{
    return message->body_file != 0 ? message->size - message->header_size : 0;
}

void segment_join(struct segment *segment, struct message *message, uint64_t offset)
{
    message->segment = segment;
    message->offset = offset;
    DL_APPEND2(segment->messages, message, prev_there, next_there);
    segment->live++;
    segment->live_octets += message_weight(message);
}

void segment_part(struct message *message)
{
    struct segment *segment = message->segment;

    DL_DELETE2(segment->messages, message, prev_there, next_there);
    segment->live--;
    segment->live_octets -= message_weight(message);
    message->segment = NULL;
}

bool segment_has_behind(const struct segment *segment, uint64_t offset)
{
    const struct message *message;

    DL_FOREACH2(segment->messages, message, next_there)
    {
        if (message->offset >= offset)
            return true;
    }
    return false;
}

struct place place_take(const struct message *message)
{
    struct segment *segment = message->segment;

    segment->uses++;
    return (struct place){ segment, segment->handle, segment->generation, message->offset };
}

void place_release(struct queue *queue, struct place *place)
{
    struct segment *segment = place->segment;

    place->segment = NULL;
    segment->uses--;
    segment_check(queue, segment);
}

/* ---- cutting ---- */

struct cutting {
    struct commit_wait wait;
    struct queue *queue;
    uint64_t generation;
    uint64_t upto;
};

static void cut_is_synced(struct commit_wait *wait)
{
    struct cutting *cutting = CONTAINER_OF(wait, struct cutting, wait);
    struct segment *segment = segment_find(cutting->queue, cutting->generation);

    if (segment)
        segment->cut = cutting->upto;
    intake_step(cutting->queue);
    free(cutting);
}

void segment_cut(struct queue *queue, struct segment *segment, uint64_t upto)
{
    struct journal_entry entry = {
        .kind = JOURNAL_CUT,
        .cut = { .segment = segment->generation, .offset = upto },
    };
    struct cutting *cutting = need_memory(sizeof *cutting);

    log_event(LOG_WARNING, NULL, "a sync failed: cut",
        log_number("segment", (int64_t)segment->generation), log_number("from", (int64_t)upto));
    segment->is_cutting = true;
    if (segment->refused == 0 || segment->refused > upto)
        segment->refused = upto;
    commit_put(&queue->commit, &entry);
    *cutting = (struct cutting){ .wait = { .done = cut_is_synced },
        .queue = queue,
        .generation = segment->generation,
        .upto = upto };
    commit_await(&queue->commit, &cutting->wait);
}

/* ---- the end ---- */

void segment_check(struct queue *queue, struct segment *segment)
{
    if (!segment->is_owned || segment->uncopied > 0 || segment->is_going || segment->live > 0 ||
        segment->uses > 0 || queue->phase == QUEUE_DRAINED)
        return;
    segment->is_going = true;
    intake_step(queue);
}

static void unlinked(void *owner, enum store_kind kind, uint64_t number, enum err result)
{
    struct queue *queue = owner;
    struct segment *segment = segment_find(queue, number);

    (void)kind;
    if (!segment)
        return;
    if (result != ERR_OK) {
        segment->is_going = segment->is_forgotten = false; /* asked again by reclaim_tick */
        return;
    }
    HASH_DEL(queue->segments, segment);
    free(segment);
}

void segment_remove(struct queue *queue, struct segment *segment)
{
    segment->is_forgotten = true;
    segment->handle = -1;
    stock_remove(&queue->stock, STORE_SEGMENT, segment->generation, unlinked, queue);
}
