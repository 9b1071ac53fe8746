/* gate/commit.c: see commit.h for the argument. Owns entries, segments and the sync thread. */
#include "gate/held_segment.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"

enum {
    BATCH_MAX = 512, /* records in one write */
    TICK_MS = 1000,
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

/* Even a refused record may lie in its segment, and would claim what is put into the file it names
 * later (spool/body.h). */
static bool may_be_written(const struct entry *entry)
{
    return entry->segment && entry->is_touched;
}

static void end_file(struct entry *entry)
{
    if (entry->file && may_be_written(entry))
        body_file_keep(&entry->file);
    else
        body_file_drop(&entry->file);
}

void entry_free(struct entry **at)
{
    struct entry *entry = *at;

    *at = NULL;
    if (!entry)
        return;
    end_file(entry);
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

static void on_zeroed(struct hand_job *job);

static bool is_spare(const struct hand_job *job)
{
    return job->done == on_zeroed;
}

/* The entries at the front that go into one segment, or one spare job. */
static size_t same_segment(struct hand_job **jobs, size_t count)
{
    size_t same = 1;

    if (is_spare(jobs[0]))
        return 1;
    while (same < count && same < BATCH_MAX && !is_spare(jobs[same]) &&
           entry_of(jobs[same])->segment == entry_of(jobs[0])->segment)
        same++;
    return same;
}

static void write_entries(struct hand_job **jobs, size_t count)
{
    struct held_segment *segment = entry_of(jobs[0])->segment;
    enum err code = append(segment, jobs, count);

    for (size_t i = 0; i < count; i++) {
        entry_of(jobs[i])->result = code;
        entry_of(jobs[i])->is_touched = code == ERR_OK || segment->writer.is_spoiled;
        entry_of(jobs[i])->end = segment->writer.end;
    }
}

static void zero_ahead(struct hand_job *job)
{
    struct held_segment *segment = CONTAINER_OF(job, struct held_segment, spare);

    if (!segment->writer.is_spoiled)
        segment_zero_ahead(&segment->writer);
    segment->is_failed = segment->writer.is_spoiled;
}

static void write_batch(void *owner, struct hand_job **jobs, size_t count)
{
    (void)owner;
    while (count > 0) {
        size_t same = same_segment(jobs, count);

        if (is_spare(jobs[0]))
            zero_ahead(jobs[0]);
        else
            write_entries(jobs, same);
        jobs += same;
        count -= same;
    }
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

static enum commit_result refusal_of(const struct entry *entry)
{
    return entry->result == ERR_NOSPACE ? COMMIT_NO_ROOM : COMMIT_FAILED;
}

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
    commit_ring(c, segment, true);
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

void commit_feed(struct commit *c)
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
    commit_ring(c, segment, false);
    commit_tell_cut(c, segment);
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
        tell_and_free(c, entry, refusal_of(entry));
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

void commit_cut_known(struct commit *c, struct held_segment *segment)
{
    segment->is_cut = true;
    while (segment->refused) {
        struct entry *entry = segment->refused;
        DL_DELETE(segment->refused, entry);
        tell_and_free(c, entry, refusal_of(entry));
    }
    settle_segment(c, segment);
}

/* While nothing is to be written. Otherwise one message in some hundreds brings the zeros with it
 * and waits several times as long as the others. */
static void use_spare_time(struct commit *c)
{
    struct held_segment *segment = c->current;

    if (!segment || segment->in_hand > 0 || !segment_wants_zeros(&segment->writer))
        return;
    segment->in_hand++;
    segment->spare = (struct hand_job){ .done = on_zeroed };
    hands_give(c->sync, &segment->spare);
}

static void on_zeroed(struct hand_job *job)
{
    struct held_segment *segment = CONTAINER_OF(job, struct held_segment, spare);
    struct commit *c = segment->commit;

    segment->in_hand--;
    if (segment->is_failed && !is_in_list(c->cut, segment))
        cut(c, segment);
    settle_segment(c, segment);
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
    } else if (!entry->is_touched) {
        segment->reserved -= entry->draft.total;
        tell_and_free(c, entry, refusal_of(entry)); /* nothing was written: nothing to cut */
    } else {
        refuse(c, segment, entry);
    }
    settle_segment(c, segment);
    commit_feed(c);
    use_spare_time(c);
}

void commit_give(struct commit *c, struct entry *entry)
{
    entry->commit = c;
    entry->since_ms = clock_mono_ms();
    entry->job = (struct hand_job){ .done = on_written };
    c->busy++;
    DL_APPEND(c->waiting, entry);
    commit_feed(c);
}

/* The clock. */

static void refuse_late(struct commit *c, int64_t now_ms)
{
    while (c->waiting && now_ms - c->waiting->since_ms >= c->blank_ms) {
        struct entry *entry = c->waiting;
        DL_DELETE(c->waiting, entry);
        tell_and_free(c, entry, c->is_disk_full ? COMMIT_NO_ROOM : COMMIT_NO_BLANK);
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
    deferred_init(&c->ring, loop, commit_speak, c);
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
