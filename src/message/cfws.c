/* message/cfws.c: skipping what may stand between tokens. */
#include "message/cfws.h"

#include "smtp/address.h" /* atext_is */

/* Octets of white space or of a whole fold (CRLF and a blank) at the position; 0 for anything else.
 */
static size_t white_length(struct slice text, size_t at)
{
    struct slice rest = slice_from(text, at);

    if (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'))
        return 1;
    if (rest.len > 2 && rest.data[0] == '\r' && rest.data[1] == '\n' &&
        (rest.data[2] == ' ' || rest.data[2] == '\t'))
        return 3;
    return 0;
}

/* Octets of one element of a comment other than a parenthesis; 0 when it may not stand there. */
static size_t ctext_length(struct slice text, size_t at)
{
    size_t white = white_length(text, at);
    unsigned char c = (unsigned char)text.data[at];

    if (white > 0)
        return white;
    if (c == '\\')
        return at + 1 < text.len && (unsigned char)text.data[at + 1] >= 32 ? 2 : 0;
    return c >= 33 && c != 127 ? 1 : 0;
}

/* *at is at an opening parenthesis. */
static bool skip_comment(struct slice text, size_t *at)
{
    size_t depth = 0;

    while (*at < text.len) {
        char c = text.data[*at];
        size_t len = c == '(' || c == ')' ? 1 : ctext_length(text, *at);

        if (len == 0)
            return false;
        *at += len;
        if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            return true;
    }
    return false;
}

bool cfws_skip(struct slice text, size_t *at)
{
    for (;;) {
        size_t white = white_length(text, *at);

        if (white > 0)
            *at += white;
        else if (*at < text.len && text.data[*at] == '(') {
            if (!skip_comment(text, at))
                return false;
        } else
            return *at == text.len || (text.data[*at] != '\r' && text.data[*at] != '\n');
    }
}

bool dot_atom_skip(struct slice text, size_t *at)
{
    size_t end = *at;

    for (;;) {
        size_t start = end;

        while (end < text.len && atext_is(text.data[end]))
            end++;
        if (end == start)
            return false;
        if (end == text.len || text.data[end] != '.')
            break;
        end++;
    }
    *at = end;
    return true;
}
