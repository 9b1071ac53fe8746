/* net/listen.h: binding (the supervisor) and accepting (the gate, the queue's local socket) are two
 * things done by two processes: the descriptor travels in between (LSN-11). */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/loop.h"

struct peer;

enum { LISTEN_WHY = 160 };

/* A bound, listening, non-blocking, close-on-exec descriptor.
 * address: "127.0.0.1:2525", "[2001:db8::1]:587", "[::]:587" (IPv4 and IPv6 at once; IPv4 alone
 * where the kernel has no IPv6), "unix:/run/x" (mode 0600; a socket file left behind is replaced
 * only if nobody answers on it). ERR_INVALID when the address does not parse, ERR_BUSY in use (also
 * a living unix socket), ERR_DENIED, ERR_NOFILES, ERR_IO. out_why: the reason as a phrase,
 * NUL-ended, set on failure only. Blocks not. */
MUST_CHECK enum err listen_bind(struct slice address, int *out_fd, char out_why[LISTEN_WHY]);

/* fd: connected, non-blocking, close-on-exec, TCP_NODELAY; the callee owns it. peer lives for the
 * call. */
typedef void listen_fn(void *owner, int fd, const struct peer *peer);

/* Embedded in its owner. Accepts one for each turn of the loop, so that sessions get theirs. When
 * descriptors run out it logs once, rests for a second and tries again: it never spins.
 */
struct listener {
    struct watch watch;
    struct timer rest;
    listen_fn *fn;
    void *owner;
    int fd;
    bool is_reported; /* the shortage is in the log */
};

/* fd: listening and non-blocking; owned by the listener from here, also on failure. */
MUST_CHECK enum err listener_init(
    struct listener *listener, struct loop *loop, int fd, listen_fn *fn, void *owner);
/* Accepts nothing for so long. What waits is there for others that have the same socket. */
void listener_rest(struct listener *listener, int64_t ms);
/* Stops and closes. Harmless on a zeroed or cleared one; may be called from the callback. */
void listener_clear(struct listener *listener);

#endif
