/* supervisor/fixtures.h: what is opened once and stays for the life of the program: the instance
 * lock, the spool folder, the listening sockets, the operator's socket, the shared counters and
 * mistakes.
 */
#ifndef SUPERVISOR_FIXTURES_H
#define SUPERVISOR_FIXTURES_H

#include "supervisor/accounts.h"

struct counters;

struct fixtures {
    int lock;
    int spool;
    int control;
    int counters_fd;
    struct counters *counters;
    int mistakes;      /* ipc/mistakes.h, for gates */
    int mistakes_read; /* the same, for the queue */
    int *listeners;    /* as many as conf->listener_count at the start */
    size_t listener_count;
};

#define FIXTURES_NONE                                                                              \
    (struct fixtures)                                                                              \
    {                                                                                              \
        .lock = -1, .spool = -1, .control = -1, .counters_fd = -1, .mistakes = -1,                 \
        .mistakes_read = -1                                                                        \
    }

/* Takes the lock (waiting up to five seconds for an instance that is just ending), makes
 * STATE/spool where it is missing and opens it. No socket is touched. On failure one sentence in
 * out_why. */
MUST_CHECK enum err fixtures_open(struct fixtures *fixtures, const struct conf *conf,
    const struct account accounts[ROLE_COUNT], struct conf_error *out_why);
/* Binds every listener that was not handed over by a service manager, and the operator's socket;
 * makes the shared memories. */
MUST_CHECK enum err fixtures_bind(
    struct fixtures *fixtures, const struct conf *conf, size_t gates, struct conf_error *out_why);
/* The server is to end: clients that come from now on are refused by the kernel instead of waiting
 * for nobody. The gates close their copies when they drain. */
void fixtures_stop_listening(struct fixtures *fixtures);
/* Closes all and removes the operator's socket. */
void fixtures_close(struct fixtures *fixtures, const struct conf *conf);

#endif
