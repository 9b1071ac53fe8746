/* gate/limits.h: what one client may take from all the others: connections, and lines in the log.
 * LSN-8, SUB-5.2-3. */
#ifndef GATE_LIMITS_H
#define GATE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/line_limit.h"
#include "base/macros.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "ipc/counters.h"
#include "net/peer.h"

enum { LOG_LINES_PER_SESSION = 20 };

/* Embedded in the gate. */
struct limits {
    struct counters *counters;
    unsigned gate;
    struct line_limit lines;
};

enum admission { ADMISSION_GRANTED, ADMISSION_FULL, ADMISSION_CLIENT_FULL };

/* fd: the counters' shared memory; stays the caller's. gate: our column, which is wiped.
 * ERR_INVALID when it is no such memory or has no such column, ERR_NOMEM. */
MUST_CHECK enum err limits_open(struct limits *limits, int fd, unsigned gate);
void limits_clear(struct limits *limits);

/* A connection comes. GRANTED wants a limits_leave later, the others nothing. */
enum admission limits_enter(
    struct limits *limits, const struct conf_limits *conf, const struct peer *peer);
void limits_leave(struct limits *limits, const struct peer *peer);
/* Comes in though ADMISSION_FULL was said: another goes in its place. Wants a limits_leave. */
void limits_enter_all_the_same(struct limits *limits, const struct peer *peer);
/* Has this gate clearly more connections than the others? */
bool limits_is_ahead(const struct limits *limits);
/* How many that client has open, over all gates. */
uint64_t limits_connections(const struct limits *limits, const struct peer *peer);

/* May another line about this client be written at this time (seconds)? This gate's share of what a
 * client may have over all gates. session_lines: how many its session has had, counted up here.
 * False counts as suppressed. */
bool limits_may_log(
    struct limits *limits, const struct peer *peer, int64_t wall, uint32_t *session_lines);
#endif
