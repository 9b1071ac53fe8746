/* gate/dispatch.c: the dialogue of the gate on one page: which command is lawful when, who reads
 * the input in which phase, and what a client hears who does otherwise. Read session.h first.
 *
 *   greeted --EHLO--> ready --MAIL--> mail --RCPT--> rcpt --DATA--> data --.--> commit --> ready
 *      |  ^             |  ^                          |                           ^
 *      STARTTLS         AUTH                          BDAT--> chunk --> chunks ---+
 *                                                     BURL--> fetch --> chunks ---+
 */
#include "gate/dispatch.h"

#include <string.h>

#include "gate/gate.h"
#include "gate/session.h"
#include "smtp/line.h"

#define IN(phase) PHASE_BIT(PHASE_##phase)

enum {
    BETWEEN = IN(MAIL) | IN(RCPT) | IN(CHUNKS) | IN(SPOILT), /* inside a transaction */
    ANY = IN(GREETED) | IN(READY) | BETWEEN,
    TO_SUBMIT = AFTER_EHLO | NEEDS_TLS | NEEDS_GRANT,
};

const struct command_row command_rows[VERB_COUNT] = {
    /* lawful in, asks for, handler, what a refusal does besides its reply */
    [VERB_EHLO] = { ANY, LEADS_NOWHERE, command_ehlo, NULL },
    [VERB_HELO] = { ANY, LEADS_NOWHERE, command_helo, NULL },
    [VERB_STARTTLS] = { IN(GREETED) | IN(READY), NO_ARGUMENT, command_starttls, NULL },
    [VERB_AUTH] = { IN(READY), AFTER_EHLO | NEEDS_TLS, command_auth, NULL },
    [VERB_MAIL] = { IN(READY), TO_SUBMIT, command_mail, NULL },
    [VERB_RCPT] = { IN(MAIL) | IN(RCPT), TO_SUBMIT, command_rcpt, NULL },
    [VERB_DATA] = { IN(MAIL) | IN(RCPT), TO_SUBMIT | NO_ARGUMENT, command_data, NULL },
    [VERB_BDAT] = { IN(MAIL) | IN(RCPT) | IN(CHUNKS), TO_SUBMIT, command_bdat,
        command_bdat_refused },
    [VERB_BURL] = { IN(MAIL) | IN(RCPT) | IN(CHUNKS), TO_SUBMIT | NEEDS_BURL, command_burl,
        command_burl_refused },
    [VERB_RSET] = { ANY, NO_ARGUMENT | LEADS_NOWHERE, command_rset, NULL },
    [VERB_NOOP] = { ANY, LEADS_NOWHERE, command_noop, NULL },
    [VERB_VRFY] = { ANY, NEEDS_TLS | NEEDS_AUTH | LEADS_NOWHERE, command_vrfy, NULL },
    [VERB_EXPN] = { ANY, NEEDS_TLS | NEEDS_AUTH | LEADS_NOWHERE, command_expn, NULL },
    [VERB_HELP] = { ANY, LEADS_NOWHERE, command_help, NULL },
    [VERB_QUIT] = { ANY, NO_ARGUMENT, command_quit, NULL },
};

/* Why a command is not lawful in a phase; REPLY_ORDER where there is nothing more precise. */
static const enum reply_id disorder[VERB_COUNT][PHASE_COUNT] = {
    [VERB_STARTTLS] = { [PHASE_MAIL] = REPLY_STARTTLS_IN_MAIL,
        [PHASE_RCPT] = REPLY_STARTTLS_IN_MAIL,
        [PHASE_CHUNKS] = REPLY_STARTTLS_IN_MAIL,
        [PHASE_SPOILT] = REPLY_STARTTLS_IN_MAIL },
    [VERB_AUTH] = { [PHASE_MAIL] = REPLY_AUTH_IN_MAIL,
        [PHASE_RCPT] = REPLY_AUTH_IN_MAIL,
        [PHASE_CHUNKS] = REPLY_AUTH_IN_MAIL,
        [PHASE_SPOILT] = REPLY_AUTH_IN_MAIL },
    [VERB_MAIL] = { [PHASE_MAIL] = REPLY_MAIL_NESTED,
        [PHASE_RCPT] = REPLY_MAIL_NESTED,
        [PHASE_CHUNKS] = REPLY_MAIL_NESTED,
        [PHASE_SPOILT] = REPLY_RSET_FIRST },
    [VERB_RCPT] = { [PHASE_READY] = REPLY_MAIL_FIRST, [PHASE_SPOILT] = REPLY_RSET_FIRST },
    [VERB_DATA] = { [PHASE_READY] = REPLY_MAIL_FIRST,
        [PHASE_CHUNKS] = REPLY_DATA_AFTER_BDAT,
        [PHASE_SPOILT] = REPLY_RSET_FIRST },
    [VERB_BDAT] = { [PHASE_READY] = REPLY_MAIL_FIRST, [PHASE_SPOILT] = REPLY_RSET_FIRST },
    [VERB_BURL] = { [PHASE_READY] = REPLY_URL_BEFORE_RCPT, [PHASE_SPOILT] = REPLY_RSET_FIRST },
};

static bool is_offered(const struct session *s, const struct command_row *row)
{
    return row->handle && (!(row->rules & NEEDS_BURL) || s->snapshot->conf->extensions.burl);
}

/* What speaks against the command, in the order in which a client would cure it. */
static enum reply_id objection(
    const struct session *s, const struct command_row *row, struct slice argument)
{
    if ((row->rules & AFTER_EHLO) && s->phase == PHASE_GREETED)
        return REPLY_EHLO_FIRST;
    if ((row->rules & NEEDS_TLS) && s->listener->require_tls && !session_is_tls(s))
        return REPLY_TLS_FIRST;
    if ((row->rules & NEEDS_AUTH) && !session_grant(s))
        return REPLY_AUTH_FIRST;
    if ((row->rules & NEEDS_GRANT) && !session_mail_grant(s))
        return REPLY_AUTH_FIRST;
    if (!phase_in(s->phase, row->phases)) {
        enum reply_id precise = disorder[s->verb][s->phase];
        return precise ? precise : REPLY_ORDER;
    }
    if ((row->rules & NO_ARGUMENT) && argument.len > 0)
        return REPLY_NO_ARGUMENT;
    return NO_OBJECTION;
}

/* Past the limits for those who have no login (LSN-14): whoever writes to the postmaster under the
 * exception is within its own. */
static bool is_unbounded(const struct session *s)
{
    return session_grant(s) || s->transaction;
}

static enum answer refuse(
    struct session *s, const struct command_row *row, struct slice argument, enum reply_id reply)
{
    if (row->refused)
        return row->refused(s, argument, reply);
    session_say(s, reply);
    return ANSWER_REPLY;
}

static enum answer dismiss(struct session *s, enum reply_id reply)
{
    session_say(s, reply);
    return ANSWER_CLOSE;
}

/* A whole line, already taken from the input. */
static enum answer run_line(struct session *s, const struct line *line)
{
    struct command command = command_parse(line->text);
    const struct command_row *row = &command_rows[command.verb];
    enum reply_id reply;

    s->verb = command.verb;
    partial_drop(&s->said_partial); /* the client goes on: it has heard the 250 before */
    conduct_command(&s->conduct, row->rules & LEADS_NOWHERE, is_unbounded(s));
    if (!is_unbounded(s) && conduct_is_prolix(&s->conduct))
        return dismiss(s, REPLY_PREAUTH_LIMIT);
    if (command.verb == VERB_FOREIGN)
        return dismiss(s, REPLY_PROTOCOL_ERROR);
    if (!command_is_clean(line, command.verb))
        return refuse(s, row, command.argument, REPLY_BAD_OCTET);
    if (!is_offered(s, row))
        return refuse(s, row, command.argument,
            command.verb == VERB_UNKNOWN ? REPLY_UNKNOWN : REPLY_NOT_OFFERED);
    reply = objection(s, row, command.argument);
    return reply ? refuse(s, row, command.argument, reply) : row->handle(s, command.argument);
}

/* Takes the line out of the stream first, so that what a handler sees of the input is what follows
 * it (TLS-6). The copy may hold a password, so it does not outlive the call. */
static enum answer take_line(struct session *s, struct line *line)
{
    enum answer answer;
    struct slice copy;

    if (!arena_copy(&s->gate->scratch, line->text, &copy)) {
        session_say(s, REPLY_INTERNAL);
        return ANSWER_CLOSE;
    }
    line->text = copy;
    session_wipe(s, line->consumed);
    answer = run_line(s, line);
    explicit_bzero((char *)copy.data, copy.len);
    arena_clear(&s->gate->scratch);
    return answer;
}

static enum answer command_read(struct session *s)
{
    struct slice input = stream_input(s->stream);
    struct line line;

    s->verb = VERB_UNKNOWN;
    switch (line_read(&s->line, input, command_line_max(input), &line)) {
    case LINE_READY:
        return take_line(s, &line);
    case LINE_TOO_LONG:
        session_wipe(s, line.consumed);
        if (s->phase == PHASE_CHUNKS)
            content_spoil(s); /* it may have been a chunk or a URL */
        session_say(s, REPLY_LINE_TOO_LONG);
        return ANSWER_REPLY;
    case LINE_BARE_LF:
        return dismiss(s, REPLY_BARE_LF);
    case LINE_MORE:
        break;
    }
    session_consume(s, line.consumed);
    return ANSWER_MORE;
}

/* Who reads the input. In the phases without a reader nothing is read. */
static enum answer (*const readers[PHASE_COUNT])(struct session *) = {
    [PHASE_GREETED] = command_read,
    [PHASE_READY] = command_read,
    [PHASE_AUTH] = auth_read,
    [PHASE_MAIL] = command_read,
    [PHASE_RCPT] = command_read,
    [PHASE_DATA] = data_read,
    [PHASE_CHUNK] = chunk_read,
    [PHASE_CHUNKS] = command_read,
    [PHASE_SPOILT] = command_read,
};

enum answer dispatch(struct session *s)
{
    if (!readers[s->phase])
        return ANSWER_MORE;
    if (!is_unbounded(s) && conduct_is_prolix(&s->conduct))
        return dismiss(s, REPLY_PREAUTH_LIMIT);
    return readers[s->phase](s);
}
