/* spool/journal_read.c: reads all journal files in order; cuts the torn tail of the last. */
#include <assert.h>
#include <stdlib.h>

#include "spool/journal.h"
#include "spool/tail.h"

enum { ARENA_CAP = 1 << 20 };

struct old_file {
    uint64_t number;
    struct file_head head;
    enum err head_error;
};

struct reading {
    struct store *store;
    const struct journal_events *events;
    struct journal_replayed sum;
    bool is_last;        /* the file read last is the last that was written */
    uint64_t last_batch; /* where its last batch begins; 0: not known */
    struct old_file *files;
    size_t count;
    struct tail tail;
    struct arena arena;
};

static const struct queue_id nobody;

bool journal_damage_is_nameless(const struct journal_damage *damage)
{
    return !damage->has_id || queue_id_equals(damage->id, nobody);
}

static void damage(struct reading *reading, const struct tail_item *item, const char *why)
{
    struct journal_damage found = {
        .file = reading->tail.generation,
        .offset = item->offset,
        .length = item->length,
        .has_id = item->has_id,
        .id = item->id,
        .why = why,
    };

    reading->sum.damaged++;
    if (journal_damage_is_nameless(&found))
        reading->sum.tally.begun = 0;
    if (reading->events->on_damage)
        reading->events->on_damage(reading->events->context, &found);
}

static enum err read_head(struct store *store, struct old_file *file)
{
    unsigned char block[FILE_HEAD];
    size_t got = 0;
    int handle = -1;
    enum err rc = store_open_read(store, STORE_JOURNAL, file->number, &handle);

    if (rc == ERR_OK)
        rc = store->disk->ops->read_at(store->disk, handle, block, sizeof block, 0, &got);
    disk_close(store->disk, &handle);
    if (rc != ERR_OK)
        return rc;
    return got == sizeof block ? file_head_read(&journal_format, block, &file->head) : ERR_CORRUPT;
}

static enum err read_heads(struct reading *reading)
{
    struct store_file *files;
    enum err rc = store_list(reading->store, STORE_JOURNAL, &files, &reading->count);

    if (rc != ERR_OK)
        return rc;
    reading->files = calloc(reading->count ? reading->count : 1, sizeof *reading->files);
    for (size_t i = 0; i < reading->count && reading->files; i++) {
        reading->files[i].number = files[i].number;
        reading->files[i].head_error = read_head(reading->store, &reading->files[i]);
    }
    free(files);
    return reading->files ? ERR_OK : ERR_NOMEM;
}

/* The good end of a file as its successor states it; 0 when none does. */
static uint64_t stated_end(const struct reading *reading, size_t index)
{
    for (size_t i = index + 1; i < reading->count; i++) {
        const struct old_file *later = &reading->files[i];
        if (later->head_error == ERR_OK && later->head.previous == reading->files[index].number)
            return later->head.previous_end;
    }
    return 0;
}

static enum err handle_entry(struct reading *reading, const struct tail_item *item)
{
    struct journal_entry entry;
    enum err rc;

    arena_clear(&reading->arena);
    rc = journal_entry_from_frame(&item->frame, &reading->arena, &entry);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc != ERR_OK) {
        damage(reading, item, rc == ERR_INVALID ? "entry of a newer version" : "impossible entry");
        return ERR_OK;
    }
    reading->sum.entries++;
    journal_tally_add(&reading->sum.tally, (uint16_t)entry.kind, &entry.checkpoint, item->length);
    if (!reading->events->on_entry)
        return ERR_OK;
    return reading->events->on_entry(reading->events->context, &entry);
}

/* The last batch never ended: its first octets are missing, or those before this item. */
static bool is_torn(const struct reading *reading, const struct tail_item *item)
{
    return item->kind == TAIL_TORN ||
           (item->kind == TAIL_FRAME && item->offset != reading->sum.last_end);
}

/* In the last file nothing counts from the first torn octet on: sound entries behind it belong to
 * the same batch, which nobody acted on. */
static enum err read_entries(struct reading *reading, uint64_t bound, bool is_stated)
{
    enum err rc = ERR_OK;

    while (rc == ERR_OK) {
        struct tail_item item;
        rc = tail_next(&reading->tail, bound, is_stated, &item);
        if (rc != ERR_OK || item.kind == TAIL_END)
            break;
        if (reading->is_last && !is_stated && is_torn(reading, &item)) {
            reading->sum.cut_octets += item.offset + item.length - reading->sum.last_end;
            break;
        }
        if (item.kind == TAIL_FRAME && item.frame.is_first)
            reading->last_batch = item.offset;
        if (item.kind == TAIL_FRAME)
            rc = handle_entry(reading, &item);
        else
            damage(reading, &item, "damaged entry");
        reading->sum.last_end = item.offset + item.length;
    }
    return rc;
}

/* Was the file only begun? The header block is synced before the first entry is written. */
static bool is_empty(struct reading *reading, const struct old_file *file)
{
    struct disk *disk = reading->store->disk;
    struct tail_item item = { .kind = TAIL_FRAME };
    uint64_t size = 0;
    int handle = -1;
    enum err rc = file->head_error == ERR_CORRUPT ? ERR_OK : ERR_EXISTS;

    if (rc == ERR_OK)
        rc = store_open_read(reading->store, STORE_JOURNAL, file->number, &handle);
    if (rc == ERR_OK)
        rc = disk->ops->size(disk, handle, &size);
    tail_aim(&reading->tail, handle, file->number, FILE_HEAD);
    if (rc == ERR_OK)
        rc = tail_next(&reading->tail, size, false, &item);
    disk_close(disk, &handle);
    return rc == ERR_OK && item.kind == TAIL_END;
}

/* Nothing was written to a later file. */
static bool is_last(struct reading *reading, size_t index)
{
    for (size_t i = index + 1; i < reading->count; i++)
        if (!is_empty(reading, &reading->files[i]))
            return false;
    return true;
}

/* A file that cannot be read at all is damage as a whole and stops nothing. */
static enum err read_file(struct reading *reading, size_t index, bool *out_is_readable)
{
    struct disk *disk = reading->store->disk;
    struct old_file *file = &reading->files[index];
    uint64_t end = stated_end(reading, index);
    uint64_t size = 0;
    int handle = -1;
    enum err rc = file->head_error == ERR_CORRUPT ? ERR_OK : file->head_error;

    reading->is_last = is_last(reading, index);
    reading->last_batch = 0;
    reading->sum.last = 0;
    reading->sum.last_end = FILE_HEAD;
    if (rc == ERR_OK)
        rc = store_open_read(reading->store, STORE_JOURNAL, file->number, &handle);
    if (rc == ERR_OK)
        rc = disk->ops->size(disk, handle, &size);
    tail_aim(&reading->tail, handle, file->number, FILE_HEAD);
    *out_is_readable = rc == ERR_OK;
    if (rc == ERR_OK)
        reading->sum.last = file->number;
    if (rc == ERR_OK)
        rc = read_entries(reading, end ? end : size, end != 0);
    else
        damage(reading, &(struct tail_item){ .length = size },
            rc == ERR_INVALID ? "file of a newer version" : "unreadable file");
    disk_close(disk, &handle);
    return *out_is_readable ? rc : ERR_OK;
}

/* Written over itself, for a sync may have failed of what can be read: the file's head, which states
 * where the one before it ends and where a start begins, and its last batch. */
static enum err renew_file(struct reading *reading, const struct old_file *file)
{
    enum err rc = ERR_OK;

    if (file->head_error == ERR_OK)
        rc = store_renew(reading->store, STORE_JOURNAL, file->number, 0, FILE_HEAD);
    if (rc == ERR_OK && reading->last_batch != 0)
        rc = store_renew(reading->store, STORE_JOURNAL, file->number, reading->last_batch,
            reading->sum.last_end);
    return rc;
}

/* The last file, and the one before it if the last is only begun: the torn octets behind its good
 * end go, since no other file has stated that end. */
static enum err end_file(struct reading *reading, const struct old_file *file)
{
    struct journal_replayed *sum = &reading->sum;
    enum err rc;

    /* Rubbish under a damaged header block stays: without it the file would look as if it had only
     * been begun, and the one before it as if it were the last. */
    if (file->head_error == ERR_CORRUPT && sum->last_end == FILE_HEAD)
        return ERR_OK;
    rc = renew_file(reading, file);
    if (rc != ERR_OK)
        return rc;
    return store_truncate(reading->store, STORE_JOURNAL, sum->last, sum->last_end);
}

static bool is_there(const struct reading *reading, uint64_t number)
{
    for (size_t i = 0; i < reading->count; i++)
        if (reading->files[i].number == number)
            return true;
    return false;
}

static void note_missing(struct reading *reading, uint64_t number)
{
    tail_aim(&reading->tail, -1, number, 0);
    damage(reading, &(struct tail_item){ 0 }, "missing file");
}

/* The file to begin with: what lies before it is history. */
static size_t first_file(struct reading *reading)
{
    uint64_t from = 0;
    size_t first = 0;

    for (size_t i = reading->count; i-- > 0 && from == 0;)
        if (reading->files[i].head_error == ERR_OK) {
            from = reading->files[i].head.from;
            break;
        }
    reading->sum.tally.from = from;
    while (first < reading->count && reading->files[first].number < from)
        first++;
    if (from != 0 && !is_there(reading, from))
        note_missing(reading, from);
    return first;
}

static enum err read_files(struct reading *reading, size_t first, bool is_replay)
{
    enum err rc = ERR_OK;
    bool is_readable;

    if (first < reading->count)
        reading->sum.first = reading->files[first].number;
    for (size_t i = first; rc == ERR_OK && i < reading->count; i++) {
        const struct old_file *file = &reading->files[i];
        uint64_t previous = file->head_error == ERR_OK ? file->head.previous : 0;

        if (i > first && previous != 0 && !is_there(reading, previous))
            note_missing(reading, previous);
        rc = read_file(reading, i, &is_readable);
        if (rc == ERR_OK && is_replay && is_readable && reading->is_last)
            rc = end_file(reading, file);
    }
    return rc;
}

static enum err read_all(struct store *store, const struct journal_events *events, bool is_replay,
    struct journal_replayed *out_replayed)
{
    struct reading reading = { .store = store, .events = events };
    enum err rc;

    tail_init(&reading.tail, store->disk, &journal_format);
    arena_init(&reading.arena, ARENA_CAP);
    /* A file that was being made when its name could not be synced may be seen now and be gone
     * after a power cut; the next file is going to name what is seen. */
    rc = is_replay ? store->disk->ops->sync_dir(store->disk, store->dirs[STORE_JOURNAL]) : ERR_OK;
    if (rc == ERR_OK)
        rc = read_heads(&reading);
    if (rc == ERR_OK)
        rc = read_files(&reading, is_replay ? first_file(&reading) : 0, is_replay);
    if (rc == ERR_OK)
        *out_replayed = reading.sum;
    free(reading.files);
    tail_clear(&reading.tail);
    arena_clear(&reading.arena);
    return rc;
}

enum err journal_replay(
    struct store *store, const struct journal_events *events, struct journal_replayed *out_replayed)
{
    return read_all(store, events, true, out_replayed);
}

enum err journal_scan(
    struct store *store, const struct journal_events *events, struct journal_replayed *out_replayed)
{
    return read_all(store, events, false, out_replayed);
}
