/* spool/partial.c: the file of a partial message: its table, and how it is written, read, removed.
 */
#include "spool/partial.h"

#include "spool/body.h"

enum { PARTIAL_KIND = 1, PARTIAL_VERSION = 1 };

const struct frame_format partial_format = {
    .magic = { 'S', 'U', 'B', 'M', 'T', 'P', 'A', 'R' },
    .file_magic = { 'S', 'U', 'B', 'M', 'T', 'P', 'A', 'R' },
    .part_max = { PARTIAL_STATE_MAX, PARTIAL_FRONT_MAX, 0 },
};

static const struct field state_fields[] = {
    PACK_BYTES(struct partial_state, user, ENVELOPE_USER_MAX),
    PACK_BYTES(struct partial_state, ehlo, ENVELOPE_EHLO_MAX),
    PACK_BYTES(struct partial_state, transid, PARTIAL_TRANSID_MAX),
    PACK_BYTES(struct partial_state, proof, PARTIAL_PROOF_MAX),
    PACK_BYTES(struct partial_state, mail, PARTIAL_MAIL_MAX),
    PACK_NUMBER(I64, struct partial_state, kept_us),
    PACK_NUMBER(BOOL, struct partial_state, is_complete),
    PACK_SHAPE(struct partial_state, id, &spool_id_shape),
    PACK_NUMBER(U64, struct partial_state, octets),
    PACK_LIST(struct partial_state, recipients, recipient_count, &envelope_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
    PACK_NUMBER(U64, struct partial_state, body_file),
    PACK_NUMBER(U64, struct partial_state, body_octets),
    PACK_NUMBER(U64, struct partial_state, body_size),
    PACK_NUMBER(U64, struct partial_state, body_checksum),
};
const struct shape partial_state_shape = SHAPE(struct partial_state, state_fields);

static bool are_recipients_sound(const struct partial_state *state)
{
    for (size_t i = 0; i < state->recipient_count; i++)
        if (state->recipients[i].notify > ENVELOPE_NOTIFY_ALL ||
            state->recipients[i].address.len == 0)
            return false;
    return true;
}

bool partial_is_sound(const struct partial_state *state)
{
    bool has_file = state->body_file != 0;

    if (state->transid.len == 0 || state->front.len > PARTIAL_FRONT_MAX)
        return false;
    if (state->recipient_count == 0 || !are_recipients_sound(state))
        return false;
    if (state->is_complete)
        return state->front.len == 0 && !has_file && state->body_octets == 0 &&
               state->body_size == 0;
    return has_file == (state->body_octets > 0) && has_file == (state->body_size > 0) &&
           state->body_octets <= state->body_size && state->body_size < UINT64_MAX / 2 &&
           state->octets > 0 && state->octets == state->front.len + state->body_octets;
}

static enum err write_frame(
    struct store *store, int file, uint64_t number, struct slice packed, struct slice front)
{
    static const char zeros[FRAME_ALIGN];
    const struct frame_part parts[FRAME_PARTS] = { { &packed, 1 }, { &front, 1 } };
    unsigned char head[FRAME_HEAD];
    struct iovec pieces[4];
    uint64_t total;
    enum err rc = frame_measure(&partial_format, parts, &total);

    if (rc != ERR_OK)
        return rc;
    frame_seal(&partial_format, number, (struct queue_id){ 0 }, PARTIAL_KIND, PARTIAL_VERSION,
        parts, head);
    pieces[0] = (struct iovec){ head, sizeof head };
    pieces[1] = (struct iovec){ (void *)(uintptr_t)packed.data, packed.len };
    pieces[2] = (struct iovec){ (void *)(uintptr_t)front.data, front.len };
    pieces[3] = (struct iovec){ (void *)(uintptr_t)zeros,
        (size_t)(total - FRAME_HEAD - packed.len - front.len) };
    rc = disk_write_all(store->disk, file, pieces, LENGTH_OF(pieces), 0);
    return rc == ERR_OK ? store->disk->ops->sync(store->disk, file) : rc;
}

enum err store_partial(struct store *store, const struct partial_state *state, uint64_t *out_number)
{
    struct buffer packed;
    uint64_t number = 0;
    int file = -1;
    enum err rc;

    if (!partial_is_sound(state))
        return ERR_LIMIT;
    buffer_init(&packed, PARTIAL_STATE_MAX);
    pack(&packed, &partial_state_shape, state);
    rc = packed.error;
    if (rc == ERR_OK)
        rc = store_new_file(store, STORE_PARTIAL, &number, &file);
    if (rc == ERR_OK)
        rc = write_frame(store, file, number, buffer_slice(&packed), state->front);
    if (rc == ERR_OK)
        rc = store->disk->ops->sync_dir(store->disk, store->dirs[STORE_PARTIAL]);
    disk_close(store->disk, &file);
    buffer_clear(&packed);
    if (rc == ERR_OK)
        *out_number = number;
    else if (number != 0)
        (void)!store_unlink(store, STORE_PARTIAL, number);
    return rc;
}

enum err partial_parse(
    struct slice bytes, uint64_t number, struct arena *arena, struct partial_state *out_state)
{
    struct partial_state state;
    struct frame frame;
    struct cursor in;
    enum err rc;

    if (frame_parse(&partial_format, number, bytes, &frame) != FRAME_GOOD)
        return ERR_CORRUPT;
    if (frame.kind != PARTIAL_KIND || frame.version != PARTIAL_VERSION)
        return ERR_INVALID;
    in = cursor_of(frame.parts[0]);
    rc = unpack(&in, &partial_state_shape, arena, &state);
    if (rc == ERR_OK)
        rc = cursor_finish(&in);
    if (rc != ERR_OK)
        return rc;
    state.front = frame.parts[1];
    if (!partial_is_sound(&state))
        return ERR_CORRUPT;
    *out_state = state;
    return ERR_OK;
}

enum err partial_read(struct store *store, uint64_t number, struct buffer *bytes,
    struct arena *arena, struct partial_state *out_state)
{
    enum { MOST = FRAME_HEAD + PARTIAL_STATE_MAX + PARTIAL_FRONT_MAX + FRAME_ALIGN };
    struct disk *disk = store->disk;
    uint64_t size = 0;
    size_t got = 0;
    char *room = NULL;
    int file = -1;
    enum err rc = store_open_read(store, STORE_PARTIAL, number, &file);

    if (rc == ERR_OK)
        rc = disk->ops->size(disk, file, &size);
    if (rc == ERR_OK && size > MOST)
        rc = ERR_CORRUPT;
    if (rc == ERR_OK && !(room = buffer_reserve(bytes, (size_t)size + 1)))
        rc = ERR_NOMEM;
    if (rc == ERR_OK)
        rc = disk->ops->read_at(disk, file, room, (size_t)size, 0, &got);
    disk_close(disk, &file);
    if (rc != ERR_OK)
        return rc;
    buffer_commit(bytes, got);
    return partial_parse(buffer_slice(bytes), number, arena, out_state);
}

enum err partial_settle_body(struct store *store, const struct partial_state *state)
{
    struct disk *disk = store->disk;
    uint64_t size = 0;
    int file = -1;
    enum err rc;

    if (state->body_file == 0)
        return ERR_OK;
    rc = store_claim(store, STORE_BODY, state->body_file, &file);
    if (rc == ERR_OK)
        rc = disk->ops->size(disk, file, &size);
    if (rc == ERR_OK && size < state->body_size)
        rc = ERR_CORRUPT;
    if (rc == ERR_OK && size > state->body_size)
        rc = disk->ops->truncate(disk, file, state->body_size);
    disk_close(disk, &file);
    return rc;
}

enum err partial_check_body(struct store *store, const struct partial_state *state, int *out_file)
{
    int file = -1;
    enum err rc = ERR_OK;

    if (state->body_file != 0)
        rc = store_open_read(store, STORE_BODY, state->body_file, &file);
    if (rc == ERR_OK && file >= 0)
        rc = body_file_check(store->disk, file, state->body_size, state->body_checksum);
    if (rc != ERR_OK)
        disk_close(store->disk, &file);
    else
        *out_file = file;
    return rc;
}

static enum err remove_one(struct store *store, enum store_kind kind, uint64_t number)
{
    enum err rc = number != 0 ? store_unlink(store, kind, number) : ERR_OK;

    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The name first: a body without one is swept. */
enum err partial_remove(struct store *store, uint64_t number, uint64_t body_file)
{
    enum err rc = remove_one(store, STORE_PARTIAL, number);

    return rc == ERR_OK ? remove_one(store, STORE_BODY, body_file) : rc;
}
