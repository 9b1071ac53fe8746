/* gate/report.c: the gate's lines in the log. */
#include "gate/report.h"

#include <stdio.h>

#include "base/clock.h"
#include "gate/exchange.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "message/completion.h"

enum { REASON_MAX = 300, TLS_TEXT = 96 };

static struct log_field client_field(const struct peer *peer, char text[PEER_TEXT])
{
    peer_text_with_port(peer, text);
    return log_text("client", text);
}

static struct log_field tls_field(const struct session *s, char text[TLS_TEXT])
{
    const struct tls_info *tls = stream_tls_info(s->stream);

    snprintf(text, TLS_TEXT, "%s/%s", tls ? tls->version : "none", tls ? tls->cipher : "none");
    return log_text("tls", tls ? text : "none"); /* TLS-13 */
}

/* May a line about this client be written? Says first how many were not, once a minute. */
static bool may_write(struct session *s)
{
    struct limits *limits = &s->gate->limits;
    int64_t wall = clock_wall();
    uint64_t before = line_limit_told(&limits->lines, wall);

    if (before > 0)
        log_event(LOG_NOTICE, NULL, "suppressed", log_number("lines", (int64_t)before));
    if (limits_may_log(limits, &s->peer, wall, &s->log_lines))
        return true;
    s->log_suppressed++;
    return false;
}

void report_opened(struct session *s)
{
    char client[PEER_TEXT];

    log_event(LOG_DEBUG, &s->log, "connected", client_field(&s->peer, client),
        log_slice("listener", s->listener->name));
}

/* Sessions that came to nothing are bounded too. */
static bool may_write_end(struct session *s)
{
    uint32_t lines = 0;

    return s->login || limits_may_log(&s->gate->limits, &s->peer, clock_wall(), &lines);
}

void report_closed(struct session *s, enum stream_end end)
{
    static const char *const ends[] = {
        [STREAM_FLUSHED] = "closed",
        [STREAM_ABORTED] = "dropped",
        [STREAM_PEER_CLOSED] = "client left",
        [STREAM_PEER_CUT] = "client cut",
        [STREAM_PEER_LOST] = "connection lost",
        [STREAM_PEER_SLOW] = "client does not read",
        [STREAM_TLS_FAILED] = "tls failed",
        [STREAM_OVERFLOW] = "too much output",
    };
    char client[PEER_TEXT];
    char tls[TLS_TEXT];

    if (!may_write_end(s))
        return;
    log_event(LOG_INFO, &s->log, "disconnected", client_field(&s->peer, client),
        log_slice("listener", s->listener->name), tls_field(s, tls),
        log_slice("user", session_user(s)), log_slice("name", session_ehlo(s)),
        log_text("end", ends[end]), log_text("why", stream_why(s->stream)),
        log_text("phase", phase_name(s->phase)), log_number("accepted", s->conduct.accepted),
        log_number("commands", s->conduct.commands),
        log_number("octets", (int64_t)s->conduct.octets),
        log_number("suppressed", s->log_suppressed),
        log_number("ms", clock_mono_ms() - s->opened_ms));
}

void report_turned_away(struct gate *gate, const struct peer *peer, enum reply_id reply)
{
    uint32_t lines = 0;
    char client[PEER_TEXT];

    if (limits_may_log(&gate->limits, peer, clock_wall(), &lines))
        log_event(LOG_NOTICE, NULL, "turned away", client_field(peer, client),
            log_number("code", reply_info(reply)->code),
            log_text("reason", reply_info(reply)->text));
}

/* The first line of the reply. */
static struct slice line_of(const struct session *s)
{
    struct slice words = buffer_slice(&s->gate->words);

    return slice_first(words, slice_find(words, '\r'));
}

/* The words of the reply without codes and line ends, as far as they go on one line. */
static struct slice reason_of(const struct session *s)
{
    struct slice words = slice_first(buffer_slice(&s->gate->words), REASON_MAX);
    size_t code = slice_find(words, ' ');

    words = slice_first(words, slice_find(words, '\r'));
    return slice_from(words, code + 1);
}

void report_refused(struct session *s)
{
    unsigned code = reply_info(s->said)->code;
    bool is_reported = s->is_reported;
    char client[PEER_TEXT];
    char tls[TLS_TEXT];

    s->is_reported = false;
    if (code >= 400)
        blunders_note(s, s->said, line_of(s));
    if (code < 400 || is_reported || !may_write(s))
        return;
    log_event(LOG_NOTICE, &s->log, "refused", client_field(&s->peer, client), tls_field(s, tls),
        log_slice("user", session_user(s)), log_slice("name", session_ehlo(s)),
        log_text("command", verb_name(s->verb)), log_text("phase", phase_name(s->phase)),
        log_number("code", code), log_slice("reason", reason_of(s)));
}

void report_auth(struct session *s, enum reply_id reply)
{
    bool is_good = reply == REPLY_AUTH_OK;
    char client[PEER_TEXT];
    char tls[TLS_TEXT];

    s->is_reported = true;
    if (!is_good && !may_write(s))
        return;
    log_event(LOG_NOTICE, &s->log, is_good ? "login" : "login refused",
        client_field(&s->peer, client), tls_field(s, tls), log_slice("user", session_user(s)),
        log_text("mechanism", s->exchange->mechanism), log_number("code", reply_info(reply)->code),
        log_text("reason", reply_info(reply)->text));
}

/* Things worth saying once a session. */
enum report_remark { REMARK_SPACED = 1 << 0, REMARK_UNCHECKED = 1 << 1 };

static bool is_new(struct session *s, enum report_remark remark)
{
    bool is_said = (s->remarks & remark) != 0;

    s->remarks |= remark;
    return !is_said && may_write(s);
}

void report_spaced(struct session *s)
{
    if (is_new(s, REMARK_SPACED))
        log_event(LOG_INFO, &s->log, "space before the path", log_slice("user", session_user(s)),
            log_slice("name", session_ehlo(s)));
}

void report_unchecked(struct session *s, struct slice sender)
{
    if (is_new(s, REMARK_UNCHECKED))
        log_event(LOG_INFO, &s->log, "sender domain not checked",
            log_slice("user", session_user(s)), log_slice("from", sender));
}

static void report_kept(struct session *s, const struct entry *entry, struct log_context *context)
{
    const struct transaction *t = s->transaction;
    char client[PEER_TEXT];
    char tls[TLS_TEXT];
    char fixups[FIXUPS_TEXT];

    completion_fixups_text(entry->fixups, fixups);
    log_event(LOG_NOTICE, context, "accepted", client_field(&s->peer, client), tls_field(s, tls),
        log_slice("user", session_user(s)), log_slice("name", session_ehlo(s)),
        log_slice("from", t->sender), log_slice("to", t->recipients[0].address),
        log_number("recipients", (int64_t)t->recipient_count),
        log_number("size", (int64_t)body_content(&t->body)), log_text("fixups", fixups));
}

void report_commit(
    struct gate *gate, struct session *s, const struct entry *entry, enum commit_result result)
{
    static const char *const results[] = {
        [COMMIT_KEPT] = "accepted",
        [COMMIT_NO_BLANK] = "not stored: no segment",
        [COMMIT_NO_ROOM] = "not stored: the disk is full",
        [COMMIT_FAILED] = "not stored: the disk failed",
        [COMMIT_UNKNOWN] = "not known whether stored",
    };
    char id[QUEUE_ID_TEXT + 1];
    char name[SESSION_NAME];
    struct log_context context = { .parent = s ? &s->log : NULL, .key = "id" };

    queue_id_format(entry->id, id);
    context.value = slice_text(id);
    if (s && result == COMMIT_KEPT) {
        report_kept(s, entry, &context);
        return;
    }
    session_name(gate, entry->session, name);
    log_event(result == COMMIT_KEPT ? LOG_NOTICE : LOG_ERROR, &context, results[result],
        log_text("of_session", name));
}
