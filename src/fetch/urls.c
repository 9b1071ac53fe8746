/* fetch/urls.c: one URL from the question to the last octet in the pipe. The reader of the pipe may
 * be slow: then the IMAP server has to wait, and nothing is gathered here. */
#include "fetch/urls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fetch/imap.h"
#include "smtp/burl.h"

enum { PENDING_MAX = 256 << 10 };

struct url {
    struct url *prev, *next;
    struct asker *asker;
    uint64_t request;
    struct fetch_settings *settings;
    size_t server;
    char *text; /* the URL */
    size_t text_len;
    uint64_t most;
    int64_t began;
    struct timer limit; /* of the whole */
    struct imap *imap;  /* NULL: it waits for its turn, or the server is done */
    bool has_begun;
    bool is_over; /* the server is done: */
    enum url_result result;
    uint64_t octets; /* that came */
    int pipe;
    struct watch writable;
    struct buffer pending; /* what the pipe has no room for */
};

static void start_waiting(struct fetch *fetch);

static void url_free(struct url *url)
{
    struct asker *asker = url->asker;
    struct fetch *fetch = asker->fetch;

    if (url->has_begun)
        fetch->urls_busy--;
    imap_cancel(&url->imap);
    timer_stop(&url->limit);
    watch_clear(&url->writable);
    if (url->pipe >= 0)
        close(url->pipe);
    buffer_clear(&url->pending);
    fetch_settings_drop(&url->settings);
    DL_DELETE(asker->urls, url);
    asker->url_count--;
    free(url->text);
    free(url);
}

static void say(struct asker *asker, uint64_t request, enum url_result result, uint64_t octets)
{
    struct msg_url_done message = { .request = request, .result = result, .octets = octets };

    channel_send(asker->channel, MSG_URL_DONE, &message, -1);
}

/* The answer; whoever waits has his turn. */
static void finish(struct url *url, enum url_result result)
{
    struct asker *asker = url->asker;
    struct fetch *fetch = asker->fetch;

    say(asker, url->request, result, url->octets);
    url_free(url);
    start_waiting(fetch);
    fetch_drain_if_idle(fetch);
}

static const char *const result_names[] = { [URL_FETCHED] = "fetched",
    [URL_REFUSED] = "refused",
    [URL_UNREACHABLE] = "unreachable",
    [URL_TOO_BIG] = "too big",
    [URL_UNTRUSTED] = "untrusted" };

/* Without the URL: its end is a key to the message. */
static void report(const struct url *url, enum url_result result, const char *why)
{
    const struct conf_imap_server *server = &url->settings->conf->imap_servers[url->server];

    log_event(result == URL_FETCHED || result == URL_REFUSED ? LOG_INFO : LOG_WARNING, NULL, "url",
        log_slice("server", server->name), log_text("result", result_names[result]),
        log_text("why", why), log_number("octets", (int64_t)url->octets),
        log_number("ms", clock_mono_ms() - url->began));
}

/* The pipe. */

/* False: nobody reads any more, and the URL is gone. Never waits, whatever the gate has set the
 * socket to, which it has in its hands as well; what is none is an error. */
static bool write_pending(struct url *url)
{
    while (url->pending.len > 0) {
        struct slice piece = buffer_slice(&url->pending);
        ssize_t put = send(url->pipe, piece.data, piece.len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            break;
        if (put < 0) {
            finish(url, URL_UNREACHABLE);
            return false;
        }
        buffer_consume(&url->pending, (size_t)put);
    }
    return true;
}

/* What has come is in the pipe, and the server is done. */
static void go_on(struct url *url)
{
    if (url->pending.len > 0) {
        if (watch_enable(&url->writable, WATCH_WRITE) != ERR_OK)
            finish(url, URL_UNREACHABLE);
        return;
    }
    watch_disable(&url->writable, WATCH_WRITE);
    buffer_clear(&url->pending);
    if (url->is_over)
        finish(url, url->result);
    else if (url->imap)
        imap_resume(url->imap);
}

static void on_writable(void *owner, unsigned ready UNUSED)
{
    struct url *url = owner;

    if (write_pending(url))
        go_on(url);
}

static void on_octets(void *owner, struct slice octets)
{
    struct url *url = owner;

    url->octets += octets.len;
    buffer_put_slice(&url->pending, octets);
    if (url->pending.error != ERR_OK) {
        finish(url, URL_UNREACHABLE);
        return;
    }
    if (!write_pending(url))
        return;
    if (url->pending.len > 0) {
        imap_pause(url->imap);
        go_on(url);
    }
}

static void on_ended(void *owner, enum url_result result, const char *why)
{
    struct url *url = owner;

    url->imap = NULL;
    report(url, result, why);
    if (result != URL_FETCHED) {
        finish(url, result);
        return;
    }
    url->is_over = true;
    url->result = result;
    go_on(url);
}

static const struct imap_events imap_events = { .octets = on_octets, .ended = on_ended };

static void on_limit(void *owner)
{
    struct url *url = owner;

    report(url, URL_UNREACHABLE, "it took too long");
    finish(url, URL_UNREACHABLE);
}

/* Turns. */

static int64_t time_left(const struct url *url)
{
    int64_t most = (int64_t)url->settings->conf->extensions.burl_timeout * 1000;

    return url->began + most - clock_mono_ms();
}

/* False: it is over already. */
static bool begin(struct url *url)
{
    struct fetch *fetch = url->asker->fetch;
    struct imap_order order = { .settings = url->settings,
        .server = url->server,
        .url = slice_of(url->text, url->text_len),
        .most = url->most };

    url->has_begun = true;
    fetch->urls_busy++;
    url->imap = imap_start(fetch, &order, &imap_events, url);
    return url->imap != NULL;
}

static struct url *next_waiting(struct fetch *fetch)
{
    struct url *oldest = NULL, *url;
    struct asker *asker;

    DL_FOREACH (fetch->askers, asker)
        DL_FOREACH (asker->urls, url)
            if (!url->has_begun && (!oldest || url->began < oldest->began))
                oldest = url;
    return oldest;
}

static void start_waiting(struct fetch *fetch)
{
    struct url *url;

    while (fetch->urls_busy < URLS_AT_ONCE_MAX && (url = next_waiting(fetch)))
        if (!begin(url)) {
            say(url->asker, url->request, URL_UNREACHABLE, 0);
            url_free(url);
        }
}

/* Questions. */

static bool find_server(const struct conf *conf, struct slice name, size_t *out_server)
{
    for (size_t i = 0; i < conf->imap_server_count; i++)
        if (slice_equals(conf->imap_servers[i].name, name)) {
            *out_server = i;
            return true;
        }
    return false;
}

/* A server that is not in this configuration may be in the next one, which the asker has already.
 */
static enum url_result objection_to_server(
    const struct conf *conf, const struct msg_url *message, size_t *out_server)
{
    if (conf && conf->extensions.burl && find_server(conf, message->server, out_server))
        return URL_FETCHED;
    return !conf || conf->number < message->snapshot ? URL_UNREACHABLE : URL_UNTRUSTED;
}

/* A gate is not trusted either: the URL must be one, and of that server. */
static enum url_result objection(
    const struct fetch *fetch, const struct msg_url *message, size_t *out_server)
{
    const struct conf *conf = fetch->settings ? fetch->settings->conf : NULL;
    enum url_result result = objection_to_server(conf, message, out_server);
    struct burl burl;

    if (result != URL_FETCHED)
        return result;
    if (burl_parse(message->url, &burl) != BURL_OK || burl.last)
        return URL_REFUSED;
    return burl_is_at(&burl.imap, conf->imap_servers[*out_server].url_host,
               conf->imap_servers[*out_server].url_port) &&
                   burl.imap.access == BURL_ACCESS_SUBMIT
               ? URL_FETCHED
               : URL_UNTRUSTED;
}

static struct url *url_new(
    struct asker *asker, const struct msg_url *message, size_t server, int pipe)
{
    struct url *url = calloc(1, sizeof *url);
    char *text = malloc(message->url.len + 1);

    if (!url || !text) {
        free(url);
        free(text);
        return NULL;
    }
    memcpy(text, message->url.data, message->url.len);
    *url = (struct url){ .asker = asker,
        .request = message->request,
        .settings = fetch_settings_hold(asker->fetch->settings),
        .server = server,
        .text = text,
        .text_len = message->url.len,
        .most = message->most,
        .began = clock_mono_ms(),
        .pipe = pipe };
    buffer_init(&url->pending, PENDING_MAX);
    watch_init(&url->writable, asker->fetch->room->loop, pipe, on_writable, url);
    timer_init(&url->limit, asker->fetch->room->loop, on_limit, url);
    timer_set(&url->limit, time_left(url));
    DL_APPEND(asker->urls, url);
    asker->url_count++;
    return url;
}

void urls_ask(struct asker *asker, const struct msg_url *message, int pipe)
{
    size_t server = 0;
    enum url_result result = objection(asker->fetch, message, &server);
    struct url *url = NULL;

    if (result == URL_FETCHED) {
        result = URL_UNREACHABLE;
        url = asker->url_count < URLS_MAX ? url_new(asker, message, server, pipe) : NULL;
    }
    if (!url) {
        close(pipe);
        say(asker, message->request, result, 0);
        return;
    }
    start_waiting(asker->fetch);
}

/* A question stays with the configuration that it was asked under. */
void urls_begin(struct asker *asker UNUSED)
{
}

void urls_cancel(struct asker *asker, const struct msg_request *message)
{
    struct fetch *fetch = asker->fetch;
    struct url *url, *next;

    DL_FOREACH_SAFE (asker->urls, url, next)
        if (url->request == message->request)
            url_free(url);
    start_waiting(fetch);
    fetch_drain_if_idle(fetch);
}

void urls_forget(struct asker *asker)
{
    while (asker->urls)
        url_free(asker->urls);
    start_waiting(asker->fetch);
}

bool urls_is_busy(const struct asker *asker)
{
    return asker->urls != NULL;
}
