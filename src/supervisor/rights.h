/* supervisor/rights.h: what the supervisor itself gives up. */
#ifndef SUPERVISOR_RIGHTS_H
#define SUPERVISOR_RIGHTS_H

#include "base/error.h"
#include "base/macros.h"

/* No core file, no debugger, no rights by exec, and as root no capability but those that are needed
 * to open, to bind, to start rooms as other users and to end them. Rooms inherit all of that. */
MUST_CHECK enum err rights_reduce(void);

#endif
