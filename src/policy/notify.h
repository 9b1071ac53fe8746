/* policy/notify.h: is a notification due? (EXT-DSN-10 to EXT-DSN-12, DSN-2, QUE-7.) Pure. */
#ifndef POLICY_NOTIFY_H
#define POLICY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/parameters.h" /* enum notify_flag */

struct notify_case {
    bool null_sender; /* the reverse-path is <> */
    bool is_notice;   /* the message is itself a notification of ours */
    uint8_t flags;    /* a set of enum notify_flag; 0: NOTIFY was absent */
};

enum notify_verdict {
    NOTIFY_DUE,
    NOTIFY_UNWANTED, /* the sender asked for none */
    NOTIFY_NOBODY,   /* no one to tell: a bounce never bounces; log it as double-bounce (EXT-DSN-12)
                      */
};

/* The recipient has failed or expired. */
enum notify_verdict notify_on_failure(const struct notify_case *notify);

/* A next hop has taken it, or it was delivered. is_reported: the next hop tells the sender itself
 * (EXT-DSN-8). Only who asked for it is told: never NOTIFY_NOBODY. */
enum notify_verdict notify_on_success(const struct notify_case *notify, bool is_reported);

/* Wall time at which the delay notice falls due, or INT64_MAX for never. For the queue's heap. */
int64_t notify_delay_time(
    const struct notify_case *notify, int64_t since, uint64_t notice, bool told);

#endif
