/* ctl/control.h: the client's side of docs/control.md. Blocks, with a limit on time and size. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include "ctl/command.h"

/* Sends the request (its reference is taken) to the socket that the configuration names and waits
 * for the reply. 0 and the result (the caller's reference), or the exit status; then *out_error, of
 * size octets, says why. */
MUST_CHECK int control_try(
    const struct conf *conf, json_t *request, json_t **out_result, char *out_error, size_t size);
/* The same, and a failure is told with call_fail. */
MUST_CHECK int control_ask(struct invocation *call, json_t *request, json_t **out_result);

#endif
