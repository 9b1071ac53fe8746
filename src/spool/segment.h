/* spool/segment.h: a segment from both sides: the gate (and the queue for its notices) appends
 * records and syncs, the queue reads them behind it. */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "spool/disk.h"
#include "spool/record.h"
#include "spool/tail.h"

/* The writer's side. One thread at a time (the sync thread). */
struct segment_writer {
    struct disk *disk;
    int file; /* write-only, locked; owned */
    uint64_t generation;
    uint64_t size;
    uint64_t end;    /* everything before it is synced */
    uint64_t zeroed; /* zeros were written up to here */
    bool is_spoiled; /* a write or sync failed: nothing more is written here, what lies behind end
                        must be cut */
};

/* Takes the handle of a blank; records begin at `start` (FILE_HEAD for a blank of ours). */
void segment_writer_init(struct segment_writer *writer, struct disk *disk, int file,
    uint64_t generation, uint64_t size, uint64_t start);
/* Closes the handle, which frees the lock: the queue may then own the segment. Call it only when
 * the queue has been told the final end, or has the cut in its synced journal. */
void segment_writer_clear(struct segment_writer *writer);

/* Whether `total` more octets (a draft's, or the sum of a batch) fit behind the end. Never for a
 * spoiled segment. */
bool segment_fits(const struct segment_writer *writer, uint64_t total);

/* Group commit (QUE-1, DATA-13): seals the records, appends them with one gathered write (more only
 * above IOV_MAX or after a short write) and syncs once. ERR_OK: all are on stable storage in order,
 * the first where writer->end was, and writer->end has moved behind the last. Otherwise none may be
 * acknowledged. ERR_LIMIT: the batch does not fit, nothing was written, the segment is as before.
 * After another error look at is_spoiled: if set, say "cut generation at writer->end" to the queue
 * (CMD-29: what is answered 4yz is never sent) and go on with another blank; if not, nothing was
 * written for want of memory, room or leave (ERR_NOMEM, ERR_NOSPACE, ERR_DENIED), and the segment
 * is as before. Blocks. */
MUST_CHECK enum err segment_append(
    struct segment_writer *writer, struct record_draft *const *drafts, size_t count);

/* For spare time: zeros behind the end, synced, so that the next messages need not bring them
 * (disk.h). That it fails matters only when the writer is spoiled afterwards. Blocks. */
void segment_zero_ahead(struct segment_writer *writer);
/* Whether there is need of it. */
bool segment_wants_zeros(const struct segment_writer *writer);

/* The reader's side. */
enum segment_found {
    SEGMENT_RECORD,
    SEGMENT_DAMAGE, /* octets that are no record though one should be there: set them aside (QUE-14)
                     */
    SEGMENT_TORN,   /* a write that never ended, behind everything sound; set aside too, but nobody
                       had a 250 for it */
    SEGMENT_UNKNOWN, /* a sound record of a kind or version newer than ours: set aside */
    SEGMENT_END,     /* nothing more before the bound */
};

struct segment_item {
    enum segment_found found;
    uint64_t offset;
    uint64_t length;
    bool is_first; /* RECORD: of its batch */
    bool has_id;   /* the id is known: always for RECORD and UNKNOWN */
    struct queue_id id;
    struct record record; /* RECORD only: valid until the next call */
};

/* Reads one segment after another with the same memory. */
struct segment_reader {
    struct tail tail; /* tail.offset: how far it has read */
    struct arena arena;
};

void segment_reader_init(struct segment_reader *reader, struct disk *disk);
void segment_reader_clear(struct segment_reader *reader);
/* file: a read handle, borrowed. Reading begins at `offset` (FILE_HEAD, or where an earlier reading
 * stopped). */
void segment_aim(struct segment_reader *reader, int file, uint64_t generation, uint64_t offset);

/* The next record before `bound`, an absolute offset. is_stated: the living writer said that
 * everything before bound is good; otherwise the writer is gone and bound is the segment's size or
 * a cut. See tail_next. Blocks. */
MUST_CHECK enum err segment_next(
    struct segment_reader *reader, uint64_t bound, bool is_stated, struct segment_item *out_item);

/* Reads the record at the offset again, all of it, into `bytes` (reset first; its cap bounds the
 * memory, RECORD_MAX is always enough) and the arena. ERR_CORRUPT when it is not (any more) the
 * record of that id. Uses no state of a reader: `file` is any read handle of the segment, several
 * threads may do it at once. Blocks. */
MUST_CHECK enum err segment_load(struct disk *disk, int file, uint64_t generation, uint64_t offset,
    struct queue_id id, struct buffer *bytes, struct arena *arena, struct record *out_record);

#endif
