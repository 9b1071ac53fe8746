/* gate/commit.c: see commit.h for the argument. Owns the entries, the segments and the sync thread.
 */
#include "gate/commit.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"
#include "spool/segment.h"

enum {
    BATCH_MAX = 512, /* records in one write */
    TICK_MS = 1000,
};

/* The list it is in is its state. */
struct held_segment {
    struct held_segment *prev, *next;
    struct segment_writer writer; /* the sync thread's while in_hand > 0 */
    uint64_t generation;
    uint64_t size;
    uint64_t reserved;     /* where the next record will go, if all before it succeed */
    uint64_t good;         /* kept up to here */
    uint64_t rung;         /* stated up to here */
    size_t in_hand;        /* entries given to the sync thread */
    struct entry *refused; /* cut only */
    int64_t cut_since_ms;
    bool is_cut; /* the queue has it in its journal */
};

/* Entries. */

struct entry *entry_new(void)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return NULL;
    buffer_init(&entry->envelope, ENVELOPE_MAX);
    buffer_init(&entry->header, RECORD_HEADER_MAX);
    buffer_init(&entry->body, RECORD_BODY_MAX);
    return entry;
}

void entry_free(struct entry **at)
{
    struct entry *entry = *at;

    *at = NULL;
    if (!entry)
        return;
    body_file_drop(&entry->file);
    buffer_clear(&entry->envelope);
    buffer_clear(&entry->header);
    buffer_clear(&entry->body);
    free(entry);
}

enum err entry_seal(struct entry *entry)
{
    if (entry->envelope.error || entry->header.error || entry->body.error)
        return ERR_NOMEM;
    entry->header_piece = buffer_slice(&entry->header);
    entry->body_piece = buffer_slice(&entry->body);
    return record_draft_init(&entry->draft, entry->id, buffer_slice(&entry->envelope),
        &entry->header_piece, 1, &entry->body_piece, entry->body_piece.len > 0);
}

/* The sync thread. */

static struct entry *entry_of(struct hand_job *job)
{
    return CONTAINER_OF(job, struct entry, job);
}

static enum err append(struct held_segment *segment, struct hand_job **jobs, size_t count)
{
    struct record_draft *drafts[BATCH_MAX];

    /* Given before the loop could know that the segment failed. */
    if (segment->writer.is_spoiled)
        return ERR_IO;
    for (size_t i = 0; i < count; i++)
        drafts[i] = &entry_of(jobs[i])->draft;
    return segment_append(&segment->writer, drafts, count);
}

/* The jobs at the front that go into one segment. */
static size_t same_segment(struct hand_job **jobs, size_t count)
{
    size_t same = 1;

    while (same < count && same < BATCH_MAX &&
           entry_of(jobs[same])->segment == entry_of(jobs[0])->segment)
        same++;
    return same;
}

static void write_batch(void *owner, struct hand_job **jobs, size_t count)
{
    (void)owner;
    while (count > 0) {
        size_t same = same_segment(jobs, count);
        struct held_segment *segment = entry_of(jobs[0])->segment;
        enum err code = append(segment, jobs, same);

        for (size_t i = 0; i < same; i++) {
            entry_of(jobs[i])->result = code;
            entry_of(jobs[i])->end = segment->writer.end;
        }
        jobs += same;
        count -= same;
    }
}

/* What the queue is told and asked. */

static void tell_queue(struct commit *c, enum message_type type, const void *message)
{
    /* A channel that fails says so through on_queue_closed; the next one hears all of it again. */
    if (c->queue && channel_send(c->queue, type, message, -1) != ERR_OK)
        log_event(LOG_WARNING, NULL, "the queue does not listen");
}

static void ring(struct commit *c, struct held_segment *segment, bool is_final)
{
    struct msg_doorbell message = {
        .generation = segment->generation, .upto = segment->good, .final = is_final
    };

    segment->rung = segment->good;
    tell_queue(c, MSG_DOORBELL, &message);
}

static void ring_list(struct commit *c, struct held_segment *list)
{
    struct held_segment *segment;

    DL_FOREACH (list, segment)
        if (segment->rung != segment->good)
            ring(c, segment, false);
}

static void tell_cut(struct commit *c, const struct held_segment *segment)
{
    struct msg_cut message = { .generation = segment->generation, .upto = segment->good };

    tell_queue(c, MSG_CUT, &message);
}

static uint32_t blanks_shortage(const struct commit *c)
{
    struct held_segment *segment;
    uint32_t have = c->current ? 1 : 0;

    DL_FOREACH (c->blanks, segment)
        have++;
    return have < 1 + BLANKS_AHEAD ? 1 + BLANKS_AHEAD - have : 0;
}

/* Each message adds to the earlier ones, so only what was not asked for yet is named. */
static uint32_t not_asked(uint32_t shortage, uint32_t asked)
{
    return shortage > asked ? shortage - asked : 0;
}

static void ask_queue(struct commit *c)
{
    struct msg_need need = {
        .blanks = not_asked(blanks_shortage(c), c->blanks_asked),
        .spares = not_asked((uint32_t)spares_shortage(&c->spares), c->spares_asked),
    };

    if (!c->queue || (need.blanks == 0 && need.spares == 0))
        return;
    c->blanks_asked += need.blanks;
    c->spares_asked += need.spares;
    tell_queue(c, MSG_NEED, &need);
}

static void at_end_of_turn(void *owner)
{
    struct commit *c = owner;

    if (c->current)
        ring_list(c, c->current);
    ring_list(c, c->full);
    ask_queue(c);
}

static void on_spares_wanted(void *owner)
{
    struct commit *c = owner;

    deferred_ask(&c->ring);
}

static void want_ticks(struct commit *c)
{
    if (!c->tick.is_set)
        timer_set(&c->tick, TICK_MS);
}

/* Entries and segments move on. */

static void tell(struct commit *c, struct entry *entry, enum commit_result result)
{
    if (entry->is_told)
        return;
    entry->is_told = true;
    c->busy--;
    c->told(c->owner, entry, result);
}

static void tell_and_free(struct commit *c, struct entry *entry, enum commit_result result)
{
    tell(c, entry, result);
    if (result == COMMIT_KEPT && entry->file)
        body_file_keep(&entry->file);
    entry_free(&entry);
}

static void segment_free(struct held_segment *segment)
{
    segment_writer_clear(&segment->writer);
    free(segment);
}

/* Nothing of it is in the sync thread any more, and nothing more will be: the queue may own it. */
static void let_go(struct commit *c, struct held_segment **list, struct held_segment *segment)
{
    DL_DELETE(*list, segment);
    ring(c, segment, true);
    segment_free(segment);
}

static void retire_current(struct commit *c)
{
    struct held_segment *segment = c->current;

    DL_DELETE(c->current, segment);
    DL_APPEND(c->full, segment);
    if (segment->in_hand == 0)
        let_go(c, &c->full, segment);
}

static bool fits(const struct held_segment *segment, uint64_t total)
{
    return total <= segment->size - segment->reserved;
}

/* The segment for a record of that size: the current one, or the next blank; NULL: none is there.
 */
static struct held_segment *place_for(struct commit *c, uint64_t total)
{
    struct held_segment *blank = c->blanks;

    if (c->current && fits(c->current, total))
        return c->current;
    if (!blank || !fits(blank, total))
        return NULL;
    if (c->current)
        retire_current(c);
    DL_DELETE(c->blanks, blank);
    DL_APPEND(c->current, blank);
    return blank;
}

static void feed(struct commit *c)
{
    struct entry *entry;

    while ((entry = c->waiting) != NULL) {
        struct held_segment *segment = place_for(c, entry->draft.total);

        if (!segment)
            break;
        DL_DELETE(c->waiting, entry);
        entry->segment = segment;
        segment->reserved += entry->draft.total;
        segment->in_hand++;
        hands_give(c->sync, &entry->job);
    }
    if (c->waiting)
        want_ticks(c);
    deferred_ask(&c->ring);
}

/* Says that what lies behind the good end of a segment was refused. */
static void cut(struct commit *c, struct held_segment *segment)
{
    if (segment == c->current)
        DL_DELETE(c->current, segment);
    else
        DL_DELETE(c->full, segment);
    DL_APPEND(c->cut, segment);
    segment->cut_since_ms = clock_mono_ms();
    log_event(LOG_ERROR, NULL, "segment cut", log_number("segment", (int64_t)segment->generation),
        log_number("upto", (int64_t)segment->good));
    ring(c, segment, false);
    tell_cut(c, segment);
    want_ticks(c);
}

static bool is_in_list(const struct held_segment *list, const struct held_segment *wanted)
{
    const struct held_segment *segment;

    DL_FOREACH (list, segment)
        if (segment == wanted)
            return true;
    return false;
}

static void refuse(struct commit *c, struct held_segment *segment, struct entry *entry)
{
    log_event(LOG_ERROR, NULL, "record not written",
        log_number("segment", (int64_t)segment->generation), log_reason(entry->result));
    if (!is_in_list(c->cut, segment))
        cut(c, segment);
    if (segment->is_cut)
        tell_and_free(c, entry, COMMIT_FAILED);
    else
        DL_APPEND(segment->refused, entry);
}

/* Cut, known as such, and out of the sync thread? */
static void settle_segment(struct commit *c, struct held_segment *segment)
{
    if (segment->in_hand > 0)
        return;
    if (segment->is_cut)
        let_go(c, &c->cut, segment);
    else if (is_in_list(c->full, segment))
        let_go(c, &c->full, segment);
}

static void on_written(struct hand_job *job)
{
    struct entry *entry = entry_of(job);
    struct commit *c = entry->commit;
    struct held_segment *segment = entry->segment;

    segment->in_hand--;
    if (entry->result == ERR_OK) {
        segment->good = entry->end;
        tell_and_free(c, entry, COMMIT_KEPT);
    } else if (entry->result == ERR_NOMEM || entry->result == ERR_LIMIT) {
        tell_and_free(c, entry, COMMIT_FAILED); /* nothing was written: nothing to cut */
    } else {
        refuse(c, segment, entry);
    }
    settle_segment(c, segment);
    feed(c);
}

void commit_give(struct commit *c, struct entry *entry)
{
    entry->commit = c;
    entry->since_ms = clock_mono_ms();
    entry->job = (struct hand_job){ .done = on_written };
    c->busy++;
    DL_APPEND(c->waiting, entry);
    feed(c);
}

/* The clock. */

static void refuse_late(struct commit *c, int64_t now_ms)
{
    while (c->waiting && now_ms - c->waiting->since_ms >= c->blank_ms) {
        struct entry *entry = c->waiting;
        DL_DELETE(c->waiting, entry);
        tell_and_free(c, entry, COMMIT_NO_BLANK);
    }
}

static void give_up_cuts(struct commit *c, int64_t now_ms)
{
    struct held_segment *segment;
    struct entry *entry;

    DL_FOREACH (c->cut, segment) {
        if (now_ms - segment->cut_since_ms < c->cut_ms)
            continue;
        DL_FOREACH (segment->refused, entry)
            tell(c, entry, COMMIT_UNKNOWN);
    }
}

static void on_tick(void *owner)
{
    struct commit *c = owner;
    int64_t now_ms = clock_mono_ms();

    refuse_late(c, now_ms);
    give_up_cuts(c, now_ms);
    if (c->waiting || c->cut)
        want_ticks(c);
}

/* What the queue says. */

static void on_blank(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_blank *m = message;
    struct held_segment *segment = calloc(1, sizeof *segment);

    (void)channel;
    if (c->blanks_asked > 0)
        c->blanks_asked--;
    if (!segment || m->start > m->size) {
        log_event(LOG_ERROR, NULL, "a blank that cannot be used");
        disk_close(c->disk, &fd);
        free(segment);
        return;
    }
    segment_writer_init(&segment->writer, c->disk, fd, m->generation, m->size, m->start);
    segment->generation = m->generation;
    segment->size = m->size;
    segment->reserved = segment->good = segment->rung = m->start;
    DL_APPEND(c->blanks, segment);
    feed(c);
}

static void on_spare(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_spare *m = message;

    (void)channel;
    if (c->spares_asked > 0)
        c->spares_asked--;
    spares_add(&c->spares, fd, m->number);
    deferred_ask(&c->ring);
}

static struct held_segment *find_cut(const struct commit *c, const struct msg_cut *m)
{
    struct held_segment *segment;

    DL_FOREACH (c->cut, segment)
        if (segment->generation == m->generation && segment->good == m->upto)
            return segment;
    return NULL;
}

static void on_cut_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    struct held_segment *segment = find_cut(c, message);

    (void)channel, (void)fd;
    if (!segment)
        return;
    segment->is_cut = true;
    while (segment->refused) {
        struct entry *entry = segment->refused;
        DL_DELETE(segment->refused, entry);
        tell_and_free(c, entry, COMMIT_FAILED);
    }
    settle_segment(c, segment);
}

static void on_disk(void *owner, struct channel *channel, const void *message, int fd)
{
    struct commit *c = owner;
    const struct msg_disk *m = message;

    (void)channel, (void)fd;
    if (c->is_disk_full != m->full)
        log_event(LOG_WARNING, NULL, m->full ? "no room for new mail" : "room for new mail again");
    c->is_disk_full = m->full;
}

static const struct channel_handler handlers[] = {
    { MSG_BLANK, on_blank },
    { MSG_SPARE, on_spare },
    { MSG_CUT_DONE, on_cut_done },
    { MSG_DISK, on_disk },
};

static void on_queue_closed(void *owner, struct channel *channel)
{
    struct commit *c = owner;

    (void)channel;
    channel_free(&c->queue);
    c->blanks_asked = c->spares_asked = 0;
}

static void restate(struct commit *c, struct held_segment *list)
{
    struct held_segment *segment;

    DL_FOREACH (list, segment)
        ring(c, segment, false);
}

void commit_attach(struct commit *c, int fd)
{
    const struct channel_spec spec = { .self = ROLE_GATE,
        .peer = ROLE_QUEUE,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_queue_closed,
        .owner = c };
    struct held_segment *segment;

    channel_free(&c->queue);
    c->blanks_asked = c->spares_asked = 0;
    c->queue = channel_new(c->loop, fd, &spec);
    restate(c, c->blanks);
    restate(c, c->current);
    restate(c, c->full);
    restate(c, c->cut);
    DL_FOREACH (c->cut, segment)
        tell_cut(c, segment);
    ask_queue(c);
}

/* Beginning and end. */

enum err commit_init(
    struct commit *c, struct loop *loop, struct disk *disk, commit_told_fn *told, void *owner)
{
    enum err code;

    *c = (struct commit){ .loop = loop,
        .disk = disk,
        .told = told,
        .owner = owner,
        .blank_ms = BLANK_MS,
        .cut_ms = CUT_MS };
    deferred_init(&c->ring, loop, at_end_of_turn, c);
    timer_init(&c->tick, loop, on_tick, c);
    code = spares_init(&c->spares, loop, disk, on_spares_wanted, c);
    if (code)
        return code;
    c->sync = hands_new_batch(loop, "sync", write_batch, c);
    if (c->sync)
        return ERR_OK;
    spares_clear(&c->spares);
    return ERR_NOMEM;
}

static void tell_nobody(void *owner, const struct entry *entry, enum commit_result result)
{
    (void)owner, (void)entry, (void)result;
}

static void entries_free(struct entry **list)
{
    while (*list) {
        struct entry *entry = *list;
        DL_DELETE(*list, entry);
        entry_free(&entry);
    }
}

static void segments_free(struct held_segment **list)
{
    while (*list) {
        struct held_segment *segment = *list;
        DL_DELETE(*list, segment);
        entries_free(&segment->refused);
        segment_free(segment);
    }
}

void commit_clear(struct commit *c)
{
    c->told = tell_nobody;
    hands_free(&c->sync);
    entries_free(&c->waiting);
    segments_free(&c->blanks);
    segments_free(&c->current);
    segments_free(&c->full);
    segments_free(&c->cut);
    spares_clear(&c->spares);
    channel_free(&c->queue);
    deferred_cancel(&c->ring);
    timer_stop(&c->tick);
}
