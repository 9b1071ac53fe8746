/* supervisor/activation.h: listening sockets that a service manager has bound before us and hands
 * over (LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES of sd_listen_fds(3)). So no right to bind ports
 * below 1024 is needed. */
#ifndef SUPERVISOR_ACTIVATION_H
#define SUPERVISOR_ACTIVATION_H

#include <stddef.h>

#include "conf/conf.h"
#include "net/peer.h"

enum { ACTIVATION_MOST = 64 };

struct activation {
    size_t count;
    struct activated {
        int fd;        /* -1 once taken */
        char name[64]; /* what the manager calls it */
        struct peer address;
    } sockets[ACTIVATION_MOST];
};

/* Reads the environment, and clears it, so that no room inherits it. Nothing when it is not meant
 * for this process. ERR_INVALID with one sentence in out_why for what is no listening stream
 * socket, or too many. */
MUST_CHECK enum err activation_read(struct activation *out_activation, struct conf_error *out_why);
/* The socket that is bound to this address of a listener, now the caller's; -1 when there is none.
 */
int activation_take(struct activation *activation, struct slice address);
/* Is one left that nobody took? ERR_INVALID with one sentence that names it and what the
 * configuration would have to say; the rest is closed. */
MUST_CHECK enum err activation_finish(struct activation *activation, struct conf_error *out_why);

#endif
