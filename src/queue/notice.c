/* queue/notice.c: the original's envelope and header, the report, the record. */
#include "queue/notice.h"

#include <sys/random.h>

#include "message/dsn.h"

enum { ORIGINAL_MEMORY = 4 << 20, SECOND = 1000000 };

void notice_init(struct notice *notice, struct arena *arena)
{
    *notice = (struct notice){ .arena = arena };
    buffer_init(&notice->header, RECORD_HEADER_MAX);
    buffer_init(&notice->body, RECORD_BODY_MAX);
    buffer_init(&notice->envelope, ENVELOPE_MAX);
}

void notice_clear(struct notice *notice)
{
    buffer_clear(&notice->header);
    buffer_clear(&notice->body);
    buffer_clear(&notice->envelope);
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

static void fill_row(const struct notice *notice, const struct notice_row *row,
    struct slice mailbox, struct dsn_recipient *out)
{
    const struct journal_outcome *outcome = row->outcome;
    bool is_reply = outcome->code != 0;

    *out = (struct dsn_recipient){
        .final = mailbox,
        .action = notice->kind == NOTICE_DELAY ? DSN_DELAYED : DSN_FAILED,
        .status = outcome->status,
        .last_attempt = outcome->started_us != 0 ? row->at_us / SECOND : 0,
        .retry_until = notice->retry_until,
    };
    if (is_reply) {
        out->remote_mta = outcome->host;
        out->diagnostic = exact_reply(notice->arena, outcome);
    } else {
        out->reason = outcome->text;
    }
}

static enum err put_report(struct notice *notice, const struct record *original,
    const struct dsn_recipient *rows, struct slice header, bool *out_utf8)
{
    char id[QUEUE_ID_TEXT + 1], about[QUEUE_ID_TEXT + 1];
    struct dsn_notice dsn = {
        .host = notice->hostname,
        .postmaster = notice->postmaster,
        .to = original->envelope.sender,
        .notice_id = { id, QUEUE_ID_TEXT },
        .original_id = { about, QUEUE_ID_TEXT },
        .arrival = original->envelope.arrival_us / SECOND,
        .now = notice->now_us / SECOND,
        .recipients = rows,
        .recipient_count = notice->row_count,
        .header = header,
    };

    queue_id_format(notice->id, id);
    queue_id_format(notice->about, about);
    if (getrandom(&dsn.random, sizeof dsn.random, 0) != sizeof dsn.random)
        return ERR_IO;
    buffer_reset(&notice->header);
    buffer_reset(&notice->body);
    return dsn_put(&notice->header, &notice->body, &dsn, out_utf8);
}

static enum err put_envelope(struct notice *notice, struct slice to, bool utf8)
{
    struct slice header = buffer_slice(&notice->header), body = buffer_slice(&notice->body);
    struct envelope_recipient recipient = { .address = to,
        .flags = has_eight_bit(to) ? MAILBOX_UTF8 : 0 };
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
        .recipients = &recipient,
        .recipient_count = 1,
    };

    return envelope_pack(&notice->envelope, &envelope);
}

static enum err make_from(struct notice *notice, const struct record *original)
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
    }
    rc = put_report(notice, original, rows, original->header, &utf8);
    if (rc == ERR_LIMIT) /* too much for one record: without the header that comes back */
        rc = put_report(notice, original, rows, (struct slice){ 0 }, &utf8);
    return rc == ERR_OK ? put_envelope(notice, original->envelope.sender, utf8) : rc;
}

enum err notice_make(struct notice *notice, struct disk *disk)
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
        rc = make_from(notice, &original);
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
