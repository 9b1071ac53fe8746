/* spool/segment.c: appending batches with one sync, and reading records behind the writer. */
#include "spool/segment.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

enum { ARENA_CAP = 4 << 20, PARTS_ON_STACK = 64 };

void segment_writer_init(struct segment_writer *writer, struct disk *disk, int file,
    uint64_t generation, uint64_t size, uint64_t start)
{
    *writer = (struct segment_writer){
        .disk = disk, .file = file, .generation = generation, .size = size, .end = start
    };
}

void segment_writer_clear(struct segment_writer *writer)
{
    disk_close(writer->disk, &writer->file);
}

bool segment_fits(const struct segment_writer *writer, uint64_t total)
{
    return !writer->is_spoiled && writer->end <= writer->size &&
           total <= writer->size - writer->end;
}

static const char zeros[FRAME_HEAD];

static void put_part(struct iovec *parts, size_t *count, const void *data, size_t len)
{
    parts[(*count)++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

static void put_draft(struct iovec *parts, size_t *count, const struct record_draft *draft)
{
    uint64_t len = FRAME_HEAD + draft->envelope.len;

    put_part(parts, count, draft->head, FRAME_HEAD);
    put_part(parts, count, draft->envelope.data, draft->envelope.len);
    for (size_t i = 0; i < draft->header_count; i++) {
        put_part(parts, count, draft->header[i].data, draft->header[i].len);
        len += draft->header[i].len;
    }
    for (size_t i = 0; i < draft->body_count; i++) {
        put_part(parts, count, draft->body[i].data, draft->body[i].len);
        len += draft->body[i].len;
    }
    put_part(parts, count, zeros, draft->total - len);
}

/* No room, or no leave to write: the file system has not touched the file. */
static bool is_plain_refusal(enum err rc)
{
    return rc == ERR_NOSPACE || rc == ERR_DENIED;
}

/* One write, one sync. */
static enum err put_and_sync(
    struct segment_writer *writer, struct iovec *parts, size_t count, uint64_t offset)
{
    uint64_t written = 0;
    enum err rc = disk_write_counted(writer->disk, writer->file, parts, count, offset, &written);

    /* Octets may be on the disk or not, and the kernel will not say twice that they are not. */
    writer->is_spoiled = rc != ERR_OK && !(written == 0 && is_plain_refusal(rc));
    if (rc == ERR_OK) {
        rc = writer->disk->ops->sync(writer->disk, writer->file);
        writer->is_spoiled = rc != ERR_OK;
    }
    return rc;
}

static enum err write_batch(
    struct segment_writer *writer, struct record_draft *const *drafts, size_t count, uint64_t end)
{
    struct iovec few[PARTS_ON_STACK];
    struct iovec *parts = few;
    struct iovec ahead = disk_zeros_ahead(writer->zeroed, end, writer->size);
    size_t most = 1, used = 0;
    enum err rc;

    for (size_t i = 0; i < count; i++)
        most += 3 + drafts[i]->header_count + drafts[i]->body_count;
    if (most > PARTS_ON_STACK) {
        parts = calloc(most, sizeof *parts);
        if (!parts)
            return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        drafts[i]->is_first = i == 0;
        record_draft_seal(drafts[i], writer->generation);
        put_draft(parts, &used, drafts[i]);
    }
    put_part(parts, &used, ahead.iov_base, ahead.iov_len);
    rc = put_and_sync(writer, parts, used, writer->end);
    if (ahead.iov_len > 0)
        writer->zeroed = end + ahead.iov_len;
    if (parts != few)
        free(parts);
    return rc;
}

enum err segment_append(
    struct segment_writer *writer, struct record_draft *const *drafts, size_t count)
{
    uint64_t total = 0;
    enum err rc;

    assert(count > 0);
    for (size_t i = 0; i < count; i++)
        total += drafts[i]->total;
    if (!segment_fits(writer, total))
        return ERR_LIMIT;
    rc = write_batch(writer, drafts, count, writer->end + total);
    if (rc == ERR_OK)
        writer->end += total;
    return rc;
}

bool segment_wants_zeros(const struct segment_writer *writer)
{
    return !writer->is_spoiled && disk_zeros_low(writer->zeroed, writer->end, writer->size);
}

void segment_zero_ahead(struct segment_writer *writer)
{
    uint64_t from = writer->zeroed > writer->end ? writer->zeroed : writer->end;
    struct iovec ahead = disk_zeros_ahead(0, from, writer->size);
    uint64_t upto = from + ahead.iov_len;

    if (put_and_sync(writer, &ahead, 1, from) == ERR_OK)
        writer->zeroed = upto;
}

void segment_reader_init(struct segment_reader *reader, struct disk *disk)
{
    tail_init(&reader->tail, disk, &record_format);
    arena_init(&reader->arena, ARENA_CAP);
}

void segment_reader_clear(struct segment_reader *reader)
{
    tail_clear(&reader->tail);
    arena_clear(&reader->arena);
}

void segment_aim(struct segment_reader *reader, int file, uint64_t generation, uint64_t offset)
{
    tail_aim(&reader->tail, file, generation, offset);
}

static const enum segment_found founds[] = {
    [TAIL_FRAME] = SEGMENT_RECORD,
    [TAIL_CORRUPT] = SEGMENT_DAMAGE,
    [TAIL_TORN] = SEGMENT_TORN,
    [TAIL_END] = SEGMENT_END,
};

enum err segment_next(
    struct segment_reader *reader, uint64_t bound, bool is_stated, struct segment_item *out_item)
{
    struct segment_item item = { 0 };
    struct tail_item at;
    enum err rc = tail_next(&reader->tail, bound, is_stated, &at);

    if (rc != ERR_OK)
        return rc;
    item.found = founds[at.kind];
    item.offset = at.offset;
    item.length = at.length;
    item.is_first = at.kind == TAIL_FRAME && at.frame.is_first;
    item.has_id = at.has_id;
    item.id = at.id;
    if (at.kind == TAIL_FRAME) {
        arena_clear(&reader->arena);
        rc = record_from_frame(&at.frame, &reader->arena, &item.record);
    }
    if (rc == ERR_NOMEM) {
        reader->tail.offset = at.offset;
        return rc;
    }
    if (rc != ERR_OK)
        item.found = rc == ERR_INVALID ? SEGMENT_UNKNOWN : SEGMENT_DAMAGE;
    *out_item = item;
    return ERR_OK;
}

/* Octets of the file behind what the buffer holds already, until it holds `len`. */
static enum err load_more(
    struct disk *disk, int file, uint64_t offset, uint64_t len, struct buffer *bytes)
{
    size_t got = 0, more = (size_t)len - bytes->len;
    char *at = buffer_reserve(bytes, more);
    enum err rc;

    if (!at)
        return bytes->error;
    rc = disk->ops->read_at(disk, file, at, more, offset + bytes->len, &got);
    if (rc != ERR_OK)
        return rc;
    buffer_commit(bytes, got);
    return got == more ? ERR_OK : ERR_CORRUPT;
}

enum err segment_load(struct disk *disk, int file, uint64_t generation, uint64_t offset,
    struct queue_id id, struct buffer *bytes, struct arena *arena, struct record *out_record)
{
    struct frame frame = { .total = FRAME_HEAD };
    enum frame_result result = FRAME_SHORT;
    enum err rc = ERR_OK;

    buffer_reset(bytes);
    while (rc == ERR_OK && result == FRAME_SHORT) {
        rc = load_more(disk, file, offset, frame.total, bytes);
        if (rc == ERR_OK)
            result = frame_parse(&record_format, generation, buffer_slice(bytes), &frame);
    }
    if (rc == ERR_OK && (result != FRAME_GOOD || !queue_id_equals(frame.id, id)))
        rc = ERR_CORRUPT;
    return rc == ERR_OK ? record_from_frame(&frame, arena, out_record) : rc;
}
