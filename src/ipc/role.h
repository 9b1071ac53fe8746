/* ipc/role.h: the rooms by name. */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include "base/macros.h"
#include "base/slice.h"

enum role {
    ROLE_SUPERVISOR,
    ROLE_GATE,
    ROLE_VAULT,
    ROLE_QUEUE,
    ROLE_RELAY,
    ROLE_MAILDROP,
    ROLE_FETCH,
};
#define ROLE_COUNT (ROLE_FETCH + 1)

/* "gate", "vault", …; never NULL. */
const char *role_name(enum role role);

#endif
