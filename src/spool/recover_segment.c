/* spool/recover_segment.c: segments read behind their writers, living and gone. */
#include <stdlib.h>

#include "spool/recover_private.h"

enum { PIECES_MOST = 32 }; /* of a segment, set aside one by one */

struct live_segment *live_find(const struct recover *recover, uint64_t generation)
{
    struct live_segment *segment;

    HASH_FIND(hh, recover->segments, &generation, sizeof generation, segment);
    return segment;
}

struct live_segment *live_find_or_add(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = live_find(recover, generation);

    if (segment)
        return segment;
    segment = calloc(1, sizeof *segment);
    if (!segment)
        return NULL;
    segment->generation = generation;
    segment->offset = FILE_HEAD;
    segment->file = -1;
    HASH_ADD(hh, recover->segments, generation, sizeof segment->generation, segment);
    return segment;
}

void live_drop(struct recover *recover, struct live_segment *segment)
{
    HASH_DEL(recover->segments, segment);
    recover->waiting -= segment->is_waiting;
    disk_close(recover->store->disk, &segment->file);
    free(segment);
}

static void heard_of(struct recover *recover, struct live_segment *segment)
{
    recover->waiting -= segment->is_waiting;
    segment->is_waiting = false;
}

/* The header block can only forbid reading: a segment of a newer version is left for the program
 * that knows it. Whatever else is wrong with it, the name gives the generation. */
static enum err check_head(struct recover *recover, int file)
{
    unsigned char block[FILE_HEAD];
    struct file_head head;
    size_t got = 0;
    enum err rc = recover->store->disk->ops->read_at(
        recover->store->disk, file, block, sizeof block, 0, &got);

    if (rc == ERR_IO || (rc == ERR_OK && got < sizeof block))
        return ERR_OK;
    if (rc == ERR_OK)
        rc = file_head_read(&record_format, block, &head);
    return rc == ERR_CORRUPT ? ERR_OK : rc;
}

enum err live_open(struct recover *recover, struct live_segment *segment)
{
    struct disk *disk = recover->store->disk;
    uint64_t size = 0;
    int file = -1;
    enum err rc;

    if (segment->file >= 0)
        return ERR_OK;
    rc = store_open_read(recover->store, STORE_SEGMENT, segment->generation, &file);
    if (rc == ERR_OK)
        rc = disk->ops->size(disk, file, &size);
    if (rc == ERR_OK)
        rc = check_head(recover, file);
    if (rc != ERR_OK) {
        disk_close(disk, &file);
        return rc;
    }
    segment->file = file;
    segment->size = size < STORE_SEGMENT_MAX ? size : STORE_SEGMENT_MAX;
    return ERR_OK;
}

static const enum recover_why whys[] = {
    [SEGMENT_DAMAGE] = RECOVER_CORRUPT,
    [SEGMENT_TORN] = RECOVER_TORN,
    [SEGMENT_UNKNOWN] = RECOVER_UNKNOWN,
};

static void copy_aside(
    struct recover *recover, const struct live_segment *segment, struct recover_aside *aside)
{
    aside->copied = store_copy_aside(
        recover->store, segment->file, segment->generation, aside->offset, aside->length);
    aside->is_known = aside->copied == ERR_EXISTS;
    if (aside->is_known)
        aside->copied = ERR_OK;
    recover->events->on_aside(recover->events->context, aside);
}

static struct recover_aside piece_of(
    const struct live_segment *segment, struct known *known, const struct segment_item *item)
{
    struct recover_aside aside = {
        .segment = segment->generation,
        .offset = item->offset,
        .length = item->length,
        .why = whys[item->found],
        .has_id = item->has_id,
        .id = item->id,
        .pieces = 1,
    };

    /* What the journal knows in this place was sound once. */
    if (known && known->is_placed && known->segment == segment->generation &&
        known->offset == item->offset && aside.why == RECOVER_TORN)
        aside.why = RECOVER_CORRUPT;
    return aside;
}

/* Each piece costs a file, its syncs and a line in the log, and a gate can write a million of them
 * into one segment. */
static void add_to_rest(struct recover *recover, struct live_segment *segment,
    const struct recover_aside *aside, bool is_mail)
{
    struct recover_aside *rest = &segment->rest;

    if (rest->length == 0)
        *rest = (struct recover_aside){
            .segment = aside->segment, .offset = aside->offset, .why = aside->why
        };
    rest->length = aside->offset + aside->length - rest->offset;
    rest->pieces += !is_mail;
    if (aside->why == RECOVER_CORRUPT || rest->why == RECOVER_TORN)
        rest->why = aside->why;
    if (is_mail)
        recover->events->on_aside(recover->events->context, aside);
}

static void set_aside(
    struct recover *recover, struct live_segment *segment, const struct segment_item *item)
{
    struct known *known = item->has_id ? known_find(&recover->known, item->id) : NULL;
    struct recover_aside aside = piece_of(segment, known, item);

    aside.is_known = known && known->is_aside;
    if (known)
        known->is_aside = true;
    if (segment->pieces >= PIECES_MOST) {
        add_to_rest(recover, segment, &aside, known && known->is_journalled);
        return;
    }
    segment->pieces++;
    copy_aside(recover, segment, &aside);
}

static void set_rest_aside(struct recover *recover, struct live_segment *segment)
{
    struct recover_aside rest = segment->rest;

    segment->rest = (struct recover_aside){ 0 };
    if (rest.length > 0)
        copy_aside(recover, segment, &rest);
}

/* Behind a cut nothing is mail. */
static uint64_t bound_of(const struct recover *recover, const struct live_segment *segment)
{
    uint64_t cut = known_cut(&recover->known, segment->generation);

    return segment->size < cut ? segment->size : cut;
}

/* segment->offset follows item by item, so an error loses and repeats nothing. */
static enum err read_segment(
    struct recover *recover, struct live_segment *segment, uint64_t bound, bool is_stated)
{
    const struct known_segment *known = known_segment(&recover->known, segment->generation);
    struct segment_item item = { .found = SEGMENT_RECORD };
    enum err rc = ERR_OK;

    if (bound > bound_of(recover, segment))
        bound = bound_of(recover, segment);
    segment_aim(&recover->reader, segment->file, segment->generation, segment->offset);
    while (rc == ERR_OK && item.found != SEGMENT_END) {
        rc = segment_next(&recover->reader, bound, is_stated, &item);
        if (rc != ERR_OK || item.found == SEGMENT_END)
            break;
        if (item.found == SEGMENT_RECORD && item.is_first)
            segment->batch = item.offset;
        if (item.found == SEGMENT_RECORD)
            rc = recover->stop =
                recover_hand_over(recover, segment, known ? known->upto : 0, &item);
        else
            set_aside(recover, segment, &item);
        if (rc == ERR_OK)
            segment->offset = recover->reader.tail.offset;
    }
    return rc;
}

/* One record where the journal has it. What is there instead is nobody's, so it is not looked at.
 */
static enum err read_refused(
    struct recover *recover, const struct live_segment *segment, struct known *known)
{
    struct recover_aside aside;
    uint64_t left = known->offset < segment->size ? segment->size - known->offset : 0;
    uint64_t bound = known->offset + (left < RECORD_MAX ? left : RECORD_MAX);
    struct segment_item item;
    enum err rc;

    segment_aim(&recover->reader, segment->file, segment->generation, known->offset);
    rc = segment_next(&recover->reader, bound, true, &item);
    if (rc != ERR_OK || item.found == SEGMENT_END || item.offset != known->offset || !item.has_id ||
        !queue_id_equals(item.id, known->id))
        return rc;
    if (item.found == SEGMENT_RECORD)
        return recover->stop = recover_hand_over(recover, segment, 0, &item);
    known->is_aside = true;
    aside = piece_of(segment, known, &item);
    copy_aside(recover, segment, &aside);
    return ERR_OK;
}

/* What the journal has accepted behind a cut. */
static enum err read_all_refused(struct recover *recover, const struct live_segment *segment)
{
    struct known_segment *place = known_segment(&recover->known, segment->generation);
    struct known *known, *next;
    enum err rc = ERR_OK;

    if (!place || !place->has_refused)
        return ERR_OK;
    HASH_ITER (hh, recover->known.messages, known, next) {
        if (!known->is_refused || known->is_closed || known->is_handed ||
            known->segment != segment->generation)
            continue;
        rc = read_refused(recover, segment, known);
        if (rc != ERR_OK)
            return rc;
    }
    place->has_refused = false;
    return ERR_OK;
}

/* Syncs what a dead writer may have left unsynced. When that fails the records are delivered all
 * the same: whoever had a 250 had it after a sync of the writer's own. */
static enum err sync_segment(struct recover *recover, uint64_t generation)
{
    const struct recover_events *events = recover->events;
    struct disk *disk = recover->store->disk;
    int file = -1;
    enum err rc = store_claim(recover->store, STORE_SEGMENT, generation, &file);

    if (rc != ERR_OK)
        return rc;
    rc = disk->ops->sync(disk, file);
    disk_close(disk, &file);
    if (rc != ERR_OK)
        events->on_trouble(events->context, generation, rc, "sync of a left segment");
    return ERR_OK;
}

/* Where the batch begins that was written last (segment->batch), and where its records end. */
static enum err find_last_batch(
    struct recover *recover, struct live_segment *segment, uint64_t *out_end)
{
    struct segment_item item = { .found = SEGMENT_RECORD };
    uint64_t bound = bound_of(recover, segment), end = segment->offset;
    enum err rc = ERR_OK;

    segment_aim(&recover->reader, segment->file, segment->generation, segment->offset);
    while (rc == ERR_OK && item.found != SEGMENT_END) {
        rc = segment_next(&recover->reader, bound, false, &item);
        if (rc != ERR_OK || item.found != SEGMENT_RECORD)
            continue;
        if (item.is_first)
            segment->batch = item.offset;
        end = recover->reader.tail.offset;
    }
    *out_end = end;
    return rc;
}

/* The last batch may be readable and not on the disk, if its sync failed; see store_renew. The
 * batches before it were synced. */
static enum err renew_last_batch(struct recover *recover, struct live_segment *segment)
{
    const struct recover_events *events = recover->events;
    uint64_t end;
    enum err rc = ERR_OK;

    if (segment->is_sure || find_last_batch(recover, segment, &end) != ERR_OK)
        return ERR_OK; /* what cannot be read is found when it is handed over */
    if (end > segment->offset && segment->batch != 0)
        rc = store_renew(recover->store, STORE_SEGMENT, segment->generation, segment->batch, end);
    segment->is_sure = rc == ERR_OK;
    if (rc != ERR_OK)
        events->on_trouble(events->context, segment->generation, rc, "writing a left batch anew");
    return rc;
}

/* A batch that cannot be made sure of waits, for what follows from it (that a notice is there, say)
 * would outlive it; those before it do not. */
static enum err read_left(struct recover *recover, struct live_segment *segment)
{
    enum err rc = sync_segment(recover, segment->generation);
    enum err renewed = ERR_OK;

    if (rc == ERR_OK)
        rc = live_open(recover, segment);
    if (rc == ERR_OK)
        renewed = renew_last_batch(recover, segment);
    if (rc == ERR_OK && renewed == ERR_OK)
        rc = read_segment(recover, segment, segment->size, false);
    else if (rc == ERR_OK)
        rc = read_segment(recover, segment, segment->batch, true);
    if (rc == ERR_OK)
        rc = read_all_refused(recover, segment);
    return rc == ERR_OK ? renewed : rc;
}

/* A segment of which everything is known: only the writer must be gone. */
static enum err pass_left(
    struct recover *recover, struct live_segment *segment, const struct known_segment *known)
{
    int file = -1;
    enum err rc = store_claim(recover->store, STORE_SEGMENT, segment->generation, &file);

    disk_close(recover->store->disk, &file);
    if (rc == ERR_OK && segment->offset < known->upto)
        segment->offset = known->upto;
    return rc;
}

enum err recover_gone(struct recover *recover, uint64_t generation)
{
    const struct known_segment *known = known_segment(&recover->known, generation);
    struct live_segment *segment = live_find_or_add(recover, generation);
    enum err rc;

    if (!segment)
        return ERR_NOMEM;
    if (segment->is_owned)
        return ERR_OK;
    if (known && known->is_complete)
        rc = pass_left(recover, segment, known);
    else
        rc = read_left(recover, segment);
    if (rc != ERR_OK)
        return rc;
    set_rest_aside(recover, segment);
    heard_of(recover, segment);
    segment->is_owned = true;
    recover->events->on_owned(recover->events->context, generation);
    return ERR_OK;
}

enum err recover_stated(struct recover *recover, uint64_t generation, uint64_t upto)
{
    struct live_segment *segment = live_find_or_add(recover, generation);
    enum err rc;

    if (!segment)
        return ERR_NOMEM;
    rc = live_open(recover, segment);
    if (rc == ERR_OK && upto > segment->size)
        rc = ERR_PROTOCOL;
    if (rc == ERR_OK)
        rc = read_segment(recover, segment, upto, true);
    if (rc == ERR_OK)
        rc = read_all_refused(recover, segment);
    if (rc == ERR_OK)
        heard_of(recover, segment);
    return rc;
}
