/* gate/report.h: what the gate writes into the log (LOG-1): one line a connection, login, message
 * and refusal. Lines about what a client did wrong are bounded (SUB-5.2-3). Whatever came from
 * outside is escaped by the logger; credentials are never at hand here. */
#ifndef GATE_REPORT_H
#define GATE_REPORT_H

#include "base/slice.h"
#include "gate/commit.h"
#include "net/stream.h"
#include "smtp/reply.h"

struct gate;
struct peer;
struct session;

void report_opened(struct session *session);
void report_closed(struct session *session, enum stream_end end);
/* A connection that got no session. */
void report_turned_away(struct gate *gate, const struct peer *peer, enum reply_id reply);
/* The reply under way, when it is a refusal that is not in the log yet. */
void report_refused(struct session *session);
/* The end of an AUTH exchange, which that reply tells. */
void report_auth(struct session *session, enum reply_id reply);
/* Once a session: a space behind FROM: or TO: (GRM-2). */
void report_spaced(struct session *session);
/* Once a session: the sender's domain could not be looked up, and was let through (OPS-7). */
void report_unchecked(struct session *session, struct slice sender);
/* The fate of a message; session is NULL when its client is gone. */
void report_commit(struct gate *gate, struct session *session, const struct entry *entry,
    enum commit_result result);

#endif
