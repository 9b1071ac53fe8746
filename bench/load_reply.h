/* bench/load_reply.h: the replies that a load expects, step by step. */
#ifndef BENCH_LOAD_REPLY_H
#define BENCH_LOAD_REPLY_H

#include <stdbool.h>

#include "base/slice.h"

/* What the reply that comes next answers. */
enum step {
    STEP_GREETING,
    STEP_HELLO,
    STEP_STARTTLS,
    STEP_AUTH,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_CONTENT,
    STEP_BDAT,
    STEP_NOOP,
    STEP_QUIT,
    STEP_READY, /* nothing: the connection is free */
    STEP_COUNT
};

/* Of the command that the reply answers; for STEP_READY "nothing". */
const char *step_name(enum step step);
/* The length of the first whole reply in input; 0 when it is not whole. */
size_t reply_length(struct slice input);
/* Is this what a step should get? has_codes: with the class of enhanced status code that belongs to
 * it, because the server promises such codes. */
bool reply_is_expected(struct slice reply, enum step step, bool has_codes);
bool reply_says(struct slice reply, const char *keyword);

#endif
