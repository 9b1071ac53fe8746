/* bench/load_client.c: the life of one connection and the replies it meets, in order. What it says
 * is in load_send.c. */
#include "bench/load_client.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/load_send.h"

enum { REST_US = 100000 };

static void on_input(void *owner);
static void on_drained(void *owner);
static void on_secured(void *owner);
static void on_closed(void *owner, const char *why);

static const struct wire_events events = { on_input, on_drained, on_secured, on_closed };

static enum step after_greeting(struct client *client);
static enum step after_hello(struct client *client);
static enum step after_starttls(struct client *client);
static enum step after_auth(struct client *client);
static enum step after_mail(struct client *client);
static enum step after_rcpt(struct client *client);
static enum step after_data(struct client *client);
static enum step after_content(struct client *client);
static enum step after_noop(struct client *client);
static enum step after_quit(struct client *client);

/* What a good reply does, and the step that follows; STEP_COUNT when the connection goes on by
 * itself or is no more. */
static enum step (*const after[STEP_READY])(struct client *client) = {
    [STEP_GREETING] = after_greeting,
    [STEP_HELLO] = after_hello,
    [STEP_STARTTLS] = after_starttls,
    [STEP_AUTH] = after_auth,
    [STEP_MAIL] = after_mail,
    [STEP_RCPT] = after_rcpt,
    [STEP_DATA] = after_data,
    [STEP_CONTENT] = after_content,
    [STEP_BDAT] = after_content,
    [STEP_NOOP] = after_noop,
    [STEP_QUIT] = after_quit,
};

static const struct load_options *options_of(const struct client *client)
{
    return client->lane->plan->options;
}

static void close_wire(struct client *client)
{
    wire_free(&client->wire);
    client->in_flight = 0;
}

static void become_gone(struct client *client)
{
    close_wire(client);
    client->phase = CLIENT_GONE;
    lane_gone(client->lane);
}

/* While connections are held, a broken one stays broken. */
static void end_rest(struct client *client)
{
    client->phase = CLIENT_CLOSED;
    if (client->lane->phase == LANE_GATHERING)
        client_connect(client);
    else if (client->lane->phase != LANE_HOLDING)
        client_work(client);
}

/* A message under way is lost to the count: whether it was kept is not known. */
static void fail(struct client *client, const char *where, struct slice what)
{
    bool was_asked = client->phase == CLIENT_TALKING && client->awaits == STEP_NOOP;

    lane_fault(client->lane, client, where, what);
    lane_forget(client->lane, client);
    close_wire(client);
    client->has_message = false;
    client->phase = CLIENT_RESTING;
    client->heard_us = mono_us();
    if (was_asked)
        lane_answered(client->lane, false);
}

static void fail_text(struct client *client, const char *where, const char *what)
{
    fail(client, where, slice_text(what));
}

/* Connecting */

int client_keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct client *client = SSL_get_app_data(ssl);

    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static bool start_tls(struct client *client)
{
    const struct plan *plan = client->lane->plan;

    if (wire_secure_client(client->wire, plan->tls, plan->options->host, client->session) ==
        ERR_OK) {
        SSL_set_app_data(client->wire->ssl, client);
        return true;
    }
    fail_text(client, "TLS", "no memory");
    return false;
}

static struct sockaddr_in source_of(const struct client *client)
{
    struct sockaddr_in source = { .sin_family = AF_INET };
    uint32_t host = 1 + (uint32_t)(client->index % options_of(client)->sources);

    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    return source;
}

void client_connect(struct client *client)
{
    struct lane *lane = client->lane;
    const struct load_options *options = options_of(client);
    struct sockaddr_in source = source_of(client);

    client->phase = CLIENT_TALKING;
    client->awaits = STEP_GREETING;
    client->in_flight = 1;
    client->session_messages = 0;
    client->has_codes = false;
    client->user = (lane->tally.sessions++ * options->threads + lane->index) % options->users;
    client->dialled_us = client->heard_us = mono_us();
    client->wire = wire_dial(
        &lane->poller, &lane->plan->server, options->sources > 1 ? &source : NULL, &events, client);
    if (!client->wire)
        fail_text(client, "connect", strerror(errno));
    else if (lane->plan->tls && strcmp(options->tls, "implicit") == 0)
        (void)start_tls(client);
}

static bool is_secured(const struct client *client)
{
    return client->wire->ssl != NULL;
}

/* What a good reply leads to */

static enum step after_greeting(struct client *client)
{
    if (!client->lane->plan->tls || !is_secured(client))
        meter_add(&client->lane->tally.connect, mono_us() - client->dialled_us);
    return STEP_HELLO;
}

static enum step after_hello(struct client *client)
{
    if (client->lane->plan->tls && !is_secured(client))
        return STEP_STARTTLS;
    return options_of(client)->user ? STEP_AUTH : STEP_READY;
}

static enum step after_starttls(struct client *client)
{
    if (wire_input(client->wire).len > 0)
        fail_text(client, "STARTTLS", "octets behind the reply");
    else
        (void)start_tls(client);
    return STEP_COUNT;
}

static enum step after_auth(struct client *client)
{
    (void)client;
    return STEP_READY;
}

static enum step after_mail(struct client *client)
{
    client->recipients_left = options_of(client)->recipients;
    return STEP_RCPT;
}

static enum step after_rcpt(struct client *client)
{
    if (--client->recipients_left > 0)
        return STEP_RCPT;
    return options_of(client)->bdat ? STEP_BDAT : STEP_DATA;
}

static enum step after_data(struct client *client)
{
    (void)client;
    return STEP_CONTENT;
}

static enum step after_content(struct client *client)
{
    client->has_message = false;
    client->session_messages++;
    lane_accept(client->lane, &client->message);
    if (client->session_messages == options_of(client)->per_session)
        return STEP_QUIT;
    return STEP_READY;
}

static enum step after_noop(struct client *client)
{
    client->phase = CLIENT_FREE;
    lane_answered(client->lane, true);
    return STEP_READY;
}

static enum step after_quit(struct client *client)
{
    close_wire(client);
    client->phase = CLIENT_CLOSED;
    client_work(client);
    return STEP_COUNT;
}

/* Receiving */

/* What EHLO must have offered for what we were asked to do. */
static const char *what_is_missing(struct client *client, struct slice reply)
{
    const struct load_options *options = options_of(client);

    if (client->awaits != STEP_HELLO)
        return NULL;
    client->has_codes = reply_says(reply, "ENHANCEDSTATUSCODES");
    if (client->lane->plan->tls && !is_secured(client))
        return NULL;
    if (!options->no_pipelining && !reply_says(reply, "PIPELINING"))
        return "PIPELINING is not offered";
    if (options->bdat && !reply_says(reply, "CHUNKING"))
        return "CHUNKING is not offered";
    return NULL;
}

static void become_ready(struct client *client)
{
    struct lane *lane = client->lane;

    client->phase = CLIENT_FREE;
    if (client->has_message) {
        client->phase = CLIENT_TALKING;
        client->awaits = STEP_MAIL;
        client_send(client, client->awaits);
        return;
    }
    if (lane->phase == LANE_HOLDING)
        return;
    if (lane->phase != LANE_GATHERING) {
        client_work(client);
        return;
    }
    if (client->was_ready)
        return;
    client->was_ready = true;
    lane_ready(lane);
}

/* False when the connection is no more, or TLS begins. */
static bool take_reply(struct client *client, struct slice reply)
{
    const char *missing;
    bool was_login = client->awaits < STEP_MAIL;
    enum step next;

    if (client->in_flight == 0 || !reply_is_expected(reply, client->awaits, client->has_codes)) {
        fail(client, step_name(client->awaits), reply);
        return false;
    }
    missing = what_is_missing(client, reply);
    if (missing) {
        fail_text(client, step_name(client->awaits), missing);
        return false;
    }
    wire_consume(client->wire, reply.len);
    client->in_flight--;
    next = after[client->awaits](client);
    if (next == STEP_COUNT)
        return false;
    client->awaits = next;
    if (next == STEP_READY && was_login)
        meter_add(&client->lane->tally.login, mono_us() - client->dialled_us);
    if (next == STEP_READY)
        become_ready(client);
    else if (client->in_flight == 0)
        client_send(client, client->awaits);
    return client->wire != NULL;
}

static void on_input(void *owner)
{
    struct client *client = owner;

    client->heard_us = mono_us();
    for (;;) {
        struct slice input = wire_input(client->wire);
        size_t len = reply_length(input);

        if (len == 0)
            return;
        if (!take_reply(client, slice_first(input, len)))
            return;
    }
}

static void on_drained(void *owner)
{
    struct client *client = owner;

    if (client->content.len > 0)
        client_feed(client);
}

/* Over implicit TLS the greeting is still to come. */
static void on_secured(void *owner)
{
    struct client *client = owner;
    struct load_tally *tally = &client->lane->tally;

    tally->resumed += SSL_session_reused(client->wire->ssl) == 1;
    if (client->awaits == STEP_GREETING) {
        meter_add(&tally->connect, mono_us() - client->dialled_us);
        return;
    }
    client->awaits = STEP_HELLO;
    client_send(client, client->awaits);
}

static void on_closed(void *owner, const char *why)
{
    struct client *client = owner;

    fail_text(client, step_name(client->awaits), why);
}

/* The life of the slot */

enum err client_new(struct lane *lane, uint64_t index, struct client **out_client)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        return ERR_NOMEM;
    client->lane = lane;
    client->index = index;
    *out_client = client;
    return ERR_OK;
}

void client_free(struct client **client)
{
    close_wire(*client);
    SSL_SESSION_free((*client)->session);
    free(*client);
    *client = NULL;
}

static void leave(struct client *client)
{
    if (!client->wire) {
        become_gone(client);
        return;
    }
    client->phase = CLIENT_TALKING;
    client->awaits = STEP_QUIT;
    client_send(client, client->awaits);
    wire_flush(client->wire);
}

void client_work(struct client *client)
{
    struct lane *lane = client->lane;

    if (lane_take(lane, &client->message)) {
        client->has_message = true;
        if (client->wire) {
            become_ready(client);
            wire_flush(client->wire);
        } else {
            client_connect(client);
        }
        return;
    }
    if (lane->phase == LANE_LOADING)
        lane_keep(lane, client);
    else
        leave(client);
}

void client_ask(struct client *client)
{
    if (client->phase != CLIENT_FREE) {
        lane_answered(client->lane, false);
        return;
    }
    client->phase = CLIENT_TALKING;
    client->awaits = STEP_NOOP;
    client_send(client, client->awaits);
    wire_flush(client->wire);
}

void client_check(struct client *client, int64_t now_us)
{
    int64_t waited_us = now_us - client->heard_us;

    if (client->phase == CLIENT_RESTING && waited_us >= REST_US)
        end_rest(client);
    if (client->phase != CLIENT_TALKING)
        return;
    if ((double)waited_us < options_of(client)->timeout * 1e6)
        return;
    fail_text(client, step_name(client->awaits), "no reply in time");
}

void client_drop(struct client *client)
{
    if (client->phase != CLIENT_GONE)
        become_gone(client);
}
