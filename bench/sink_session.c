/* bench/sink_session.c: the server's side of the dialogue, with PIPELINING, CHUNKING and 8BITMIME.
 * Replies of one turn go out together. Addresses are not looked at. */
#include "bench/sink_session.h"

#include <stdlib.h>
#include <unistd.h>

#include "bench/meter.h"
#include "net/stream.h"

enum { HEAD_MAX = 8192, INPUT_CAP = 262144, LINE_MAX_SINK = 2048 };

/* Where in the content of DATA the next octet stands (RFC 5321 section 4.1.1.4). */
enum place { PLACE_LINE_START, PLACE_DOT, PLACE_DOT_CR, PLACE_IN_LINE, PLACE_CR };

enum session_phase { SESSION_COMMANDS, SESSION_DATA, SESSION_CHUNK };

struct session {
    struct session *next;
    struct session *previous;
    struct sink *sink;
    struct stream *stream;
    enum session_phase phase;
    enum place place;
    bool has_sender;
    bool is_last;        /* the chunk being read is BDAT's last */
    uint64_t chunk_left; /* octets */
    uint64_t recipients;
    uint64_t octets; /* of this message */
    size_t head_len;
    char head[HEAD_MAX]; /* the beginning of this message */
};

static void on_input(void *owner);
static void on_closed(void *owner, enum stream_end end);

static const struct stream_events events = { .on_input = on_input, .on_closed = on_closed };

static void reply(struct session *session, const char *line)
{
    buffer_put_text(stream_output(session->stream), line);
}

static void refuse(struct session *session, const char *line)
{
    session->sink->tally.refused++;
    reply(session, line);
}

static void reset(struct session *session)
{
    session->has_sender = false;
    session->recipients = 0;
    session->octets = 0;
    session->head_len = 0;
}

static void keep_head(struct session *session, struct slice content)
{
    size_t len = HEAD_MAX - session->head_len;

    if (len > content.len)
        len = content.len;
    if (len > 0)
        memcpy(session->head + session->head_len, content.data, len);
    session->head_len += len;
}

static void finish_message(struct session *session)
{
    struct sink *sink = session->sink;

    tally_message(&sink->tally, session->octets, session->recipients,
        slice_of(session->head, session->head_len), mono_us());
    reset(session);
    session->phase = SESSION_COMMANDS;
    reply(session, "250 2.0.0 taken\r\n");
    sink->on_message(sink);
}

/* Content of DATA */

/* One step of the automaton: takes at least one octet. True at the end of data. */
static bool step_data(struct session *session, struct slice rest, size_t *out_taken)
{
    char c = rest.data[0];

    *out_taken = 1;
    switch (session->place) {
    case PLACE_LINE_START:
        session->place = c == '.' ? PLACE_DOT : c == '\r' ? PLACE_CR : PLACE_IN_LINE;
        session->octets += c != '.';
        return false;
    case PLACE_DOT:
        session->place = c == '\r' ? PLACE_DOT_CR : PLACE_IN_LINE;
        session->octets += c != '\r';
        return false;
    case PLACE_DOT_CR:
        if (c == '\n')
            return true;
        session->place = PLACE_IN_LINE;
        session->octets += 2;
        return false;
    case PLACE_IN_LINE:
        *out_taken = slice_find(rest, '\r');
        session->octets += *out_taken;
        if (*out_taken < rest.len) {
            ++*out_taken;
            session->octets++;
            session->place = PLACE_CR;
        }
        return false;
    case PLACE_CR:
        session->place = c == '\n' ? PLACE_LINE_START : c == '\r' ? PLACE_CR : PLACE_IN_LINE;
        session->octets++;
        return false;
    }
    return false;
}

static size_t take_data(struct session *session, struct slice input)
{
    size_t at = 0;
    bool is_end = false;

    while (at < input.len && !is_end) {
        size_t taken;

        is_end = step_data(session, slice_from(input, at), &taken);
        at += taken;
    }
    if (session->sink->tally.is_marking)
        keep_head(session, slice_first(input, at));
    if (is_end)
        finish_message(session);
    return at;
}

static size_t take_chunk(struct session *session, struct slice input)
{
    struct slice content = slice_first(input, session->chunk_left);

    if (session->sink->tally.is_marking)
        keep_head(session, content);
    session->octets += content.len;
    session->chunk_left -= content.len;
    if (session->chunk_left > 0)
        return content.len;
    if (session->is_last) {
        finish_message(session);
        return content.len;
    }
    session->phase = SESSION_COMMANDS;
    reply(session, "250 2.0.0 go on\r\n");
    return content.len;
}

/* Commands */

static void do_hello(struct session *session, struct slice rest)
{
    (void)rest;
    reset(session);
    reply(session, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                   "250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n");
}

static void do_helo(struct session *session, struct slice rest)
{
    (void)rest;
    reset(session);
    reply(session, "250 sink\r\n");
}

static void do_mail(struct session *session, struct slice rest)
{
    (void)rest;
    if (session->has_sender) {
        refuse(session, "503 5.5.1 one at a time\r\n");
        return;
    }
    session->has_sender = true;
    reply(session, "250 2.1.0 sender\r\n");
}

static void do_rcpt(struct session *session, struct slice rest)
{
    (void)rest;
    if (!session->has_sender) {
        refuse(session, "503 5.5.1 MAIL first\r\n");
        return;
    }
    session->recipients++;
    reply(session, "250 2.1.5 recipient\r\n");
}

static void do_data(struct session *session, struct slice rest)
{
    (void)rest;
    if (session->recipients == 0) {
        refuse(session, "503 5.5.1 RCPT first\r\n");
        return;
    }
    session->phase = SESSION_DATA;
    session->place = PLACE_LINE_START;
    reply(session, "354 go on\r\n");
}

static void do_bdat(struct session *session, struct slice rest)
{
    struct slice words = slice_trim(rest);
    size_t len = slice_find(words, ' ');
    struct slice last = slice_trim(slice_from(words, len));
    uint64_t size;

    if (!slice_number(slice_first(words, len), UINT64_MAX, &size) ||
        (last.len > 0 && !slice_is_nocase(last, "LAST"))) {
        refuse(session, "501 5.5.4 BDAT size [LAST]\r\n");
        stream_close_after_flush(session->stream, 1000);
        return;
    }
    if (session->recipients == 0) {
        refuse(session, "503 5.5.1 RCPT first\r\n");
        stream_close_after_flush(session->stream, 1000);
        return;
    }
    session->chunk_left = size;
    session->is_last = last.len > 0;
    session->phase = SESSION_CHUNK;
}

static void do_rset(struct session *session, struct slice rest)
{
    (void)rest;
    reset(session);
    reply(session, "250 2.0.0 reset\r\n");
}

static void do_noop(struct session *session, struct slice rest)
{
    (void)rest;
    reply(session, "250 2.0.0 here\r\n");
}

static void do_quit(struct session *session, struct slice rest)
{
    (void)rest;
    reply(session, "221 2.0.0 bye\r\n");
    stream_close_after_flush(session->stream, 1000);
}

static const struct command {
    const char *verb;
    void (*handle)(struct session *session, struct slice rest);
} commands[] = {
    { "MAIL", do_mail },
    { "RCPT", do_rcpt },
    { "BDAT", do_bdat },
    { "DATA", do_data },
    { "EHLO", do_hello },
    { "HELO", do_helo },
    { "RSET", do_rset },
    { "NOOP", do_noop },
    { "QUIT", do_quit },
};

static void handle_line(struct session *session, struct slice line)
{
    struct slice verb = slice_first(line, slice_find(line, ' '));

    for (size_t i = 0; i < LENGTH_OF(commands); i++)
        if (slice_is_nocase(verb, commands[i].verb)) {
            commands[i].handle(session, slice_from(line, verb.len));
            return;
        }
    refuse(session, "500 5.5.2 not known here\r\n");
}

/* Octets of one command line at the front of input; 0 when it is not whole. */
static size_t take_line(struct session *session, struct slice input)
{
    size_t end = slice_find(input, '\n');
    size_t len = end;

    if (end == input.len) {
        if (input.len > LINE_MAX_SINK)
            stream_abort(session->stream);
        return 0;
    }
    if (len > 0 && input.data[len - 1] == '\r')
        len--;
    handle_line(session, slice_first(input, len));
    return end + 1;
}

/* Input is looked at once and dropped once, however many commands it holds. */
static void on_input(void *owner)
{
    static size_t (*const take[])(struct session * session, struct slice input) = {
        [SESSION_COMMANDS] = take_line,
        [SESSION_DATA] = take_data,
        [SESSION_CHUNK] = take_chunk,
    };
    struct session *session = owner;
    struct slice input = stream_input(session->stream);
    size_t at = 0;

    for (;;) {
        size_t taken;

        if (at == input.len && !(session->phase == SESSION_CHUNK && session->chunk_left == 0))
            break;
        taken = take[session->phase](session, slice_from(input, at));
        at += taken;
        if (taken == 0 && session->phase == SESSION_COMMANDS && at < input.len)
            break;
    }
    stream_consume(session->stream, at);
}

static void session_free(struct session *session)
{
    if (session->previous)
        session->previous->next = session->next;
    else
        session->sink->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    stream_free(&session->stream);
    free(session);
}

static void on_closed(void *owner, enum stream_end end)
{
    struct session *session = owner;

    (void)end;
    if (session->phase != SESSION_COMMANDS)
        session->sink->tally.broken++;
    session_free(session);
}

void session_open(struct sink *sink, int fd)
{
    static const struct stream_settings settings = {
        .input_cap = INPUT_CAP,
        .output_cap = 1048576,
        .high_water = 65536,
        .low_water = 16384,
        .write_timeout_ms = 60000,
    };
    struct session *session = malloc(sizeof *session);

    if (!session) {
        close(fd);
        return;
    }
    memset(session, 0, offsetof(struct session, head));
    session->sink = sink;
    session->stream = stream_new(sink->loop, fd, &settings, &events, session);
    if (!session->stream) {
        close(fd);
        free(session);
        return;
    }
    session->next = sink->sessions;
    if (session->next)
        session->next->previous = session;
    sink->sessions = session;
    sink->tally.connections++;
    reply(session, "220 sink ESMTP\r\n");
}

void sessions_close(struct sink *sink)
{
    while (sink->sessions)
        session_free(sink->sessions);
}
