/* gate/partial.h: transactions with a TRANSID (RFC 1845): asks the queue whether something of one
 * is kept, goes on with that, and has the queue keep what there is when the connection is cut.
 * docs/decisions/0011-checkpoint.md. One that the queue cannot help with is an ordinary
 * transaction. */
#ifndef GATE_PARTIAL_H
#define GATE_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/queue_id.h"
#include "gate/answer.h"
#include "gate/body.h"
#include "ipc/messages.h"

struct commit;
struct gate;
struct session;
struct transaction;

enum partial_phase {
    PARTIAL_ASKED,   /* the queue has not answered */
    PARTIAL_OPEN,    /* under way from the first octet */
    PARTIAL_RESUMED, /* under way, with what was kept */
    PARTIAL_MISSED,  /* the message was taken before, only the client does not know */
    PARTIAL_GIVEN,   /* on its way to the disk */
    PARTIAL_SAID,    /* the client was told that it is taken; did it hear? */
    PARTIAL_SAVING,  /* the connection is cut: the body is being synced */
    PARTIAL_ENDED,   /* the queue is to be told, and is not there */
};

/* From MAIL until the queue knows how it ended. Owned by the gate's list. */
struct partial {
    struct partial *prev, *next;
    struct gate *gate;
    struct arena arena; /* texts */
    enum partial_phase phase;
    uint64_t request;
    uint64_t session;
    bool is_left;   /* its session is gone */
    bool is_wanted; /* by a later session of the client */
    struct msg_partial_key key;

    uint64_t octets;    /* kept before, or in all when it is taken */
    struct queue_id id; /* of the message that was taken */
    struct slice front;
    int file; /* -1: none */
    uint64_t file_octets;

    struct msg_partial_recipient *recipients; /* from the end of data, or the cut, on */
    size_t recipient_count;
    struct body_kept kept; /* SAVING */
    bool is_syncing;
    enum partial_end end; /* ENDED, unless there is something to keep */
    bool is_kept;
};

/* Embedded in the gate. */
struct partials {
    struct gate *gate;
    struct partial *list;
    uint64_t next_request;
    size_t saving;
};

void partials_init(struct partials *partials, struct gate *gate);
/* What is not told is lost. */
void partials_clear(struct partials *partials);
/* A (new) channel to the queue is there, or it has ended. */
void partials_attach(struct partials *partials);
void partials_lost(struct partials *partials);
/* What the queue says; takes the descriptor. */
void partials_state(struct partials *partials, const struct msg_partial_state *state, int fd);
void partials_yield(struct partials *partials, uint64_t request);

/* How MAIL goes on when it is known what is kept. */
typedef enum answer partial_fn(struct session *session);

/* The session's transaction has a TRANSID; mail: MAIL's argument. Goes on at once when nobody can
 * be asked. */
enum answer partial_ask(struct session *session, struct slice mail);
/* The time for the answer is over (WAIT_PARTIAL). */
enum answer partial_ask_is_over(struct session *session);
/* resume.c: the queue has answered; transaction->partial is NULL when it is an ordinary
 * transaction. */
enum answer partial_known(
    struct session *session, const struct msg_partial_recipient *recipients, size_t count);

/* The transaction is over, and nothing of it is wanted any more. Nulls the pointer; NULL is
 * harmless. */
void partial_drop(struct partial **partial);
/* The transaction is over, and what was kept before stays as it is. Nulls the pointer. */
void partial_put_back(struct partial **partial);
/* All of the content is there, so many octets as they came, and on its way to the disk. Nulls the
 * pointer without memory: then it is dropped. */
void partial_given(struct partial **partial, const struct transaction *transaction);
/* The client hears 250 now, for that message. Its transaction ends; nothing without a partial. */
void partial_said(struct session *session, struct queue_id id);
/* The session is about to end without the client having said so: keeps what can be kept. */
void partial_leave(struct session *session);
/* The message of an entry (by its request) was taken or not, and its session is gone. */
void partial_told(struct partials *partials, uint64_t request, struct queue_id id, bool is_taken);

#endif
