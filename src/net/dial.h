/* net/dial.h: one non-blocking connect to one address, with a time-out. Several addresses in order
 * are the relay's. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/peer.h"

/* ERR_OK: fd is connected, non-blocking, close-on-exec, TCP_NODELAY (for TCP), and the callee's.
 * Otherwise fd is -1 and the code is ERR_TIMEOUT, ERR_NOFILES, ERR_DENIED, ERR_NOTFOUND (no such
 * unix socket) or ERR_IO; why is a phrase like "Connection refused" that lives for ever. The dial
 * is idle when this is called: it may be started again or freed. */
typedef void dial_fn(void *owner, enum err result, int fd, const char *why);

struct dial_settings {
    struct peer to;    /* PEER_IPV4 or PEER_IPV6 with a port; or PEER_UNIX, then: */
    struct slice path; /* the unix socket's path */
    struct peer from;  /* local address; PEER_NONE: the kernel chooses. Port 0: any */
    int64_t timeout_ms;
};

/* Embedded in its owner. Zeroed: idle. */
struct dial {
    struct watch watch;
    struct timer limit;
    struct deferred report;
    dial_fn *fn;
    void *owner;
    int fd; /* meaningful while not idle */
    int error_number;
    bool is_busy;
};

/* The callback comes exactly once, never from inside this call, unless dial_stop comes first.
 * settings are copied. */
void dial_start(struct dial *dial, struct loop *loop, const struct dial_settings *settings,
    dial_fn *fn, void *owner);
/* Gives up without a callback. Harmless on an idle one. */
void dial_stop(struct dial *dial);

#endif
