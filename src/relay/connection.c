/* relay/connection.c: the steps of a connection. The table of phases at the bottom is its
 * dispatcher. */
#include "relay/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/carrier.h"
#include "relay/login.h"
#include "relay/secure.h"
#include "relay/upload.h"

enum {
    INPUT_CAP = 16384,
    FIRST_WORDS_MAX = 65536,
    OUTPUT_CAP = 8 << 20, /* holds a whole message that came with its job */
    HIGH_WATER = 256 << 10,
    LOW_WATER = 64 << 10,
    MESSAGES_A_CONNECTION = 100, /* OUT-17 */
};

static void on_limit(void *owner);

bool connection_is_lmtp(const struct connection *c)
{
    return c->route->via == CONF_VIA_LMTP;
}

void connection_limit(struct connection *c, uint64_t seconds)
{
    timer_set(&c->limit, (int64_t)seconds * 1000);
}

void connection_send(struct connection *c, const char *format, ...)
{
    struct buffer *out = stream_output(c->stream);
    char line[4096]; /* the longest address with the longest parameters */
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        buffer_put(out, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
    buffer_put_text(out, "\r\n");
}

/* Ends. */

static void report(void *owner)
{
    struct connection *c = owner;

    c->events->failed(c->owner, c->end, &c->why);
}

void connection_lose(struct connection *c, enum connection_end end, const struct verdict *why)
{
    if (c->phase == CONNECTION_CLOSED)
        return;
    if (c->phase == CONNECTION_BUSY)
        transaction_lost(c, why);
    if (c->phase != CONNECTION_REFUSED) {
        c->end = end;
        c->why = *why;
    }
    c->phase = CONNECTION_CLOSED;
    timer_stop(&c->limit);
    dial_stop(&c->dial);
    stream_free(&c->stream);
    deferred_ask(&c->report);
}

void connection_refuse(struct connection *c, const struct verdict *why)
{
    c->phase = CONNECTION_REFUSED;
    c->end = CONNECTION_END_HOP;
    c->why = *why;
    timer_stop(&c->limit);
    deferred_ask(&c->report);
}

void connection_free(struct connection **connection)
{
    struct connection *c = *connection;
    struct carrier *carrier;

    *connection = NULL;
    if (!c)
        return;
    carrier = c->carrier;
    if (c->phase == CONNECTION_BUSY) {
        struct verdict lost =
            verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.2", "the delivery was given up");
        transaction_lost(c, &lost);
    }
    if (c->gone)
        *c->gone = true;
    login_end(c);
    deferred_cancel(&c->report);
    timer_stop(&c->limit);
    dial_stop(&c->dial);
    stream_free(&c->stream);
    peer_reply_reader_clear(&c->reader);
    DL_DELETE(carrier->connections, c);
    settings_drop(&c->settings);
    free((void *)(uintptr_t)c->destination.data);
    free(c);
    carrier_connection_gone(carrier);
}

/* As lost: before the first transaction the hop is of no use now. */
static void lose(struct connection *c, struct verdict why)
{
    connection_lose(c, c->phase < CONNECTION_IDLE ? CONNECTION_END_HOP : CONNECTION_END_LOST, &why);
}

/* Before any transaction; nothing can be said to the peer any more. */
static void hop_failed(struct connection *c, struct verdict why)
{
    connection_lose(c, CONNECTION_END_HOP, &why);
}

/* A reply that ends the use of this hop. */
static void refused_by(struct connection *c, const struct peer_reply *reply)
{
    struct verdict why = verdict_of_reply(reply);

    connection_refuse(c, &why);
}

/* Steps. */

static void send_ehlo(struct connection *c)
{
    const struct conf *conf = c->settings->conf;

    c->phase = CONNECTION_EHLO;
    connection_send(
        c, "%s %.*s", connection_is_lmtp(c) ? "LHLO" : "EHLO", SLICE_ARGS(conf->hostname));
    connection_limit(c, conf->timeouts.ehlo);
}

static void on_greeting(struct connection *c, const struct peer_reply *reply)
{
    c->has_greeted = true;
    if (peer_reply_class(reply) == 2)
        send_ehlo(c);
    else
        refused_by(c, reply);
}

/* TLS where it can be had; where the route asks for it, nothing goes without (OTLS-1, OTLS-3). */
static void after_ehlo(struct connection *c)
{
    struct verdict needs_tls = verdict_of(DELIVERY_DEFERRED, CAUSE_TLS, "4.7.4",
        "this route requires TLS: the next hop does not offer STARTTLS");

    if (secure_begin(c))
        return;
    if (c->route->tls == CONF_TLS_VERIFY && !stream_is_secured(c->stream))
        connection_refuse(c, &needs_tls);
    else if (c->route->username.len > 0)
        login_start(c);
    else
        connection_ready(c);
}

/* HELO only where EHLO is not known at all (OUT-9); LMTP has no such fallback. */
static void on_ehlo(struct connection *c, const struct peer_reply *reply)
{
    if (peer_reply_class(reply) == 2) {
        peer_extensions_read(reply, &c->peer);
        after_ehlo(c);
    } else if ((reply->code == 500 || reply->code == 502) && !connection_is_lmtp(c)) {
        c->phase = CONNECTION_HELO;
        connection_send(c, "HELO %.*s", SLICE_ARGS(c->settings->conf->hostname));
        connection_limit(c, c->settings->conf->timeouts.ehlo);
    } else {
        refused_by(c, reply);
    }
}

static void on_helo(struct connection *c, const struct peer_reply *reply)
{
    if (peer_reply_class(reply) != 2) {
        refused_by(c, reply);
        return;
    }
    c->peer = (struct peer_extensions){ 0 };
    after_ehlo(c);
}

static void on_secured(void *owner)
{
    struct connection *c = owner;

    c->peer = (struct peer_extensions){ 0 }; /* what was said in clear is forgotten */
    send_ehlo(c);
}

/* Ready and busy. */

void connection_ready(struct connection *c)
{
    c->phase = CONNECTION_IDLE;
    timer_stop(&c->limit);
    c->events->opened(c->owner);
}

void connection_transaction_over(struct connection *c)
{
    c->phase = CONNECTION_IDLE;
    c->owed = 0;
    timer_stop(&c->limit);
    c->events->done(c->owner);
}

/* An idle peer speaks only to say goodbye. */
static void on_unasked(struct connection *c, const struct peer_reply *reply)
{
    lose(c, verdict_of_unasked(reply));
}

static void on_quit_reply(struct connection *c, const struct peer_reply *reply)
{
    (void)reply;
    connection_free(&c);
}

bool connection_is_spent(const struct connection *c)
{
    size_t most = c->peer.mail_max > 0 && c->peer.mail_max < MESSAGES_A_CONNECTION
                      ? c->peer.mail_max
                      : MESSAGES_A_CONNECTION;

    return c->is_finishing || c->messages >= most;
}

void connection_set_owner(struct connection *c, const struct connection_events *events, void *owner)
{
    c->events = events;
    c->owner = owner;
}

static void nobody_hears(void *owner)
{
    (void)owner;
}

static void quit_failed(void *owner, enum connection_end end, const struct verdict *why)
{
    struct connection *c = owner;

    (void)end, (void)why;
    connection_free(&c);
}

static const struct connection_events quit_events = { nobody_hears, nobody_hears, nobody_hears,
    quit_failed };

void connection_quit(struct connection *c)
{
    connection_set_owner(c, &quit_events, c);
    if (c->phase == CONNECTION_CLOSED || !c->stream) {
        deferred_ask(&c->report);
        return;
    }
    c->phase = CONNECTION_QUIT;
    connection_send(c, "QUIT");
    connection_limit(c, c->settings->conf->timeouts.quit);
}

/* It is being given up; what it says makes no difference. */
static void on_too_late(struct connection *c, const struct peer_reply *reply)
{
    (void)c, (void)reply;
}

/* The dispatcher: what a reply, and what silence, means in each phase. */

static void on_silence(struct connection *c);
static void on_slow_handshake(struct connection *c);
static void on_idle_long(struct connection *c);

static const struct phase_row {
    void (*reply)(struct connection *c, const struct peer_reply *reply);
    void (*silence)(struct connection *c);
    enum delivery_cause cause; /* when the connection is lost */
    const char *silent;        /* who did not do what */
} phases[] = {
    [CONNECTION_DIALLING] = { on_unasked, on_silence, CAUSE_CONNECT, "" },
    [CONNECTION_GREETING] = { on_greeting, on_silence, CAUSE_CONNECT,
        "the next hop did not send its greeting" },
    [CONNECTION_EHLO] = { on_ehlo, on_silence, CAUSE_CONNECT, "the next hop did not answer EHLO" },
    [CONNECTION_HELO] = { on_helo, on_silence, CAUSE_CONNECT, "the next hop did not answer HELO" },
    [CONNECTION_STARTTLS] = { secure_reply, on_silence, CAUSE_CONNECT,
        "the next hop did not answer STARTTLS" },
    [CONNECTION_HANDSHAKE] = { on_unasked, on_slow_handshake, CAUSE_TLS, "" },
    [CONNECTION_LOGIN_VAULT] = { on_unasked, on_silence, CAUSE_LOCAL,
        "the room that keeps the password did not answer" },
    [CONNECTION_LOGIN_PEER] = { login_reply, on_silence, CAUSE_CONNECT,
        "the next hop did not answer AUTH" },
    [CONNECTION_REFUSED] = { on_too_late, on_silence, CAUSE_CONNECT, "" },
    [CONNECTION_IDLE] = { on_unasked, on_idle_long, CAUSE_LOST, "" },
    [CONNECTION_BUSY] = { transaction_reply, on_silence, CAUSE_LOST,
        "the next hop did not answer" },
    [CONNECTION_QUIT] = { on_quit_reply, on_silence, CAUSE_LOST, "" },
    [CONNECTION_CLOSED] = { on_too_late, on_silence, CAUSE_LOST, "" },
};

static void on_silence(struct connection *c)
{
    const struct phase_row *row = &phases[c->phase];

    lose(c, verdict_of(DELIVERY_DEFERRED, row->cause, "4.4.2", "%s in time", row->silent));
}

static void on_slow_handshake(struct connection *c)
{
    secure_failed(c, "it took too long");
}

static void on_idle_long(struct connection *c)
{
    c->events->expired(c->owner);
}

static void on_limit(void *owner)
{
    struct connection *c = owner;

    phases[c->phase].silence(c);
}

static void on_broken_reply(struct connection *c)
{
    lose(c, verdict_of(DELIVERY_DEFERRED, CAUSE_REPLY, "4.5.0",
                "the next hop's reply cannot be understood: %s",
                peer_reply_fault_text(c->reader.fault)));
}

/* Each reply is met alone: what it causes may change, close or free the connection. What is said in
 * answer to one cannot have been heard yet by a peer whose next reply is here already: that one was
 * made up, or belongs to something else, and every later reply would be taken for the wrong one. */
static void on_input(void *owner)
{
    struct connection *c = owner;
    bool gone = false;

    c->gone = &gone;
    c->owed = c->phase == CONNECTION_BUSY ? transaction_owed(c) : 1;
    while (!gone && c->stream) {
        struct peer_reply reply;
        size_t consumed;
        enum peer_reply_answer answer =
            peer_reply_read(&c->reader, stream_input(c->stream), &consumed, &reply);

        stream_consume(c->stream, consumed);
        if (answer == PEER_REPLY_MORE)
            break;
        if (answer == PEER_REPLY_BROKEN) {
            on_broken_reply(c);
            break;
        }
        if (reply.code == 421)
            c->is_finishing = true;
        if (c->owed == 0) {
            on_unasked(c, &reply);
            break;
        }
        c->owed--;
        phases[c->phase].reply(c, &reply);
    }
    if (!gone)
        c->gone = NULL;
}

static void on_drained(void *owner)
{
    struct connection *c = owner;

    if (c->phase == CONNECTION_BUSY)
        upload_drained(c);
}

static void on_closed(void *owner, enum stream_end end)
{
    struct connection *c = owner;
    const char *why = stream_why(c->stream);

    (void)end;
    if (c->phase == CONNECTION_HANDSHAKE)
        secure_failed(c, why);
    else
        lose(c, verdict_of(DELIVERY_DEFERRED, phases[c->phase].cause, "4.4.2",
                    "the next hop closed the connection%s%s", why[0] ? ": " : "", why));
}

static const struct stream_events stream_events = {
    .on_input = on_input, .on_drained = on_drained, .on_secured = on_secured, .on_closed = on_closed
};

/* Without descriptors it is us, not the host. */
static void not_dialled(struct connection *c, enum err result, const char *why)
{
    bool is_ours = result == ERR_NOFILES;

    hop_failed(c, verdict_of(DELIVERY_DEFERRED, is_ours ? CAUSE_LOCAL : CAUSE_CONNECT,
                      is_ours ? "4.3.0" : "4.4.1", "no connection to %s: %s", c->address, why));
}

static void on_dialled(void *owner, enum err result, int fd, const char *why)
{
    struct connection *c = owner;
    const struct conf_timeouts *timeouts = &c->settings->conf->timeouts;
    struct stream_settings settings = { .input_cap = INPUT_CAP,
        .output_cap = OUTPUT_CAP,
        .high_water = HIGH_WATER,
        .low_water = LOW_WATER,
        .write_timeout_ms = (int64_t)timeouts->block * 1000,
        .wants_last_words = true };

    if (result != ERR_OK) {
        not_dialled(c, result, why);
        return;
    }
    c->stream = stream_new(c->carrier->loop, fd, &settings, &stream_events, c);
    if (!c->stream) {
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory"));
        return;
    }
    c->phase = CONNECTION_GREETING;
    c->was_reached = true;
    connection_limit(c, timeouts->greeting);
}

static bool fill(struct connection *c, struct slice destination)
{
    char *copy = malloc(destination.len + 1);

    if (!copy)
        return false;
    memcpy(copy, destination.data, destination.len);
    c->destination = slice_of(copy, destination.len);
    if (c->hop.address.family == PEER_UNIX)
        snprintf(c->address, sizeof c->address, "%.60s", c->hop.path);
    else
        peer_text_with_port(&c->hop.address, c->address);
    return true;
}

struct connection *connection_open(struct carrier *carrier, struct settings *settings,
    uint32_t route, struct slice destination, const struct hop *hop, bool clear_only,
    const struct connection_events *events, void *owner)
{
    struct connection *c = calloc(1, sizeof *c);
    struct dial_settings dial = { .to = hop->address,
        .path = slice_text(hop->path),
        .timeout_ms = (int64_t)settings->conf->timeouts.connect * 1000 };

    if (!c)
        return NULL;
    *c = (struct connection){ .carrier = carrier,
        .route = &settings->conf->routes[route],
        .route_index = route,
        .hop = *hop,
        .clear_only = clear_only,
        .events = events,
        .owner = owner };
    if (!fill(c, destination)) {
        free(c);
        return NULL;
    }
    c->settings = settings_hold(settings);
    timer_init(&c->limit, carrier->loop, on_limit, c);
    deferred_init(&c->report, carrier->loop, report, c);
    peer_reply_reader_init(&c->reader);
    buffer_init(&c->first_words, FIRST_WORDS_MAX);
    DL_APPEND(carrier->connections, c);
    dial_start(&c->dial, carrier->loop, &dial, on_dialled, c);
    return c;
}
