/* ipc/role.c: names of the rooms. */
#include "ipc/role.h"

static const char *const names[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_GATE] = "gate",
    [ROLE_VAULT] = "vault",
    [ROLE_QUEUE] = "queue",
    [ROLE_RELAY] = "relay",
    [ROLE_MAILDROP] = "maildrop",
    [ROLE_FETCH] = "fetch",
};

const char *role_name(enum role role)
{
    return names[role];
}
