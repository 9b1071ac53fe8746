/* supervisor/process.h: one room as a process: started by re-executing the program, given its
 * descriptors, restarted with back-off when it dies. */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include "supervisor/accounts.h"
#include "supervisor/fixtures.h"
#include "supervisor/handover.h"
#include "supervisor/plan.h"

#include "ipc/channel.h"

enum process_state {
    PROCESS_DOWN,     /* not running: waits for its restart, or is not wanted */
    PROCESS_STARTING, /* running, has not said that it is ready */
    PROCESS_READY,
    PROCESS_DRAINING, /* was told to finish */
};

struct supervisor;

struct process {
    struct process *next;
    struct supervisor *supervisor;
    const struct room_plan *plan;
    uint32_t index;
    enum process_state state;
    pid_t pid;
    struct channel *control;
    uint64_t ready; /* number of the snapshot it works with */
    int64_t started_ms;
    unsigned failures; /* deaths in a row soon after the start */
    struct timer restart;
    struct timer drain_deadline; /* runs while it drains */
};

/* Does it run? */
bool process_is_up(const struct process *process);
/* Can it be told anything? */
bool process_is_reachable(const struct process *process);

/* Forks and re-executes the program (exe: a descriptor of it) as this room with `control` as
 * descriptor 3, standard error and a few variables of the environment; all else is closed. The room
 * drops its rights itself, before it reads a byte. */
MUST_CHECK enum err process_spawn(
    int exe, const struct process *process, struct account account, int control, pid_t *out_pid);

/* Logs a death that nobody asked for, in words. status: waitpid's. */
void process_tell_death(const struct process *process, int status);

/* Sends the snapshot, everything that belongs to it and the order to apply it. fixtures: NULL at a
 * reload, where what is opened once has been handed over already. ERR_CLOSED when the room is gone.
 */
MUST_CHECK enum err process_hand_over(const struct process *process, uint64_t number,
    struct slice conf, const struct fixtures *fixtures, const struct handover *handover);

#endif
