/* spool/record.c: a message as a frame: part 0 the envelope, part 1 the header block, part 2 the
 * inline body. */
#include "spool/record.h"

const struct frame_format record_format = {
    .magic = { 'S', 'U', 'B', 'M', 'T', 'R', 'E', 'C' },
    .file_magic = { 'S', 'U', 'B', 'M', 'T', 'S', 'E', 'G' },
    .part_max = { ENVELOPE_MAX, RECORD_HEADER_MAX, RECORD_BODY_MAX },
};

static void draft_parts(const struct record_draft *draft, struct frame_part parts[FRAME_PARTS])
{
    parts[0] = (struct frame_part){ &draft->envelope, 1 };
    parts[1] = (struct frame_part){ draft->header, draft->header_count };
    parts[2] = (struct frame_part){ draft->body, draft->body_count };
}

enum err record_draft_init(struct record_draft *draft, struct queue_id id, struct slice envelope,
    const struct slice *header, size_t header_count, const struct slice *body, size_t body_count)
{
    struct frame_part parts[FRAME_PARTS];

    *draft = (struct record_draft){
        .id = id,
        .envelope = envelope,
        .header = header,
        .header_count = header_count,
        .body = body,
        .body_count = body_count,
    };
    draft_parts(draft, parts);
    return frame_measure(&record_format, parts, &draft->total);
}

void record_draft_seal(struct record_draft *draft, uint64_t generation)
{
    uint16_t version = RECORD_VERSION | (draft->is_first ? FRAME_FIRST : 0);
    struct frame_part parts[FRAME_PARTS];

    draft_parts(draft, parts);
    frame_seal(&record_format, generation, draft->id, RECORD_MESSAGE, version, parts, draft->head);
}

void record_draft_copy(struct record_draft *draft, const struct record *record)
{
    *draft = (struct record_draft){
        .id = record->envelope.id,
        .envelope = record->packed,
        .header = &record->header,
        .header_count = 1,
        .body = &record->body,
        .body_count = 1,
        .total = record->total,
    };
}

/* The envelope and the frame say some things twice; a record in which they differ was not written
 * by our gate. */
static bool is_consistent(const struct frame *frame, const struct envelope *envelope)
{
    uint64_t inline_size = envelope->body_file == 0 ? envelope->body_size : 0;

    return queue_id_equals(frame->id, envelope->id) &&
           envelope->header_size == frame->parts[1].len && inline_size == frame->parts[2].len &&
           (envelope->body_file != 0 || envelope->body_checksum == 0);
}

enum err record_from_frame(
    const struct frame *frame, struct arena *arena, struct record *out_record)
{
    struct record record = {
        .packed = frame->parts[0],
        .header = frame->parts[1],
        .body = frame->parts[2],
        .total = frame->total,
    };
    enum err rc;

    if (frame->kind != RECORD_MESSAGE || frame->version != RECORD_VERSION)
        return ERR_INVALID;
    rc = envelope_unpack(frame->parts[0], arena, &record.envelope);
    if (rc == ERR_OK && !is_consistent(frame, &record.envelope))
        rc = ERR_CORRUPT;
    if (rc != ERR_OK)
        return rc;
    *out_record = record;
    return ERR_OK;
}
