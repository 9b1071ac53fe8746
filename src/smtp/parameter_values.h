/* smtp/parameter_values.h: the values of ESMTP parameters, for the table in parameters.c alone. */
#ifndef SMTP_PARAMETER_VALUES_H
#define SMTP_PARAMETER_VALUES_H

#include "smtp/parameters.h"

/* Where values go, and what decides about them. */
struct target {
    struct arena *arena;
    const struct parameter_context *context;
    struct mail_parameters *mail; /* NULL for RCPT */
    struct rcpt_parameters *rcpt; /* NULL for MAIL */
};

/* A value that has passed the grammar of esmtp-value, or the empty one where the parameter takes
 * none. Bounded by the length of a command line. */
typedef enum parameter_fault value_parser(struct target *target, struct slice value);
/* What can only be judged when every parameter of the command is known. */
typedef enum parameter_fault value_judge(const struct target *target);

value_parser parse_size, parse_body, parse_smtputf8, parse_auth, parse_ret, parse_envid,
    parse_requiretls, parse_by, parse_priority, parse_mtrk, parse_solicit, parse_conperm,
    parse_transid, parse_holdfor, parse_holduntil, parse_notify, parse_orcpt, parse_rrvs,
    parse_conneg;
value_judge judge_mtrk, judge_hold;

#endif
