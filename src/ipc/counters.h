/* ipc/counters.h: how many connections each client has open, over all gates: counters in shared
 * memory with a column for each gate. A gate writes its own column and nothing else, the supervisor
 * wipes the column of a gate that died, the sum over all columns decides (LSN-8).
 *
 * Nothing here is trusted: a column that holds nonsense makes sums too high or too low, so it may
 * cost service or let in more connections; no right to submit ever depends on it. */
#ifndef IPC_COUNTERS_H
#define IPC_COUNTERS_H

#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

struct counters;

enum { COUNTERS_GATES_MAX = 256 };

/* Makes the shared memory for that many gates (1 to COUNTERS_GATES_MAX), all zero, as a descriptor
 * that can neither shrink nor grow. For the supervisor, and for tests. ERR_LIMIT, ERR_NOMEM,
 * ERR_NOFILES, ERR_IO. */
MUST_CHECK enum err counters_create(unsigned gates, int *out_fd);
/* Maps it; the descriptor stays the caller's and is not needed afterwards. ERR_INVALID for a
 * descriptor that counters_create did not make, ERR_NOMEM. */
MUST_CHECK enum err counters_open(int fd, struct counters **out_counters);
/* Unmaps. */
void counters_free(struct counters **counters);

unsigned counters_gates(const struct counters *counters);
/* The gate has died, or starts: it has no connections. */
void counters_wipe(struct counters *counters, unsigned gate);

/* client: any octets that name a client. Two clients may share a counter by chance (of two hashes
 * the lower sum counts), never a client and itself: each enter wants exactly one leave. A counter
 * neither wraps at its end nor goes below zero. */
void counters_enter(struct counters *counters, unsigned gate, struct slice client);
void counters_leave(struct counters *counters, unsigned gate, struct slice client);

struct counters_sum {
    uint64_t total;  /* connections of all clients at all gates */
    uint64_t client; /* of this one; never less than the truth while no column is damaged */
};
/* How many connections that gate has above the average of all gates; 0 when not above. */
uint64_t counters_surplus(const struct counters *counters, unsigned gate);
struct counters_sum counters_read(const struct counters *counters, struct slice client);

#endif
