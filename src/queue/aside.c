/* queue/aside.c: octets of a segment that are no record and could not be copied aside when they
 * were found, for the disk was failing: tries again, one after the other, on a hand. Their segment
 * stays until it has been done (QUE-14). Owns struct piece. */
#include <stdlib.h>

#include "base/log.h"
#include "queue/memory.h"
#include "queue/state.h"

struct piece {
    struct piece *next;
    struct recover_aside aside;
};

struct asides {
    struct queue *queue;
    struct piece *waiting;
    struct piece *working; /* one at most */
    struct hand_job job;
    enum err result;
    bool is_gone;   /* the segment, with the piece */
    bool is_paused; /* after trouble, until the next tick */
};

const char *aside_why(enum recover_why why)
{
    static const char *const whys[] = {
        [RECOVER_CORRUPT] = "damaged",
        [RECOVER_TORN] = "never finished",
        [RECOVER_UNKNOWN] = "of a newer version",
    };

    return whys[why];
}

void aside_journal(struct queue *queue, const struct recover_aside *aside)
{
    struct journal_entry entry = {
        .kind = JOURNAL_SET_ASIDE,
        .id = aside->id,
        .set_aside = { aside->segment, aside->offset, aside->length,
            slice_text(aside_why(aside->why)) },
    };

    commit_put(&queue->commit, &entry);
}

static void work(struct hand_job *job)
{
    struct asides *asides = CONTAINER_OF(job, struct asides, job);
    const struct recover_aside *aside = &asides->working->aside;
    struct store *store = &asides->queue->stock.store; /* what is called keeps no state in it */
    int file = -1;

    asides->result = store_open_read(store, STORE_SEGMENT, aside->segment, &file);
    asides->is_gone = asides->result == ERR_NOTFOUND;
    if (asides->result == ERR_OK)
        asides->result =
            store_copy_aside(store, file, aside->segment, aside->offset, aside->length);
    disk_close(store->disk, &file);
}

static void release(struct asides *asides, struct piece *piece)
{
    struct segment *segment = segment_find(asides->queue, piece->aside.segment);

    if (segment) {
        segment->uncopied--;
        segment_check(asides->queue, segment);
    }
    free(piece);
}

static void step(struct asides *asides)
{
    if (asides->is_paused || asides->working || !asides->waiting ||
        asides->queue->phase < QUEUE_RUNNING || asides->queue->phase == QUEUE_DRAINED)
        return;
    asides->working = asides->waiting;
    LL_DELETE(asides->waiting, asides->working);
    hands_give(asides->queue->disk, &asides->job);
}

static void done(struct hand_job *job)
{
    struct asides *asides = CONTAINER_OF(job, struct asides, job);
    struct piece *piece = asides->working;
    bool is_copied;

    asides->working = NULL;
    if (asides->queue->phase == QUEUE_DRAINED) {
        LL_PREPEND(asides->waiting, piece);
        return;
    }
    is_copied = asides->result == ERR_OK || asides->result == ERR_EXISTS;
    if (is_copied) {
        aside_journal(asides->queue, &piece->aside);
        log_event(LOG_NOTICE, NULL, "copied aside after all",
            log_number("segment", (int64_t)piece->aside.segment),
            log_number("offset", (int64_t)piece->aside.offset));
    }
    if (is_copied || asides->is_gone) { /* removed behind our back */
        release(asides, piece);
    } else { /* the others have their turn */
        LL_APPEND(asides->waiting, piece);
        asides->is_paused = true;
    }
    step(asides);
}

void asides_tick(struct asides *asides)
{
    asides->is_paused = false;
    step(asides);
}

void aside_keep(struct queue *queue, const struct recover_aside *aside)
{
    struct piece *piece = need_memory(sizeof *piece);

    log_event(
        LOG_ERROR, NULL, "it could not be copied aside; trying on", log_reason(aside->copied));
    piece->aside = *aside;
    segment_add(queue, aside->segment)->uncopied++;
    LL_APPEND(queue->asides->waiting, piece);
}

enum err asides_new(struct queue *queue, struct asides **out_asides)
{
    struct asides *asides = calloc(1, sizeof *asides);

    if (!asides)
        return ERR_NOMEM;
    asides->queue = queue;
    asides->job = (struct hand_job){ .work = work, .done = done };
    *out_asides = asides;
    return ERR_OK;
}

void asides_free(struct asides **asides)
{
    struct piece *piece, *next;

    if (!*asides)
        return;
    LL_FOREACH_SAFE ((*asides)->waiting, piece, next)
        free(piece);
    free(*asides);
    *asides = NULL;
}
