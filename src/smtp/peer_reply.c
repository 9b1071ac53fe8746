/* smtp/peer_reply.c: replies of a next hop, line by line, never trusted. */
#include "smtp/peer_reply.h"

#include "smtp/reply.h"

static const char *const fault_texts[PEER_REPLY_FAULT_COUNT] = {
    [PEER_REPLY_FAULT_NONE] = "no fault",
    [PEER_REPLY_FAULT_SYNTAX] = "reply without a valid code",
    [PEER_REPLY_FAULT_CODES] = "reply with different codes on its lines",
    [PEER_REPLY_FAULT_LINES] = "reply with too many lines",
    [PEER_REPLY_FAULT_TOTAL] = "reply too long",
    [PEER_REPLY_FAULT_BARE_LF] = "reply line not ended by CRLF",
    [PEER_REPLY_FAULT_NOMEM] = "out of memory",
};

const char *peer_reply_fault_text(enum peer_reply_fault fault)
{
    return (unsigned)fault < PEER_REPLY_FAULT_COUNT ? fault_texts[fault] : "unknown fault";
}

void peer_reply_reader_init(struct peer_reply_reader *reader)
{
    *reader = (struct peer_reply_reader){ 0 };
    /* An octet takes at most four when it is made printable. */
    buffer_init(&reader->text, 4 * (size_t)PEER_REPLY_TOTAL_MAX);
}

void peer_reply_reader_clear(struct peer_reply_reader *reader)
{
    buffer_clear(&reader->text);
    peer_reply_reader_init(reader);
}

bool peer_reply_line(const struct peer_reply *reply, size_t *position, struct slice *out_line)
{
    struct slice rest = slice_from(reply->text, *position);

    if (*position > reply->text.len)
        return false;
    *out_line = slice_first(rest, slice_find(rest, '\n'));
    *position += out_line->len + 1;
    return true;
}

/* Three digits, then a space, a hyphen or nothing. */
static bool read_code(struct slice line, unsigned *out_code, bool *out_is_last)
{
    unsigned code = 0;

    if (line.len < 3 || (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-'))
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!ascii_is_digit(line.data[i]))
            return false;
        code = code * 10 + (unsigned)(line.data[i] - '0');
    }
    *out_code = code;
    *out_is_last = line.len == 3 || line.data[3] == ' ';
    return true;
}

static void first_line(struct peer_reply *reply, unsigned code, struct slice text)
{
    struct status status;
    size_t len;

    reply->code = code;
    reply->is_out_of_range = code < 200 || code > 599;
    if (status_parse(text, &status, &len) && status.class == code / 100)
        reply->status = status;
}

/* Takes in one line, or the head of one that is too long. */
static enum peer_reply_fault take_in(struct peer_reply_reader *reader, struct slice line)
{
    struct peer_reply *reply = &reader->reply;
    unsigned code;
    struct slice text = slice_from(line, 4);

    if (!read_code(line, &code, &reader->is_last))
        return PEER_REPLY_FAULT_SYNTAX;
    if (reply->lines == PEER_REPLY_LINES_MAX)
        return PEER_REPLY_FAULT_LINES;
    if (reply->lines == 0)
        first_line(reply, code, text);
    else if (code != reply->code)
        return PEER_REPLY_FAULT_CODES;
    else
        buffer_put_char(&reader->text, '\n');
    reply->lines++;
    text_write_printable(&reader->text, text);
    return reader->text.error == ERR_OK ? PEER_REPLY_FAULT_NONE : PEER_REPLY_FAULT_NOMEM;
}

/* What one answer of the line reader means for the reply. */
static enum peer_reply_fault digest(struct peer_reply_reader *reader, enum line_answer answer,
    struct slice input, const struct line *line)
{
    bool is_cut = answer == LINE_TOO_LONG || (answer == LINE_MORE && reader->line.discarding);
    bool needs_head = is_cut && !reader->has_head;

    reader->total += line->consumed;
    if (answer == LINE_BARE_LF)
        return PEER_REPLY_FAULT_BARE_LF;
    if (reader->total > PEER_REPLY_TOTAL_MAX)
        return PEER_REPLY_FAULT_TOTAL;
    reader->has_head = is_cut && answer == LINE_MORE;
    if (needs_head)
        return take_in(reader, slice_first(input, PEER_REPLY_LINE_MAX));
    return answer == LINE_READY ? take_in(reader, line->text) : PEER_REPLY_FAULT_NONE;
}

static void start_reply(struct peer_reply_reader *reader)
{
    reader->reply = (struct peer_reply){ 0 };
    buffer_reset(&reader->text);
    reader->total = 0;
    reader->is_done = false;
}

enum peer_reply_answer peer_reply_read(struct peer_reply_reader *reader, struct slice input,
    size_t *out_consumed, struct peer_reply *out_reply)
{
    enum line_answer answer;

    *out_consumed = 0;
    if (reader->is_done)
        start_reply(reader);
    do {
        struct slice rest = slice_from(input, *out_consumed);
        struct line line;

        if (reader->fault != PEER_REPLY_FAULT_NONE)
            return PEER_REPLY_BROKEN;
        answer = line_read(&reader->line, rest, PEER_REPLY_LINE_MAX, &line);
        *out_consumed += line.consumed;
        reader->fault = digest(reader, answer, rest, &line);
        if (reader->fault != PEER_REPLY_FAULT_NONE)
            return PEER_REPLY_BROKEN;
    } while (answer != LINE_MORE && !reader->is_last);
    if (answer == LINE_MORE)
        return PEER_REPLY_MORE;
    reader->is_done = true;
    reader->reply.text = buffer_slice(&reader->text);
    *out_reply = reader->reply;
    return PEER_REPLY_READY;
}
