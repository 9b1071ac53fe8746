/* smtp/data.c: content in and out, by memchr over long runs: the library's search is the fastest
 * loop there is. */
#include "smtp/data.h"

/* The highest bit of any octet. */
static bool has_high_bit(struct slice bytes)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t word, seen = 0;
    size_t i = 0;

    for (; bytes.len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes.data + i, sizeof word);
        seen |= word;
    }
    for (; i < bytes.len; i++)
        seen |= (unsigned char)bytes.data[i];
    return (seen & high) != 0;
}

static bool holds(struct slice bytes, char c)
{
    return bytes.len > 0 && memchr(bytes.data, c, bytes.len) != NULL;
}

/* A segment without LF; the CR of a CRLF is not part of it. */
static void inspect_segment(struct content *content, struct slice segment)
{
    if (!content->has_bare_cr)
        content->has_bare_cr = holds(segment, '\r');
}

static void end_line(struct content *content, uint64_t line_end)
{
    uint64_t len = line_end - content->line_start;

    if (len > content->longest_line)
        content->longest_line = len;
    content->lines++;
}

/* What lies before the next LF and that LF itself; gives the number of octets. */
static size_t inspect_line(struct content *content, struct slice bytes)
{
    size_t len = slice_find(bytes, '\n');
    bool has_lf = len < bytes.len;
    bool cr_inside = len > 0 && bytes.data[len - 1] == '\r';
    bool cr_before = len > 0 ? cr_inside : content->after_cr;

    if (content->after_cr && len > 0)
        content->has_bare_cr = true;
    inspect_segment(content, slice_first(bytes, len - (cr_inside ? 1 : 0)));
    content->octets += len;
    content->after_cr = !has_lf && cr_before;
    if (!has_lf)
        return len;
    if (cr_before) {
        end_line(content, content->octets - 1);
        content->line_start = content->octets + 1;
    } else {
        content->has_bare_lf = true;
    }
    content->octets++;
    return len + 1;
}

void content_inspect(struct content *content, struct slice bytes)
{
    if (!content->has_nul)
        content->has_nul = holds(bytes, '\0');
    if (!content->has_8bit)
        content->has_8bit = has_high_bit(bytes);
    while (bytes.len > 0)
        bytes = slice_from(bytes, inspect_line(content, bytes));
}

bool content_finish(struct content *content)
{
    if (content->octets == content->line_start)
        return true;
    content->has_bare_cr |= content->after_cr;
    content->after_cr = false;
    end_line(content, content->octets);
    content->octets += 2;
    content->line_start = content->octets;
    return false;
}

static bool is_at_line_start(const struct content *content)
{
    return content->octets == content->line_start;
}

/* Octets up to the next dot at a line start. The first octet is never taken for one: the caller has
 * judged it. */
static size_t span_to_dot(const struct content *content, struct slice bytes)
{
    size_t at = 1;

    while (at < bytes.len) {
        const char *dot = memchr(bytes.data + at, '.', bytes.len - at);
        bool has_crlf;

        if (!dot)
            return bytes.len;
        at = (size_t)(dot - bytes.data);
        has_crlf = dot[-1] == '\n' && (at > 1 ? dot[-2] == '\r' : content->after_cr);
        if (has_crlf)
            return at;
        at++;
    }
    return bytes.len;
}

static enum data_answer give(struct data_decoder *decoder, struct slice run, size_t consumed,
    struct slice *out_run, size_t *out_consumed)
{
    content_inspect(&decoder->content, run);
    *out_run = run;
    *out_consumed = consumed;
    return DATA_RUN;
}

/* A dot at a line start, and a CR after it, are held back until it is known what they are. */
static bool is_held_back(struct data_decoder *decoder, char c)
{
    if (decoder->state == DATA_CONTENT && c == '.' && is_at_line_start(&decoder->content)) {
        decoder->state = DATA_DOT;
        return true;
    }
    if (decoder->state == DATA_DOT && c == '\r') {
        decoder->state = DATA_DOT_CR;
        return true;
    }
    return false;
}

enum data_answer data_decode(
    struct data_decoder *decoder, struct slice input, struct slice *out_run, size_t *out_consumed)
{
    static const struct slice cr = SLICE_LITERAL("\r");
    size_t at = 0;
    struct slice run;

    *out_run = slice_of(NULL, 0);
    *out_consumed = 0;
    if (decoder->state == DATA_ENDED)
        return DATA_END;
    while (at < input.len && is_held_back(decoder, input.data[at]))
        at++;
    *out_consumed = at;
    if (at == input.len)
        return DATA_MORE;
    if (decoder->state == DATA_DOT_CR && input.data[at] == '\n') {
        decoder->state = DATA_ENDED;
        *out_consumed = at + 1;
        return DATA_END;
    }
    if (decoder->state == DATA_DOT_CR) {
        decoder->state = DATA_CONTENT;
        return give(decoder, cr, at, out_run, out_consumed);
    }
    decoder->state = DATA_CONTENT;
    run = slice_from(input, at);
    run = slice_first(run, span_to_dot(&decoder->content, run));
    return give(decoder, run, at + run.len, out_run, out_consumed);
}

static bool is_clean(const struct content *content)
{
    return !content->has_bare_cr && !content->has_bare_lf;
}

bool data_encode(struct data_encoder *encoder, struct slice bytes, struct buffer *out)
{
    while (bytes.len > 0 && is_clean(&encoder->content)) {
        struct slice run = slice_first(bytes, span_to_dot(&encoder->content, bytes));

        if (is_at_line_start(&encoder->content) && bytes.data[0] == '.')
            buffer_put_char(out, '.');
        content_inspect(&encoder->content, run);
        buffer_put_slice(out, run);
        bytes = slice_from(bytes, run.len);
    }
    return is_clean(&encoder->content);
}

bool data_encode_end(struct data_encoder *encoder, struct buffer *out)
{
    bool is_complete = content_finish(&encoder->content);

    if (!is_clean(&encoder->content))
        return false;
    if (!is_complete)
        buffer_put_text(out, "\r\n");
    buffer_put_text(out, ".\r\n");
    return true;
}
