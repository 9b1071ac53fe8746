/* smtp/envelope.h: MAIL and RCPT whole: path, parameters, and the precise reply when something is
 * wrong with them. */
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/address.h"
#include "smtp/parameters.h"
#include "smtp/reply.h"

struct mail_command {
    struct path path;
    struct mail_parameters parameters;
};

struct rcpt_command {
    struct path path;
    struct rcpt_parameters parameters;
};

/* Why a command was refused. reply and text are for the client; the rest for the log too. */
struct envelope_error {
    enum reply_id reply;
    const char *text; /* a phrase, static */
    struct slice
        culprit; /* the parameter, or the argument from the faulty octet on; from outside */
    size_t at;   /* offset of the culprit in the argument */
};

/* argument: of struct command. strict: white space after the colon is refused (GRM-2). UTF-8 in the
 * path without SMTPUTF8 is refused here (EXT-SMTPUTF8-4). Whether the domain must be qualified, may
 * be a literal or must exist is policy: look at path.address.kind. Slices point into the argument
 * or the arena: address_copy what lasts. False on a fault, and only *out_error is set. */
MUST_CHECK bool mail_command_parse(struct arena *arena, struct slice argument,
    const struct parameter_context *context, bool strict, struct mail_command *out_command,
    struct envelope_error *out_error);
MUST_CHECK bool rcpt_command_parse(struct arena *arena, struct slice argument,
    const struct parameter_context *context, bool strict, struct rcpt_command *out_command,
    struct envelope_error *out_error);

/* Appends the reply for it: the phrase and what it is about, escaped and shortened. */
void envelope_error_write(struct buffer *out, const struct envelope_error *error);

#endif
