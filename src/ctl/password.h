/* ctl/password.h: a new password from the operator. */
#ifndef CTL_PASSWORD_H
#define CTL_PASSWORD_H

#include "base/secret.h"
#include "ctl/command.h"

/* At a terminal: asks twice, without echo. Otherwise the first line of standard input, without its
 * line end. 0, or the exit status after saying what is wrong. The caller clears the secret. */
MUST_CHECK int password_ask(struct invocation *call, struct secret *out_password);

#endif
