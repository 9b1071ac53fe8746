/* bench/load_client.c: the life of one connection and the replies it meets, in order. What it says
 * is in load_send.c. */
#include "bench/load_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load_send.h"
#include "net/stream.h"
#include "net/tls.h"

enum {
    INPUT_CAP = 65536,
    OUTPUT_CAP = 1048576,
    HIGH_WATER = 262144,
    LOW_WATER = 131072,
    REST_MS = 100,
};

static void on_input(void *owner);
static void on_drained(void *owner);
static void on_secured(void *owner);
static void on_closed(void *owner, enum stream_end end);

static const struct stream_events events = { on_input, on_drained, on_secured, on_closed };

static enum step after_greeting(struct client *client);
static enum step after_hello(struct client *client);
static enum step after_starttls(struct client *client);
static enum step after_auth(struct client *client);
static enum step after_mail(struct client *client);
static enum step after_rcpt(struct client *client);
static enum step after_data(struct client *client);
static enum step after_content(struct client *client);
static enum step after_quit(struct client *client);

/* after: what a good reply does, and the step that follows; STEP_COUNT when the connection goes on
 * by itself or is no more. */
static const struct rule {
    const char *name;
    const char *code;
    enum step (*after)(struct client *client);
} rules[STEP_READY] = {
    [STEP_GREETING] = { "greeting", "220", after_greeting },
    [STEP_HELLO] = { "EHLO", "250", after_hello },
    [STEP_STARTTLS] = { "STARTTLS", "220", after_starttls },
    [STEP_AUTH] = { "AUTH", "235", after_auth },
    [STEP_MAIL] = { "MAIL", "250", after_mail },
    [STEP_RCPT] = { "RCPT", "250", after_rcpt },
    [STEP_DATA] = { "DATA", "354", after_data },
    [STEP_CONTENT] = { "end of data", "250", after_content },
    [STEP_BDAT] = { "BDAT", "250", after_content },
    [STEP_QUIT] = { "QUIT", "221", after_quit },
};

static void close_stream(struct client *client)
{
    dial_stop(&client->dial);
    timer_stop(&client->rest);
    stream_free(&client->stream);
    client->in_flight = 0;
}

static void become_gone(struct client *client)
{
    close_stream(client);
    client->phase = CLIENT_GONE;
    run_gone(client->run);
}

static void on_rested(void *owner)
{
    struct client *client = owner;

    client->phase = CLIENT_CLOSED;
    if (client->run->phase == RUN_GATHERING)
        client_connect(client);
    else
        client_work(client);
}

/* A message under way is lost to the count: whether it was kept is not known. */
static void fail(struct client *client, const char *where, struct slice what)
{
    run_fault(client->run, client, where, what);
    run_forget(client->run, client);
    close_stream(client);
    client->has_message = false;
    client->phase = CLIENT_RESTING;
    timer_set(&client->rest, REST_MS);
}

static void fail_text(struct client *client, const char *where, const char *what)
{
    fail(client, where, slice_text(what));
}

/* Connecting */

static bool start_tls(struct client *client)
{
    const struct run *run = client->run;

    if (stream_start_tls_client(
            client->stream, run->tls, slice_text(run->options->host), TLS_VERIFY_ANY) == ERR_OK)
        return true;
    fail_text(client, "TLS", "no memory");
    return false;
}

static void on_dialled(void *owner, enum err result, int fd, const char *why)
{
    static const struct stream_settings settings = {
        .input_cap = INPUT_CAP,
        .output_cap = OUTPUT_CAP,
        .high_water = HIGH_WATER,
        .low_water = LOW_WATER,
        .write_timeout_ms = 60000,
        .wants_last_words = true,
    };
    struct client *client = owner;

    if (result != ERR_OK) {
        fail_text(client, "connect", why);
        return;
    }
    client->stream = stream_new(client->run->loop, fd, &settings, &events, client);
    assert(client->stream);
    client->phase = CLIENT_TALKING;
    client->awaits = STEP_GREETING;
    client->in_flight = 1;
    client->heard_us = mono_us();
    if (client->run->tls && strcmp(client->run->options->tls, "implicit") == 0)
        (void)start_tls(client);
}

void client_connect(struct client *client)
{
    struct run *run = client->run;
    struct dial_settings settings = {
        .to = run->server,
        .timeout_ms = (int64_t)(run->options->timeout * 1000),
    };

    if (run->options->sources > 1 && run->server.family == PEER_IPV4) {
        uint32_t host = 1 + (uint32_t)(client->index % run->options->sources);

        settings.from = (struct peer){ .family = PEER_IPV4,
            .octets = { 127, 0, (uint8_t)(host >> 8), (uint8_t)host } };
    }
    client->phase = CLIENT_DIALLING;
    client->session_messages = 0;
    client->user = run->sessions++ % run->options->users;
    client->dialled_us = mono_us();
    dial_start(&client->dial, run->loop, &settings, on_dialled, client);
}

/* What a good reply leads to */

static enum step after_greeting(struct client *client)
{
    (void)client;
    return STEP_HELLO;
}

static enum step after_hello(struct client *client)
{
    const struct run *run = client->run;

    if (run->tls && !stream_is_secured(client->stream))
        return STEP_STARTTLS;
    return run->options->user ? STEP_AUTH : STEP_READY;
}

static enum step after_starttls(struct client *client)
{
    if (stream_input_pending(client->stream) > 0)
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
    client->recipients_left = client->run->options->recipients;
    return STEP_RCPT;
}

static enum step after_rcpt(struct client *client)
{
    if (--client->recipients_left > 0)
        return STEP_RCPT;
    return client->run->options->bdat ? STEP_BDAT : STEP_DATA;
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
    run_accept(client->run, &client->message);
    if (client->session_messages == client->run->options->per_session)
        return STEP_QUIT;
    return STEP_READY;
}

static enum step after_quit(struct client *client)
{
    close_stream(client);
    client->phase = CLIENT_CLOSED;
    client_work(client);
    return STEP_COUNT;
}

/* Receiving */

/* The length of the first whole reply in input; 0 when it is not whole. */
static size_t reply_length(struct slice input)
{
    size_t at = 0;

    while (at < input.len) {
        struct slice rest = slice_from(input, at);
        size_t end = slice_find(rest, '\n');

        if (end == rest.len)
            return 0;
        at += end + 1;
        if (end < 4 || rest.data[3] != '-')
            return at;
    }
    return 0;
}

static bool says(struct slice reply, const char *keyword)
{
    return memmem(reply.data, reply.len, keyword, strlen(keyword)) != NULL;
}

/* What EHLO must have offered for what we were asked to do. */
static const char *what_is_missing(const struct client *client, struct slice reply)
{
    const struct load_options *options = client->run->options;

    if (client->awaits != STEP_HELLO || (client->run->tls && !stream_is_secured(client->stream)))
        return NULL;
    if (!options->no_pipelining && !says(reply, "PIPELINING"))
        return "PIPELINING is not offered";
    if (options->bdat && !says(reply, "CHUNKING"))
        return "CHUNKING is not offered";
    return NULL;
}

static void become_ready(struct client *client)
{
    struct run *run = client->run;

    client->phase = CLIENT_FREE;
    if (client->has_message) {
        client->phase = CLIENT_TALKING;
        client->awaits = STEP_MAIL;
        client_send(client, client->awaits);
        return;
    }
    if (run->phase != RUN_GATHERING) {
        client_work(client);
        return;
    }
    if (client->was_ready)
        return;
    client->was_ready = true;
    run_ready(run);
}

/* False when the stream is no more, or TLS begins. */
static bool take_reply(struct client *client, struct slice reply)
{
    const struct rule *rule = &rules[client->awaits];
    const char *missing = what_is_missing(client, reply);
    enum step next;

    if (client->in_flight == 0 || memcmp(reply.data, rule->code, 3) != 0) {
        fail(client, client->in_flight == 0 ? "nothing" : rule->name, reply);
        return false;
    }
    if (missing) {
        fail_text(client, rule->name, missing);
        return false;
    }
    stream_consume(client->stream, reply.len);
    client->in_flight--;
    next = rule->after(client);
    if (next == STEP_COUNT)
        return false;
    client->awaits = next;
    if (next == STEP_READY && client->session_messages == 0)
        meter_add(&client->run->login, mono_us() - client->dialled_us);
    if (next == STEP_READY)
        become_ready(client);
    else if (client->in_flight == 0)
        client_send(client, client->awaits);
    return client->stream != NULL;
}

static void on_input(void *owner)
{
    struct client *client = owner;

    client->heard_us = mono_us();
    for (;;) {
        struct slice input = stream_input(client->stream);
        size_t len = reply_length(input);

        if (len == 0) {
            if (input.len >= INPUT_CAP)
                fail_text(client, rules[client->awaits].name, "a reply without end");
            return;
        }
        if (len < 4) {
            fail(client, "reply", slice_first(input, len));
            return;
        }
        if (!take_reply(client, slice_first(input, len)))
            return;
    }
}

static void on_drained(void *owner)
{
    struct client *client = owner;

    client->heard_us = mono_us();
    if (client->content.len > 0)
        client_feed(client);
}

/* Over implicit TLS the greeting is still to come. */
static void on_secured(void *owner)
{
    struct client *client = owner;

    if (client->awaits == STEP_GREETING)
        return;
    client->awaits = STEP_HELLO;
    client_send(client, client->awaits);
}

static const char *end_text(enum stream_end end)
{
    return end == STREAM_PEER_CLOSED || end == STREAM_PEER_CUT ? "the server closed the connection"
           : end == STREAM_TLS_FAILED                          ? "TLS failed"
                                                               : "the connection broke";
}

static void on_closed(void *owner, enum stream_end end)
{
    struct client *client = owner;
    char text[FAULT_TEXT];
    bool is_waiting = client->in_flight > 0;

    snprintf(text, sizeof text, "%s %s", end_text(end), stream_why(client->stream));
    fail_text(client, is_waiting ? rules[client->awaits].name : "nothing", text);
}

/* The life of the slot */

enum err client_new(struct run *run, uint64_t index, struct client **out_client)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        return ERR_NOMEM;
    client->run = run;
    client->index = index;
    timer_init(&client->rest, run->loop, on_rested, client);
    *out_client = client;
    return ERR_OK;
}

void client_free(struct client **client)
{
    close_stream(*client);
    free(*client);
    *client = NULL;
}

static void leave(struct client *client)
{
    if (!client->stream) {
        become_gone(client);
        return;
    }
    client->phase = CLIENT_TALKING;
    client->awaits = STEP_QUIT;
    client_send(client, client->awaits);
}

void client_work(struct client *client)
{
    struct run *run = client->run;

    if (run_take(run, &client->message)) {
        client->has_message = true;
        if (client->stream)
            become_ready(client);
        else
            client_connect(client);
        return;
    }
    if (run->phase == RUN_LOADING)
        run_keep(run, client);
    else
        leave(client);
}

void client_check(struct client *client, int64_t now_us)
{
    if (client->phase != CLIENT_TALKING)
        return;
    if ((double)(now_us - client->heard_us) < client->run->options->timeout * 1e6)
        return;
    fail_text(
        client, client->in_flight > 0 ? rules[client->awaits].name : "TLS", "no reply in time");
}

void client_drop(struct client *client)
{
    if (client->phase != CLIENT_GONE)
        become_gone(client);
}
