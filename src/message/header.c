/* message/header.c: the names of fields and the index of a block. */
#include "message/header.h"

#include "message/text.h"

static const char private_prefix[] = "X-Submitd-";

static const struct {
    const char *name;
    bool is_address; /* holds addresses or message ids, so octets above 127 need SMTPUTF8 */
} names[HEADER_IDS] = {
    [HEADER_OTHER] = { "", false },
    [HEADER_FROM] = { "From", true },
    [HEADER_SENDER] = { "Sender", true },
    [HEADER_REPLY_TO] = { "Reply-To", true },
    [HEADER_TO] = { "To", true },
    [HEADER_CC] = { "Cc", true },
    [HEADER_BCC] = { "Bcc", true },
    [HEADER_DATE] = { "Date", false },
    [HEADER_MESSAGE_ID] = { "Message-ID", true },
    [HEADER_IN_REPLY_TO] = { "In-Reply-To", true },
    [HEADER_REFERENCES] = { "References", true },
    [HEADER_SUBJECT] = { "Subject", false },
    [HEADER_RECEIVED] = { "Received", false },
    [HEADER_RETURN_PATH] = { "Return-Path", false },
    [HEADER_RESENT_FROM] = { "Resent-From", true },
    [HEADER_RESENT_SENDER] = { "Resent-Sender", true },
    [HEADER_RESENT_TO] = { "Resent-To", true },
    [HEADER_RESENT_CC] = { "Resent-Cc", true },
    [HEADER_RESENT_BCC] = { "Resent-Bcc", true },
    [HEADER_RESENT_DATE] = { "Resent-Date", false },
    [HEADER_RESENT_MESSAGE_ID] = { "Resent-Message-ID", true },
    [HEADER_DISPOSITION_NOTIFICATION_TO] = { "Disposition-Notification-To", true },
    [HEADER_MIME_VERSION] = { "MIME-Version", false },
    [HEADER_CONTENT_TYPE] = { "Content-Type", false },
    [HEADER_CONTENT_TRANSFER_ENCODING] = { "Content-Transfer-Encoding", false },
    [HEADER_CONTENT_LENGTH] = { "Content-Length", false },
    [HEADER_AUTO_SUBMITTED] = { "Auto-Submitted", false },
    [HEADER_TLS_REQUIRED] = { "TLS-Required", false },
    [HEADER_REQUIRETLS] = { "RequireTLS", false },
    [HEADER_DKIM_SIGNATURE] = { "DKIM-Signature", false },
    [HEADER_AUTHENTICATION_RESULTS] = { "Authentication-Results", false },
    [HEADER_PRIVATE] = { private_prefix, false },
};

enum header_id header_id_of(struct slice name)
{
    for (size_t i = HEADER_FROM; i < HEADER_PRIVATE; i++)
        if (slice_is_nocase(name, names[i].name))
            return (enum header_id)i;
    return slice_starts_nocase(name, private_prefix) ? HEADER_PRIVATE : HEADER_OTHER;
}

const char *header_id_name(enum header_id id)
{
    return names[id].name;
}

bool header_id_is_address(enum header_id id)
{
    return names[id].is_address;
}

size_t header_name_length(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == ':')
            return i;
        if (line.data[i] < 33 || line.data[i] > 126)
            return 0;
    }
    return 0;
}

/* Octets up to and with the next LF; all when there is none. */
static struct slice first_line(struct slice rest)
{
    size_t newline = slice_find(rest, '\n');

    return newline < rest.len ? slice_first(rest, newline + 1) : rest;
}

static bool is_fold(struct slice line)
{
    return line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
}

/* The lines of one field, from its name to the last line that is folded onto it. */
static struct slice first_field(struct slice rest)
{
    size_t len = first_line(rest).len;

    while (is_fold(slice_from(rest, len)))
        len += first_line(slice_from(rest, len)).len;
    return slice_first(rest, len);
}

static enum header_charset charset_of(struct slice text)
{
    if (text_is_ascii(text))
        return HEADER_ASCII;
    return text_is_utf8(text) ? HEADER_UTF8 : HEADER_MIXED;
}

static bool read_field(struct slice whole, struct header_field *out_field)
{
    size_t name = header_name_length(whole);

    if (name == 0 || whole.len < name + 3 || memcmp(whole.data + whole.len - 2, "\r\n", 2) != 0)
        return false;
    out_field->whole = whole;
    out_field->name = slice_first(whole, name);
    out_field->body = slice_first(slice_from(whole, name + 1), whole.len - name - 3);
    out_field->id = header_id_of(out_field->name);
    out_field->charset = charset_of(out_field->body);
    return true;
}

/* The block without an empty line at its end. */
static struct slice without_empty_line(struct slice block)
{
    if (block.len == 2 && memcmp(block.data, "\r\n", 2) == 0)
        return slice_first(block, 0);
    if (block.len >= 4 && memcmp(block.data + block.len - 4, "\r\n\r\n", 4) == 0)
        return slice_first(block, block.len - 2);
    return block;
}

static size_t count_fields(struct slice block)
{
    size_t count = 0;

    for (; block.len > 0; block = slice_from(block, first_field(block).len))
        count++;
    return count;
}

enum err header_index_build(struct slice block, struct arena *arena, struct header_index *out_index)
{
    struct header_index index = { .block = without_empty_line(block) };
    struct slice rest = index.block;
    size_t count = count_fields(rest);
    struct header_field *fields = NULL;

    if (count > HEADER_FIELDS_MAX)
        return ERR_LIMIT;
    if (count > 0 && !(fields = arena_array(arena, count, sizeof *fields)))
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct slice whole = first_field(rest);

        if (!read_field(whole, &fields[i]))
            return ERR_INVALID;
        index.seen[fields[i].id]++;
        if (fields[i].charset > index.charset)
            index.charset = fields[i].charset;
        rest = slice_from(rest, whole.len);
    }
    index.fields = fields;
    index.count = count;
    *out_index = index;
    return ERR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice header_value(const struct header_field *field)
{
    struct slice value = field->body;

    while (value.len > 0 && is_blank(value.data[0]))
        value = slice_from(value, 1);
    while (value.len > 0 && is_blank(value.data[value.len - 1]))
        value.len--;
    return value;
}
