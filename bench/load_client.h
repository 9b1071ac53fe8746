/* bench/load_client.h: one connection slot of a load: connects, logs in, submits, checks every
 * reply, and connects again after a fault. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load_lane.h"
#include "bench/load_reply.h"
#include "bench/wire.h"

enum client_phase {
    CLIENT_CLOSED,  /* no connection; a message or the end may come */
    CLIENT_RESTING, /* after a fault */
    CLIENT_TALKING,
    CLIENT_FREE, /* logged in, without a message */
    CLIENT_GONE
};

struct client {
    struct lane *lane;
    uint64_t index;
    enum client_phase phase;
    struct client *next; /* on the idle list */
    struct wire *wire;
    SSL_SESSION *session; /* to be resumed; NULL: none yet, or not wanted */
    enum step awaits;
    uint64_t in_flight;       /* commands sent and not answered */
    uint64_t recipients_left; /* not yet answered */
    uint64_t user;            /* of this session */
    uint64_t session_messages;
    bool has_codes; /* the server promised enhanced status codes in this session */
    bool was_ready; /* once, while gathering */
    bool has_message;
    struct assignment message;
    struct slice content; /* still to be written */
    int64_t dialled_us;
    int64_t heard_us; /* last sign of life, or of our asking */
};

/* The client starts without a connection. ERR_NOMEM. */
MUST_CHECK enum err client_new(struct lane *lane, uint64_t index, struct client **out_client);
void client_free(struct client **client);
/* Connects and logs in, without a message. */
void client_connect(struct client *client);
/* Takes the next message if there is one; else joins the idle list, or quits when the load ends. */
void client_work(struct client *client);
/* Sends NOOP; lane_answered tells what came of it. */
void client_ask(struct client *client);
/* Fails what waits for longer than the time-out; ends a rest. */
void client_check(struct client *client, int64_t now_us);
/* Ends at once. */
void client_drop(struct client *client);
/* Keeps a ticket for the client that owns the connection (tls_client_context). */
int client_keep_session(SSL *ssl, SSL_SESSION *session);

#endif
