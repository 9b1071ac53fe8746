/* spool/frame.h: how one thing is framed in a segment or a journal file: a head with two checksums,
 * up to three parts, padding. Pure: bytes in, bytes out. */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/queue_id.h"
#include "base/slice.h"

enum {
    FRAME_HEAD = 64,
    FRAME_PARTS = 3,
    FRAME_ALIGN = 8,  /* every frame begins and ends on this grid */
    FILE_HEAD = 4096, /* octets of the header block of a segment or journal file; frames follow */
    FILE_VERSION = 1,
};

/* Marks the first frame of a batch, in its version. A batch is written only when the one before it
 * is synced, so what is unsound before such a mark was sound once; what is unsound behind the last
 * mark may be a write that never ended, in which any part may be missing. */
enum { FRAME_FIRST = 0x8000 };

/* What is framed: the magic tells segments from journals, the bounds keep lengths sane. */
struct frame_format {
    char magic[8];      /* of a frame */
    char file_magic[8]; /* of the file's header block */
    uint32_t part_max[FRAME_PARTS];
};

struct frame {
    struct queue_id id; /* whose it is; zero where nobody's */
    uint16_t kind;
    uint16_t version;
    bool is_first; /* of a batch: whatever lies before it was synced before it was written */
    struct slice parts[FRAME_PARTS];
    uint64_t total; /* octets with head and padding */
};

enum frame_result {
    FRAME_GOOD,
    FRAME_SHORT,   /* more bytes are needed to say: out_frame->total of them at least */
    FRAME_END,     /* zeros where a head should be: never written */
    FRAME_FOREIGN, /* a sound head of another generation: copied here from another file */
    FRAME_NO_HEAD, /* the head is damaged: nothing in it can be believed */
    FRAME_NO_BODY, /* the head is sound (id, kind and total are set), what follows it is damaged */
};

/* One part of a frame to be written, in pieces that need not lie together. */
struct frame_part {
    const struct slice *pieces;
    size_t count;
};

/* Octets that a frame of these parts takes. ERR_LIMIT when a part is above its bound. */
MUST_CHECK enum err frame_measure(const struct frame_format *format,
    const struct frame_part parts[FRAME_PARTS], uint64_t *out_total);

/* Makes the head of a frame whose parts have been measured. Behind the head go the pieces in order
 * and then zeros up to the total. */
void frame_seal(const struct frame_format *format, uint64_t generation, struct queue_id id,
    uint16_t kind, uint16_t version, const struct frame_part parts[FRAME_PARTS],
    unsigned char out_head[FRAME_HEAD]);

/* Sets or takes away the mark of a frame that is then sealed again. */
void frame_mark(char *frame, bool is_first);
/* Seals again, in place and for another generation, a whole frame that frame_seal made. Returns its
 * total. */
uint64_t frame_reseal(const struct frame_format *format, uint64_t generation, char *frame);

/* The kind of a whole frame that frame_seal made. */
uint16_t frame_kind(const char *frame);

/* Reads the frame at the front of the bytes. The generation seeds both checksums, so that a
 * stranger who can place octets in a body cannot make a frame that is taken for ours, nor
 * is a frame of another file. GOOD: all of out_frame. NO_BODY, and SHORT
 * once the head is there: id, kind, version, total. The parts point into bytes. */
enum frame_result frame_parse(const struct frame_format *format, uint64_t generation,
    struct slice bytes, struct frame *out_frame);

/* The header block of a file. */
struct file_head {
    uint64_t generation;   /* also in the name, which is what counts */
    uint64_t size;         /* octets preallocated */
    uint64_t previous;     /* journal: the file before this one, 0 for none */
    uint64_t previous_end; /* journal: octets of it that are good */
    uint64_t from; /* journal: the file in which the last checkpoint begins whose end was synced
                      when this file was made: no older one need be read. 0: none, all are needed */
};

void file_head_write(const struct frame_format *format, const struct file_head *head,
    unsigned char out_block[FILE_HEAD]);
/* ERR_CORRUPT when magic, version or checksum are wrong; ERR_INVALID when all is sound but the
 * version is newer than we know. */
MUST_CHECK enum err file_head_read(const struct frame_format *format,
    const unsigned char block[FILE_HEAD], struct file_head *out_head);

#endif
