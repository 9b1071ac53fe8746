/* queue/reclaim.c: the end of messages and of the files that held them. A file goes only after the
 * "closed" of its last message is synced. */
#include <stdlib.h>

#include "queue/memory.h"
#include "queue/release.h"
#include "queue/state.h"

struct closing {
    struct commit_wait wait;
    struct queue *queue;
    struct message *message;
};

static void drop_body(struct queue *queue, uint64_t number)
{
    struct body *body;

    HASH_FIND(hh, queue->bodies, &number, sizeof number, body);
    if (body) {
        HASH_DEL(queue->bodies, body);
        free(body);
    }
    if (queue->phase != QUEUE_DRAINED)
        stock_remove(&queue->stock, STORE_BODY, number, NULL, NULL);
}

static void forget(struct queue *queue, struct message *message)
{
    struct segment *segment = message->segment;

    if (message->body_file != 0) {
        queue->body_octets -= message_body_octets(message);
        drop_body(queue, message->body_file);
    }
    if (message_is_notice(message))
        bounces_remember(queue->bounces, message->id);
    segment_part(message);
    release_end(queue, message);
    message_remove(&queue->messages, message);
    segment_check(queue, segment);
}

void message_release(struct queue *queue, struct message *message)
{
    message->uses--;
    if (message->is_closed && message->uses == 0)
        forget(queue, message);
}

static void closed(struct commit_wait *wait)
{
    struct closing *closing = CONTAINER_OF(wait, struct closing, wait);
    struct queue *queue = closing->queue;
    struct message *message = closing->message;

    free(closing);
    message->is_closed = true;
    message->uses++;
    message_release(queue, message);
}

void message_close_check(struct queue *queue, struct message *message)
{
    struct journal_entry entry = { .kind = JOURNAL_CLOSED, .id = message->id };
    struct closing *closing;

    if (message->open_count > 0 || message->is_closing)
        return;
    message->is_closing = true;
    queue->messages.closing++;
    commit_put(&queue->commit, &entry);
    closing = need_memory(sizeof *closing);
    *closing = (struct closing){ .wait = { .done = closed }, .queue = queue, .message = message };
    commit_await(&queue->commit, &closing->wait);
}

void journal_trim(struct queue *queue)
{
    stock_trim_journal(&queue->stock, queue->commit.floor, queue->upkeep.history);
}

void reclaim_tick(struct queue *queue)
{
    struct segment *segment, *next;

    if (queue->ticks % queue->upkeep.trim_each != 0 || !queue->is_recovered)
        return;
    HASH_ITER (hh, queue->segments, segment, next)
        segment_check(queue, segment);
    journal_trim(queue);
}
