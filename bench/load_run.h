/* bench/load_run.h: one load: when messages begin, which count, when it ends. The clients
 * (load_client.h) ask here for their next message and tell what became of it. */
#ifndef BENCH_LOAD_RUN_H
#define BENCH_LOAD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "bench/load_content.h"
#include "bench/load_options.h"
#include "bench/meter.h"
#include "net/loop.h"
#include "net/peer.h"

struct client;
struct tls_client;

enum { FAULTS_SHOWN = 10, FAULT_TEXT = 512 };

enum run_phase {
    RUN_GATHERING, /* connections log in; the load begins when all have */
    RUN_LOADING,   /* messages begin */
    RUN_ENDING,    /* none begins; those under way end */
    RUN_OVER
};

/* A message that a client was given. */
struct assignment {
    uint64_t number;
    int64_t due_us;   /* when it was due; in a closed loop: when a connection took it */
    int64_t ended_us; /* when its last octet was written */
};

struct run {
    const struct load_options *options;
    struct peer server;
    struct loop *loop;
    struct tls_client *tls; /* NULL: none */
    struct content content;
    struct client **clients;
    struct client *idle; /* connections without work, in the order in which they came */
    struct client *idle_last;
    struct watch turn;
    int turn_fd; /* timerfd: to the microsecond, where the loop's timers keep milliseconds */
    enum run_phase phase;
    int64_t start_us; /* the first message may begin */
    int64_t begin_us; /* the window in which is counted */
    int64_t end_us;   /* INT64_MAX without a bound */
    int64_t ended_us; /* when no more messages began */
    int64_t last_us;  /* the last 250 */
    int64_t checked_us;
    bool has_marked_begin;
    bool has_marked_end;
    uint64_t ready;    /* connections that have logged in, while gathering */
    uint64_t live;     /* clients not gone */
    uint64_t sessions; /* begun */
    uint64_t begun;    /* messages */
    uint64_t accepted; /* in all */
    uint64_t counted;  /* in the window */
    uint64_t fault_count;
    char faults[FAULTS_SHOWN][FAULT_TEXT];
    struct meter commit; /* last octet written to 250, of those counted */
    struct meter whole;  /* due to 250, of those counted */
    struct meter login;  /* connect to ready, of all sessions */
};

/* For the clients. */

/* The next message, if one is to begin now. False: wait on the idle list (RUN_LOADING) or quit. */
bool run_take(struct run *run, struct assignment *out_assignment);
/* The client waits for its next message. */
void run_keep(struct run *run, struct client *client);
/* It does so no longer. Harmless when it did not. */
void run_forget(struct run *run, struct client *client);
/* The 250 for it came. */
void run_accept(struct run *run, const struct assignment *assignment);
/* Something was not as expected: shown (the first ones) and counted. */
void run_fault(struct run *run, const struct client *client, const char *where, struct slice what);
/* A connection logged in for the first time while gathering. */
void run_ready(struct run *run);
/* The client is at its end. */
void run_gone(struct run *run);

/* For main. */

/* Turns the loop until the load is over; everything in run that main sets is set. ERR_NOMEM. */
MUST_CHECK enum err run_all(struct run *run);
/* Seconds of the window in which messages were counted. */
double run_seconds(const struct run *run);
/* Messages due within the window that no connection was free for; 0 in a closed loop. */
uint64_t run_unbegun(const struct run *run);

#endif
