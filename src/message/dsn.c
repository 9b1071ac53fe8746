/* message/dsn.c: puts a notice together: its header, and the three parts of multipart/report. */
#include "message/dsn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "message/date.h"
#include "message/dsn_part.h"
#include "message/message_id.h"
#include "message/mime.h"
#include "message/text.h"

enum { PARTS = 3, ADDRESS_OCTETS = 320, BOUNDARY_TEXT = 25 };

static const char *const subjects[DSN_ACTIONS] = {
    [DSN_FAILED] = "Your message could not be delivered",
    [DSN_DELAYED] = "Your message is delayed",
    [DSN_RELAYED] = "Your message was passed on",
    [DSN_DELIVERED] = "Your message was delivered",
    [DSN_EXPANDED] = "Your message was passed on",
};

/* One part: its type, how it is encoded, and its text before the encoding. */
struct part {
    const char *type; /* NULL: left out */
    enum mime_need form;
    struct buffer text;
};

static const char *const form_names[] = {
    [MIME_7BIT] = "7bit",
    [MIME_8BIT] = "8bit",
    [MIME_ENCODED] = "quoted-printable",
};

/* The worst news comes first in the enum. */
static enum dsn_action worst_of(const struct dsn_notice *notice)
{
    enum dsn_action worst = DSN_EXPANDED;

    for (size_t i = 0; i < notice->recipient_count; i++)
        if (notice->recipients[i].action < worst)
            worst = notice->recipients[i].action;
    return worst;
}

static void fill_text(struct part *part, const struct dsn_notice *notice)
{
    part->type = "text/plain; charset=utf-8";
    dsn_put_text(&part->text, notice);
    part->form = mime_need_of(buffer_slice(&part->text)) == MIME_7BIT ? MIME_7BIT : MIME_ENCODED;
}

static void fill_status(struct part *part, const struct dsn_notice *notice, bool utf8)
{
    part->type = utf8 ? "message/global-delivery-status" : "message/delivery-status";
    dsn_put_status(&part->text, notice, utf8);
    part->form = mime_need_of(buffer_slice(&part->text));
}

/* text/rfc822-headers may be encoded when the header is broken (RFC 6522 section 4),
 * message/global-headers when the way is 7-bit (RFC 6533 section 6.3). */
static bool fill_whole(struct part *part, const struct dsn_notice *notice)
{
    bool is_global = !text_is_ascii(notice->header) && text_is_utf8(notice->header);
    enum mime_need header = mime_need_of(notice->header), body = mime_need_of(notice->body);

    if (!notice->is_whole || header == MIME_ENCODED || body == MIME_ENCODED)
        return false;
    part->type = is_global ? "message/global" : "message/rfc822";
    part->form = header == MIME_8BIT || body == MIME_8BIT ? MIME_8BIT : MIME_7BIT;
    buffer_put_slice(&part->text, notice->header);
    buffer_put_slice(&part->text, notice->body);
    if (notice->body.len > 0 && notice->body.data[notice->body.len - 1] != '\n')
        buffer_put_text(&part->text, "\r\n");
    return true;
}

static void fill_header(struct part *part, const struct dsn_notice *notice, bool utf8)
{
    struct slice header = notice->header;
    enum mime_need need;

    if (header.len >= 4 && memcmp(header.data + header.len - 4, "\r\n\r\n", 4) == 0)
        header.len -= 2;
    if (header.len == 0)
        return;
    need = mime_need_of(header);
    part->type = !text_is_ascii(header) && text_is_utf8(header) ? "message/global-headers"
                                                                : "text/rfc822-headers";
    part->form = need == MIME_8BIT && !(utf8 && text_is_utf8(header)) ? MIME_ENCODED : need;
    buffer_put_slice(&part->text, header);
    if (part->form != MIME_ENCODED && header.data[header.len - 1] != '\n')
        buffer_put_text(&part->text, "\r\n");
}

/* "=_" cannot come out of quoted-printable; the random number keeps whoever wrote the original from
 * knowing the boundary; and still each part is searched for it. */
static void make_boundary(
    const struct dsn_notice *notice, const struct part *parts, char out_text[BOUNDARY_TEXT + 1])
{
    uint64_t number = notice->random;
    bool found;

    do {
        snprintf(out_text, BOUNDARY_TEXT + 1, "=_report_%016" PRIx64, number++);
        found = false;
        for (size_t i = 0; i < PARTS && !found; i++)
            found = parts[i].text.len > 0 && memmem(buffer_slice(&parts[i].text).data,
                                                 parts[i].text.len, out_text, strlen(out_text));
    } while (found);
}

static void put_part(struct buffer *out, const struct part *part, const char *boundary)
{
    if (!part->type)
        return;
    buffer_printf(out, "\r\n--%s\r\nContent-Type: %s\r\n", boundary, part->type);
    buffer_printf(out, "Content-Transfer-Encoding: %s\r\n\r\n", form_names[part->form]);
    if (part->form == MIME_ENCODED)
        mime_put_quoted_printable(out, buffer_slice(&part->text));
    else
        buffer_put_slice(out, buffer_slice(&part->text));
    if (part->text.error != ERR_OK && out->error == ERR_OK)
        out->error = part->text.error;
}

static void put_body(struct buffer *out, const struct part *parts, const char *boundary)
{
    buffer_put_text(out, "This is a delivery report in MIME format.\r\n");
    for (size_t i = 0; i < PARTS; i++)
        put_part(out, &parts[i], boundary);
    buffer_printf(out, "\r\n--%s--\r\n", boundary);
}

/* A postmaster address beyond ASCII may stand only where the whole notice may. */
static void put_from(struct buffer *out, const struct dsn_notice *notice, bool utf8)
{
    buffer_put_text(out, "From: Postmaster <");
    if (utf8 || text_is_ascii(notice->postmaster)) {
        text_put_safe(out, slice_first(notice->postmaster, ADDRESS_OCTETS), utf8);
    } else {
        buffer_put_text(out, "postmaster@");
        text_put_safe(out, slice_first(notice->host, ADDRESS_OCTETS), false);
    }
    buffer_put_text(out, ">\r\n");
}

static void put_header(struct buffer *out, const struct dsn_notice *notice, const char *boundary,
    bool utf8, bool is_8bit)
{
    char date[DATE_TEXT + 1];

    put_from(out, notice, utf8);
    buffer_put_text(out, "To: <");
    text_put_safe(out, slice_first(notice->to, ADDRESS_OCTETS), utf8);
    date_format(notice->now, date);
    buffer_printf(out, ">\r\nDate: %s\r\nMessage-ID: ", date);
    message_id_put(out, slice_first(notice->notice_id, 40), notice->random,
        slice_first(notice->host, ADDRESS_OCTETS));
    buffer_printf(out, "\r\nSubject: %s\r\n", subjects[worst_of(notice)]);
    buffer_put_text(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
    buffer_printf(out, "Content-Type: multipart/report; report-type=%s;\r\n boundary=\"%s\"\r\n",
        utf8 ? "global-delivery-status" : "delivery-status", boundary);
    if (is_8bit)
        buffer_put_text(out, "Content-Transfer-Encoding: 8bit\r\n");
    buffer_put_text(out, "\r\n");
}

size_t dsn_size_max(const struct dsn_notice *notice)
{
    enum { FIXED = 16384, RECIPIENT = 16384 };

    return FIXED + notice->recipient_count * RECIPIENT + notice->header.len * 4 +
           (notice->is_whole ? notice->body.len : 0);
}

enum err dsn_put(struct buffer *out_header, struct buffer *out_body,
    const struct dsn_notice *notice, bool *out_utf8)
{
    bool utf8 = !text_is_ascii(notice->to) && text_is_utf8(notice->to);
    char boundary[BOUNDARY_TEXT + 1];
    struct part parts[PARTS] = { 0 };
    bool is_8bit = false;

    assert(notice->to.len > 0 && notice->recipient_count > 0);
    for (size_t i = 0; i < PARTS; i++)
        buffer_init(&parts[i].text, dsn_size_max(notice));
    fill_text(&parts[0], notice);
    fill_status(&parts[1], notice, utf8);
    if (!fill_whole(&parts[2], notice))
        fill_header(&parts[2], notice, utf8);
    for (size_t i = 0; i < PARTS; i++)
        is_8bit = is_8bit || (parts[i].type && parts[i].form == MIME_8BIT);
    make_boundary(notice, parts, boundary);
    put_header(out_header, notice, boundary, utf8, is_8bit);
    put_body(out_body, parts, boundary);
    for (size_t i = 0; i < PARTS; i++)
        buffer_clear(&parts[i].text);
    if (out_header->error != ERR_OK || out_body->error != ERR_OK)
        return out_header->error != ERR_OK ? out_header->error : out_body->error;
    *out_utf8 = utf8;
    return ERR_OK;
}
