/* relay/transaction.h: one mail transaction on a connection: a sending cursor ahead of a receiving
 * one. With PIPELINING the envelope goes in one flight, with CHUNKING small content goes with it
 * (OUT-24). Embedded in its connection. */
#ifndef RELAY_TRANSACTION_H
#define RELAY_TRANSACTION_H

#include "relay/job.h"
#include "smtp/data.h"

struct connection;
struct body_read;
struct peer_reply;

enum { TRANSACTION_RECIPIENTS_MAX = 100 }; /* QUE-8 */

enum transaction_content {
    CONTENT_NONE,    /* not begun */
    CONTENT_SENDING, /* octets are going out */
    CONTENT_SENT,    /* all are out; replies are awaited */
    CONTENT_DROPPED, /* none will be sent: nobody accepted, or it was refused */
};

struct transaction {
    struct job *job;
    struct job_recipient
        *recipients[TRANSACTION_RECIPIENTS_MAX]; /* those of this transaction, in order of RCPT */
    bool accepted[TRANSACTION_RECIPIENTS_MAX];
    size_t count;
    size_t accepted_count;
    size_t sent;           /* steps sent: MAIL, RCPT 0 … count-1, DATA or BDAT */
    size_t received;       /* steps answered */
    size_t final_received; /* replies to the content (LMTP: one for each accepted recipient) */
    bool uses_bdat;
    bool one_flight;
    bool mail_refused;
    bool is_resetting; /* RSET was sent, its reply is awaited */
    bool has_spoken;   /* the peer has said something in this transaction that counts */
    enum transaction_content content;
    bool body_8bitmime;
    bool body_binary;
    bool smtputf8;
    uint64_t body_at; /* octets of the body handed to the stream */
    struct data_encoder encoder;
    struct body_read *read; /* under way on a hand */
};

/* Chooses recipients that are open and fit the hop, and begins. False when there is none, and then
 * nothing was said to the peer: all are decided, or those left are noted as unfit for this hop. */
MUST_CHECK bool transaction_start(struct connection *connection, struct job *job);
/* How many replies the peer may owe at most. */
size_t transaction_owed(const struct connection *connection);
void transaction_reply(struct connection *connection, const struct peer_reply *reply);
/* The connection is gone: nothing of the transaction stays under way. Decides recipients of a
 * transaction in which the peer had spoken; the others stay open. */
void transaction_lost(struct connection *connection, const struct verdict *why);

#endif
