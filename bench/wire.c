/* bench/wire.c: reads once for each readiness and writes once for each answer. */
#include "bench/wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

enum { PIECE = 16384 };

static void on_ready(struct watcher *watcher, uint32_t events);
static void bury(struct watcher *watcher);

/* Life */

static struct wire *wire_new(
    struct poller *poller, int fd, const struct wire_events *events, void *owner)
{
    struct wire *wire = calloc(1, sizeof *wire);
    int on = 1;

    if (!wire)
        return NULL;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *wire = (struct wire){
        .watcher = { .fd = fd, .on_ready = on_ready, .bury = bury },
        .poller = poller,
        .phase = WIRE_OPEN,
        .events = events,
        .owner = owner,
    };
    buffer_init(&wire->input, WIRE_INPUT_MAX);
    buffer_init(&wire->output, WIRE_OUTPUT_MAX);
    return wire;
}

struct wire *wire_take(struct poller *poller, int fd, const struct wire_events *events, void *owner)
{
    struct wire *wire = wire_new(poller, fd, events, owner);

    if (wire && poller_add(poller, &wire->watcher, EPOLLIN) == ERR_OK)
        return wire;
    close(fd);
    free(wire);
    return NULL;
}

static bool begin_connect(int fd, const struct sockaddr_in *to, const struct sockaddr_in *from)
{
    int on = 1;

    if (from)
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (from && bind(fd, (const struct sockaddr *)from, sizeof *from) != 0)
        return false;
    return connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS;
}

struct wire *wire_dial(struct poller *poller, const struct sockaddr_in *to,
    const struct sockaddr_in *from, const struct wire_events *events, void *owner)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct wire *wire;

    if (fd < 0)
        return NULL;
    wire = begin_connect(fd, to, from) ? wire_new(poller, fd, events, owner) : NULL;
    if (wire && poller_add(poller, &wire->watcher, EPOLLOUT) == ERR_OK) {
        wire->phase = WIRE_DIALLING;
        return wire;
    }
    close(fd);
    free(wire);
    return NULL;
}

void wire_free(struct wire **wire)
{
    struct wire *gone = *wire;

    *wire = NULL;
    if (!gone || gone->phase == WIRE_GONE)
        return;
    gone->phase = WIRE_GONE;
    poller_remove(gone->poller, &gone->watcher);
    close(gone->watcher.fd);
}

/* Without the flag OpenSSL takes the session for broken and does not resume it. */
static void free_tls(SSL *ssl)
{
    if (ssl)
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}

static void bury(struct watcher *watcher)
{
    struct wire *wire = CONTAINER_OF(watcher, struct wire, watcher);

    free_tls(wire->ssl);
    buffer_clear(&wire->input);
    buffer_clear(&wire->output);
    free(wire);
}

static void tell_closed(struct wire *wire, const char *why)
{
    if (wire->phase == WIRE_GONE)
        return;
    if (wire->events->on_closed)
        wire->events->on_closed(wire->owner, why);
}

/* What OpenSSL or the system says about the last failure. */
static void fail(struct wire *wire, const char *what)
{
    char text[256];
    const char *reason = wire->ssl ? ERR_reason_error_string(ERR_peek_error()) : NULL;

    snprintf(text, sizeof text, "%s: %s", what,
        reason       ? reason
        : errno != 0 ? strerror(errno)
                     : "the other side closed the connection");
    ERR_clear_error();
    tell_closed(wire, text);
}

static void set_wants_write(struct wire *wire, bool wants_write)
{
    if (wire->wants_write == wants_write)
        return;
    wire->wants_write = wants_write;
    poller_change(wire->poller, &wire->watcher, wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* TLS */

static void shake(struct wire *wire)
{
    int result;

    errno = 0;
    result = SSL_do_handshake(wire->ssl);
    if (result == 1) {
        wire->phase = WIRE_OPEN;
        set_wants_write(wire, false);
        if (wire->events->on_secured)
            wire->events->on_secured(wire->owner);
        return;
    }
    switch (SSL_get_error(wire->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        set_wants_write(wire, false);
        return;
    case SSL_ERROR_WANT_WRITE:
        set_wants_write(wire, true);
        return;
    default:
        fail(wire, "TLS handshake");
    }
}

static enum err secure(struct wire *wire, SSL_CTX *context)
{
    wire->ssl = SSL_new(context);
    if (!wire->ssl || SSL_set_fd(wire->ssl, wire->watcher.fd) != 1)
        return ERR_NOMEM;
    if (wire->phase == WIRE_OPEN)
        wire->phase = WIRE_SHAKING;
    return ERR_OK;
}

enum err wire_secure_client(
    struct wire *wire, SSL_CTX *context, const char *host, SSL_SESSION *session)
{
    if (secure(wire, context) != ERR_OK || SSL_set_tlsext_host_name(wire->ssl, host) != 1)
        return ERR_NOMEM;
    if (session)
        SSL_set_session(wire->ssl, session);
    SSL_set_connect_state(wire->ssl);
    if (wire->phase == WIRE_SHAKING)
        shake(wire);
    return ERR_OK;
}

/* Writing */

static ssize_t write_some(struct wire *wire, struct slice octets)
{
    int result;

    errno = 0;
    if (!wire->ssl)
        return send(wire->watcher.fd, octets.data, octets.len, MSG_NOSIGNAL);
    result = SSL_write(wire->ssl, octets.data, octets.len > PIECE ? PIECE : (int)octets.len);
    if (result > 0)
        return result;
    if (SSL_get_error(wire->ssl, result) == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    return -1;
}

static void say_goodbye(struct wire *wire)
{
    if (wire->ssl)
        SSL_shutdown(wire->ssl);
    ERR_clear_error();
    tell_closed(wire, "");
}

enum drained { DRAINED, BLOCKED, BROKEN };

static enum drained drain(struct wire *wire)
{
    while (wire->output.len > 0) {
        ssize_t written = write_some(wire, buffer_slice(&wire->output));

        if (written <= 0)
            return errno == EAGAIN ? BLOCKED : BROKEN;
        buffer_consume(&wire->output, (size_t)written);
    }
    return DRAINED;
}

static bool drain_or_wait(struct wire *wire)
{
    enum drained drained = drain(wire);

    if (drained == BLOCKED)
        set_wants_write(wire, true);
    if (drained == BROKEN)
        fail(wire, "write");
    return drained == DRAINED;
}

/* Whoever is told that all is out may have more to say. */
void wire_flush(struct wire *wire)
{
    while (wire->output.len > 0 && (wire->phase == WIRE_OPEN || wire->phase == WIRE_ENDING)) {
        if (!drain_or_wait(wire))
            return;
        if (wire->events->on_drained)
            wire->events->on_drained(wire->owner);
    }
    if (wire->phase != WIRE_OPEN && wire->phase != WIRE_ENDING)
        return;
    set_wants_write(wire, false);
    if (wire->phase == WIRE_ENDING)
        say_goodbye(wire);
}

/* Calls nobody: whoever asks is in the middle of its input. */
enum err wire_secure_server(struct wire *wire, SSL_CTX *context)
{
    if (drain(wire) != DRAINED)
        return ERR_CLOSED;
    if (secure(wire, context) != ERR_OK)
        return ERR_NOMEM;
    SSL_set_accept_state(wire->ssl);
    return ERR_OK;
}

struct buffer *wire_output(struct wire *wire)
{
    return &wire->output;
}

bool wire_is_full(const struct wire *wire)
{
    return wire->output.len >= WIRE_OUTPUT_HIGH;
}

void wire_end(struct wire *wire)
{
    if (wire->phase == WIRE_OPEN)
        wire->phase = WIRE_ENDING;
}

/* Reading */

static ssize_t read_some(struct wire *wire, char *room, size_t len)
{
    int result;

    errno = 0;
    if (!wire->ssl)
        return recv(wire->watcher.fd, room, len, 0);
    result = SSL_read(wire->ssl, room, (int)len);
    if (result > 0)
        return result;
    switch (SSL_get_error(wire->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -1;
    }
}

/* One read of the socket, and all that OpenSSL has made of it. False when the connection has ended.
 */
static bool fill_input(struct wire *wire)
{
    do {
        char *room = buffer_reserve(&wire->input, PIECE);
        ssize_t got = room ? read_some(wire, room, PIECE) : 0;

        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            return false;
        buffer_commit(&wire->input, (size_t)got);
    } while (wire->ssl && SSL_has_pending(wire->ssl) && wire->input.len < WIRE_INPUT_MAX / 2);
    return true;
}

static void take_input(struct wire *wire)
{
    size_t before = wire->input.len;
    bool goes_on = fill_input(wire);
    int why = errno;

    if (wire->input.len > before)
        wire->events->on_input(wire->owner);
    if (wire->phase == WIRE_GONE)
        return;
    errno = why;
    if (!goes_on)
        fail(wire, "read");
}

struct slice wire_input(const struct wire *wire)
{
    return buffer_slice(&wire->input);
}

void wire_consume(struct wire *wire, size_t len)
{
    buffer_consume(&wire->input, len);
}

/* Events */

static void finish_dial(struct wire *wire)
{
    socklen_t len = sizeof errno;
    int failure = 0;

    if (getsockopt(wire->watcher.fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0) {
        errno = failure;
        fail(wire, "connect");
        return;
    }
    wire->phase = wire->ssl ? WIRE_SHAKING : WIRE_OPEN;
    poller_change(wire->poller, &wire->watcher, EPOLLIN);
    if (wire->ssl)
        shake(wire);
}

/* What came right behind the handshake was read with it, and epoll will not tell of it again. */
static void shake_on(struct wire *wire)
{
    shake(wire);
    if (wire->phase == WIRE_OPEN && SSL_has_pending(wire->ssl))
        take_input(wire);
}

static void on_ready(struct watcher *watcher, uint32_t events)
{
    struct wire *wire = CONTAINER_OF(watcher, struct wire, watcher);

    if (wire->phase == WIRE_DIALLING)
        finish_dial(wire);
    else if (wire->phase == WIRE_SHAKING)
        shake_on(wire);
    else if (events & ~(uint32_t)EPOLLOUT)
        take_input(wire);
    wire_flush(wire);
}
