/* smtp/parameters.h: the ESMTP parameters of MAIL and RCPT, by one table (CMD-25, CMD-26, GRM-11).
 * A new parameter is a row in parameters.c, a field here and a value parser in parameter_values.c.
 */
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

/* Most octets of a value that is kept as it was given. */
enum { ENVID_MAX = 100, MTRK_CERTIFIER = 27, SOLICIT_MAX = 1000, TRANSID_MAX = 80 };
/* Seconds of BY, HOLDFOR and MTRK: one to nine digits. */
enum { PARAMETER_SECONDS_MAX = 999999999 };
enum { PRIORITY_LEAST = -9, PRIORITY_MOST = 9 };

/* BODY= (RFC 6152, RFC 3030). */
enum body_type { BODY_UNSTATED, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* RET= (RFC 3461 section 4.3): what of the message comes back with a notice. */
enum return_part { RETURN_UNSTATED, RETURN_FULL, RETURN_HEADERS };

/* NOTIFY= as a set; 0: it was absent. NEVER stands alone (RFC 3461 section 4.1). */
enum notify_flag { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* BY= (RFC 2852 section 4): what becomes of the message when its time is over. */
enum by_mode { BY_UNSTATED, BY_NOTIFY, BY_RETURN };

struct deliver_by {
    enum by_mode mode;
    int32_t seconds; /* from now */
    bool trace;
};

/* HOLDFOR= and HOLDUNTIL= (RFC 4865 section 4.2). */
enum hold_kind { HOLD_NONE, HOLD_FOR, HOLD_UNTIL };

struct hold {
    enum hold_kind kind;
    int64_t value; /* seconds from now, or wall time in seconds */
};

/* MTRK= (RFC 3885 section 3.1). */
struct tracking {
    struct slice certifier; /* base64 without "="; empty: not given */
    uint32_t timeout;       /* seconds; 0: not stated */
};

/* All zero: no parameter was given. Slices point into the command. */
struct mail_parameters {
    uint32_t seen; /* one bit for each row of the table that was given */
    bool has_size;
    uint64_t size; /* SIZE=; one that does not fit in 64 bits is UINT64_MAX (EXT-SIZE-2) */
    enum body_type body;
    bool smtputf8;
    bool has_auth;       /* AUTH= was given; never believed without configuration (AUTH-22) */
    struct address auth; /* kind ADDRESS_NULL for <>; in the arena (AUTH-21) */
    enum return_part ret;
    struct slice envid; /* ENVID=, still in xtext, which decodes to printable ASCII (EXT-DSN-4) */
    bool require_tls;   /* RTLS-2 */
    struct deliver_by by;
    bool has_priority;
    int8_t priority; /* MT-PRIORITY= (EXT-MTPRI-1) */
    struct tracking mtrk;
    struct slice solicit; /* SOLICIT=, its keywords parted by commas (EXT-NOSOL-2) */
    bool conperm;
    struct hold hold;
    struct slice transid; /* TRANSID= with its brackets, case-sensitive (EXT-CKPT-1) */
};

/* RRVS= (RFC 7293 section 3.1): what a next hop without RRVS means. */
enum rrvs_action { RRVS_ABSENT, RRVS_UNSTATED, RRVS_CONTINUE, RRVS_REJECT };

struct rcpt_parameters {
    uint32_t seen;
    uint8_t notify;     /* enum notify_flag */
    struct slice orcpt; /* ORCPT= as given; orcpt_decode takes it */
    enum rrvs_action rrvs;
    int64_t rrvs_since; /* wall time, seconds */
};

/* What values are measured against. */
struct parameter_context {
    uint32_t offered; /* the extensions listed to this client now (ehlo_offered; 0 after HELO,
                         CMD-4) */
    bool smtputf8;    /* RCPT: the transaction's MAIL had SMTPUTF8 */
    int64_t now;      /* wall time, seconds */
    uint32_t deliver_by_least; /* seconds that mode R needs at least; 0: any */
    uint32_t hold_most;        /* seconds that a message may be held */
};

enum parameter_fault {
    PARAMETER_OK,
    PARAMETER_NOMEM,   /* the arena is at its cap: 451 */
    PARAMETER_UNKNOWN, /* not known, or its extension is not offered in this state: 555 5.5.4 */
    PARAMETER_SYNTAX,  /* not keyword[=value] by GRM-11: 501 5.5.4, as the following */
    PARAMETER_DUPLICATE,
    PARAMETER_NEEDS_VALUE,
    PARAMETER_TAKES_NO_VALUE,
    PARAMETER_VALUE,      /* a value that this parameter does not allow */
    PARAMETER_CONFLICT,   /* stands beside one that excludes it */
    PARAMETER_INCOMPLETE, /* needs another parameter that is not there, or not of the form needed */
    PARAMETER_PRIORITY,   /* of MT-PRIORITY whatever is wrong: 501 5.5.2 (EXT-MTPRI-1) */
    PARAMETER_BELOW,      /* less than is promised here: 555 5.5.4 (EXT-DELIVERBY-3) */
    PARAMETER_UNHONOURED, /* understood, and cannot be done: 504 5.5.4 (D-28) */
    PARAMETER_FAULT_COUNT
};

/* A short English phrase, to be followed by the parameter. Never NULL. */
const char *parameter_fault_text(enum parameter_fault fault);

/* text: what follows the path. Values may hold UTF-8 only when SMTPUTF8 is among the parameters,
 * before or after them. On a fault *out_culprit is the parameter as sent, inside text: escape
 * before showing. */
MUST_CHECK enum parameter_fault mail_parameters_parse(struct arena *arena, struct slice text,
    const struct parameter_context *context, struct mail_parameters *out_parameters,
    struct slice *out_culprit);
/* The same for RCPT. */
MUST_CHECK enum parameter_fault rcpt_parameters_parse(struct arena *arena, struct slice text,
    const struct parameter_context *context, struct rcpt_parameters *out_parameters,
    struct slice *out_culprit);

/* Solicitation keywords of RFC 3865 section 2.1: words parted by commas, SOLICIT_MAX octets at
 * most. */
bool solicit_is_valid(struct slice text);

#endif
