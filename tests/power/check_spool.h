/* tests/power/check_spool.h: recovery as the spool's own code does it, on one state, against the
 * oracle. */
#ifndef TESTS_POWER_CHECK_SPOOL_H
#define TESTS_POWER_CHECK_SPOOL_H

#include "oracle.h"

/* `disk`: the state, or a recorder in front of it. `now`: the moment of the cut, in the order of
 * the oracle. Faults are the oracle's. */
void check_spool(struct disk *disk, int root, struct oracle *oracle, moment now);

#endif
