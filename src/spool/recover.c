/* spool/recover.c: reads segments behind their writers and hands out what is in them. */
#include "spool/recover.h"

#include <assert.h>
#include <stdlib.h>

#include "spool/known.h"

enum { ARENA_CAP = 16 << 20 };

struct live_segment {
    uint64_t generation;
    uint64_t size;
    uint64_t offset; /* everything before it has been handed over */
    uint64_t batch;  /* where the batch begins that was read last; 0: not known */
    int file;        /* -1: not opened yet */
    bool is_waiting; /* alive at start and not heard of since */
    bool is_owned;   /* the writer is gone and on_owned was called */
    UT_hash_handle hh;
};

struct recover {
    struct store *store;
    const struct recover_events *events;
    struct known_set known;
    struct live_segment *segments;
    size_t waiting;
    struct segment_reader reader;
    struct arena arena;
    struct known *next;  /* of those that are handed over without their records */
    bool is_known_ready; /* next is set */
    enum err stop;       /* what on_message said */
};

struct recover *recover_new(struct store *store, const struct recover_events *events)
{
    struct recover *recover = calloc(1, sizeof *recover);

    if (!recover)
        return NULL;
    recover->store = store;
    recover->events = events;
    segment_reader_init(&recover->reader, store->disk);
    arena_init(&recover->arena, ARENA_CAP);
    return recover;
}

static void drop_segment(struct recover *recover, struct live_segment *segment)
{
    HASH_DEL(recover->segments, segment);
    recover->waiting -= segment->is_waiting;
    disk_close(recover->store->disk, &segment->file);
    free(segment);
}

void recover_free(struct recover **recover)
{
    struct live_segment *segment, *next;

    if (!*recover)
        return;
    HASH_ITER (hh, (*recover)->segments, segment, next) {
        drop_segment(*recover, segment);
    }
    known_clear(&(*recover)->known);
    segment_reader_clear(&(*recover)->reader);
    arena_clear(&(*recover)->arena);
    free(*recover);
    *recover = NULL;
}

/* Numbers given from now on are above those of segments that may be named again. */
static void note_number(struct recover *recover, const struct journal_entry *entry)
{
    const uint64_t numbers[JOURNAL_KINDS] = {
        [JOURNAL_ARRIVED] = entry->kind == JOURNAL_ARRIVED ? entry->arrived.segment : 0,
        [JOURNAL_MOVED] = entry->kind == JOURNAL_MOVED ? entry->moved.segment : 0,
        [JOURNAL_CUT] = entry->kind == JOURNAL_CUT ? entry->cut.segment : 0,
        [JOURNAL_SEGMENT] = entry->kind == JOURNAL_SEGMENT ? entry->segment.generation : 0,
        [JOURNAL_STATE] = entry->kind == JOURNAL_STATE ? entry->state.segment : 0,
    };

    store_note_number(recover->store, numbers[entry->kind]);
}

static enum err take_entry(void *context, const struct journal_entry *entry)
{
    struct recover *recover = context;

    note_number(recover, entry);
    if (recover->events->on_entry)
        recover->events->on_entry(recover->events->context, entry);
    return known_apply(&recover->known, entry);
}

static void take_damage(void *context, const struct journal_damage *damage)
{
    struct recover *recover = context;
    enum err rc = known_damage(&recover->known, damage);

    if (rc != ERR_OK)
        recover->stop = rc;
    if (recover->events->on_journal_damage)
        recover->events->on_journal_damage(recover->events->context, damage);
}

enum err recover_journal(struct recover *recover, struct journal_replayed *out_replayed)
{
    const struct journal_events events = { recover, take_entry, take_damage };
    enum err rc = journal_replay(recover->store, &events, out_replayed);

    return rc == ERR_OK ? recover->stop : rc;
}

void recover_now(struct recover *recover, int64_t now_us)
{
    journal_clock_note(&recover->known.clock, now_us);
}

static struct live_segment *find_segment(const struct recover *recover, uint64_t generation)
{
    struct live_segment *segment;

    HASH_FIND(hh, recover->segments, &generation, sizeof generation, segment);
    return segment;
}

static struct live_segment *find_or_add(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = find_segment(recover, generation);

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

static enum err open_segment(struct recover *recover, struct live_segment *segment)
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

/* Is the message still to be delivered? */
static bool is_wanted(const struct recover *recover, const struct known *known, struct queue_id id)
{
    if (known && (known->is_closed || known->is_handed))
        return false;
    return !recover->events->is_held(recover->events->context, id);
}

/* Fills in what the journal says of the message and hands it over. */
static enum err hand_over(
    struct recover *recover, struct known *known, struct recover_message *message)
{
    struct recover_recipient *recipients;
    const struct envelope *envelope = message->envelope;
    enum err rc;

    arena_clear(&recover->arena);
    recipients = arena_array(&recover->arena, message->recipient_count, sizeof *recipients);
    if (!recipients)
        return ERR_NOMEM;
    rc = known_recipients(
        &recover->known, known, &recover->arena, recipients, message->recipient_count);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; envelope && i < message->recipient_count; i++) {
        struct slice address = envelope->recipients[i].address;
        recipients[i].domain = slice_from(address, slice_find_last(address, '@') + 1);
    }
    message->recipients = recipients;
    message->is_suspect = known_is_suspect(&recover->known, known, message->arrival_us);
    if (known) {
        message->is_journalled = known->is_journalled;
        message->is_held = known->is_held;
        message->held_until_us = known->held_until_us;
    }
    if (message->is_journalled)
        message->arrival_us =
            journal_clock_shift(&recover->known.clock, message->arrival_us, known->moved_us);
    rc = recover->events->on_message(recover->events->context, message);
    if (rc == ERR_OK && known)
        known_hand_over(known);
    return rc;
}

static enum err hand_over_record(struct recover *recover, const struct live_segment *segment,
    uint64_t settled, const struct segment_item *item)
{
    struct known *known = known_find(&recover->known, item->id);
    const struct envelope *envelope = &item->record.envelope;
    struct recover_message message = {
        .id = item->id,
        .segment = segment->generation,
        .offset = item->offset,
        .envelope = envelope,
        .body_file = envelope->body_file,
        .arrival_us = envelope->arrival_us,
        .size = envelope->header_size + envelope->body_size,
        .body_size = envelope->body_size,
        .sender = envelope->sender,
        .user = envelope->user,
        .notice = envelope->notice,
        .about = envelope->about,
        .recipient_count = envelope->recipient_count,
    };

    /* A checkpoint would have named it, or an entry since. */
    if (!known && item->offset < settled)
        return ERR_OK;
    return is_wanted(recover, known, item->id) ? hand_over(recover, known, &message) : ERR_OK;
}

static enum err hand_over_stated(struct recover *recover, struct known *known)
{
    const struct known_head *head = known->head;
    struct recover_message message = { 0 };

    if (!is_wanted(recover, known, known->id)) {
        known_hand_over(known);
        return ERR_OK;
    }
    message = (struct recover_message){
        .id = known->id,
        .segment = known->segment,
        .offset = known->offset,
        .body_file = head->body_file,
        .arrival_us = head->arrival_us,
        .size = head->size,
        .body_size = head->body_size,
        .sender = slice_of(head->text, head->sender_len),
        .user = slice_of(head->text + head->sender_len, head->user_len),
        .notice = (enum envelope_notice)head->notice,
        .about = head->about,
        .recipient_count = head->total,
    };
    return hand_over(recover, known, &message);
}

static const enum recover_why whys[] = {
    [SEGMENT_DAMAGE] = RECOVER_CORRUPT,
    [SEGMENT_TORN] = RECOVER_TORN,
    [SEGMENT_UNKNOWN] = RECOVER_UNKNOWN,
};

static void set_aside(
    struct recover *recover, const struct live_segment *segment, const struct segment_item *item)
{
    struct known *known = item->has_id ? known_find(&recover->known, item->id) : NULL;
    struct recover_aside aside = {
        .segment = segment->generation,
        .offset = item->offset,
        .length = item->length,
        .why = whys[item->found],
        .has_id = item->has_id,
        .id = item->id,
    };

    /* What the journal knows in this place was sound once. */
    if (known && known->is_placed && known->segment == segment->generation &&
        known->offset == item->offset && aside.why == RECOVER_TORN)
        aside.why = RECOVER_CORRUPT;
    if (known)
        known->is_aside = true;
    aside.copied = store_copy_aside(
        recover->store, segment->file, segment->generation, item->offset, item->length);
    aside.is_known = aside.copied == ERR_EXISTS;
    if (aside.is_known)
        aside.copied = ERR_OK;
    recover->events->on_aside(recover->events->context, &aside);
}

/* segment->offset follows item by item, so an error loses and repeats nothing. */
static enum err read_segment(
    struct recover *recover, struct live_segment *segment, uint64_t bound, bool is_stated)
{
    const struct known_segment *known = known_segment(&recover->known, segment->generation);
    uint64_t cut = known ? known->cut : UINT64_MAX;
    struct segment_item item = { .found = SEGMENT_RECORD };
    enum err rc = ERR_OK;

    if (bound > cut)
        bound = cut;
    segment_aim(&recover->reader, segment->file, segment->generation, segment->offset);
    while (rc == ERR_OK && item.found != SEGMENT_END) {
        rc = segment_next(&recover->reader, bound, is_stated, &item);
        if (rc != ERR_OK || item.found == SEGMENT_END)
            break;
        if (item.found == SEGMENT_RECORD && item.is_first)
            segment->batch = item.offset;
        if (item.found == SEGMENT_RECORD)
            rc = recover->stop = hand_over_record(recover, segment, known ? known->upto : 0, &item);
        else
            set_aside(recover, segment, &item);
        if (rc == ERR_OK)
            segment->offset = recover->reader.tail.offset;
    }
    return rc;
}

/* Syncs what a dead writer may have left unsynced: what we are about to act on must not vanish.
 * When that fails the records are delivered all the same: whoever had a 250 had it after a sync of
 * the writer's own. */
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

/* The last batch may be readable and not on the disk, if its sync failed; see store_renew. The
 * batches before it were synced. */
static void renew_batch(struct recover *recover, const struct live_segment *segment)
{
    const struct recover_events *events = recover->events;
    enum err rc = ERR_OK;

    if (segment->batch != 0)
        rc = store_renew(
            recover->store, STORE_SEGMENT, segment->generation, segment->batch, segment->offset);
    if (rc != ERR_OK)
        events->on_trouble(events->context, segment->generation, rc, "writing a left batch anew");
}

static enum err read_left(struct recover *recover, struct live_segment *segment)
{
    enum err rc = sync_segment(recover, segment->generation);
    uint64_t start;

    if (rc == ERR_OK)
        rc = open_segment(recover, segment);
    if (rc == ERR_OK) {
        start = segment->offset;
        rc = read_segment(recover, segment, segment->size, false);
        if (segment->offset > start)
            renew_batch(recover, segment);
    }
    return rc;
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
    struct live_segment *segment = find_or_add(recover, generation);
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
    heard_of(recover, segment);
    segment->is_owned = true;
    recover->events->on_owned(recover->events->context, generation);
    return ERR_OK;
}

static void note_alive(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = find_segment(recover, generation);

    recover->waiting += !segment->is_waiting;
    segment->is_waiting = true;
    recover->events->on_alive(recover->events->context, generation);
}

static int compare_files(const void *a, const void *b)
{
    const struct store_file *left = a, *right = b;

    return left->number < right->number ? -1 : left->number > right->number;
}

/* Something is to be found in the segment: it is read whatever the checkpoint says. */
static void unsettle(struct recover *recover, uint64_t generation)
{
    struct known_segment *segment = known_segment(&recover->known, generation);

    if (segment)
        segment->is_complete = false;
}

static void unsettle_all(struct recover *recover)
{
    struct known_segment *segment, *next;

    HASH_ITER (hh, recover->known.segments, segment, next)
        segment->is_complete = false;
}

/* Which messages need no reading, and which segments therefore do. */
static void sort_known(struct recover *recover, const struct store_file *files, size_t count)
{
    struct known *known, *next;
    bool is_lost = false;

    HASH_ITER (hh, recover->known.messages, known, next) {
        struct store_file place = { known->segment };
        bool is_there;

        if (known->is_closed ||
            (known->is_placed && known->offset >= known_cut(&recover->known, known->segment)))
            continue;
        is_there = known->is_placed && count > 0 &&
                   bsearch(&place, files, count, sizeof *files, compare_files) != NULL;
        known->is_ready = is_there && known_is_stated(known);
        if (!known->is_ready && is_there)
            unsettle(recover, known->segment);
        is_lost |= !is_there;
    }
    if (is_lost)
        unsettle_all(recover);
    recover->next = recover->known.messages;
    recover->is_known_ready = true;
}

static enum err hand_over_known(struct recover *recover)
{
    enum err rc = ERR_OK;

    while (recover->next) {
        if (recover->next->is_ready)
            rc = hand_over_stated(recover, recover->next);
        if (rc != ERR_OK)
            break;
        recover->next = recover->next->hh.next;
    }
    return rc;
}

static void take_left(struct recover *recover, uint64_t generation)
{
    const struct recover_events *events = recover->events;
    enum err rc = recover_gone(recover, generation);

    if (recover->stop != ERR_OK)
        return;
    if (rc == ERR_BUSY)
        note_alive(recover, generation);
    else if (rc != ERR_OK)
        events->on_trouble(events->context, generation, rc, "reading a segment");
}

enum err recover_segments(struct recover *recover)
{
    struct store_file *files;
    size_t count;
    enum err rc = store_list(recover->store, STORE_SEGMENT, &files, &count);

    if (rc != ERR_OK)
        return rc;
    if (!recover->is_known_ready)
        sort_known(recover, files, count);
    recover->stop = hand_over_known(recover);
    for (size_t i = 0; i < count && recover->stop == ERR_OK; i++)
        take_left(recover, files[i].number);
    free(files);
    return recover->stop;
}

enum err recover_stated(struct recover *recover, uint64_t generation, uint64_t upto)
{
    struct live_segment *segment = find_or_add(recover, generation);
    enum err rc;

    if (!segment)
        return ERR_NOMEM;
    rc = open_segment(recover, segment);
    if (rc == ERR_OK && upto > segment->size)
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        rc = read_segment(recover, segment, upto, true);
    if (rc == ERR_OK)
        heard_of(recover, segment);
    return rc;
}

enum err recover_cut(struct recover *recover, uint64_t generation, uint64_t offset)
{
    return known_set_cut(&recover->known, generation, offset);
}

size_t recover_waiting(const struct recover *recover)
{
    return recover->waiting;
}

enum err recover_passed(struct recover *recover, uint64_t generation, uint64_t upto)
{
    struct live_segment *segment = find_or_add(recover, generation);

    if (!segment)
        return ERR_NOMEM;
    if (segment->offset < upto)
        segment->offset = upto;
    return ERR_OK;
}

uint64_t recover_cut_of(const struct recover *recover, uint64_t generation)
{
    uint64_t cut = known_cut(&recover->known, generation);

    return cut == UINT64_MAX ? 0 : cut;
}

static bool is_missing(const struct recover *recover, const struct known *known)
{
    return known->is_placed && !known->is_closed && !known->is_handed && !known->is_aside &&
           known->offset < known_cut(&recover->known, known->segment);
}

void recover_finish(struct recover *recover)
{
    const struct recover_events *events = recover->events;
    struct known *known, *next;

    HASH_ITER (hh, recover->known.messages, known, next) {
        if (is_missing(recover, known))
            events->on_missing(events->context, known->id, known->segment, known->offset);
    }
    recover->next = NULL;
    known_forget(&recover->known);
}

void recover_forget(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = find_segment(recover, generation);

    if (segment)
        drop_segment(recover, segment);
    known_forget_segment(&recover->known, generation);
}

int recover_handle(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = find_or_add(recover, generation);

    return segment && open_segment(recover, segment) == ERR_OK ? segment->file : -1;
}

uint64_t recover_offset(const struct recover *recover, uint64_t generation)
{
    const struct live_segment *segment = find_segment(recover, generation);

    return segment ? segment->offset : 0;
}
