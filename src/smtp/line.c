/* smtp/line.c: lines that end with CRLF. */
#include "smtp/line.h"

#include <string.h>

/* What the octets of a whole line are, in one pass. */
static void classify(struct line *line)
{
    for (size_t i = 0; i < line->text.len; i++) {
        unsigned char c = (unsigned char)line->text.data[i];

        line->has_nul |= c == 0;
        line->has_bare_cr |= c == '\r';
        line->has_8bit |= c > 127;
        line->has_control |= (c < 32 && c != '\t') || c == 127;
    }
}

/* No LF is in sight: drop what there is, but keep a CR at the end, which may be half of the CRLF.
 */
static enum line_answer discard(
    struct line_reader *reader, struct slice input, struct line *out_line)
{
    size_t keep = input.len > 0 && input.data[input.len - 1] == '\r' ? 1 : 0;

    reader->discarding = true;
    reader->dropped += input.len - keep;
    reader->scanned = keep;
    *out_line = (struct line){ .consumed = input.len - keep };
    return LINE_MORE;
}

static enum line_answer finish(
    struct line_reader *reader, enum line_answer answer, size_t consumed, struct line *out_line)
{
    *reader = (struct line_reader){ 0 };
    *out_line = (struct line){ .consumed = consumed };
    return answer;
}

enum line_answer line_read(
    struct line_reader *reader, struct slice input, size_t max, struct line *out_line)
{
    struct slice fresh = slice_from(input, reader->scanned);
    const char *lf = fresh.len > 0 ? memchr(fresh.data, '\n', fresh.len) : NULL;
    size_t len;

    if (!lf) {
        if (reader->discarding || input.len > max + 1)
            return discard(reader, input, out_line);
        reader->scanned = input.len;
        *out_line = (struct line){ 0 };
        return LINE_MORE;
    }
    len = (size_t)(lf - input.data);
    if (len == 0 || input.data[len - 1] != '\r')
        return finish(reader, LINE_BARE_LF, len + 1, out_line);
    if (reader->discarding || len - 1 > max)
        return finish(reader, LINE_TOO_LONG, len + 1, out_line);
    finish(reader, LINE_READY, len + 1, out_line);
    out_line->text = slice_of(input.data, len - 1);
    classify(out_line);
    return LINE_READY;
}
