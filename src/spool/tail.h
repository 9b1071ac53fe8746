/* spool/tail.h: reads frames from a file one after the other, as far as they are good, and finds
 * its way behind damage. The one reader of segments and journals, live and at start-up. Owns a
 * window of bounded size. */
#ifndef SPOOL_TAIL_H
#define SPOOL_TAIL_H

#include "base/buffer.h"
#include "spool/disk.h"
#include "spool/frame.h"

enum tail_kind {
    TAIL_FRAME,   /* a sound frame */
    TAIL_CORRUPT, /* something damaged with something sound behind it, or before a stated end */
    TAIL_TORN,    /* something damaged with nothing sound behind it: a write that never ended */
    TAIL_END,     /* nothing (more) there */
};

struct tail_item {
    enum tail_kind kind;
    uint64_t offset;
    uint64_t length;    /* FRAME: with padding; CORRUPT and TORN: octets concerned */
    struct frame frame; /* FRAME: slices valid until the next call */
    bool has_id;        /* CORRUPT and TORN: the head was sound, so id says whose it was */
    struct queue_id id;
};

struct tail {
    struct disk *disk;
    const struct frame_format *format;
    int file; /* borrowed */
    uint64_t generation;
    uint64_t offset;      /* of the next frame */
    struct buffer window; /* octets from window_offset on */
    uint64_t window_offset;
    uint64_t next_sound; /* while inside damage: where the next sound frame that begins a batch
                            lies, UINT64_MAX: nowhere */
    uint64_t scanned_to; /* the bound for which next_sound is known; 0: not known */
};

void tail_init(struct tail *tail, struct disk *disk, const struct frame_format *format);
void tail_clear(struct tail *tail);
/* Turns to another file, memory kept. */
void tail_aim(struct tail *tail, int file, uint64_t generation, uint64_t offset);

/* The next thing before `bound`. is_stated: somebody answers for every octet before the bound, so
 * whatever is not sound there is CORRUPT; otherwise the bound is only the end of the file and the
 * first unsound thing with nothing behind it is END or TORN. An error is the world's: memory, or a
 * descriptor that cannot be read at all; a page that cannot be read is damage. */
MUST_CHECK enum err tail_next(
    struct tail *tail, uint64_t bound, bool is_stated, struct tail_item *out_item);

#endif
