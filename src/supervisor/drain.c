/* supervisor/drain.c: the stages in which the rooms end, and a deadline for each room. */
#include "supervisor/drain.h"

#include <signal.h>

#include "base/log.h"

enum { DRAIN_MS = 35000 }; /* a client inside DATA has 30 s (LSN-6); then it is ended by force */

/* Gates first, so that nothing new comes in; then the queue, which waits for what is under way;
 * then those who carry; the vault before the room that it asks. */
static const unsigned stages[] = {
    1 << ROLE_GATE,
    1 << ROLE_QUEUE,
    1 << ROLE_RELAY | 1 << ROLE_MAILDROP,
    1 << ROLE_VAULT,
    1 << ROLE_FETCH,
};

static void on_deadline(void *owner)
{
    struct process *p = owner;

    log_event(LOG_WARNING, NULL, "a room did not finish in time",
        log_text("room", role_name(p->plan->role)), log_number("index", p->index));
    kill(p->pid, SIGKILL);
}

void drain_init_room(struct process *process, struct loop *loop)
{
    timer_init(&process->drain_deadline, loop, on_deadline, process);
}

void drain_room(struct process *process)
{
    struct msg_empty nothing = { 0 };

    if (process->state == PROCESS_DRAINING)
        return;
    process->state = PROCESS_DRAINING;
    timer_set(&process->drain_deadline, DRAIN_MS);
    if (!process->control || channel_send(process->control, MSG_DRAIN, &nothing, -1) != ERR_OK)
        kill(process->pid, SIGKILL);
}

static bool is_of_stage(const struct process *process, size_t stage)
{
    return process_is_up(process) && stages[stage] & 1u << process->plan->role;
}

static bool is_over(const struct process *processes, size_t stage)
{
    for (const struct process *p = processes; p; p = p->next)
        if (is_of_stage(p, stage))
            return false;
    return true;
}

bool drain_go_on(struct drain *drain, struct process *processes)
{
    drain->has_begun = true;
    while (drain->stage < LENGTH_OF(stages) && is_over(processes, drain->stage))
        drain->stage++;
    if (drain->stage == LENGTH_OF(stages))
        return true;
    for (struct process *p = processes; p; p = p->next)
        if (is_of_stage(p, drain->stage))
            drain_room(p);
    return false;
}
