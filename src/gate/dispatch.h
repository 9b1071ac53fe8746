/* gate/dispatch.h: from the octets a client sent to the one who handles them. */
#ifndef GATE_DISPATCH_H
#define GATE_DISPATCH_H

#include <stdbool.h>

#include "gate/answer.h"
#include "gate/command.h"
#include "gate/phase.h"
#include "smtp/command.h"

struct session;

/* What the table asks for before a command reaches its handler. */
enum command_rule {
    AFTER_EHLO = 1 << 0,    /* or HELO (CMD-8) */
    NEEDS_TLS = 1 << 1,     /* on a listener with require_tls (TLS-7) */
    NEEDS_AUTH = 1 << 2,    /* a login or a trusted network (SUB-4.3-1, SUB-4.3-3) */
    NEEDS_GRANT = 1 << 3,   /* the same, or the postmaster's exception (SUB-6.4-1) */
    NO_ARGUMENT = 1 << 4,   /* CMD-14 */
    LEADS_NOWHERE = 1 << 5, /* too many of them count as errors (LSN-16) */
    NEEDS_BURL = 1 << 6,    /* else it is as if it were not there (CMD-19) */
};

struct command_row {
    unsigned phases; /* in which it is lawful */
    unsigned rules;
    command_fn *handle;          /* NULL: a verb that is not offered */
    command_refused_fn *refused; /* NULL: the reply alone */
};

/* The row of each verb. */
extern const struct command_row command_rows[VERB_COUNT];

/* Takes one thing from the front of the session's input, whatever its phase expects there. */
enum answer dispatch(struct session *session);

#endif
