/* message/dsn_status.c: the part of a notice that programs read: one group of fields about the
 * message, one for each recipient (RFC 3464 section 2). */
#include "message/dsn_part.h"

#include <stdio.h>

#include "message/date.h"
#include "message/text.h"

enum {
    FIELD_OCTETS = 320,    /* of an address, id or host name: more than any that SMTP carries */
    ORIGINAL_OCTETS = 500, /* of an ORCPT: as long as one can be */
    LINE_OCTETS = 990,     /* of a field with an address that has grown by its encoding */
};

static const char *const action_names[DSN_ACTIONS] = {
    [DSN_FAILED] = "failed",
    [DSN_DELAYED] = "delayed",
    [DSN_RELAYED] = "relayed",
    [DSN_DELIVERED] = "delivered",
    [DSN_EXPANDED] = "expanded",
};

static bool is_class_fit(enum dsn_action action, char class)
{
    if (action == DSN_FAILED)
        return class == '5' || class == '4';
    return class == (action == DSN_DELAYED ? '4' : '2');
}

/* One to three digits. */
static bool take_digits(struct slice *text)
{
    size_t len = 0;

    while (len < text->len && len < 3 && ascii_is_digit(text->data[len]))
        len++;
    *text = slice_from(*text, len);
    return len > 0;
}

static bool take_dot(struct slice *text)
{
    bool is_dot = text->len > 0 && text->data[0] == '.';

    *text = slice_from(*text, is_dot);
    return is_dot;
}

static bool is_status(struct slice text)
{
    text = slice_from(text, text.len > 0);
    return take_dot(&text) && take_digits(&text) && take_dot(&text) && take_digits(&text) &&
           text.len == 0;
}

void dsn_status_text(
    enum dsn_action action, struct slice status, char out_text[DSN_STATUS_TEXT + 1])
{
    if (is_status(status) && is_class_fit(action, status.data[0]))
        snprintf(out_text, DSN_STATUS_TEXT + 1, "%.*s", SLICE_ARGS(status));
    else
        snprintf(out_text, DSN_STATUS_TEXT + 1, "%c.0.0",
            action == DSN_FAILED    ? '5'
            : action == DSN_DELAYED ? '4'
                                    : '2');
}

static void put_date(struct buffer *out, const char *name, int64_t wall)
{
    char date[DATE_TEXT + 1];

    if (wall == 0)
        return;
    date_format(wall, date);
    buffer_printf(out, "%s: %s\r\n", name, date);
}

/* A field of one short value. */
static void put_value(struct buffer *out, const char *label, struct slice value, bool utf8)
{
    if (value.len == 0)
        return;
    buffer_put_text(out, label);
    text_put_safe(out, slice_first(value, FIELD_OCTETS), utf8);
    buffer_put_text(out, "\r\n");
}

/* The 7-bit form of an address (RFC 6533 section 3, utf-8-addr-xtext): what is not QCHAR as
 * \x{HEX}. room: octets that the line has left; what no lawful address needs is cut. */
static void put_xtext(struct buffer *out, struct slice address, size_t room)
{
    while (address.len > 0 && room >= sizeof "\\x{10FFFF}" - 1) {
        uint32_t c = text_next(&address);
        size_t before = out->len;

        if (c > 32 && c < 127 && !strchr("\\+=", (int)c))
            buffer_put_char(out, (char)c);
        else
            buffer_printf(out, "\\x{%02X}", (unsigned)(c < 32 ? '?' : c));
        room -= out->len > before ? out->len - before : 0;
    }
}

/* "type; address", the type given or chosen by what the address holds (RFC 3464 section 2.3.1,
 * DSN-13). */
static void put_address(
    struct buffer *out, const char *label, struct slice type, struct slice address, bool utf8)
{
    if (!text_is_ascii(address))
        type = (struct slice)SLICE_LITERAL("utf-8");
    else if (type.len == 0)
        type = (struct slice)SLICE_LITERAL("rfc822");
    buffer_put_text(out, label);
    text_put_safe(out, type, false);
    buffer_put_text(out, "; ");
    if (slice_is_nocase(type, "utf-8") && !utf8)
        put_xtext(out, address, LINE_OCTETS - strlen(label) - type.len);
    else
        text_put_safe(out, address, utf8);
    buffer_put_text(out, "\r\n");
}

/* Whole: programs compare it with what they gave. */
static void put_original(struct buffer *out, struct slice original, bool utf8)
{
    size_t semicolon = slice_find(original, ';');

    if (semicolon == original.len)
        return;
    put_address(out, "Original-Recipient: ", slice_first(original, semicolon),
        slice_trim(slice_from(original, semicolon + 1)), utf8);
}

/* The next line that holds anything, without its line end; empty when there is none. */
static struct slice next_line(struct slice *rest)
{
    while (rest->len > 0) {
        size_t newline = slice_find(*rest, '\n');
        struct slice line = slice_first(*rest, newline);

        *rest = slice_from(*rest, newline + 1);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        line = slice_trim(line);
        if (line.len > 0)
            return line;
    }
    return slice_of(NULL, 0);
}

/* The reply as it was, its further lines as folds (DSN-7). */
static void put_diagnostic(struct buffer *out, struct slice reply, bool utf8)
{
    struct slice rest = slice_first(reply, DSN_DIAGNOSTIC_MAX);
    struct slice line = next_line(&rest);
    const char *label = "Diagnostic-Code: smtp; ";
    struct buffer text;

    buffer_init(&text, DSN_DIAGNOSTIC_MAX * 2);
    for (; line.len > 0; line = next_line(&rest)) {
        buffer_reset(&text);
        buffer_put_text(&text, label);
        text_put_safe(&text, line, utf8);
        text_put_folded(out, buffer_slice(&text), strlen(label));
        label = " ";
    }
    if (text.error != ERR_OK && out->error == ERR_OK)
        out->error = text.error;
    buffer_clear(&text);
}

static void put_recipient(struct buffer *out, const struct dsn_notice *notice,
    const struct dsn_recipient *recipient, bool utf8)
{
    char status[DSN_STATUS_TEXT + 1];

    dsn_status_text(recipient->action, recipient->status, status);
    buffer_put_text(out, "\r\n");
    put_original(out, slice_first(recipient->original, ORIGINAL_OCTETS), utf8);
    put_address(out, "Final-Recipient: ", slice_of(NULL, 0),
        slice_first(recipient->final, FIELD_OCTETS), utf8);
    buffer_printf(out, "Action: %s\r\nStatus: %s\r\n", action_names[recipient->action], status);
    put_value(out, "Remote-MTA: dns; ", recipient->remote_mta, utf8);
    put_diagnostic(out, recipient->diagnostic, utf8);
    put_date(out, "Last-Attempt-Date", recipient->last_attempt);
    if (recipient->action == DSN_DELAYED)
        put_date(out, "Will-Retry-Until", recipient->retry_until);
    put_value(out, "Final-Log-ID: ", notice->original_id, false);
}

void dsn_put_status(struct buffer *out, const struct dsn_notice *notice, bool utf8)
{
    put_value(out, "Original-Envelope-Id: ", notice->envelope_id, false);
    put_value(out, "Reporting-MTA: dns; ", notice->host, utf8);
    put_date(out, "Arrival-Date", notice->arrival);
    put_date(out, "Deliver-By-Date", notice->deliver_by);
    put_value(out, "Future-Release-Request: ", notice->future_release, false);
    for (size_t i = 0; i < notice->recipient_count; i++)
        put_recipient(out, notice, &notice->recipients[i], utf8);
}
