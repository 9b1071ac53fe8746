/* relay/connection.c: the steps of a connection. The table of phases at the bottom is its
 * dispatcher. */
#include "relay/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "relay/carrier.h"

enum {
    INPUT_CAP = 16384,
    OUTPUT_CAP = 8 << 20,
    HIGH_WATER = 512 << 10,
    LOW_WATER = 128 << 10,
    MESSAGES_A_CONNECTION = 100, /* OUT-17 */
    AUTH_LINE_MAX =
        510, /* an initial response only where the line stays within 512 octets (D-30) */
};

static void on_limit(void *owner);
static void enter_ready(struct connection *c);
static void start_login(struct connection *c);

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
    char line[2048];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        buffer_put(out, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
    buffer_put_text(out, "\r\n");
}

/* ends: one way for every reason */

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
    c->phase = CONNECTION_CLOSED;
    c->end = end;
    c->why = *why;
    timer_stop(&c->limit);
    dial_stop(&c->dial);
    stream_free(&c->stream);
    deferred_ask(&c->report);
}

static void end_vault_login(struct connection *c)
{
    struct msg_login end = { .login = c->login };

    if (c->login != 0 && c->carrier->vault)
        (void)channel_send(c->carrier->vault, MSG_LOGIN_END, &end, -1);
    c->login = 0;
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
    end_vault_login(c);
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

static void hop_failed(struct connection *c, struct verdict why)
{
    connection_lose(c, CONNECTION_END_HOP, &why);
}

/* A reply that ends the use of this hop. */
static void refused_by(struct connection *c, const struct peer_reply *reply)
{
    hop_failed(c, verdict_of_reply(reply));
}

static void tls_failed(struct connection *c, const char *status, const char *what, const char *why)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_TLS, status, "%s: %s", what, why);

    connection_lose(
        c, c->route->tls == CONF_TLS_VERIFY ? CONNECTION_END_HOP : CONNECTION_END_TLS, &v);
}

/* steps */

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
    if (peer_reply_class(reply) == 2)
        send_ehlo(c);
    else
        refused_by(c, reply);
}

/* TLS where it can be had; where the route asks for it, nothing goes without (OTLS-1, OTLS-3). */
static void after_ehlo(struct connection *c)
{
    bool wanted = c->route->tls != CONF_TLS_NONE && c->settings->clients[c->route_index] &&
                  !stream_is_secured(c->stream);

    if (wanted && !c->clear_only && peer_has(&c->peer, EXTENSION_STARTTLS)) {
        c->phase = CONNECTION_STARTTLS;
        connection_send(c, "STARTTLS");
        connection_limit(c, c->settings->conf->timeouts.ehlo);
    } else if (wanted && c->route->tls == CONF_TLS_VERIFY) {
        tls_failed(c, "4.7.4", "this route requires TLS", "the next hop does not offer STARTTLS");
    } else if (c->route->username.len > 0) {
        start_login(c);
    } else {
        enter_ready(c);
    }
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

static void on_starttls(struct connection *c, const struct peer_reply *reply)
{
    enum tls_verify verify = c->route->tls == CONF_TLS_VERIFY ? TLS_VERIFY_PKIX : TLS_VERIFY_ANY;

    if (peer_reply_class(reply) != 2) {
        tls_failed(c, "4.7.4", "STARTTLS was refused",
            reply->text.len > 0 ? "the next hop said no" : "no reason given");
        return;
    }
    /* Whatever came in clear behind the 220 would be read as if it were secured (OTLS-6). */
    if (stream_input_pending(c->stream) > 0) {
        tls_failed(c, "4.7.5", "the next hop sent clear text after STARTTLS", "it was dropped");
        return;
    }
    peer_reply_reader_clear(&c->reader);
    peer_reply_reader_init(&c->reader);
    c->phase = CONNECTION_HANDSHAKE;
    connection_limit(c, c->settings->conf->timeouts.tls);
    if (stream_start_tls_client(c->stream, c->settings->clients[c->route_index],
            slice_text(c->hop.host), verify) != ERR_OK)
        tls_failed(c, "4.7.5", "TLS cannot be started", "out of memory");
}

static void on_secured(void *owner)
{
    struct connection *c = owner;

    c->peer = (struct peer_extensions){ 0 }; /* what was said in clear is forgotten */
    send_ehlo(c);
}

/* login: the vault holds the secret and speaks; this side only carries (OUT-19) */

static void start_login(struct connection *c)
{
    const struct tls_info *tls = stream_tls_info(c->stream);
    struct buffer names;
    struct msg_login_start start;
    enum err rc;

    buffer_init(&names, 1024);
    mechanism_list(&names, c->peer.mechanisms);
    c->login = ++c->carrier->last_login;
    start = (struct msg_login_start){ .login = c->login,
        .snapshot = c->settings->number,
        .route = c->route_index,
        .verified = tls && tls->is_verified,
        .host = slice_text(c->hop.host),
        .mechanisms = buffer_slice(&names) };
    c->phase = CONNECTION_LOGIN_VAULT;
    connection_limit(c, c->settings->conf->timeouts.auth);
    rc = c->carrier->vault ? channel_send(c->carrier->vault, MSG_LOGIN_START, &start, -1)
                           : ERR_CLOSED;
    buffer_clear(&names);
    if (rc != ERR_OK)
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0",
                          "the room that keeps the password is not there"));
}

static void send_auth(struct connection *c, const struct msg_login_say *say)
{
    struct buffer line;

    buffer_init(&line, 64 << 10);
    if (say->mechanism.len > 0) {
        buffer_printf(&line, "AUTH %.*s", SLICE_ARGS(say->mechanism));
        if (say->has_data) {
            buffer_put_text(&line, say->data.len > 0 ? " " : " =");
            base64_encode(&line, say->data);
        }
        /* Too long for one line: the vault's first words wait for the peer's empty challenge. */
        if (line.len > AUTH_LINE_MAX) {
            hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.7.8",
                              "the login does not fit into one line"));
            buffer_clear(&line);
            return;
        }
    } else {
        base64_encode(&line, say->data);
    }
    c->phase = CONNECTION_LOGIN_PEER;
    connection_limit(c, c->settings->conf->timeouts.auth);
    stream_write(c->stream, buffer_slice(&line));
    stream_write(c->stream, slice_text("\r\n"));
    if (line.data) /* an empty answer is an empty line */
        explicit_bzero(line.data, line.size);
    buffer_clear(&line);
}

void connection_login_say(struct connection *c, const struct msg_login_say *say)
{
    if (c->phase != CONNECTION_LOGIN_VAULT)
        return;
    if (say->failed)
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.7.8",
                          "login at the next hop is not possible: %.*s",
                          SLICE_ARGS(slice_first(say->text, 400))));
    else
        send_auth(c, say);
}

static void send_login_step(struct connection *c, const struct peer_reply *reply)
{
    struct msg_login_step step = { .login = c->login };
    struct buffer data;
    enum err rc;

    buffer_init(&data, 64 << 10);
    if (!base64_decode(&data, reply->text)) {
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_REPLY, "4.5.0",
                          "the next hop's AUTH challenge is not base64"));
        buffer_clear(&data);
        return;
    }
    step.data = buffer_slice(&data);
    c->phase = CONNECTION_LOGIN_VAULT;
    rc =
        c->carrier->vault ? channel_send(c->carrier->vault, MSG_LOGIN_STEP, &step, -1) : ERR_CLOSED;
    buffer_clear(&data);
    if (rc != ERR_OK)
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0",
                          "the room that keeps the password is not there"));
}

/* A refused password is the operator's to mend, not the sender's: the mail waits. */
static void on_login(struct connection *c, const struct peer_reply *reply)
{
    if (reply->code == 334) {
        send_login_step(c, reply);
    } else if (peer_reply_class(reply) == 2) {
        end_vault_login(c);
        c->is_logged_in = true;
        enter_ready(c);
    } else {
        struct verdict v = verdict_of_reply(reply);
        v.result = DELIVERY_DEFERRED;
        v.status[0] = '4';
        hop_failed(c, v);
    }
}

/* ready and busy */

static void enter_ready(struct connection *c)
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
    struct verdict v = verdict_of_unasked(reply);

    connection_lose(c, CONNECTION_END_LOST, &v);
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

/* the dispatcher: what a reply, and what silence, means in each phase */

static const struct phase_row {
    void (*reply)(struct connection *c, const struct peer_reply *reply);
    const char *silence; /* what the peer did not do */
} phases[] = {
    [CONNECTION_DIALLING] = { on_unasked, "connect" },
    [CONNECTION_GREETING] = { on_greeting, "send its greeting" },
    [CONNECTION_EHLO] = { on_ehlo, "answer EHLO" },
    [CONNECTION_HELO] = { on_helo, "answer HELO" },
    [CONNECTION_STARTTLS] = { on_starttls, "answer STARTTLS" },
    [CONNECTION_HANDSHAKE] = { on_unasked, "finish the TLS handshake" },
    [CONNECTION_LOGIN_VAULT] = { on_unasked, "be logged in at" },
    [CONNECTION_LOGIN_PEER] = { on_login, "answer AUTH" },
    [CONNECTION_IDLE] = { on_unasked, "be used again" },
    [CONNECTION_BUSY] = { transaction_reply, "answer" },
    [CONNECTION_QUIT] = { on_quit_reply, "answer QUIT" },
    [CONNECTION_CLOSED] = { on_unasked, "answer" },
};

static void on_broken_reply(struct connection *c)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_REPLY, "4.5.0",
        "the next hop's reply cannot be understood: %s", peer_reply_fault_text(c->reader.fault));

    connection_lose(c, c->phase < CONNECTION_IDLE ? CONNECTION_END_HOP : CONNECTION_END_LOST, &v);
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
        transaction_drained(c);
}

static void on_handshake_failed(struct connection *c)
{
    tls_failed(c, "4.7.5", "the TLS handshake failed", stream_why(c->stream));
}

static void on_closed(void *owner, enum stream_end end)
{
    struct connection *c = owner;
    struct verdict v;

    (void)end;
    if (c->phase == CONNECTION_HANDSHAKE) {
        on_handshake_failed(c);
        return;
    }
    v = verdict_of(DELIVERY_DEFERRED, c->phase < CONNECTION_IDLE ? CAUSE_CONNECT : CAUSE_LOST,
        "4.4.2", "the next hop closed the connection%s%s", stream_why(c->stream)[0] ? ": " : "",
        stream_why(c->stream));
    connection_lose(c, c->phase < CONNECTION_IDLE ? CONNECTION_END_HOP : CONNECTION_END_LOST, &v);
}

static const struct stream_events stream_events = {
    .on_input = on_input, .on_drained = on_drained, .on_secured = on_secured, .on_closed = on_closed
};

static void on_limit(void *owner)
{
    struct connection *c = owner;
    struct verdict v;

    if (c->phase == CONNECTION_HANDSHAKE) {
        tls_failed(c, "4.7.5", "the TLS handshake failed", "it took too long");
        return;
    }
    if (c->phase == CONNECTION_IDLE) {
        c->events->expired(c->owner);
        return;
    }
    v = verdict_of(DELIVERY_DEFERRED, c->phase < CONNECTION_IDLE ? CAUSE_CONNECT : CAUSE_LOST,
        "4.4.2", "the next hop did not %s in time", phases[c->phase].silence);
    connection_lose(c, c->phase < CONNECTION_IDLE ? CONNECTION_END_HOP : CONNECTION_END_LOST, &v);
}

static void on_dialled(void *owner, enum err result, int fd, const char *why)
{
    struct connection *c = owner;
    const struct conf_timeouts *timeouts = &c->settings->conf->timeouts;
    struct stream_settings settings = { .input_cap = INPUT_CAP,
        .output_cap = OUTPUT_CAP,
        .high_water = HIGH_WATER,
        .low_water = LOW_WATER,
        .write_timeout_ms = (int64_t)timeouts->block * 1000 };

    if (result != ERR_OK) {
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_CONNECT, "4.4.1",
                          "no connection to %s: %s", c->address, why));
        return;
    }
    c->stream = stream_new(c->carrier->loop, fd, &settings, &stream_events, c);
    if (!c->stream) {
        hop_failed(c, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory"));
        return;
    }
    c->phase = CONNECTION_GREETING;
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
    DL_APPEND(carrier->connections, c);
    dial_start(&c->dial, carrier->loop, &dial, on_dialled, c);
    return c;
}
