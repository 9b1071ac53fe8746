/* message/text.c: harmless text and folded lines. */
#include "message/text.h"

#include <unistr.h>

enum { COLUMNS = 78, OCTETS = 998 };

uint32_t text_next(struct slice *text)
{
    ucs4_t c = '?';
    int len = u8_mbtoucr(&c, (const uint8_t *)text->data, text->len);

    if (len < 1) {
        len = 1;
        c = '?';
    }
    *text = slice_from(*text, (size_t)len);
    return c;
}

static bool is_control(uint32_t c)
{
    return c < 32 || (c >= 127 && c < 160);
}

void text_put_safe(struct buffer *out, struct slice text, bool utf8)
{
    while (text.len > 0) {
        struct slice before = text;
        uint32_t c = text_next(&text);

        if (c == '\t')
            buffer_put_char(out, ' ');
        else if (is_control(c) || (c > 127 && !utf8))
            buffer_put_char(out, '?');
        else if (c > 127)
            buffer_put(out, before.data, before.len - text.len);
        else
            buffer_put_char(out, (char)c);
    }
}

/* The spaces in front of the text and the word behind them. */
static struct slice first_word(struct slice text)
{
    size_t len = 0;

    while (len < text.len && text.data[len] == ' ')
        len++;
    while (len < text.len && text.data[len] != ' ')
        len++;
    return slice_first(text, len);
}

/* A word too long for any line, in pieces. Returns the column behind it. */
static size_t put_pieces(struct buffer *out, struct slice word, size_t column)
{
    while (column + word.len > OCTETS) {
        size_t piece = column < OCTETS ? OCTETS - column : 0;

        /* Not within a character of UTF-8, which has at most three octets behind its first. */
        for (int i = 0; i < 3 && piece > 3 && ((unsigned char)word.data[piece] & 0xc0) == 0x80; i++)
            piece--;
        buffer_put_slice(out, slice_first(word, piece));
        buffer_put_text(out, "\r\n ");
        word = slice_from(word, piece);
        column = 1;
    }
    buffer_put_slice(out, word);
    return column + word.len;
}

/* A run of blanks longer than a line of text says nothing; it could make a line of nothing but
 * blanks. */
static struct slice without_surplus(struct slice word)
{
    size_t spaces = 0;

    while (spaces < word.len && word.data[spaces] == ' ')
        spaces++;
    return spaces > COLUMNS ? slice_from(word, spaces - COLUMNS) : word;
}

void text_put_folded(struct buffer *out, struct slice line, size_t keep)
{
    size_t column;

    while (line.len > keep && line.data[line.len - 1] == ' ')
        line.len--;
    column = put_pieces(out, slice_first(line, keep), 0);
    for (line = slice_from(line, keep); line.len > 0;) {
        struct slice word = first_word(line);

        line = slice_from(line, word.len);
        word = without_surplus(word);
        if (word.data[0] == ' ' && column + word.len > COLUMNS) {
            buffer_put_text(out, "\r\n");
            column = 0;
        }
        column = put_pieces(out, word, column);
    }
    buffer_put_text(out, "\r\n");
}
