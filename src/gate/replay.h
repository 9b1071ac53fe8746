/* gate/replay.h: reads a file that the queue handed over, piece by piece, on a hand: what was kept
 * of a message whose client is back. The loop never waits for it. */
#ifndef GATE_REPLAY_H
#define GATE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

struct disk;
struct hands;
struct replay;

/* Called from the loop with the next octets, or with why there are none. It may free the replay. */
typedef void replay_fn(void *owner, struct slice octets, enum err error);

/* Takes the read-only handle, also when it fails. NULL without memory. hands and disk are borrowed.
 */
MUST_CHECK struct replay *replay_new(
    struct hands *hands, struct disk *disk, int file, uint64_t octets, replay_fn *fn, void *owner);
/* Asks for the next piece; nothing happens while one is being read, or when all have been. */
void replay_read(struct replay *replay);
/* Everything was given. */
bool replay_is_over(const struct replay *replay);
/* The owner hears nothing any more. Nulls the pointer; NULL is harmless. */
void replay_free(struct replay **replay);

#endif
