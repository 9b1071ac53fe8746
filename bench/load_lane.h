/* bench/load_lane.h: the course of a load: when messages begin, which count, when it ends. Each
 * thread is a lane with a loop and connections of its own; the clients (load_client.h) ask their
 * lane for their next message and tell what became of it. */
#ifndef BENCH_LOAD_LANE_H
#define BENCH_LOAD_LANE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/slice.h"
#include "bench/load_content.h"
#include "bench/load_options.h"
#include "bench/meter.h"
#include "bench/poller.h"

struct client;

enum { FAULTS_SHOWN = 10, FAULT_TEXT = 512 };

enum lane_phase {
    LANE_GATHERING, /* connections log in; the load begins when all have */
    LANE_HOLDING,   /* --idle: all have */
    LANE_LOADING,   /* messages begin */
    LANE_ENDING,    /* none begins; those under way end */
    LANE_OVER
};

/* A message that a client was given. */
struct assignment {
    uint64_t number;
    int64_t due_us;   /* when it was due; in a closed loop: when a connection took it */
    int64_t ended_us; /* when its last octet was written */
};

/* What the lanes share; main sets it, and only the atomic members change then. */
struct plan {
    const struct load_options *options;
    struct sockaddr_in server;
    SSL_CTX *tls; /* NULL: none */
    struct content content;
    atomic_uint_fast64_t gathered; /* lanes whose connections have all logged in */
    atomic_int_fast64_t start_us;  /* the first message may begin; 0: not yet known */
};

/* What a lane has seen; the lanes' tallies are added up in the end. */
struct load_tally {
    int64_t ended_us;  /* when no more messages began */
    int64_t last_us;   /* the last 250 */
    uint64_t sessions; /* begun */
    uint64_t resumed;  /* of them, in TLS */
    uint64_t begun;    /* messages */
    uint64_t accepted; /* in all */
    uint64_t counted;  /* in the window */
    uint64_t fault_count;
    char faults[FAULTS_SHOWN][FAULT_TEXT];
    struct meter commit;  /* last octet written to 250, of those counted */
    struct meter message; /* due to 250, of those counted */
    struct meter
        connect; /* dialled to connected, with TLS where it begins at once; of all sessions */
    struct meter login; /* dialled to logged in, of all sessions */
};

struct lane {
    struct plan *plan;
    uint64_t index;
    uint64_t connections; /* its share */
    uint64_t count;       /* of messages to begin, its share; 0: no bound */
    struct poller poller;
    struct client **clients;
    struct client *idle; /* connections without work, in the order in which they came */
    struct client *idle_last;
    struct watcher turn;   /* a timerfd: epoll's own time-out keeps milliseconds */
    struct watcher orders; /* standard input, with --idle */
    enum lane_phase phase;
    int64_t start_us;
    int64_t begin_us; /* the window in which is counted */
    int64_t end_us;   /* INT64_MAX without a bound */
    int64_t checked_us;
    bool has_marked_begin;
    bool has_marked_end;
    uint64_t dialled;  /* clients that were told to connect, while gathering */
    uint64_t ready;    /* of them, logged in */
    uint64_t live;     /* clients not gone */
    uint64_t asked;    /* --idle: how many were asked for a NOOP */
    uint64_t replied;  /* of them, how many have answered or broken */
    uint64_t answered; /* of them, how many rightly */
    struct load_tally tally;
};

/* For the clients. */

/* The next message, if one is to begin now. False: wait on the idle list (LANE_LOADING) or quit. */
bool lane_take(struct lane *lane, struct assignment *out_assignment);
/* The client waits for its next message. */
void lane_keep(struct lane *lane, struct client *client);
/* It does so no longer. Harmless when it did not. */
void lane_forget(struct lane *lane, struct client *client);
/* The 250 for it came. */
void lane_accept(struct lane *lane, const struct assignment *assignment);
/* Something was not as expected: shown (the first ones) and counted. */
void lane_fault(
    struct lane *lane, const struct client *client, const char *where, struct slice what);
/* A connection logged in for the first time while gathering. */
void lane_ready(struct lane *lane);
/* A connection has answered its NOOP, or has broken instead. */
void lane_answered(struct lane *lane, bool is_good);
/* The client is at its end. */
void lane_gone(struct lane *lane);

/* For main. */

/* Turns the loop until the load is over; plan, index, connections and count are set. ERR_NOMEM,
 * ERR_NOFILES. */
MUST_CHECK enum err lane_run(struct lane *lane);

#endif
