/* net/stream_io.c: the work of a stream: reading, writing, shaking hands, ending. The owner is
 * called from here alone, from stream_on_ready and stream_on_turn_end; behind each such call the
 * phase is looked at again. Never blocks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

enum {
    READ_CHUNK = 16384,   /* octets asked for at once; a TLS record holds no more */
    READ_TURN = 131072,   /* octets for one stream in one turn, so that others get theirs */
    DROP_TURN = 8,        /* reads into nothing in one turn */
    DROP_MOST = 16 << 20, /* then even a peer that never ends is cut off */
};

void stream_owe(struct stream *stream, unsigned due)
{
    stream->due |= due;
    deferred_ask(&stream->turn_end);
}

void stream_finish(struct stream *stream, enum stream_end end, const char *why)
{
    if (stream->phase >= STREAM_ENDED)
        return;
    stream->phase = STREAM_ENDED;
    stream->end = end;
    if (why != stream->why)
        snprintf(stream->why, sizeof stream->why, "%s", why);
    watch_disable(&stream->watch, WATCH_READ | WATCH_WRITE);
    timer_stop(&stream->timer);
    stream_owe(stream, DUE_CLOSED);
}

static enum tls_result fail_socket(struct stream *stream)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return TLS_WANT_READ;
    snprintf(stream->why, sizeof stream->why, "%s", strerrordesc_np(errno));
    return TLS_LOST;
}

/* Clear text gives the same results as TLS. */
static enum tls_result receive(struct stream *stream, char *data, size_t size, size_t *out_len)
{
    ssize_t got;

    if (stream->layer == STREAM_SECURED)
        return tls_session_read(stream->tls, data, size, out_len);
    do
        got = recv(stream->fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fail_socket(stream);
    *out_len = (size_t)got;
    return got > 0 ? TLS_DONE : TLS_CLOSED;
}

static enum tls_result transmit(struct stream *stream, struct slice bytes, size_t *out_len)
{
    enum tls_result result;
    ssize_t sent;

    if (stream->layer == STREAM_SECURED)
        return tls_session_write(stream->tls, bytes.data, bytes.len, out_len);
    do
        sent = send(stream->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        result = fail_socket(stream);
        return result == TLS_WANT_READ ? TLS_WANT_WRITE : result;
    }
    *out_len = (size_t)sent;
    return TLS_DONE;
}

static enum stream_end end_of(enum tls_result result)
{
    return result == TLS_CLOSED ? STREAM_PEER_CLOSED
           : result == TLS_CUT  ? STREAM_PEER_CUT
           : result == TLS_LOST ? STREAM_PEER_LOST
                                : STREAM_TLS_FAILED;
}

static void note_peer_end(struct stream *stream, enum tls_result result)
{
    stream->has_peer_end = true;
    stream->peer_end = end_of(result);
    if (stream->tls && result != TLS_CLOSED)
        snprintf(stream->why, sizeof stream->why, "%s", stream->tls->why);
}

static size_t input_room(const struct stream *stream)
{
    return stream->settings.input_cap - stream->input.len;
}

/* What is left stays in the kernel, which will announce it, but for what TLS has read already. */
static bool is_more_likely(const struct stream *stream, size_t got, size_t asked)
{
    if (stream->layer == STREAM_SECURED)
        return tls_session_has_pending(stream->tls);
    return got == asked;
}

/* Reads into the input until there is nothing, no room, or this stream has had its share. True when
 * something came. */
static bool gather(struct stream *stream)
{
    size_t total = 0;
    size_t got = 0;

    while (total < READ_TURN && input_room(stream) > 0) {
        size_t size = input_room(stream) < READ_CHUNK ? input_room(stream) : READ_CHUNK;
        char *at = buffer_reserve(&stream->input, size);
        enum tls_result result;

        if (!at) {
            stream_finish(stream, STREAM_OVERFLOW, err_text(ERR_NOMEM));
            return total > 0;
        }
        result = receive(stream, at, size, &got);
        stream->read_wants_write = result == TLS_WANT_WRITE;
        if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
            return total > 0;
        if (result != TLS_DONE) {
            note_peer_end(stream, result);
            return total > 0;
        }
        buffer_commit(&stream->input, got);
        total += got;
        if (!is_more_likely(stream, got, size))
            return true;
    }
    if (stream->layer == STREAM_SECURED && input_room(stream) > 0)
        stream_owe(stream, DUE_READ);
    return total > 0;
}

static void show_input(struct stream *stream)
{
    if (stream->phase == STREAM_OPEN && !stream->is_paused && stream->input.len > 0 &&
        stream->events->on_input)
        stream->events->on_input(stream->owner);
    if (stream->input.len == 0)
        buffer_shrink(&stream->input);
}

/* The peer's end counts when the owner has seen all input and, where it only will not send more,
 * has had its replies. */
static void conclude(struct stream *stream)
{
    if (!stream->has_peer_end || stream->is_paused || stream->phase != STREAM_OPEN ||
        stream->due & DUE_INPUT)
        return;
    if (stream->peer_end == STREAM_PEER_CLOSED && !stream->is_lost) {
        stream_push(stream);
        if (stream->output.len > 0 && !stream->is_lost)
            return;
    }
    stream_finish(stream, stream->peer_end, stream->why);
}

/* is_owed: the owner is to see its input even when nothing came. */
static void read_input(struct stream *stream, bool is_owed)
{
    bool can_read = stream->layer == STREAM_CLEAR || stream->layer == STREAM_SECURED;
    bool has_more = false;

    if (stream->phase != STREAM_OPEN || !can_read)
        return;
    if (stream->is_paused) {
        stream->read_rests = true;
        return;
    }
    if (!stream->has_peer_end)
        has_more = gather(stream);
    if (stream->is_lost && !stream->has_peer_end) {
        stream->has_peer_end = true;
        stream->peer_end = STREAM_PEER_LOST;
    }
    if (has_more || is_owed)
        show_input(stream);
    conclude(stream);
}

/* Writing failed. Where the peer has gone, its last words may still be in the kernel: an owner that
 * wants them is shown them first. */
static void lose_output(struct stream *stream, enum tls_result result)
{
    if (stream->layer == STREAM_SECURED)
        snprintf(stream->why, sizeof stream->why, "%s", stream->tls->why);
    if (stream->phase == STREAM_CLOSING || result != TLS_LOST ||
        !stream->settings.wants_last_words) {
        stream_finish(stream, end_of(result), stream->why);
        return;
    }
    buffer_reset(&stream->output);
    stream->is_blocked = false;
    stream->is_lost = true;
    stream_owe(stream, DUE_READ);
}

/* The output is out: says so to the peer, within TLS and below, and waits for its end. */
static void begin_lingering(struct stream *stream)
{
    if (stream->layer == STREAM_SECURED && tls_session_shutdown(stream->tls) == TLS_WANT_WRITE) {
        stream->is_blocked = true;
        return;
    }
    shutdown(stream->fd, SHUT_WR);
    if (stream->linger_ms <= 0 || stream->has_peer_end) {
        stream_finish(stream, STREAM_FLUSHED, "");
        return;
    }
    stream->phase = STREAM_LINGERING;
    buffer_clear(&stream->input);
    timer_set(&stream->timer, stream->linger_ms);
}

/* True when something went out. */
static bool push_output(struct stream *stream)
{
    bool progress = false;

    stream->is_blocked = false;
    while (stream->output.len > 0) {
        size_t sent = 0;
        enum tls_result result = transmit(stream, buffer_slice(&stream->output), &sent);

        if (result == TLS_WANT_WRITE) {
            stream->is_blocked = true;
            break;
        }
        if (result != TLS_DONE) {
            lose_output(stream, result);
            break;
        }
        buffer_consume(&stream->output, sent);
        progress = true;
    }
    return progress;
}

void stream_push(struct stream *stream)
{
    bool progress;

    if (stream->phase > STREAM_CLOSING || stream->layer == STREAM_SHAKING)
        return;
    if (stream->output.error != ERR_OK) {
        stream_finish(stream, STREAM_OVERFLOW, "more output than is allowed");
        return;
    }
    if (stream->output.len >= stream->settings.high_water)
        stream->is_full = true;
    progress = push_output(stream);
    if (stream->output.len == 0 && !stream->is_full)
        buffer_shrink(&stream->output);
    if (stream->output.len <= stream->settings.low_water &&
        (stream->is_full || stream->wants_drained))
        stream_owe(stream, DUE_DRAINED);
    if (stream->phase == STREAM_CLOSING && stream->output.len == 0)
        begin_lingering(stream);
    if (stream->phase > STREAM_CLOSING)
        return;
    if (!stream->is_blocked)
        timer_stop(&stream->timer);
    else if (progress || !stream->timer.is_set)
        timer_set(&stream->timer, stream->settings.write_timeout_ms);
}

/* Raw octets: nobody will look at them. */
static void drop_input(struct stream *stream)
{
    static char nowhere[READ_CHUNK];

    for (int i = 0; i < DROP_TURN; i++) {
        ssize_t got = recv(stream->fd, nowhere, sizeof nowhere, 0);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            stream_finish(stream, STREAM_FLUSHED, "");
            return;
        }
        stream->dropped += (size_t)got;
        if (stream->dropped > DROP_MOST) {
            stream_finish(stream, STREAM_FLUSHED, "");
            return;
        }
    }
}

static void secure(struct stream *stream)
{
    stream->layer = STREAM_SECURED;
    stream->shake_wants = 0;
    stream_owe(stream, DUE_FLUSH | (tls_session_has_pending(stream->tls) ? DUE_READ : 0));
    if (stream->events->on_secured)
        stream->events->on_secured(stream->owner);
}

static void shake_hands(struct stream *stream)
{
    enum tls_result result = tls_session_handshake(stream->tls);

    stream->shake_wants = result == TLS_WANT_READ    ? WATCH_READ
                          : result == TLS_WANT_WRITE ? WATCH_WRITE
                                                     : 0;
    if (result == TLS_DONE)
        secure(stream);
    else if (result > TLS_WANT_SIGNATURE)
        stream_finish(stream, end_of(result), stream->tls->why);
}

/* The clear output first, to the last octet. */
static void go_on_with_tls(struct stream *stream)
{
    if (stream->phase != STREAM_OPEN)
        return;
    if (stream->layer == STREAM_STARTING) {
        stream_push(stream);
        if (stream->phase != STREAM_OPEN || stream->output.len > 0)
            return;
        if (stream->is_lost) {
            stream_finish(stream, STREAM_PEER_LOST, stream->why);
            return;
        }
        stream->layer = STREAM_SHAKING;
    }
    if (stream->layer == STREAM_SHAKING)
        shake_hands(stream);
}

static unsigned wanted(const struct stream *stream)
{
    unsigned write = stream->is_blocked || stream->read_wants_write ? WATCH_WRITE : 0;

    if (stream->phase == STREAM_LINGERING)
        return WATCH_READ;
    if (stream->phase == STREAM_CLOSING || stream->layer == STREAM_STARTING)
        return stream->is_blocked ? WATCH_WRITE : 0;
    if (stream->layer == STREAM_SHAKING)
        return stream->shake_wants;
    if (stream->has_peer_end || stream->read_rests || input_room(stream) == 0)
        return write;
    return write | WATCH_READ;
}

static void settle(struct stream *stream)
{
    unsigned want;

    if (stream->phase >= STREAM_ENDED)
        return;
    want = wanted(stream);
    watch_disable(&stream->watch, ~want);
    if (watch_enable(&stream->watch, want) != ERR_OK)
        stream_finish(stream, STREAM_OVERFLOW, err_text(ERR_NOMEM));
}

void stream_on_ready(void *owner, unsigned ready)
{
    struct stream *stream = owner;

    if (stream->phase == STREAM_LINGERING) {
        drop_input(stream);
    } else if (stream->phase == STREAM_OPEN && stream->layer != STREAM_CLEAR &&
               stream->layer != STREAM_SECURED) {
        go_on_with_tls(stream);
    } else if (ready == WATCH_READ) {
        read_input(stream, false);
    } else {
        stream_push(stream);
        if (stream->read_wants_write)
            read_input(stream, false);
        conclude(stream);
    }
    settle(stream);
}

void stream_on_timer(void *owner)
{
    struct stream *stream = owner;

    if (stream->phase == STREAM_LINGERING)
        stream_finish(stream, STREAM_FLUSHED, "");
    else
        stream_finish(stream, STREAM_PEER_SLOW, "the peer takes no output");
}

static void bury(struct stream *stream)
{
    buffer_clear(&stream->input);
    buffer_clear(&stream->output);
    free(stream);
}

static void tell_drained(struct stream *stream)
{
    bool is_owed = stream->is_full || stream->wants_drained;

    if (stream->phase != STREAM_OPEN || !is_owed || stream->output.len > stream->settings.low_water)
        return;
    stream->is_full = false;
    stream->wants_drained = false;
    if (stream->events->on_drained)
        stream->events->on_drained(stream->owner);
    if (stream->output.len == 0)
        buffer_shrink(&stream->output);
}

void stream_on_turn_end(void *owner)
{
    struct stream *stream = owner;
    unsigned due = stream->due;

    if (stream->phase == STREAM_FREED) {
        bury(stream);
        return;
    }
    stream->due = 0;
    if (due & DUE_SHAKE)
        go_on_with_tls(stream);
    if (due & DUE_READ)
        read_input(stream, due & DUE_INPUT);
    else if (due & DUE_INPUT)
        show_input(stream);
    if (!stream->is_blocked || stream->output.error != ERR_OK)
        stream_push(stream);
    conclude(stream);
    if (due & DUE_DRAINED)
        tell_drained(stream);
    settle(stream);
    if (due & DUE_CLOSED && stream->phase == STREAM_ENDED && stream->events->on_closed)
        stream->events->on_closed(stream->owner, stream->end);
}
