/* gate/session.c: the life of a session: its moves, its waits, its last word. What a client may say
 * when is in dispatch.c. */
#include "gate/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "gate/command.h"
#include "gate/dispatch.h"
#include "gate/external.h"
#include "gate/fetching.h"
#include "gate/gate.h"
#include "gate/report.h"
#include "gate/transaction.h"
#include "smtp/extension.h"

enum {
    HANDSHAKE_MS = 30000, /* a vault that restarts included (design.md section 2) */
    OUTPUT_MS = 120000,   /* the stream's own time-out comes first */
    LINGER_MS = 2000,
    AT_ONCE = -1,
};

static const struct stream_settings stream_settings = {
    .input_cap = 32768, /* above COMMAND_BUFFER_MIN */
    .output_cap = 128 << 10,
    .high_water = 16 << 10,
    .low_water = 2 << 10,
    .write_timeout_ms = 60000,
};

/* Moves and waits. */

void session_move(struct session *s, enum phase phase)
{
    assert(phase_may_follow(s->phase, phase));
    s->phase = phase;
}

void session_wait(struct session *s, enum wait wait, int64_t ms)
{
    assert(s->wait == WAIT_NOTHING && wait != WAIT_NOTHING);
    s->wait = wait;
    stream_pause(s->stream);
    timer_set(&s->timer, ms);
}

void session_woken(struct session *s, enum wait wait)
{
    assert(s->wait == wait && wait != WAIT_NOTHING);
    s->wait = WAIT_NOTHING;
    timer_stop(&s->timer);
}

/* Words. */

struct buffer *session_words(struct session *s, enum reply_id reply)
{
    s->said = reply;
    return &s->gate->words;
}

void session_say(struct session *s, enum reply_id reply)
{
    reply_write(session_words(s, reply), reply);
}

void session_sayf(struct session *s, enum reply_id reply, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    reply_vprintf(session_words(s, reply), reply, format, list);
    va_end(list);
}

/* Sends what was said, or holds it back for a while. */
static void deliver(struct session *s)
{
    struct buffer *words = &s->gate->words;

    if (s->delay_ms > 0) {
        buffer_put_slice(&s->held, buffer_slice(words));
        session_wait(s, WAIT_DELAY, s->delay_ms);
        s->delay_ms = 0;
    } else {
        buffer_put_slice(stream_output(s->stream), buffer_slice(words));
    }
    buffer_reset(words);
}

/* The client's turn, unless the gate wants it gone or it does not read what it is told. */
static void rest(struct session *s)
{
    bool is_content = s->phase == PHASE_DATA || s->phase == PHASE_CHUNK;

    if (s->wait != WAIT_NOTHING || s->phase == PHASE_CLOSING)
        return;
    if (s->gate->state != GATE_OPEN && !phase_in(s->phase, PHASES_CONTENT)) {
        session_dismiss(s);
    } else if (stream_is_full(s->stream)) {
        session_wait(s, WAIT_OUTPUT, OUTPUT_MS);
        stream_ask_drained(s->stream);
    } else {
        timer_set(&s->timer, 1000 * (int64_t)(is_content ? s->listener->data_timeout
                                                         : s->listener->command_timeout));
        stream_resume(s->stream);
    }
}

static void end_in(struct session *s, int64_t linger_ms)
{
    fetching_forget(s);
    session_move(s, PHASE_CLOSING);
    timer_stop(&s->timer);
    if (linger_ms == AT_ONCE)
        stream_abort(s->stream);
    else
        stream_close_after_flush(s->stream, linger_ms);
}

static void end(struct session *s, bool is_silent)
{
    end_in(s, is_silent ? AT_ONCE : LINGER_MS);
}

static void start_tls(struct session *s)
{
    session_move(s, PHASE_HANDSHAKE);
    session_wait(s, WAIT_HANDSHAKE, HANDSHAKE_MS);
    if (stream_start_tls_server(s->stream, s->snapshot->tls) != ERR_OK) {
        session_woken(s, WAIT_HANDSHAKE);
        end(s, true);
    }
}

/* What the reply does to the client's record: true when it has to go (LSN-12). */
static bool is_too_much(struct session *s)
{
    uint32_t delay_ms;

    if (conduct_reply(&s->conduct, reply_info(s->said)->code, &delay_ms)) {
        if (delay_ms > s->delay_ms)
            s->delay_ms = delay_ms;
        return false;
    }
    report_refused(s);
    buffer_reset(&s->gate->words);
    session_say(s, REPLY_TOO_MANY_ERRORS);
    return true;
}

void session_settle(struct session *s, enum answer answer)
{
    if (answer == ANSWER_WAIT)
        return;
    if (answer == ANSWER_MORE) {
        rest(s);
        return;
    }
    if (answer == ANSWER_VANISH) {
        buffer_reset(&s->gate->words);
        end(s, true);
        return;
    }
    if (answer == ANSWER_REPLY && is_too_much(s))
        answer = ANSWER_CLOSE;
    report_refused(s);
    if (answer == ANSWER_CLOSE || answer == ANSWER_SECURE)
        s->delay_ms = 0;
    deliver(s);
    if (answer == ANSWER_CLOSE)
        end(s, false);
    else if (answer == ANSWER_SECURE)
        start_tls(s);
    else
        rest(s);
}

void session_dismiss(struct session *s)
{
    s->verb = VERB_UNKNOWN;
    session_say(s, REPLY_SHUTDOWN);
    session_settle(s, ANSWER_CLOSE);
}

/* The place is wanted now: nothing is waited for, least of all a client that does not read. */
void session_displace(struct session *s)
{
    bool can_hear = s->phase != PHASE_HANDSHAKE && stream_output_pending(s->stream) == 0;

    if (s->wait != WAIT_NOTHING)
        session_woken(s, s->wait);
    if (can_hear) {
        s->verb = VERB_UNKNOWN;
        s->delay_ms = 0;
        session_say(s, REPLY_CONNECTIONS_TOTAL);
        report_refused(s);
        deliver(s);
    }
    end_in(s, can_hear ? 0 : AT_ONCE);
}

void session_abandon(struct session *s)
{
    if (s->phase == PHASE_CLOSING)
        return;
    if (s->wait != WAIT_NOTHING)
        session_woken(s, s->wait);
    session_settle(s, ANSWER_VANISH);
}

/* What happens when the time is over. */

static enum answer idle_is_over(struct session *s)
{
    s->verb = VERB_UNKNOWN;
    session_say(s, REPLY_IDLE); /* LSN-7 */
    return ANSWER_CLOSE;
}

static enum answer vanish(struct session *s)
{
    (void)s;
    return ANSWER_VANISH;
}

static enum answer delay_is_over(struct session *s)
{
    buffer_put_slice(stream_output(s->stream), buffer_slice(&s->held));
    buffer_clear(&s->held);
    return ANSWER_MORE;
}

static enum answer (*const time_is_over[WAIT_COUNT])(struct session *) = {
    [WAIT_NOTHING] = idle_is_over,
    [WAIT_HANDSHAKE] = vanish,
    [WAIT_AUTH] = ask_auth_is_over,
    [WAIT_RIGHTS] = ask_rights_is_over,
    [WAIT_DOMAIN] = ask_domain_is_over,
    [WAIT_HELD] = ask_held_is_over,
    [WAIT_PARTIAL] = partial_ask_is_over,
    [WAIT_BODY] = body_is_late,
    [WAIT_FETCH] = fetching_is_late,
    [WAIT_COMMIT] = vanish, /* it may be kept or not: no reply is true */
    [WAIT_DELAY] = delay_is_over,
    [WAIT_OUTPUT] = vanish,
};

static void on_time(void *owner)
{
    struct session *s = owner;
    enum wait wait = s->wait;

    if (wait != WAIT_NOTHING)
        session_woken(s, wait);
    session_settle(s, time_is_over[wait](s));
}

/* What the stream says. */

static void on_input(void *owner)
{
    struct session *s = owner;

    while (s->wait == WAIT_NOTHING && s->phase != PHASE_CLOSING) {
        enum answer answer = dispatch(s);

        if (answer == ANSWER_MORE) {
            if (s->phase == PHASE_DATA || s->phase == PHASE_CHUNK)
                rest(s); /* content came: another while for the next (LSN-7) */
            return;
        }
        session_settle(s, answer);
    }
}

static void on_drained(void *owner)
{
    struct session *s = owner;

    if (s->wait != WAIT_OUTPUT)
        return;
    session_woken(s, WAIT_OUTPUT);
    rest(s);
}

/* Forgets all that was learnt of the client but its address: TLS begins (TLS-5). */
static void forget(struct session *s)
{
    ask_forget(s);
    auth_forget(s);
    fetching_forget(s);
    free(s->login);
    s->login = NULL;
    transaction_free(&s->transaction);
    free(s->ehlo);
    s->ehlo = NULL;
    free(s->external);
    s->external = NULL;
    s->is_esmtp = false;
    s->offered = 0;
    s->line = (struct line_reader){ 0 };
}

/* Without memory it is as if none had been shown. */
static void note_certificate(struct session *s)
{
    struct tls_peer_certificate certificate;
    struct login login;

    if ((s->snapshot->mechanisms & MECHANISM_BIT(MECHANISM_EXTERNAL)) &&
        stream_peer_certificate(s->stream, &certificate) &&
        external_find(s->snapshot->conf, &certificate, &login))
        s->external = strdup(login.text);
}

static void on_secured(void *owner)
{
    struct session *s = owner;
    bool is_first = s->listener->tls == CONF_LISTENER_IMPLICIT;

    session_woken(s, WAIT_HANDSHAKE);
    forget(s);
    note_certificate(s);
    session_move(s, PHASE_GREETED);
    if (!is_first) {
        rest(s);
        return;
    }
    reply_greeting(session_words(s, REPLY_GREETING), s->snapshot->conf->hostname);
    session_settle(s, ANSWER_VERDICT);
}

static void on_closed(void *owner, enum stream_end end)
{
    struct session *s = owner;

    report_closed(s, end);
    session_free(&s);
}

static const struct stream_events stream_events = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_secured = on_secured,
    .on_closed = on_closed,
};

/* Birth and death. */

static bool is_in_trusted_network(const struct conf *conf, const struct peer *peer)
{
    uint8_t address[16];

    return peer_to_ipv6(peer, address) && conf_is_trusted(conf, address);
}

void session_name(const struct gate *gate, uint64_t id, char out_name[SESSION_NAME])
{
    snprintf(out_name, SESSION_NAME, "%llx.%u", (unsigned long long)id, gate->limits.gate);
}

static struct session *session_new(
    struct gate *gate, const struct conf_listener *listener, const struct peer *peer)
{
    struct session *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->gate = gate;
    s->id = gate->next_session++;
    s->snapshot = snapshot_hold(gate->snapshot);
    s->listener = listener;
    s->peer = *peer;
    s->opened_ms = clock_mono_ms();
    s->is_trusted = is_in_trusted_network(gate->snapshot->conf, peer);
    s->phase = listener->tls == CONF_LISTENER_IMPLICIT ? PHASE_HANDSHAKE : PHASE_GREETED;
    session_name(gate, s->id, s->name);
    s->log = (struct log_context){ .key = "session", .value = slice_text(s->name) };
    buffer_init(&s->held, stream_settings.output_cap);
    timer_init(&s->timer, gate->loop, on_time, s);
    HASH_ADD(hh, gate->sessions, id, sizeof s->id, s);
    return s;
}

/* With TLS from the first octet the greeting follows the handshake (SUB-3.1-3). */
static void greet(struct session *s)
{
    if (s->phase == PHASE_GREETED) {
        reply_greeting(session_words(s, REPLY_GREETING), s->snapshot->conf->hostname);
        session_settle(s, ANSWER_VERDICT);
        return;
    }
    session_wait(s, WAIT_HANDSHAKE, HANDSHAKE_MS);
    if (!s->snapshot->tls || stream_start_tls_server(s->stream, s->snapshot->tls) != ERR_OK) {
        session_woken(s, WAIT_HANDSHAKE);
        end(s, true);
    }
}

void session_open(
    struct gate *gate, const struct conf_listener *listener, int fd, const struct peer *peer)
{
    struct session *s = session_new(gate, listener, peer);

    if (s)
        s->stream = stream_new(gate->loop, fd, &stream_settings, &stream_events, s);
    if (s && s->stream) {
        report_opened(s);
        greet(s);
        return;
    }
    log_event(LOG_ERROR, NULL, "no memory for a session");
    close(fd);
    if (s)
        session_free(&s);
    else
        limits_leave(&gate->limits, peer);
}

struct session *session_find(struct gate *gate, uint64_t id)
{
    struct session *s;

    HASH_FIND(hh, gate->sessions, &id, sizeof id, s);
    return s;
}

void session_free(struct session **session)
{
    struct session *s = *session;
    struct gate *gate = s->gate;

    *session = NULL;
    HASH_DEL(gate->sessions, s);
    timer_stop(&s->timer);
    partial_leave(s);
    forget(s);
    buffer_clear(&s->held);
    stream_free(&s->stream);
    limits_leave(&gate->limits, &s->peer);
    snapshot_release(&s->snapshot);
    free(s);
    gate_session_gone(gate);
}

/* What is known. */

void session_consume(struct session *s, size_t len)
{
    conduct_octets(&s->conduct, len);
    stream_consume(s->stream, len);
}

void session_wipe(struct session *s, size_t len)
{
    conduct_octets(&s->conduct, len);
    stream_wipe(s->stream, len);
}

void session_reset(struct session *s)
{
    transaction_free(&s->transaction);
    if (phase_in(s->phase, PHASES_TRANSACTION))
        session_move(s, PHASE_READY);
}

const struct grant *session_grant(const struct session *s)
{
    if (s->login)
        return &s->login->grant;
    return s->is_trusted ? &s->snapshot->trusted : NULL;
}

const struct grant *session_mail_grant(const struct session *s)
{
    const struct grant *grant = session_grant(s);

    return grant || !s->snapshot->conf->postmaster_unauth ? grant : &s->snapshot->stranger;
}

const struct grant *session_narrower(const struct session *s)
{
    return s->login && s->login->is_narrowed ? &s->login->narrower : NULL;
}

bool session_is_tls(const struct session *s)
{
    return stream_is_secured(s->stream);
}

uint32_t session_mechanisms(const struct session *s)
{
    static const uint32_t bound =
        MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_1_PLUS);
    const struct tls_info *tls = stream_tls_info(s->stream);
    uint32_t set = s->snapshot->mechanisms;

    if (!tls)
        return 0;
    if (!s->external)
        set &= ~MECHANISM_BIT(MECHANISM_EXTERNAL);
    /* Without it two connections can have the same channel binding (RFC 9266 section 3, SASL-7). */
    return tls->has_extended_master_secret ? set : set & ~bound;
}

struct slice session_user(const struct session *s)
{
    return s->login ? s->login->grant.user : (struct slice){ 0 };
}

struct slice session_ehlo(const struct session *s)
{
    return slice_text(s->ehlo);
}
