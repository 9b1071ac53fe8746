/* gate/blunders.h: which replies are told to the operator as mistakes of the client's (SUB-5.2-2).
 */
#ifndef GATE_BLUNDERS_H
#define GATE_BLUNDERS_H

#include "base/error.h"
#include "base/macros.h"
#include "ipc/mistakes.h"
#include "smtp/reply.h"

struct session;

/* Embedded in the gate. */
struct blunders {
    struct mistakes *mistakes; /* NULL: nothing is kept */
    unsigned gate;
};

/* fd: the shared memory; stays the caller's. gate: our column, which is wiped. ERR_INVALID,
 * ERR_NOMEM. */
MUST_CHECK enum err blunders_open(struct blunders *blunders, int fd, unsigned gate);
void blunders_clear(struct blunders *blunders);

/* The kind of mistake that earns this reply. False for replies that say nothing about the client's
 * set-up. */
MUST_CHECK bool blunder_kind(enum reply_id reply, enum mistake *out_kind);
/* The session was given that reply. reply: its line without CRLF. */
void blunders_note(struct session *session, enum reply_id reply, struct slice line);

#endif
