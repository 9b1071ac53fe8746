/* fetch/imap_reply.c: the reader of an IMAP server's octets. */
#include "fetch/imap_reply.h"

#include <string.h>

/* The text ends with "{n}", "{n+}" or "~{n}": cuts that off. False: it ends with something that is
 * no size. */
static bool take_size(struct slice *text, bool *out_is_literal, uint64_t *out_size)
{
    size_t brace = slice_find_last(*text, '{');
    struct slice digits = slice_from(*text, brace + 1);

    *out_is_literal = false;
    if (text->len == 0 || text->data[text->len - 1] != '}' || brace == text->len)
        return true;
    digits.len--;
    if (digits.len > 0 && digits.data[digits.len - 1] == '+')
        digits.len--;
    if (!slice_number(digits, INT64_MAX, out_size))
        return false;
    *out_is_literal = true;
    text->len = brace;
    if (text->len > 0 && text->data[text->len - 1] == '~')
        text->len--;
    return true;
}

static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (((unsigned char)text.data[i] < 32 && text.data[i] != '\t') || text.data[i] == 127)
            return false;
    return true;
}

static enum imap_answer read_octets(struct imap_reader *reader, struct slice input,
    size_t *out_consumed, struct imap_part *out_part)
{
    struct slice run =
        slice_first(input, reader->left > SIZE_MAX ? SIZE_MAX : (size_t)reader->left);

    *out_consumed = run.len;
    if (run.len == 0)
        return IMAP_MORE;
    reader->left -= run.len;
    *out_part = (struct imap_part){ .text = run };
    return IMAP_OCTETS;
}

static enum imap_answer read_line(
    struct imap_reader *reader, struct slice input, size_t len, struct imap_part *out_part)
{
    struct imap_part part = { .text = slice_first(input, len), .is_first = !reader->is_inside };
    bool is_literal;

    if (part.text.len == 0 || part.text.data[part.text.len - 1] != '\r')
        return IMAP_BROKEN;
    part.text.len--;
    if (!is_clean(part.text) || !take_size(&part.text, &is_literal, &part.size))
        return IMAP_BROKEN;
    reader->is_inside = is_literal;
    reader->left = part.size;
    *out_part = part;
    return is_literal ? IMAP_LITERAL : IMAP_LINE;
}

enum imap_answer imap_read(struct imap_reader *reader, struct slice input, size_t *out_consumed,
    struct imap_part *out_part)
{
    size_t end;

    *out_consumed = 0;
    if (reader->left > 0)
        return read_octets(reader, input, out_consumed, out_part);
    end = reader->scanned + slice_find(slice_from(input, reader->scanned), '\n');
    if (end >= IMAP_LINE_MAX)
        return IMAP_BROKEN;
    if (end >= input.len) {
        reader->scanned = input.len;
        return IMAP_MORE;
    }
    reader->scanned = 0;
    *out_consumed = end + 1;
    return read_line(reader, input, end, out_part);
}

static struct slice take_word(struct slice *rest)
{
    size_t len = slice_find(*rest, ' ');
    struct slice word = slice_first(*rest, len);

    *rest = slice_from(*rest, len + 1);
    return word;
}

static enum imap_condition condition_of(struct slice word)
{
    static const char *const words[] = { [IMAP_OK] = "OK",
        [IMAP_NO] = "NO",
        [IMAP_BAD] = "BAD",
        [IMAP_BYE] = "BYE",
        [IMAP_PREAUTH] = "PREAUTH" };

    for (size_t i = 0; i < LENGTH_OF(words); i++)
        if (slice_is_nocase(word, words[i]))
            return (enum imap_condition)i;
    return IMAP_OTHER;
}

struct imap_response imap_response_parse(struct slice text, const char *tag)
{
    struct imap_response response = { .kind = IMAP_FOREIGN, .condition = IMAP_OTHER, .rest = text };
    struct slice first = take_word(&response.rest);

    if (slice_is(first, "+")) {
        response.kind = IMAP_CONTINUE;
        return response;
    }
    if (slice_is(first, "*"))
        response.kind = IMAP_UNTAGGED;
    else if (slice_is(first, tag))
        response.kind = IMAP_TAGGED;
    else
        return response;
    response.name = take_word(&response.rest);
    response.condition = condition_of(response.name);
    return response;
}

bool imap_has_code(struct slice rest, const char *code)
{
    size_t len = strlen(code);

    return rest.len > len + 1 && rest.data[0] == '[' &&
           slice_starts_nocase(slice_from(rest, 1), code) &&
           (rest.data[len + 1] == ']' || rest.data[len + 1] == ' ');
}

static enum imap_value_kind take_quoted(struct slice *rest, struct slice *out_value)
{
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->data[i] == '\\') {
            i++;
        } else if (rest->data[i] == '"') {
            *out_value = slice_of(rest->data + 1, i - 1);
            *rest = slice_from(*rest, i + 1);
            return rest->len == 0 || rest->data[0] == ' ' ? IMAP_VALUE_QUOTED : IMAP_VALUE_BAD;
        }
    }
    return IMAP_VALUE_BAD;
}

enum imap_value_kind imap_value_take(struct slice *rest, struct slice *out_value)
{
    size_t len;

    *rest = slice_trim(*rest);
    if (rest->len == 0)
        return IMAP_VALUE_NONE;
    if (rest->data[0] == '"')
        return take_quoted(rest, out_value);
    len = slice_find(*rest, ' ');
    *out_value = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return slice_find(*out_value, '"') == len ? IMAP_VALUE_ATOM : IMAP_VALUE_BAD;
}

void imap_unquote(struct buffer *out, struct slice quoted)
{
    for (size_t i = 0; i < quoted.len; i++) {
        if (quoted.data[i] == '\\' && i + 1 < quoted.len)
            i++;
        buffer_put_char(out, quoted.data[i]);
    }
}
