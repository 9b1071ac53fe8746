/* fetch/documents.c: one ask from its question to its answer. At any moment it waits for one thing:
 * its configuration (settings is NULL), the addresses of the server, or what the server says. */
#include "fetch/documents.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/syntax.h"
#include "fetch/answer.h"
#include "net/addresses.h"
#include "net/https.h"

enum {
    TIME_MS = 8000, /* of which the vault's own time-out must be more */
    DNS_MS = 5000,
    FORM_MAX = 3 * (FETCH_TOKEN_MAX + 64),
    COMPLAINT_MS = 60000,
};

struct ask {
    struct ask *prev, *next;
    struct asker *asker;
    struct fetch_settings *settings;
    uint64_t request;
    uint64_t snapshot;
    enum fetch_target target;
    struct secret token;
    struct addresses *lookup;
    struct https_request *http;
    int64_t began;
};

static struct slice keys_url(const struct conf *conf)
{
    return conf->auth.oauth_jwks_uri;
}

static struct slice introspection_url(const struct conf *conf)
{
    return conf->auth.oauth_introspection;
}

static const struct target {
    const char *name;
    struct slice (*url)(const struct conf *conf); /* empty: not in this configuration */
    bool is_post;                                 /* with the token, and with who we are */
    size_t most;
} targets[] = {
    [FETCH_KEYS] = { "keys", keys_url, false, FETCH_DOCUMENT_MAX },
    [FETCH_TOKEN] = { "token", introspection_url, true, 64 << 10 },
};

/* What was complained of last, by target: a server that is down is asked again and again. */
static struct complaint {
    int64_t at;
    bool is_down;
    unsigned untold;
} complaints[LENGTH_OF(targets)];

static void complain(const struct ask *ask, const char *why, unsigned status)
{
    struct complaint *complaint = &complaints[ask->target];
    int64_t now = clock_mono_ms();

    if (complaint->is_down && now - complaint->at < COMPLAINT_MS) {
        complaint->untold++;
        return;
    }
    log_event(LOG_WARNING, NULL, "no answer that can be used",
        log_text("target", targets[ask->target].name),
        log_slice("address", targets[ask->target].url(ask->settings->conf)), log_text("why", why),
        log_number("status", (int64_t)status), log_number("ms", now - ask->began),
        log_number("before", (int64_t)complaint->untold));
    *complaint = (struct complaint){ .at = now, .is_down = true };
}

static void tell_recovery(const struct ask *ask)
{
    struct complaint *complaint = &complaints[ask->target];

    if (complaint->is_down)
        log_event(LOG_NOTICE, NULL, "answers again", log_text("target", targets[ask->target].name),
            log_number("before", (int64_t)complaint->untold));
    *complaint = (struct complaint){ 0 };
}

static void ask_free(struct ask *ask)
{
    struct asker *asker = ask->asker;

    addresses_cancel(&ask->lookup);
    https_cancel(&ask->http);
    fetch_settings_drop(&ask->settings);
    secret_clear(&ask->token);
    DL_DELETE(asker->asks, ask);
    asker->ask_count--;
    free(ask);
}

static void say_failed(struct asker *asker, uint64_t request)
{
    struct msg_fetched message = { .request = request, .result = FETCH_FAILED };

    channel_send(asker->channel, MSG_FETCHED, &message, -1);
}

static void fail(struct ask *ask, const char *why, unsigned status)
{
    struct fetch *fetch = ask->asker->fetch;

    complain(ask, why, status);
    say_failed(ask->asker, ask->request);
    ask_free(ask);
    fetch_drain_if_idle(fetch);
}

static void on_http(void *owner, const struct https_answer *answer)
{
    struct ask *ask = owner;
    struct fetch *fetch = ask->asker->fetch;
    const char *why =
        answer->why ? answer->why : answer_fault(answer->status, answer->content_type);
    struct msg_fetched message = {
        .request = ask->request, .result = FETCH_DONE, .document = answer->body
    };

    ask->http = NULL;
    if (why) {
        fail(ask, why, answer->status);
        return;
    }
    message.has_age = answer_age(answer->cache_control, &message.age_most);
    tell_recovery(ask);
    channel_send(ask->asker->channel, MSG_FETCHED, &message, -1);
    ask_free(ask);
    fetch_drain_if_idle(fetch);
}

/* application/x-www-form-urlencoded, of everything that is not plain. */
static void put_encoded(struct buffer *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (ascii_is_alpha((char)c) || ascii_is_digit((char)c) || (c > 0 && strchr("-._", c)))
            buffer_put_char(out, (char)c);
        else
            buffer_printf(out, "%%%02X", c);
    }
}

/* Who we are, as RFC 6749 section 2.3.1 wants it: encoded, then Basic. */
static enum err start_post(struct ask *ask, struct https_order *order)
{
    const struct fetch_settings *settings = ask->settings;
    struct buffer form, user, password;
    bool is_ready;
    enum err rc = ERR_NOMEM;

    buffer_init(&form, FORM_MAX);
    buffer_init(&user, 3 * TEXT_MAX);
    buffer_init(&password, 3 * FETCH_SECRET_MAX);
    /* In one piece from the start: a buffer that grows leaves copies of a secret behind. */
    is_ready = buffer_reserve(&form, FORM_MAX) && buffer_reserve(&password, 3 * FETCH_SECRET_MAX);
    buffer_put_text(&form, "token_type_hint=access_token&token=");
    put_encoded(&form, secret_slice(&ask->token));
    put_encoded(&user, settings->conf->auth.oauth_client_id);
    put_encoded(&password, secret_slice(&settings->secrets[FETCH_PEER_OAUTH]));
    order->is_post = true;
    order->form = buffer_slice(&form);
    order->user = buffer_slice(&user);
    order->password = buffer_slice(&password);
    if (is_ready && form.error == ERR_OK && user.error == ERR_OK && password.error == ERR_OK)
        rc = https_start(settings->https, order, on_http, ask, &ask->http);
    if (form.len > 0)
        explicit_bzero(form.data, form.len);
    if (password.len > 0)
        explicit_bzero(password.data, password.len);
    buffer_clear(&form);
    buffer_clear(&user);
    buffer_clear(&password);
    return rc;
}

static void on_addresses(void *owner, const struct peer *peers, size_t count, const char *why)
{
    struct ask *ask = owner;
    const struct target *target = &targets[ask->target];
    struct https_order order = { .url = target->url(ask->settings->conf),
        .peers = peers,
        .peer_count = count,
        .most = target->most,
        .ms = ask->began + TIME_MS - clock_mono_ms() };
    enum err rc = ERR_INVALID;

    ask->lookup = NULL;
    if (why) {
        fail(ask, why, 0);
        return;
    }
    if (syntax_https(order.url, &order.host, &order.port))
        rc = target->is_post ? start_post(ask, &order)
                             : https_start(ask->settings->https, &order, on_http, ask, &ask->http);
    if (rc != ERR_OK)
        fail(ask, err_text(rc), 0);
}

static struct ask *ask_new(struct asker *asker, const struct msg_fetch *message)
{
    struct ask *ask = calloc(1, sizeof *ask);

    if (!ask)
        return NULL;
    ask->asker = asker;
    ask->request = message->request;
    ask->snapshot = message->snapshot;
    ask->target = message->target;
    DL_APPEND(asker->asks, ask);
    asker->ask_count++;
    if (secret_set(&ask->token, message->token))
        return ask;
    ask_free(ask);
    return NULL;
}

/* Its configuration is in force, so its addresses are those that the asker means. */
static void begin(struct ask *ask)
{
    struct fetch *fetch = ask->asker->fetch;
    struct slice host;
    uint16_t port;
    enum err rc;

    ask->settings = fetch_settings_hold(fetch->settings);
    ask->began = clock_mono_ms();
    if (!syntax_https(targets[ask->target].url(ask->settings->conf), &host, &port)) {
        fail(ask, "the configuration names no address", 0);
        return;
    }
    rc = addresses_start(
        fetch->room->loop, fetch->resolver, host, port, DNS_MS, on_addresses, ask, &ask->lookup);
    if (rc != ERR_OK)
        fail(ask, err_text(rc), 0);
}

/* An ask in the name of a configuration that is gone will be asked anew in that of the next. */
static void begin_if_due(struct ask *ask)
{
    struct fetch *fetch = ask->asker->fetch;
    uint64_t number = fetch->settings ? fetch->settings->number : 0;

    if (ask->snapshot == number) {
        begin(ask);
    } else if (ask->snapshot < number) {
        say_failed(ask->asker, ask->request);
        ask_free(ask);
    }
}

void documents_ask(struct asker *asker, const struct msg_fetch *message)
{
    struct ask *ask;

    fetch_mind_clock(asker->fetch);
    ask = asker->ask_count < DOCUMENTS_MAX ? ask_new(asker, message) : NULL;
    if (ask)
        begin_if_due(ask);
    else
        say_failed(asker, message->request);
    fetch_drain_if_idle(asker->fetch);
}

void documents_begin(struct asker *asker)
{
    struct ask *ask, *next;

    DL_FOREACH_SAFE (asker->asks, ask, next)
        if (!ask->settings)
            begin_if_due(ask);
}

void documents_cancel(struct asker *asker, const struct msg_request *message)
{
    struct fetch *fetch = asker->fetch;
    struct ask *ask, *next;

    DL_FOREACH_SAFE (asker->asks, ask, next)
        if (ask->request == message->request)
            ask_free(ask);
    fetch_drain_if_idle(fetch);
}

void documents_forget(struct asker *asker)
{
    while (asker->asks)
        ask_free(asker->asks);
}

bool documents_is_busy(const struct asker *asker)
{
    return asker->asks != NULL;
}
