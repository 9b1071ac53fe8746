/* message/mime.c: quoted-printable, and what a text needs. */
#include "message/mime.h"

#include "message/text.h"

enum {
    LINE_OCTETS = 998,
    COLUMNS = 76, /* of an encoded line */
};

/* One line with its LF, or the rest. */
static struct slice first_line(struct slice text)
{
    size_t newline = slice_find(text, '\n');

    return newline < text.len ? slice_first(text, newline + 1) : text;
}

static bool ends_with_crlf(struct slice line)
{
    return line.len >= 2 && line.data[line.len - 2] == '\r' && line.data[line.len - 1] == '\n';
}

/* Every line must end with CRLF and hold no other CR; only the last one may have no end at all. */
static bool is_line_plain(struct slice line)
{
    size_t len = ends_with_crlf(line) ? line.len - 2 : line.len;
    struct slice content = slice_first(line, len);

    return len <= LINE_OCTETS && slice_find(content, '\r') == len &&
           slice_find(content, '\n') == len && slice_find(content, '\0') == len;
}

enum mime_need mime_need_of(struct slice text)
{
    enum mime_need need = text_is_ascii(text) ? MIME_7BIT : MIME_8BIT;

    while (text.len > 0) {
        struct slice line = first_line(text);

        if (!is_line_plain(line))
            return MIME_ENCODED;
        text = slice_from(text, line.len);
    }
    return need;
}

/* A blank is literal unless the line ends behind it, where it could get lost (RFC 2045 section 6.7,
 * rule 3). */
static bool is_literal(struct slice content, size_t i)
{
    unsigned char c = (unsigned char)content.data[i];

    if (c == ' ' || c == '\t')
        return i + 1 < content.len;
    return c > 32 && c < 127 && c != '=';
}

/* The content of one line, soft line breaks included; ended: a line end follows it. A "=" that ends
 * a line counts into its columns. */
static void put_quoted_line(struct buffer *out, struct slice content, bool ended)
{
    size_t column = 0;

    for (size_t i = 0; i < content.len; i++) {
        bool literal = is_literal(content, i);
        size_t width = literal ? 1 : 3;
        size_t room = ended && i + 1 == content.len ? COLUMNS : COLUMNS - 1;

        if (column + width > room) {
            buffer_put_text(out, "=\r\n");
            column = 0;
        }
        if (literal)
            buffer_put_char(out, content.data[i]);
        else
            buffer_printf(out, "=%02X", (unsigned)(unsigned char)content.data[i]);
        column += width;
    }
}

void mime_put_quoted_printable(struct buffer *out, struct slice text)
{
    while (text.len > 0) {
        struct slice line = first_line(text);
        bool ended = ends_with_crlf(line);

        put_quoted_line(out, slice_first(line, ended ? line.len - 2 : line.len), ended);
        buffer_put_text(out, ended ? "\r\n" : "=\r\n");
        text = slice_from(text, line.len);
    }
}
