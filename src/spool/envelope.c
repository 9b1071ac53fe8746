/* spool/envelope.c: the tables of the envelope, one for each version. */
#include "spool/envelope.h"

static const struct field id_fields[] = {
    PACK_NUMBER(U64, struct queue_id, high),
    PACK_NUMBER(U64, struct queue_id, low),
};
const struct shape spool_id_shape = SHAPE(struct queue_id, id_fields);

static const struct field first_recipient_fields[] = {
    PACK_BYTES(struct envelope_recipient, address, ENVELOPE_ADDRESS_MAX),
    PACK_NUMBER(U32, struct envelope_recipient, flags),
};
static const struct shape first_recipient_shape =
    SHAPE(struct envelope_recipient, first_recipient_fields);

static const struct field recipient_fields[] = {
    PACK_BYTES(struct envelope_recipient, address, ENVELOPE_ADDRESS_MAX),
    PACK_NUMBER(U32, struct envelope_recipient, flags),
    PACK_NUMBER(U8, struct envelope_recipient, notify),
    PACK_BYTES(struct envelope_recipient, orcpt, ENVELOPE_ORCPT_MAX),
    PACK_ENUM(struct envelope_recipient, rrvs, ENVELOPE_RRVS_REJECT),
    PACK_NUMBER(I64, struct envelope_recipient, rrvs_since),
};
const struct shape envelope_recipient_shape = SHAPE(struct envelope_recipient, recipient_fields);

/* What both versions begin with. */
#define FIRST_FIELDS(body_last)                                                                    \
    PACK_SHAPE(struct envelope, id, &spool_id_shape),                                              \
        PACK_NUMBER(I64, struct envelope, arrival_us),                                             \
        PACK_BYTES(struct envelope, sender, ENVELOPE_ADDRESS_MAX),                                 \
        PACK_NUMBER(U32, struct envelope, sender_flags),                                           \
        PACK_BYTES(struct envelope, user, ENVELOPE_USER_MAX),                                      \
        PACK_BYTES(struct envelope, mechanism, ENVELOPE_MECHANISM_MAX),                            \
        PACK_BYTES(struct envelope, listener, ENVELOPE_LISTENER_MAX),                              \
        PACK_BYTES(struct envelope, client, ENVELOPE_CLIENT_MAX),                                  \
        PACK_NUMBER(U16, struct envelope, client_port),                                            \
        PACK_BYTES(struct envelope, ehlo, ENVELOPE_EHLO_MAX),                                      \
        PACK_BYTES(struct envelope, tls_version, ENVELOPE_TLS_MAX),                                \
        PACK_BYTES(struct envelope, tls_cipher, ENVELOPE_CIPHER_MAX),                              \
        PACK_ENUM(struct envelope, body_kind, body_last),                                          \
        PACK_NUMBER(BOOL, struct envelope, smtputf8),                                              \
        PACK_NUMBER(BOOL, struct envelope, eight_bit_header),                                      \
        PACK_NUMBER(BOOL, struct envelope, eight_bit_body),                                        \
        PACK_NUMBER(U32, struct envelope, longest_line),                                           \
        PACK_NUMBER(U64, struct envelope, header_size),                                            \
        PACK_NUMBER(U64, struct envelope, body_size),                                              \
        PACK_NUMBER(U64, struct envelope, body_file),                                              \
        PACK_NUMBER(U64, struct envelope, body_checksum)

static const struct field first_envelope_fields[] = {
    FIRST_FIELDS(ENVELOPE_8BITMIME),
    PACK_ENUM(struct envelope, notice, NOTICE_DELAY),
    PACK_SHAPE(struct envelope, about, &spool_id_shape),
    PACK_LIST(struct envelope, recipients, recipient_count, &first_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
};
static const struct shape first_envelope_shape = SHAPE(struct envelope, first_envelope_fields);

static const struct field envelope_fields[] = {
    FIRST_FIELDS(ENVELOPE_BINARYMIME),
    PACK_ENUM(struct envelope, notice, NOTICE_SUCCESS),
    PACK_SHAPE(struct envelope, about, &spool_id_shape),
    PACK_LIST(struct envelope, recipients, recipient_count, &envelope_recipient_shape,
        ENVELOPE_RECIPIENTS_MAX),
    PACK_ENUM(struct envelope, ret, ENVELOPE_RETURN_HEADERS),
    PACK_BYTES(struct envelope, envid, ENVELOPE_ENVID_MAX),
    PACK_NUMBER(BOOL, struct envelope, require_tls),
    PACK_ENUM(struct envelope, by, ENVELOPE_BY_RETURN),
    PACK_NUMBER(BOOL, struct envelope, by_trace),
    PACK_NUMBER(I64, struct envelope, by_seconds),
    PACK_NUMBER(U8, struct envelope, priority),
    PACK_BYTES(struct envelope, mtrk_certifier, ENVELOPE_CERTIFIER_MAX),
    PACK_NUMBER(U32, struct envelope, mtrk_timeout),
    PACK_BYTES(struct envelope, solicit, ENVELOPE_SOLICIT_MAX),
    PACK_NUMBER(BOOL, struct envelope, conperm),
    PACK_ENUM(struct envelope, hold, ENVELOPE_HOLD_UNTIL),
    PACK_NUMBER(I64, struct envelope, hold_value),
};
static const struct shape envelope_shape = SHAPE(struct envelope, envelope_fields);

/* By version; all fill the same struct. */
static const struct shape *const versions[ENVELOPE_VERSION + 1] = {
    [1] = &first_envelope_shape,
    [2] = &envelope_shape,
};

bool envelope_is_date(int64_t seconds)
{
    return seconds > -(INT64_C(1) << 40) && seconds < INT64_C(1) << 40;
}

/* Sets and numbers that a shape does not bound. */
static bool is_sound(const struct envelope *envelope)
{
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].notify > ENVELOPE_NOTIFY_ALL ||
            !envelope_is_date(envelope->recipients[i].rrvs_since))
            return false;
    return envelope->recipient_count > 0 && envelope->priority <= ENVELOPE_PRIORITY_MAX &&
           envelope_is_date(envelope->by_seconds) && envelope_is_date(envelope->hold_value);
}

int64_t envelope_hold_us(const struct envelope *envelope)
{
    enum { SECOND = 1000000 };
    static const int64_t most = INT64_MAX / 4 / SECOND;
    int64_t from = envelope->hold == ENVELOPE_HOLD_UNTIL ? envelope->arrival_us / SECOND : 0;
    int64_t seconds = envelope->hold == ENVELOPE_HOLD_NONE || envelope->hold_value < from
                          ? 0
                          : envelope->hold_value - from;

    return (seconds > most ? most : seconds) * SECOND;
}

enum err envelope_pack(struct buffer *out, const struct envelope *envelope)
{
    size_t before = out->len;

    if (out->error == ERR_OK && !is_sound(envelope))
        return ERR_LIMIT;
    buffer_put_u8(out, ENVELOPE_VERSION);
    pack(out, versions[ENVELOPE_VERSION], envelope);
    if (out->error == ERR_OK && out->len - before > ENVELOPE_MAX)
        out->error = ERR_LIMIT;
    if (out->error != ERR_OK)
        buffer_truncate(out, before);
    return out->error;
}

enum err envelope_unpack(struct slice bytes, struct arena *arena, struct envelope *out_envelope)
{
    struct cursor in = cursor_of(bytes);
    struct envelope envelope;
    unsigned version = cursor_u8(&in);
    enum err rc;

    if (in.error != ERR_OK || version == 0)
        return ERR_CORRUPT;
    if (version > ENVELOPE_VERSION)
        return ERR_INVALID;
    rc = unpack(&in, versions[version], arena, &envelope);
    if (rc == ERR_OK)
        rc = cursor_finish(&in);
    if (rc == ERR_OK && !is_sound(&envelope))
        rc = ERR_CORRUPT;
    if (rc != ERR_OK)
        return rc;
    *out_envelope = envelope;
    return ERR_OK;
}
