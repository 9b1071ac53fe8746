/* ipc/role.c: names of the rooms. */
#include "ipc/role.h"

static const char *const names[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_GATE] = "gate",
    [ROLE_VAULT] = "vault",
    [ROLE_QUEUE] = "queue",
    [ROLE_RELAY] = "relay",
    [ROLE_MAILDROP] = "maildrop",
};

const char *role_name(enum role role)
{
    return names[role];
}

bool role_parse(struct slice name, enum role *out_role)
{
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (slice_is(name, names[i])) {
            *out_role = (enum role)i;
            return true;
        }
    return false;
}
