/* bench/wire.h: one connection of load, sink or null: clear text or TLS over a socket that never
 * blocks, what came in and what is to go out. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "bench/poller.h"

enum { WIRE_INPUT_MAX = 262144, WIRE_OUTPUT_MAX = 1048576, WIRE_OUTPUT_HIGH = 262144 };

/* Each may free the wire. All but on_input may be NULL. */
struct wire_events {
    void (*on_input)(void *owner);
    void (*on_drained)(void *owner); /* everything was handed to the kernel */
    void (*on_secured)(void *owner); /* the handshake is over */
    void (*on_closed)(void *owner, const char *why);
};

enum wire_phase { WIRE_DIALLING, WIRE_SHAKING, WIRE_OPEN, WIRE_ENDING, WIRE_GONE };

struct wire {
    struct watcher watcher;
    struct poller *poller;
    enum wire_phase phase;
    SSL *ssl; /* NULL: clear text */
    struct buffer input;
    struct buffer output;
    bool wants_write; /* is waiting for room */
    const struct wire_events *events;
    void *owner;
};

/* Begins to connect; NULL when that fails at once (errno). from: port 0; NULL: any. */
struct wire *wire_dial(struct poller *poller, const struct sockaddr_in *to,
    const struct sockaddr_in *from, const struct wire_events *events, void *owner);
/* Takes the connected socket, also on failure (NULL). */
struct wire *wire_take(
    struct poller *poller, int fd, const struct wire_events *events, void *owner);
/* Closes; *wire becomes NULL, its memory is freed at the end of the turn. NULL is harmless. */
void wire_free(struct wire **wire);

/* Begins TLS, when connected or, on a wire that dials, as soon as it is. host: for SNI. session: to
 * be resumed, or NULL. ERR_NOMEM. */
MUST_CHECK enum err wire_secure_client(
    struct wire *wire, SSL_CTX *context, const char *host, SSL_SESSION *session);
/* What was sent in clear text goes out first; ERR_CLOSED when it cannot. ERR_NOMEM. */
MUST_CHECK enum err wire_secure_server(struct wire *wire, SSL_CTX *context);

/* What has come in and was not consumed. */
struct slice wire_input(const struct wire *wire);
void wire_consume(struct wire *wire, size_t len);
/* To be appended to. It goes out at the end of the event that is being handled, or with wire_flush.
 */
struct buffer *wire_output(struct wire *wire);
/* Hands to the kernel what it takes. */
void wire_flush(struct wire *wire);
bool wire_is_full(const struct wire *wire);
/* Closes when everything is out; then on_closed. */
void wire_end(struct wire *wire);

#endif
