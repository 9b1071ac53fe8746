/* smtp/parameters.h: the ESMTP parameters of MAIL and RCPT, by one table (CMD-25, CMD-26, GRM-11).
 * A new parameter is a row in parameters.c, a field here and its value parser. */
#ifndef SMTP_PARAMETERS_H
#define SMTP_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/address.h"
#include "smtp/extension.h"

/* BODY= (RFC 6152, RFC 3030). */
enum body_type { BODY_UNSTATED, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* All zero: no parameter was given. */
struct mail_parameters {
    bool has_size;
    uint64_t size; /* SIZE=; one that does not fit in 64 bits is UINT64_MAX (EXT-SIZE-2) */
    enum body_type body;
    bool smtputf8;
    bool has_auth;       /* AUTH= was given; never believed without configuration (AUTH-22) */
    struct address auth; /* kind ADDRESS_NULL for <>; in the arena (AUTH-21) */
};

struct rcpt_parameters {
    uint32_t seen; /* one bit for each row of the table that was given */
};

enum parameter_fault {
    PARAMETER_OK,
    PARAMETER_NOMEM,   /* the arena is at its cap: 451 */
    PARAMETER_UNKNOWN, /* not known, or its extension is not offered in this state: 555 5.5.4 */
    PARAMETER_SYNTAX,  /* not keyword[=value] by GRM-11: 501 5.5.4, as the following */
    PARAMETER_DUPLICATE,
    PARAMETER_NEEDS_VALUE,
    PARAMETER_TAKES_NO_VALUE,
    PARAMETER_VALUE, /* a value that this parameter does not allow */
    PARAMETER_FAULT_COUNT
};

/* A short English phrase, to be followed by the parameter. Never NULL. */
const char *parameter_fault_text(enum parameter_fault fault);

/* text: what follows the path. offered: the set of extensions listed to this client now
 * (ehlo_offered; 0 after HELO, CMD-4). Values may hold UTF-8 only when SMTPUTF8 is among the
 * parameters, before or after them. On a fault *out_culprit is the parameter as sent, inside text:
 * escape before showing. */
MUST_CHECK enum parameter_fault mail_parameters_parse(struct arena *arena, struct slice text,
    uint32_t offered, struct mail_parameters *out_parameters, struct slice *out_culprit);
/* The same for RCPT; smtputf8: the transaction's MAIL had SMTPUTF8. */
MUST_CHECK enum parameter_fault rcpt_parameters_parse(struct arena *arena, struct slice text,
    uint32_t offered, bool smtputf8, struct rcpt_parameters *out_parameters,
    struct slice *out_culprit);

#endif
