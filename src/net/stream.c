/* net/stream.c: the interface of a stream. Nothing here calls the owner: what there is to say is
 * left for the end of the turn (stream_io.c). A freed stream stays in memory until then, so that it
 * may be freed inside any callback. */
#include "net/stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_internal.h"

enum {
    WRITE_AT_ONCE = 65536, /* stream_write does not wait for the end of the turn above this */
    HOST_MOST = 255,
};

static const struct stream_events no_events;

struct stream *stream_new(struct loop *loop, int fd, const struct stream_settings *settings,
    const struct stream_events *events, void *owner)
{
    struct stream *stream = calloc(1, sizeof *stream);

    assert(
        settings->low_water < settings->high_water && settings->high_water <= settings->output_cap);
    assert(settings->input_cap > 0 && settings->write_timeout_ms > 0);
    if (!stream)
        return NULL;
    stream->settings = *settings;
    stream->fd = fd;
    buffer_init(&stream->input, settings->input_cap);
    buffer_init(&stream->output, settings->output_cap);
    watch_init(&stream->watch, loop, fd, stream_on_ready, stream);
    timer_init(&stream->timer, loop, stream_on_timer, stream);
    deferred_init(&stream->turn_end, loop, stream_on_turn_end, stream);
    stream_set_owner(stream, events, owner);
    if (watch_enable(&stream->watch, WATCH_READ) != ERR_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

/* LSN-10: whoever goes in order says so within TLS. */
static bool owes_close_notify(const struct stream *stream)
{
    if (stream->layer != STREAM_SECURED || stream->output.len > 0 || stream->is_lost)
        return false;
    return stream->phase == STREAM_OPEN ||
           (stream->phase == STREAM_ENDED && stream->end == STREAM_PEER_CLOSED);
}

void stream_free(struct stream **stream)
{
    struct stream *it = *stream;

    if (!it)
        return;
    if (owes_close_notify(it))
        tls_session_shutdown(it->tls);
    tls_session_free(&it->tls);
    watch_clear(&it->watch);
    timer_stop(&it->timer);
    close(it->fd);
    it->fd = -1;
    it->events = &no_events;
    it->phase = STREAM_FREED;
    deferred_ask(&it->turn_end);
    *stream = NULL;
}

void stream_set_owner(struct stream *stream, const struct stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

struct slice stream_input(const struct stream *stream)
{
    return buffer_slice(&stream->input);
}

size_t stream_input_pending(const struct stream *stream)
{
    return stream->input.len;
}

void stream_consume(struct stream *stream, size_t len)
{
    bool was_full = stream->input.len >= stream->settings.input_cap;

    buffer_consume(&stream->input, len);
    if (was_full && len > 0)
        stream_owe(stream, DUE_READ);
}

void stream_wipe(struct stream *stream, size_t len)
{
    struct slice input = stream_input(stream);

    assert(len <= input.len);
    if (len > 0)
        explicit_bzero((char *)input.data, len);
    stream_consume(stream, len);
}

void stream_pause(struct stream *stream)
{
    stream->is_paused = true;
}

void stream_resume(struct stream *stream)
{
    if (!stream->is_paused)
        return;
    stream->is_paused = false;
    stream_owe(stream, DUE_INPUT | (stream->read_rests || stream->is_lost ? DUE_READ : 0));
    stream->read_rests = false;
}

struct buffer *stream_output(struct stream *stream)
{
    stream_owe(stream, DUE_FLUSH);
    return &stream->output;
}

void stream_write(struct stream *stream, struct slice bytes)
{
    buffer_put_slice(stream_output(stream), bytes);
    if (stream->output.len >= WRITE_AT_ONCE && !stream->is_blocked)
        stream_push(stream);
}

size_t stream_output_pending(const struct stream *stream)
{
    return stream->output.len;
}

bool stream_is_full(const struct stream *stream)
{
    return stream->output.len >= stream->settings.high_water;
}

void stream_ask_drained(struct stream *stream)
{
    stream->wants_drained = true;
    stream_owe(stream, DUE_FLUSH | DUE_DRAINED);
}

void stream_close_after_flush(struct stream *stream, int64_t linger_ms)
{
    if (stream->phase != STREAM_OPEN)
        return;
    stream->linger_ms = linger_ms;
    if (stream->layer == STREAM_SHAKING) {
        stream_finish(stream, STREAM_FLUSHED, "");
        return;
    }
    stream->phase = STREAM_CLOSING;
    stream_owe(stream, DUE_FLUSH);
}

void stream_abort(struct stream *stream)
{
    buffer_reset(&stream->output);
    stream_finish(stream, STREAM_ABORTED, "");
}

/* The signer's call: the signature is there, or a place to wait for it. */
static void on_signed(void *owner)
{
    stream_owe(owner, DUE_SHAKE);
}

static void start_tls(struct stream *stream, struct tls_session *tls)
{
    stream->tls = tls;
    stream->layer = STREAM_STARTING;
    stream_owe(stream, DUE_SHAKE);
}

enum err stream_start_tls_server(struct stream *stream, struct tls_server *server)
{
    struct tls_session *tls;

    assert(stream->layer == STREAM_CLEAR && stream->input.len == 0);
    tls = tls_session_new_server(server, stream->fd, on_signed, stream);
    if (!tls)
        return ERR_NOMEM;
    start_tls(stream, tls);
    return ERR_OK;
}

enum err stream_start_tls_client(
    struct stream *stream, struct tls_client *client, struct slice host, enum tls_verify verify)
{
    struct tls_session *tls;
    char name[HOST_MOST + 1];

    assert(stream->layer == STREAM_CLEAR && stream->input.len == 0);
    if (host.len == 0 || host.len > HOST_MOST || slice_find(host, '\0') < host.len)
        return ERR_INVALID;
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    tls = tls_session_new_client(client, stream->fd, name, verify, on_signed, stream);
    if (!tls)
        return ERR_NOMEM;
    start_tls(stream, tls);
    return ERR_OK;
}

bool stream_is_secured(const struct stream *stream)
{
    return stream->layer == STREAM_SECURED && stream->phase < STREAM_ENDED;
}

const struct tls_info *stream_tls_info(const struct stream *stream)
{
    return stream->layer == STREAM_SECURED ? &stream->tls->info : NULL;
}

bool stream_export_channel_binding(struct stream *stream, uint8_t out_binding[32])
{
    return stream_is_secured(stream) && tls_session_export(stream->tls, out_binding);
}

bool stream_export_unique(
    struct stream *stream, uint8_t out_binding[STREAM_UNIQUE_MAX], size_t *out_len)
{
    return stream_is_secured(stream) &&
           tls_session_unique(stream->tls, out_binding, STREAM_UNIQUE_MAX, out_len);
}

bool stream_peer_certificate(
    const struct stream *stream, struct tls_peer_certificate *out_certificate)
{
    return stream_is_secured(stream) && tls_session_peer(stream->tls, out_certificate);
}

const char *stream_why(const struct stream *stream)
{
    return stream->why;
}
