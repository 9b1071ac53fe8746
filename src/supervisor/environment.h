/* supervisor/environment.h: what of its environment the supervisor passes on to rooms. */
#ifndef SUPERVISOR_ENVIRONMENT_H
#define SUPERVISOR_ENVIRONMENT_H

#include "base/macros.h"

/* The variables of `all` (as of environ) that a room gets: a list that ends with NULL, the caller's
 * to free; its texts belong to `all`. NULL without memory. */
MUST_CHECK char **environment_of_room(char *const *all);

#endif
