/* supervisor/drain.h: how rooms end in peace: one that is not needed any more, or all of them,
 * stage by stage in the order of the mail. */
#ifndef SUPERVISOR_DRAIN_H
#define SUPERVISOR_DRAIN_H

#include "supervisor/process.h"

/* Zeroed: not begun. */
struct drain {
    bool has_begun; /* the house ends */
    size_t stage;
};

/* Prepares the room's deadline. */
void drain_init_room(struct process *process, struct loop *loop);
/* Tells a room that is up to finish, and ends it by force when it has not done so in time. Again:
 * does nothing. */
void drain_room(struct process *process);

/* Begins to end the house, or goes on when a room has ended: the rooms of a stage are told to
 * finish when those of the stages before are gone. processes: all of them. True: none is left. */
MUST_CHECK bool drain_go_on(struct drain *drain, struct process *processes);

#endif
