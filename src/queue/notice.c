/* queue/notice.c: the original's envelope and header, the report, the record. */
#include "queue/notice.h"

#include <sys/random.h>

#include "message/dsn.h"
#include "smtp/orcpt.h"
#include "smtp/timestamp.h"
#include "smtp/xtext.h"
#include "spool/body.h"

enum {
    ORIGINAL_MEMORY = 4 << 20,
    SECOND = 1000000,
    /* What comes back whole (DSN-10): the notice is one record with its body inline. */
    CONTENT_MOST = RECORD_BODY_MAX - (64 << 10),
    SUCCESS_HEADER_MOST = 32 << 10,
};

void notice_init(struct notice *notice, struct arena *arena)
{
    *notice = (struct notice){ .arena = arena };
    buffer_init(&notice->header, RECORD_HEADER_MAX);
    buffer_init(&notice->body, RECORD_BODY_MAX);
    buffer_init(&notice->envelope, ENVELOPE_MAX);
    buffer_init(&notice->content, CONTENT_MOST);
}

void notice_clear(struct notice *notice)
{
    buffer_clear(&notice->header);
    buffer_clear(&notice->body);
    buffer_clear(&notice->envelope);
    buffer_clear(&notice->content);
}

static bool has_eight_bit(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] > 127)
            return true;
    return false;
}

static uint32_t longest_line(struct slice text)
{
    size_t longest = 0;

    while (text.len > 0) {
        size_t line = slice_find(text, '\n');
        if (line > longest)
            longest = line;
        text = slice_from(text, line + 1);
    }
    return longest > 0 ? (uint32_t)longest - 1 : 0;
}

/* The reply as it came: the code is before every line again (DSN-7). */
static struct slice exact_reply(struct arena *arena, const struct journal_outcome *outcome)
{
    struct slice text = outcome->text, copy = { 0 };
    struct buffer reply;

    buffer_init(&reply, 8 * JOURNAL_TEXT_MAX + 4096);
    do {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        bool is_last = line.len == text.len;
        buffer_printf(&reply, "%u%c%.*s%s", outcome->code, is_last ? ' ' : '-', SLICE_ARGS(line),
            is_last ? "" : "\n");
        text = slice_from(text, line.len + 1);
    } while (text.len > 0);
    if (reply.error != ERR_OK || !arena_copy(arena, buffer_slice(&reply), &copy))
        copy = outcome->text;
    buffer_clear(&reply);
    return copy;
}

static enum dsn_action action_of(const struct notice *notice, const struct notice_row *row)
{
    if (notice->kind == NOTICE_DELAY)
        return DSN_DELAYED;
    if (notice->kind == NOTICE_FAILURE)
        return DSN_FAILED;
    return row->is_relayed ? DSN_RELAYED : DSN_DELIVERED;
}

static void fill_row(const struct notice *notice, const struct notice_row *row,
    struct slice mailbox, struct dsn_recipient *out)
{
    const struct journal_outcome *outcome = row->outcome;
    bool is_reply = outcome->code != 0;

    *out = (struct dsn_recipient){
        .final = mailbox,
        .action = action_of(notice, row),
        .status = outcome->status,
        .last_attempt = outcome->started_us != 0 ? row->at_us / SECOND : 0,
        .retry_until = notice->retry_until,
    };
    if (is_reply) {
        out->remote_mta = outcome->host;
        out->diagnostic = exact_reply(notice->arena, outcome);
    } else if (notice->kind != NOTICE_SUCCESS) {
        out->reason = outcome->text;
    }
    if (out->action == DSN_RELAYED)
        out->status = slice_text("2.1.9"); /* requirements section 17.3 */
}

/* What of the original comes back. */
struct returned {
    struct slice header;
    struct slice body;
    bool is_whole;
};

/* Decoded into the arena; the empty slice when there is none, or no memory. */
static struct slice decoded(
    struct notice *notice, struct slice text, bool (*decode)(struct buffer *out, struct slice text))
{
    struct slice copy = { 0 };
    struct buffer plain;

    buffer_init(&plain, 4096);
    if (text.len > 0 && decode(&plain, text) &&
        !arena_copy(notice->arena, buffer_slice(&plain), &copy))
        copy = (struct slice){ 0 };
    buffer_clear(&plain);
    return copy;
}

static bool decode_envid(struct buffer *out, struct slice text)
{
    return xtext_decode(out, text, false);
}

static int64_t deliver_by(const struct envelope *envelope)
{
    return envelope->by == ENVELOPE_BY_UNSTATED
               ? 0
               : envelope->arrival_us / SECOND + envelope->by_seconds;
}

static struct slice future_release(struct notice *notice, const struct envelope *envelope)
{
    char date[TIMESTAMP_TEXT + 1];

    if (envelope->hold == ENVELOPE_HOLD_NONE)
        return (struct slice){ 0 };
    if (envelope->hold == ENVELOPE_HOLD_FOR)
        return arena_printf(notice->arena, "for;%lld", (long long)envelope->hold_value);
    timestamp_format(envelope->hold_value, date);
    return arena_printf(notice->arena, "until;%s", date);
}

static enum err put_report(struct notice *notice, const struct record *original,
    const struct dsn_recipient *rows, const struct returned *returned, bool *out_utf8)
{
    char id[QUEUE_ID_TEXT + 1], about[QUEUE_ID_TEXT + 1];
    struct dsn_notice dsn = {
        .host = notice->hostname,
        .postmaster = notice->postmaster,
        .to = original->envelope.sender,
        .notice_id = { id, QUEUE_ID_TEXT },
        .original_id = { about, QUEUE_ID_TEXT },
        .arrival = original->envelope.arrival_us / SECOND,
        .deliver_by = deliver_by(&original->envelope),
        .future_release = future_release(notice, &original->envelope),
        .now = notice->now_us / SECOND,
        .recipients = rows,
        .recipient_count = notice->row_count,
        .envelope_id = decoded(notice, original->envelope.envid, decode_envid),
        .header = returned->header,
        .body = returned->body,
        .is_whole = returned->is_whole,
    };

    queue_id_format(notice->id, id);
    queue_id_format(notice->about, about);
    if (getrandom(&dsn.random, sizeof dsn.random, 0) != sizeof dsn.random)
        return ERR_IO;
    buffer_reset(&notice->header);
    buffer_reset(&notice->body);
    return dsn_put(&notice->header, &notice->body, &dsn, out_utf8);
}

static enum err put_envelope(struct notice *notice, const struct envelope *original, bool utf8)
{
    struct slice to = original->sender;
    struct slice header = buffer_slice(&notice->header), body = buffer_slice(&notice->body);
    struct envelope_recipient recipient = { .address = to,
        .flags = has_eight_bit(to) ? MAILBOX_UTF8 : 0,
        .notify = ENVELOPE_NOTIFY_NEVER }; /* DSN-1 */
    struct envelope envelope = {
        .id = notice->id,
        .arrival_us = notice->now_us,
        .body_kind = has_eight_bit(body) ? ENVELOPE_8BITMIME : ENVELOPE_7BIT,
        .smtputf8 = utf8,
        .eight_bit_header = has_eight_bit(header),
        .eight_bit_body = has_eight_bit(body),
        .longest_line = longest_line(body),
        .header_size = header.len,
        .body_size = body.len,
        .notice = notice->kind,
        .about = notice->about,
        .priority = original->priority, /* EXT-MTPRI-5 */
        .recipients = &recipient,
        .recipient_count = 1,
    };

    return envelope_pack(&notice->envelope, &envelope);
}

static enum err read_body(
    struct notice *notice, struct disk *disk, struct store *store, const struct record *original)
{
    const struct envelope *envelope = &original->envelope;
    char *into;
    int file;
    enum err rc;

    buffer_reset(&notice->content);
    into = buffer_reserve(&notice->content, envelope->body_size);
    if (!into)
        return ERR_NOMEM;
    rc = store_open_read(store, STORE_BODY, envelope->body_file, &file);
    if (rc != ERR_OK)
        return rc;
    rc = body_file_check(disk, file, envelope->body_size, envelope->body_checksum);
    if (rc == ERR_OK)
        rc = disk_read_span(disk, file, into, envelope->body_size, 0);
    if (rc == ERR_OK)
        buffer_commit(&notice->content, envelope->body_size);
    disk_close(disk, &file);
    return rc;
}

/* RET, by the rules of DSN-10: whole where it was asked for and something has failed, else the
 * header. What is to go by TLS only never comes back whole (D-13), and what is binary could not be
 * labelled so that it goes any way back. Of success a notice may come for each recipient: one
 * message must not become a thousand times its header. */
static struct returned choose_returned(
    struct notice *notice, struct disk *disk, struct store *store, const struct record *original)
{
    const struct envelope *envelope = &original->envelope;
    struct returned returned = { .header = original->header, .body = original->body };

    if (notice->kind == NOTICE_SUCCESS && original->header.len > SUCCESS_HEADER_MOST)
        returned.header = (struct slice){ 0 };
    if (envelope->ret != ENVELOPE_RETURN_FULL || notice->kind != NOTICE_FAILURE ||
        envelope->require_tls || envelope->body_kind == ENVELOPE_BINARYMIME ||
        envelope->header_size + envelope->body_size > CONTENT_MOST)
        return returned;
    returned.is_whole = true;
    if (envelope->body_file == 0)
        return returned;
    returned.is_whole = read_body(notice, disk, store, original) == ERR_OK;
    returned.body = buffer_slice(&notice->content);
    return returned;
}

/* Where it is too much for one record, less comes back. */
static enum err put_fitting(struct notice *notice, const struct record *original,
    const struct dsn_recipient *rows, struct returned returned, bool *out_utf8)
{
    enum err rc = put_report(notice, original, rows, &returned, out_utf8);

    if (rc == ERR_LIMIT && returned.is_whole) {
        returned.is_whole = false;
        rc = put_report(notice, original, rows, &returned, out_utf8);
    }
    if (rc == ERR_LIMIT) {
        returned = (struct returned){ 0 };
        rc = put_report(notice, original, rows, &returned, out_utf8);
    }
    return rc;
}

static enum err make_from(
    struct notice *notice, struct disk *disk, struct store *store, const struct record *original)
{
    struct dsn_recipient *rows = arena_array(notice->arena, notice->row_count, sizeof *rows);
    bool utf8 = false;
    enum err rc;

    if (!rows)
        return ERR_NOMEM;
    for (size_t i = 0; i < notice->row_count; i++) {
        struct notice_row *row = &notice->rows[i];
        struct slice mailbox;
        if (row->recipient >= original->envelope.recipient_count)
            return ERR_CORRUPT;
        mailbox = original->envelope.recipients[row->recipient].address;
        if (row->outcome->mailbox.len == 0 &&
            !arena_copy(notice->arena, mailbox, &row->outcome->mailbox))
            return ERR_NOMEM;
        fill_row(notice, row, mailbox, &rows[i]);
        rows[i].original =
            decoded(notice, original->envelope.recipients[row->recipient].orcpt, orcpt_decode);
    }
    rc = put_fitting(notice, original, rows, choose_returned(notice, disk, store, original), &utf8);
    return rc == ERR_OK ? put_envelope(notice, &original->envelope, utf8) : rc;
}

enum err notice_make(struct notice *notice, struct disk *disk, struct store *store)
{
    struct record original;
    struct buffer bytes;
    struct arena arena;
    enum err rc;

    buffer_init(&bytes, RECORD_MAX);
    arena_init(&arena, ORIGINAL_MEMORY);
    rc = segment_load(disk, notice->handle, notice->generation, notice->offset, notice->about,
        &bytes, &arena, &original);
    if (rc == ERR_OK)
        rc = make_from(notice, disk, store, &original);
    arena_clear(&arena);
    buffer_clear(&bytes);
    if (rc != ERR_OK)
        return rc;
    notice->header_piece = buffer_slice(&notice->header);
    notice->body_piece = buffer_slice(&notice->body);
    rc = record_draft_init(&notice->draft, notice->id, buffer_slice(&notice->envelope),
        &notice->header_piece, 1, &notice->body_piece, 1);
    notice->is_ready = rc == ERR_OK;
    return rc;
}
