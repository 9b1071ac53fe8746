/* relay/connection.h: a connection to one next hop as a machine of steps, each a sender and a
 * reader: dial, greeting, EHLO, STARTTLS, EHLO again, login; then transactions, one after the
 * other; QUIT. */
#ifndef RELAY_CONNECTION_H
#define RELAY_CONNECTION_H

#include "base/log.h"
#include "base/map.h"
#include "net/dial.h"
#include "net/stream.h"
#include "relay/job.h"
#include "relay/settings.h"
#include "relay/target.h"
#include "relay/transaction.h"
#include "smtp/ehlo.h"
#include "smtp/peer_reply.h"

struct carrier;
struct pool_place;

enum connection_phase {
    CONNECTION_DIALLING,
    CONNECTION_GREETING,
    CONNECTION_EHLO,
    CONNECTION_HELO,
    CONNECTION_STARTTLS,
    CONNECTION_HANDSHAKE,
    CONNECTION_LOGIN_VAULT, /* waits for the vault's next words */
    CONNECTION_LOGIN_PEER,  /* waits for the peer's reply to them */
    CONNECTION_REFUSED,     /* of no use, but in step: its owner is about to hear of it */
    CONNECTION_IDLE,
    CONNECTION_BUSY, /* in a transaction */
    CONNECTION_QUIT,
    CONNECTION_CLOSED,
};

enum connection_end {
    CONNECTION_END_HOP,  /* this hop cannot be used now: try another */
    CONNECTION_END_TLS,  /* TLS failed where it is only opportunistic: the hop may be tried in clear
                            (OTLS-2) */
    CONNECTION_END_LOST, /* lost while idle or within a transaction */
};

/* What the owner hears. None is called from inside a function of this header. */
struct connection_events {
    void (*opened)(void *owner);
    void (*done)(
        void *owner); /* the transaction is over; the connection is idle again, or closed */
    void (*expired)(void *owner); /* idle for as long as connection_limit said */
    /* To be freed or, where the peer may still listen, ended by connection_quit. */
    void (*failed)(void *owner, enum connection_end end, const struct verdict *why);
};

struct connection {
    struct connection *prev, *next;           /* of the carrier */
    struct connection *idle_prev, *idle_next; /* of the pool */
    struct pool_place *place;                 /* where it lies in the pool, else NULL */
    struct carrier *carrier;
    struct settings *settings;
    const struct conf_route *route;
    uint32_t route_index;
    struct hop hop;
    bool clear_only; /* do not try STARTTLS: it has failed here */
    enum connection_phase phase;
    struct slice destination; /* key of the pool; owned */
    struct dial dial;
    struct stream *stream;
    struct timer limit;
    struct deferred report; /* a failure waits to be told */
    enum connection_end end;
    struct verdict why;
    struct peer_reply_reader reader;
    struct peer_extensions peer;
    uint64_t login;            /* the conversation with the vault; 0: none */
    struct buffer first_words; /* of the vault, when they did not fit into the line of AUTH */
    bool has_said_auth;
    bool is_logged_in;
    size_t owed;       /* replies that may come to what was said before the present input came */
    bool was_reached;  /* there was a connection */
    bool has_greeted;  /* the peer has said something */
    bool is_finishing; /* the peer said 421, or broke the protocol: no further transaction */
    size_t messages;   /* transactions begun */
    struct transaction transaction;
    const struct connection_events *events;
    void *owner;
    bool *gone;       /* set when the connection is freed while its input is being handled */
    char address[64]; /* "192.0.2.1:25" */
};

/* Starts to dial. Opened or failed follows. NULL without memory. */
MUST_CHECK struct connection *connection_open(struct carrier *carrier, struct settings *settings,
    uint32_t route, struct slice destination, const struct hop *hop, bool clear_only,
    const struct connection_events *events, void *owner);
/* Ends at once, without a word to peer or owner. */
void connection_free(struct connection **connection);
void connection_set_owner(
    struct connection *connection, const struct connection_events *events, void *owner);
/* Says QUIT, waits for the reply (bounded: OUT-14), then frees itself. The owner hears nothing
 * more. */
void connection_quit(struct connection *connection);
/* Has it carried all the transactions that it may: the peer said goodbye, or its LIMITS MAILMAX or
 * ours is reached (EXT-LIMITS-3, OUT-17)? */
bool connection_is_spent(const struct connection *connection);
bool connection_is_lmtp(const struct connection *connection);

/* For secure.c, login.c, transaction.c and upload.c. */

/* A line; without CRLF. */
PRINTF_LIKE(2, 3) void connection_send(struct connection *connection, const char *format, ...);
/* (Re)sets the time limit of the present wait. */
void connection_limit(struct connection *connection, uint64_t seconds);
/* The first transaction may begin. */
void connection_ready(struct connection *connection);
void connection_transaction_over(struct connection *connection);
/* The peer is in step, but this hop is of no use now: the owner hears of failed. */
void connection_refuse(struct connection *connection, const struct verdict *why);
/* The connection is gone, or must not go on: the owner hears of failed. */
void connection_lose(
    struct connection *connection, enum connection_end end, const struct verdict *why);

#endif
