/* spool/record.h: one accepted message in a segment: envelope, final header block, body. Building
 * one without copying the body, and reading one from bytes. Pure. */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "base/arena.h"
#include "spool/envelope.h"
#include "spool/frame.h"

enum {
    RECORD_MESSAGE = 1, /* kind */
    RECORD_VERSION = 1,
    RECORD_HEADER_MAX = 512 << 10,
    RECORD_BODY_MAX = 1 << 20, /* inline; larger ones go to a body file */
    RECORD_MAX = FRAME_HEAD + ENVELOPE_MAX + RECORD_HEADER_MAX + RECORD_BODY_MAX + FRAME_ALIGN,
};

extern const struct frame_format record_format;

/* A record before it has a place. Everything is borrowed and must stay until the record is written.
 * The generation comes in only at the write, so a draft can move to another segment. */
struct record_draft {
    struct queue_id id;
    struct slice envelope;      /* from envelope_pack */
    const struct slice *header; /* the header block in pieces, in order, empty line included */
    size_t header_count;
    const struct slice
        *body; /* the inline body in pieces; count 0 when the body is in a body file or empty */
    size_t body_count;
    uint64_t total; /* octets in the segment */
    bool is_first;  /* of its batch; segment_append says so */
    /* Filled when the record is written. */
    unsigned char head[FRAME_HEAD];
};

/* Takes the pieces and measures. ERR_LIMIT when a part is above its bound. */
MUST_CHECK enum err record_draft_init(struct record_draft *draft, struct queue_id id,
    struct slice envelope, const struct slice *header, size_t header_count,
    const struct slice *body, size_t body_count);

/* Computes head and checksums for the segment. segment_append does it. */
void record_draft_seal(struct record_draft *draft, uint64_t generation);

/* A record as read. Slices point into the bytes it was parsed from, the recipients lie in the
 * arena. */
struct record {
    struct envelope envelope;
    struct slice packed; /* the envelope as it lies there */
    struct slice header;
    struct slice body; /* inline body, empty with a body file */
    uint64_t total;
};

/* A draft of the same record for another segment, octet for octet but for generation and checksums.
 * The record is borrowed until the draft is written. */
void record_draft_copy(struct record_draft *draft, const struct record *record);

/* From a sound frame. ERR_CORRUPT when the envelope does not parse or contradicts the frame (id,
 * sizes), ERR_INVALID for a kind or version newer than ours, ERR_NOMEM. */
MUST_CHECK enum err record_from_frame(
    const struct frame *frame, struct arena *arena, struct record *out_record);

#endif
