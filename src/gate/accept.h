/* gate/accept.h: from the end of data to the one reply that takes or refuses responsibility. */
#ifndef GATE_ACCEPT_H
#define GATE_ACCEPT_H

#include "gate/answer.h"
#include "gate/commit.h"

struct session;

/* The content is whole (body_end was called) and the session still in PHASE_DATA or PHASE_CHUNK:
 * judges it, completes it and has it kept. */
enum answer accept_message(struct session *session);
/* The body's file moved on (PHASE_COMMIT). */
enum answer accept_go_on(struct session *session);
/* What the disk said; owner is the gate. The session may be gone: the message stays kept (LSN-9).
 */
commit_told_fn accept_told;

#endif
