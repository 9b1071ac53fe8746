/* tests/power/check_room.h: the whole queue room, started on one state: its sweep, its compaction,
 * its checkpoint, the files it makes and removes, and the jobs that it gives out. */
#ifndef TESTS_POWER_CHECK_ROOM_H
#define TESTS_POWER_CHECK_ROOM_H

#include "oracle.h"

/* The disk is portable; the recorder stands in front of it. turns: how long the room lives at
 * least. Faults are the oracle's. */
void check_room(struct memory_disk *memory, struct recorder *recorder, struct oracle *oracle,
    moment now, size_t turns);

#endif
