/* bench/taker_dialogue.c: the server's side of the dialogue. Replies of one turn go out together.
 * Addresses are not looked at. */
#include "bench/taker_session.h"

enum { COMMAND_MAX = 16384 };

void session_reply(struct session *session, const char *line)
{
    buffer_put_text(wire_output(session->wire), line);
}

static void refuse(struct session *session, const char *line)
{
    session->taker->tally.refused++;
    session_reply(session, line);
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
    session->phase = SESSION_COMMANDS;
    session_taken(session);
    reset(session);
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
    if (session->taker->tally.is_marking)
        keep_head(session, slice_first(input, at));
    if (is_end)
        finish_message(session);
    return at;
}

static size_t take_chunk(struct session *session, struct slice input)
{
    struct slice content = slice_first(input, session->chunk_left);

    if (session->taker->tally.is_marking)
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
    session_reply(session, "250 2.0.0 go on\r\n");
    return content.len;
}

/* Commands */

static void do_hello(struct session *session, struct slice rest)
{
    const struct taker *taker = session->taker;

    (void)rest;
    reset(session);
    session_reply(session, "250-bench\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                           "250-SIZE\r\n250-DSN\r\n");
    if (!taker->has_no_chunking)
        session_reply(session, "250-CHUNKING\r\n");
    if (taker->tls && !session->wire->ssl)
        session_reply(session, "250-STARTTLS\r\n");
    else if (taker->plain)
        session_reply(session, "250-AUTH PLAIN\r\n");
    session_reply(session, "250 ENHANCEDSTATUSCODES\r\n");
}

static void do_helo(struct session *session, struct slice rest)
{
    (void)rest;
    reset(session);
    session_reply(session, "250 bench\r\n");
}

static void do_starttls(struct session *session, struct slice rest)
{
    const struct taker *taker = session->taker;

    (void)rest;
    if (!taker->tls || session->wire->ssl) {
        refuse(session, "503 5.5.1 not here\r\n");
        return;
    }
    session_reply(session, "220 2.0.0 go on\r\n");
    if (wire_secure_server(session->wire, taker->tls) != ERR_OK)
        wire_end(session->wire);
}

static void do_auth(struct session *session, struct slice rest)
{
    const struct taker *taker = session->taker;
    struct slice words = slice_trim(rest);
    struct slice response = slice_trim(slice_from(words, slice_find(words, ' ')));

    if (!taker->plain || (taker->tls && !session->wire->ssl)) {
        refuse(session, "503 5.5.1 not here\r\n");
        return;
    }
    if (!taker->takes_anybody && !slice_is(response, taker->plain)) {
        refuse(session, "535 5.7.8 wrong\r\n");
        return;
    }
    session->is_known = true;
    session_reply(session, "235 2.7.0 welcome\r\n");
}

static void do_mail(struct session *session, struct slice rest)
{
    (void)rest;
    if (session->taker->plain && !session->is_known) {
        refuse(session, "530 5.7.0 log in\r\n");
        return;
    }
    if (session->has_sender) {
        refuse(session, "503 5.5.1 one at a time\r\n");
        return;
    }
    session->has_sender = true;
    session_reply(session, "250 2.1.0 sender\r\n");
}

static void do_rcpt(struct session *session, struct slice rest)
{
    (void)rest;
    if (!session->has_sender) {
        refuse(session, "503 5.5.1 MAIL first\r\n");
        return;
    }
    if (session->taker->refusal) {
        refuse(session, session->taker->refusal);
        return;
    }
    session->recipients++;
    session_reply(session, "250 2.1.5 recipient\r\n");
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
    session_reply(session, "354 go on\r\n");
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
        wire_end(session->wire);
        return;
    }
    if (session->recipients == 0) {
        refuse(session, "503 5.5.1 RCPT first\r\n");
        wire_end(session->wire);
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
    session_reply(session, "250 2.0.0 reset\r\n");
}

static void do_noop(struct session *session, struct slice rest)
{
    (void)rest;
    session_reply(session, "250 2.0.0 here\r\n");
}

static void do_quit(struct session *session, struct slice rest)
{
    (void)rest;
    session_reply(session, "221 2.0.0 bye\r\n");
    wire_end(session->wire);
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
    { "STARTTLS", do_starttls },
    { "AUTH", do_auth },
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
        if (input.len > COMMAND_MAX)
            wire_end(session->wire);
        return 0;
    }
    if (len > 0 && input.data[len - 1] == '\r')
        len--;
    handle_line(session, slice_first(input, len));
    return end + 1;
}

static size_t take_nothing(struct session *session, struct slice input)
{
    (void)session;
    (void)input;
    return 0;
}

/* Input is looked at once and dropped once, however many commands it holds. */
void session_read(struct session *session)
{
    static size_t (*const take[])(struct session * session, struct slice input) = {
        [SESSION_COMMANDS] = take_line,
        [SESSION_DATA] = take_data,
        [SESSION_CHUNK] = take_chunk,
        [SESSION_HELD] = take_nothing,
    };
    struct slice input = wire_input(session->wire);
    size_t at = 0;

    for (;;) {
        size_t taken;

        if (at == input.len && !(session->phase == SESSION_CHUNK && session->chunk_left == 0))
            break;
        taken = take[session->phase](session, slice_from(input, at));
        at += taken;
        if (taken == 0 && session->phase != SESSION_DATA && at < input.len)
            break;
    }
    wire_consume(session->wire, at);
}
