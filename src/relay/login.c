/* relay/login.c: AUTH as the client's carrier. Each word of the vault is sent on, each challenge is
 * handed back, nothing is understood. */
#include "relay/login.h"

#include "base/base64.h"
#include "relay/carrier.h"

enum {
    WORDS_MAX = 64 << 10,
    AUTH_LINE_MAX = 510, /* D-30: an initial response only where it fits; without CRLF */
};

static const char no_vault[] = "the room that keeps the password is not there";

static void refuse(struct connection *c, const char *status, const char *text)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, status, "%s", text);

    /* Where the peer waits for our part of the exchange, it is told that there will be none. */
    if (c->phase == CONNECTION_LOGIN_VAULT && c->has_said_auth)
        connection_send(c, "*");
    connection_refuse(c, &v);
}

static void wipe(struct buffer *words)
{
    if (words->data)
        explicit_bzero(words->data, words->size);
    buffer_clear(words);
}

/* To the vault. */

static void ask_vault(struct connection *c)
{
    const struct tls_info *tls = stream_tls_info(c->stream);
    struct buffer names;
    struct msg_login_start start;

    if (!c->carrier->vault)
        return; /* logins_begin, or the time is over */
    buffer_init(&names, 1024);
    mechanism_list(&names, c->peer.mechanisms);
    c->login = ++c->carrier->last_login;
    start = (struct msg_login_start){ .login = c->login,
        .snapshot = c->settings->number,
        .route = c->route_index,
        .verified = tls && tls->is_verified,
        .host = slice_text(c->hop.host),
        .mechanisms = buffer_slice(&names) };
    if (channel_send(c->carrier->vault, MSG_LOGIN_START, &start, -1) != ERR_OK)
        refuse(c, "4.3.0", no_vault);
    buffer_clear(&names);
}

void login_start(struct connection *c)
{
    c->phase = CONNECTION_LOGIN_VAULT;
    connection_limit(c, c->settings->conf->timeouts.auth);
    ask_vault(c);
}

void login_end(struct connection *c)
{
    struct msg_login end = { .login = c->login };

    if (c->login != 0 && c->carrier->vault)
        (void)channel_send(c->carrier->vault, MSG_LOGIN_END, &end, -1);
    c->login = 0;
    wipe(&c->first_words);
}

void logins_begin(struct carrier *carrier)
{
    struct connection *c, *next;

    DL_FOREACH_SAFE (carrier->connections, c, next)
        if (c->phase == CONNECTION_LOGIN_VAULT && !c->has_said_auth)
            ask_vault(c);
}

void logins_break(struct carrier *carrier)
{
    struct connection *c, *next;

    DL_FOREACH_SAFE (carrier->connections, c, next)
        if (c->phase == CONNECTION_LOGIN_VAULT && c->has_said_auth)
            refuse(c, "4.3.0", no_vault);
}

/* To the peer. */

static void send_words(struct connection *c, const struct buffer *words)
{
    stream_write(c->stream, buffer_slice(words));
    stream_write(c->stream, slice_text("\r\n"));
    c->phase = CONNECTION_LOGIN_PEER;
    connection_limit(c, c->settings->conf->timeouts.auth);
}

/* An empty initial response is "=" (RFC 4954 section 4). One that makes the line too long is kept
 * until the peer's empty challenge asks for it. */
static void send_auth(struct connection *c, const struct msg_login_say *say)
{
    struct buffer line;

    buffer_init(&line, WORDS_MAX);
    buffer_printf(&line, "AUTH %.*s", SLICE_ARGS(say->mechanism));
    if (say->has_data) {
        size_t bare = line.len;

        buffer_put_text(&line, say->data.len > 0 ? " " : " =");
        base64_encode(&line, say->data);
        if (line.len > AUTH_LINE_MAX) {
            buffer_put_slice(&c->first_words, slice_from(buffer_slice(&line), bare + 1));
            buffer_truncate(&line, bare);
        }
    }
    c->has_said_auth = true;
    send_words(c, &line);
    wipe(&line);
}

static void send_answer(struct connection *c, struct slice data)
{
    struct buffer line;

    buffer_init(&line, WORDS_MAX);
    base64_encode(&line, data);
    send_words(c, &line);
    wipe(&line);
}

static struct connection *find(struct carrier *carrier, uint64_t login)
{
    struct connection *c;

    DL_FOREACH (carrier->connections, c)
        if (c->phase == CONNECTION_LOGIN_VAULT && c->login == login)
            return c;
    return NULL;
}

void login_say(struct carrier *carrier, const struct msg_login_say *say)
{
    struct connection *c = find(carrier, say->login);
    struct verdict v;

    if (!c)
        return; /* it has ended meanwhile */
    if (say->failed) {
        v = verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.7.8",
            "login at the next hop is not possible: %.*s", SLICE_ARGS(slice_first(say->text, 400)));
        refuse(c, "4.7.8", v.text);
    } else if (c->has_said_auth) {
        send_answer(c, say->data);
    } else if (say->mechanism.len > 0) {
        send_auth(c, say);
    } else {
        refuse(c, "4.3.0", "the room that keeps the password does not say how to log in");
    }
}

/* From the peer. */

static void pass_challenge(struct connection *c, const struct peer_reply *reply)
{
    struct msg_login_step step = { .login = c->login };
    struct buffer data;
    enum err rc = ERR_CLOSED;

    c->phase = CONNECTION_LOGIN_VAULT;
    buffer_init(&data, WORDS_MAX);
    if (!base64_decode(&data, slice_trim(reply->text))) {
        refuse(c, "4.5.0", "the next hop's AUTH challenge is not base64");
    } else {
        step.data = buffer_slice(&data);
        if (c->carrier->vault)
            rc = channel_send(c->carrier->vault, MSG_LOGIN_STEP, &step, -1);
        if (rc != ERR_OK)
            refuse(c, "4.3.0", no_vault);
    }
    buffer_clear(&data);
}

/* A refused password is the operator's to mend, not the sender's: the mail waits. */
static void on_refused(struct connection *c, const struct peer_reply *reply)
{
    struct verdict v = verdict_of_reply(reply);

    v.result = DELIVERY_DEFERRED;
    v.status[0] = '4';
    connection_refuse(c, &v);
}

void login_reply(struct connection *c, const struct peer_reply *reply)
{
    if (reply->code == 334 && c->first_words.len > 0) {
        send_words(c, &c->first_words);
        wipe(&c->first_words);
    } else if (reply->code == 334) {
        pass_challenge(c, reply);
    } else if (peer_reply_class(reply) == 2) {
        login_end(c);
        c->is_logged_in = true;
        connection_ready(c);
    } else {
        on_refused(c, reply);
    }
}
