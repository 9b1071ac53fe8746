/* spool/entry.c: the table of journal entries, and entries to frames and back. */
#include "spool/entry.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum { ENTRY_VERSIONS = 2 };

const struct frame_format journal_format = {
    .magic = { 'S', 'U', 'B', 'M', 'T', 'E', 'N', 'T' },
    .file_magic = { 'S', 'U', 'B', 'M', 'T', 'J', 'N', 'L' },
    .part_max = { JOURNAL_ENTRY_MAX, 0, 0 },
};

static const struct field arrived_fields[] = {
    PACK_NUMBER(U64, struct journal_arrived, segment),
    PACK_NUMBER(U64, struct journal_arrived, offset),
    PACK_NUMBER(U64, struct journal_arrived, body_file),
    PACK_NUMBER(I64, struct journal_arrived, arrival_us),
    PACK_NUMBER(U64, struct journal_arrived, size),
    PACK_NUMBER(U32, struct journal_arrived, recipient_count),
    PACK_BYTES(struct journal_arrived, sender, ENVELOPE_ADDRESS_MAX),
    PACK_BYTES(struct journal_arrived, user, ENVELOPE_USER_MAX),
    PACK_BYTES(struct journal_arrived, mechanism, ENVELOPE_MECHANISM_MAX),
    PACK_BYTES(struct journal_arrived, listener, ENVELOPE_LISTENER_MAX),
    PACK_BYTES(struct journal_arrived, client, ENVELOPE_CLIENT_MAX),
    PACK_BYTES(struct journal_arrived, tls_version, ENVELOPE_TLS_MAX),
    PACK_BYTES(struct journal_arrived, tls_cipher, ENVELOPE_CIPHER_MAX),
    PACK_ENUM(struct journal_arrived, notice, NOTICE_SUCCESS),
    PACK_SHAPE(struct journal_arrived, about, &spool_id_shape),
};
static const struct shape arrived_shape = SHAPE(struct journal_arrived, arrived_fields);

static const struct field outcome_fields[] = {
    PACK_NUMBER(U32, struct journal_outcome, recipient),
    PACK_ENUM(struct journal_outcome, result, JOURNAL_EXPIRED),
    PACK_NUMBER(U32, struct journal_outcome, attempt),
    PACK_NUMBER(I64, struct journal_outcome, started_us),
    PACK_BYTES(struct journal_outcome, mailbox, ENVELOPE_ADDRESS_MAX),
    PACK_NUMBER(I64, struct journal_outcome, next_us),
    PACK_NUMBER(U8, struct journal_outcome, cause),
    PACK_NUMBER(U16, struct journal_outcome, code),
    PACK_BYTES(struct journal_outcome, status, JOURNAL_STATUS_MAX),
    PACK_BYTES(struct journal_outcome, host, JOURNAL_HOST_MAX),
    PACK_BYTES(struct journal_outcome, address, JOURNAL_HOST_MAX),
    PACK_BYTES(struct journal_outcome, text, JOURNAL_TEXT_MAX),
    PACK_BYTES(struct journal_outcome, tls_version, ENVELOPE_TLS_MAX),
    PACK_BYTES(struct journal_outcome, tls_cipher, ENVELOPE_CIPHER_MAX),
    PACK_BYTES(struct journal_outcome, local, JOURNAL_HOST_MAX),
};
const struct shape journal_outcome_shape = SHAPE(struct journal_outcome, outcome_fields);

static const struct field owed_fields[] = {
    PACK_SHAPE(struct journal_owed, notice_id, &spool_id_shape),
    PACK_NUMBER(BOOL, struct journal_owed, is_relayed),
    PACK_NUMBER(I64, struct journal_owed, finished_us),
    PACK_SHAPE(struct journal_owed, outcome, &journal_outcome_shape),
};
const struct shape journal_owed_shape = SHAPE(struct journal_owed, owed_fields);

static const struct field held_fields[] = {
    PACK_BYTES(struct journal_held, why, JOURNAL_TEXT_MAX),
};
static const struct shape held_shape = SHAPE(struct journal_held, held_fields);

static const struct field by_fields[] = { PACK_BYTES(struct journal_by, by, ENVELOPE_USER_MAX) };
static const struct shape by_shape = SHAPE(struct journal_by, by_fields);

static const struct field noticed_recipient_fields[] = {
    PACK_NUMBER(U32, struct journal_noticed_recipient, recipient),
};
static const struct shape noticed_recipient_shape =
    SHAPE(struct journal_noticed_recipient, noticed_recipient_fields);

static const struct field noticed_fields[] = {
    PACK_ENUM(struct journal_noticed, notice, NOTICE_SUCCESS),
    PACK_SHAPE(struct journal_noticed, notice_id, &spool_id_shape),
    PACK_LIST(struct journal_noticed, recipients, recipient_count, &noticed_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
};
static const struct shape noticed_shape = SHAPE(struct journal_noticed, noticed_fields);

static const struct field cut_fields[] = {
    PACK_NUMBER(U64, struct journal_cut, segment),
    PACK_NUMBER(U64, struct journal_cut, offset),
};
static const struct shape cut_shape = SHAPE(struct journal_cut, cut_fields);

static const struct field set_aside_fields[] = {
    PACK_NUMBER(U64, struct journal_set_aside, segment),
    PACK_NUMBER(U64, struct journal_set_aside, offset),
    PACK_NUMBER(U64, struct journal_set_aside, length),
    PACK_BYTES(struct journal_set_aside, why, JOURNAL_TEXT_MAX),
};
static const struct shape set_aside_shape = SHAPE(struct journal_set_aside, set_aside_fields);

static const struct field moved_fields[] = {
    PACK_NUMBER(U64, struct journal_moved, segment),
    PACK_NUMBER(U64, struct journal_moved, offset),
};
static const struct shape moved_shape = SHAPE(struct journal_moved, moved_fields);

static const struct field checkpoint_fields[] = {
    PACK_ENUM(struct journal_checkpoint, stage, JOURNAL_END),
    PACK_NUMBER(U64, struct journal_checkpoint, number),
};
static const struct shape checkpoint_shape = SHAPE(struct journal_checkpoint, checkpoint_fields);

static const struct field segment_fields[] = {
    PACK_NUMBER(U64, struct journal_segment, generation),
    PACK_NUMBER(U64, struct journal_segment, upto),
    PACK_NUMBER(U64, struct journal_segment, cut),
    PACK_NUMBER(BOOL, struct journal_segment, is_complete),
};
static const struct shape segment_shape = SHAPE(struct journal_segment, segment_fields);

/* What both versions of a recipient and of a state begin with. */
#define FIRST_RECIPIENT_FIELDS                                                                     \
    PACK_BYTES(struct journal_state_recipient, domain, ENVELOPE_ADDRESS_MAX),                      \
        PACK_ENUM(struct journal_state_recipient, state, RECOVER_DELETED),                         \
        PACK_NUMBER(U32, struct journal_state_recipient, attempts),                                \
        PACK_NUMBER(I64, struct journal_state_recipient, next_us),                                 \
        PACK_NUMBER(BOOL, struct journal_state_recipient, has_delay_notice),                       \
        PACK_NUMBER(U8, struct journal_state_recipient, cause),                                    \
        PACK_NUMBER(U16, struct journal_state_recipient, code),                                    \
        PACK_BYTES(struct journal_state_recipient, status, JOURNAL_STATUS_MAX),                    \
        PACK_BYTES(struct journal_state_recipient, host, JOURNAL_HOST_MAX),                        \
        PACK_BYTES(struct journal_state_recipient, address, JOURNAL_HOST_MAX),                     \
        PACK_BYTES(struct journal_state_recipient, text, JOURNAL_TEXT_MAX)
#define FIRST_STATE_FIELDS(notice_last)                                                            \
    PACK_NUMBER(U64, struct journal_state, segment),                                               \
        PACK_NUMBER(U64, struct journal_state, offset),                                            \
        PACK_NUMBER(U64, struct journal_state, body_file),                                         \
        PACK_NUMBER(I64, struct journal_state, arrival_us),                                        \
        PACK_NUMBER(U64, struct journal_state, size),                                              \
        PACK_NUMBER(U64, struct journal_state, body_size),                                         \
        PACK_BYTES(struct journal_state, sender, ENVELOPE_ADDRESS_MAX),                            \
        PACK_BYTES(struct journal_state, user, ENVELOPE_USER_MAX),                                 \
        PACK_ENUM(struct journal_state, notice, notice_last),                                      \
        PACK_SHAPE(struct journal_state, about, &spool_id_shape),                                  \
        PACK_NUMBER(BOOL, struct journal_state, is_held),                                          \
        PACK_NUMBER(U32, struct journal_state, recipient_total),                                   \
        PACK_NUMBER(U32, struct journal_state, first)

static const struct field first_state_recipient_fields[] = { FIRST_RECIPIENT_FIELDS };
static const struct shape first_state_recipient_shape =
    SHAPE(struct journal_state_recipient, first_state_recipient_fields);

static const struct field first_state_fields[] = {
    FIRST_STATE_FIELDS(NOTICE_DELAY),
    PACK_LIST(struct journal_state, recipients, recipient_count, &first_state_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
};
static const struct shape first_state_shape = SHAPE(struct journal_state, first_state_fields);

static const struct field state_recipient_fields[] = {
    FIRST_RECIPIENT_FIELDS,
    PACK_NUMBER(U8, struct journal_state_recipient, notify),
};
static const struct shape state_recipient_shape =
    SHAPE(struct journal_state_recipient, state_recipient_fields);

static const struct field state_fields[] = {
    FIRST_STATE_FIELDS(NOTICE_SUCCESS),
    PACK_LIST(struct journal_state, recipients, recipient_count, &state_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
    PACK_NUMBER(U8, struct journal_state, priority),
    PACK_NUMBER(I64, struct journal_state, hold_us),
    PACK_NUMBER(I64, struct journal_state, hold_date),
};
static const struct shape state_shape = SHAPE(struct journal_state, state_fields);

static const struct field clock_fields[] = {
    PACK_ENUM(struct journal_clock_entry, event, JOURNAL_JUMP),
    PACK_NUMBER(I64, struct journal_clock_entry, was_us),
};
static const struct shape clock_shape = SHAPE(struct journal_clock_entry, clock_fields);

/* The newest version is what is written; a kind that has one shape has one version. */
static const struct {
    const char *name;
    const struct shape *shapes[ENTRY_VERSIONS]; /* the first version's first */
} rows[JOURNAL_KINDS] = {
    [JOURNAL_ARRIVED] = { "arrived", { &arrived_shape } },
    [JOURNAL_OUTCOME] = { "outcome", { &journal_outcome_shape } },
    [JOURNAL_HELD] = { "held", { &held_shape } },
    [JOURNAL_RELEASED] = { "released", { &by_shape } },
    [JOURNAL_DELETED] = { "deleted", { &by_shape } },
    [JOURNAL_CLOSED] = { "closed", { &by_shape } },
    [JOURNAL_NOTICED] = { "noticed", { &noticed_shape } },
    [JOURNAL_MOVED] = { "moved", { &moved_shape } },
    [JOURNAL_CUT] = { "cut", { &cut_shape } },
    [JOURNAL_SET_ASIDE] = { "set_aside", { &set_aside_shape } },
    [JOURNAL_CHECKPOINT] = { "checkpoint", { &checkpoint_shape } },
    [JOURNAL_SEGMENT] = { "segment", { &segment_shape } },
    [JOURNAL_STATE] = { "state", { &first_state_shape, &state_shape } },
    [JOURNAL_CLOCK] = { "clock", { &clock_shape } },
    [JOURNAL_OWED] = { "owed", { &journal_owed_shape } },
};

static unsigned newest(enum journal_kind kind)
{
    return rows[kind].shapes[1] ? 2 : 1;
}

static const struct shape *shape_of(enum journal_kind kind)
{
    return rows[kind].shapes[newest(kind) - 1];
}

/* The shapes describe the members of the union, which all lie at its front. */
#define UNION_AT offsetof(struct journal_entry, arrived)
_Static_assert(offsetof(struct journal_entry, state) == UNION_AT, "the union has one address");

const char *journal_kind_name(unsigned kind)
{
    return kind < JOURNAL_KINDS ? rows[kind].name : NULL;
}

void journal_batch_init(struct journal_batch *batch, size_t cap)
{
    *batch = (struct journal_batch){ 0 };
    buffer_init(&batch->bytes, cap);
}

void journal_batch_clear(struct journal_batch *batch)
{
    buffer_clear(&batch->bytes);
    batch->count = batch->written = 0;
}

void journal_batch_reset(struct journal_batch *batch)
{
    buffer_reset(&batch->bytes);
    batch->count = batch->written = 0;
    batch->has_begin = false;
}

static void clip_texts(const struct shape *shape, char *members)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        struct slice *text = (struct slice *)(void *)(members + field->offset);

        if (field->kind == FIELD_BYTES && text->len > field->max)
            text->len = field->max;
    }
}

static void clip_entry(struct journal_entry *entry)
{
    clip_texts(shape_of(entry->kind), (char *)entry + UNION_AT);
    if (entry->kind == JOURNAL_OWED)
        clip_texts(&journal_outcome_shape, (char *)&entry->owed.outcome);
    for (size_t i = 0; entry->kind == JOURNAL_STATE && i < entry->state.recipient_count; i++)
        clip_texts(&state_recipient_shape, (char *)&entry->state.recipients[i]);
}

/* Octets of the texts, each cut at its bound, and of the counts before them. */
static size_t texts_size(const struct shape *shape, const char *members)
{
    size_t size = 0;

    for (size_t i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        const struct slice *text = (const struct slice *)(const void *)(members + field->offset);

        if (field->kind == FIELD_BYTES)
            size += sizeof(uint32_t) + (text->len < field->max ? text->len : field->max);
    }
    return size;
}

enum {
    STATE_NUMBERS = 8 + 8 * 6 + 1 + 16 + 1 + 4 + 4 + 4 + 1 + 8, /* with the time before them */
    STATE_TEXTS = 2 * 4 + ENVELOPE_ADDRESS_MAX + ENVELOPE_USER_MAX,
    RECIPIENT_NUMBERS = 1 + 4 + 8 + 1 + 1 + 2 + 1,
    RECIPIENT_TEXTS =
        5 * 4 + ENVELOPE_ADDRESS_MAX + JOURNAL_STATUS_MAX + 2 * JOURNAL_HOST_MAX + JOURNAL_TEXT_MAX,
};
_Static_assert(
    STATE_NUMBERS + STATE_TEXTS + JOURNAL_STATE_LEAST * (RECIPIENT_NUMBERS + RECIPIENT_TEXTS) <=
        JOURNAL_ENTRY_MAX,
    "so many always fit");

size_t journal_state_fits(const struct journal_state *state)
{
    size_t size = STATE_NUMBERS + texts_size(&state_shape, (const char *)state);
    size_t count = 0;

    for (; count < state->recipient_count; count++) {
        size += RECIPIENT_NUMBERS +
                texts_size(&state_recipient_shape, (const char *)&state->recipients[count]);
        if (size > JOURNAL_ENTRY_MAX)
            break;
    }
    return count;
}

void journal_put(struct journal_batch *batch, const struct journal_entry *entry)
{
    struct journal_entry clipped = *entry;
    struct buffer *bytes = &batch->bytes;
    char *members = (char *)&clipped + UNION_AT;
    size_t before = bytes->len;
    struct slice payload;

    assert(journal_kind_name(entry->kind));
    clip_entry(&clipped);
    buffer_put(bytes, (const char[FRAME_HEAD]){ 0 }, FRAME_HEAD);
    buffer_put_u64(bytes, (uint64_t)entry->at_us);
    pack(bytes, shape_of(entry->kind), members);
    if (bytes->error == ERR_OK && bytes->len - before - FRAME_HEAD > JOURNAL_ENTRY_MAX)
        bytes->error = ERR_LIMIT;
    payload = slice_from(buffer_slice(bytes), before + FRAME_HEAD);
    buffer_put(bytes, (const char[FRAME_ALIGN]){ 0 }, -payload.len & (FRAME_ALIGN - 1));
    if (bytes->error != ERR_OK)
        return;
    /* The padding may have moved the bytes. */
    payload.data = buffer_slice(bytes).data + before + FRAME_HEAD;
    frame_seal(&journal_format, 0, entry->id, (uint16_t)entry->kind, newest(entry->kind),
        (const struct frame_part[FRAME_PARTS]){ { &payload, 1 } },
        (unsigned char *)bytes->data + bytes->start + before);
    batch->count++;
    if (entry->kind != JOURNAL_CHECKPOINT || entry->checkpoint.stage != JOURNAL_BEGIN)
        return;
    assert(!batch->has_begin);
    batch->has_begin = true;
    batch->begin = before;
}

/* Behind the time. */
enum { STAGE_AT = FRAME_HEAD + 8, NUMBER_AT = STAGE_AT + 1 };

struct journal_checkpoint journal_stamp(char *frame, uint64_t file, uint64_t begun)
{
    enum journal_stage stage = (enum journal_stage)frame[STAGE_AT];
    struct journal_checkpoint checkpoint = { stage, stage == JOURNAL_BEGIN ? file : begun };
    uint64_t number = htole64(checkpoint.number);

    memcpy(frame + NUMBER_AT, &number, sizeof number);
    return checkpoint;
}

enum err journal_entry_from_frame(
    const struct frame *frame, struct arena *arena, struct journal_entry *out_entry)
{
    struct journal_entry entry = { .id = frame->id };
    struct cursor in = cursor_of(frame->parts[0]);
    enum err rc;

    if (!journal_kind_name(frame->kind) || frame->version == 0 || frame->version > ENTRY_VERSIONS ||
        !rows[frame->kind].shapes[frame->version - 1])
        return ERR_INVALID;
    entry.kind = (enum journal_kind)frame->kind;
    entry.at_us = (int64_t)cursor_u64(&in);
    rc = unpack(&in, rows[entry.kind].shapes[frame->version - 1], arena, (char *)&entry + UNION_AT);
    if (rc == ERR_OK)
        rc = cursor_finish(&in);
    if (rc == ERR_OK)
        *out_entry = entry;
    return rc;
}
