/* policy/notify.h: is a notification due? (EXT-DSN-10 to EXT-DSN-12, DSN-2, QUE-7.) Pure. */
#ifndef POLICY_NOTIFY_H
#define POLICY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* A recipient's NOTIFY parameter as a set; 0: it was absent. NEVER stands alone (RFC 3461
 * section 4.1). */
enum notify_flag { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

struct notify_case {
    bool null_sender; /* the reverse-path is <> */
    bool is_notice;   /* the message is itself a notification of ours */
    uint8_t flags;    /* enum notify_flag */
};

enum notify_verdict {
    NOTIFY_DUE,
    NOTIFY_UNWANTED, /* the sender asked for none */
    NOTIFY_NOBODY,   /* no one to tell: a bounce never bounces; log it as double-bounce (EXT-DSN-12)
                      */
};

/* The recipient has failed or expired. */
enum notify_verdict notify_on_failure(const struct notify_case *notify);

/* Wall time at which the delay notice falls due, or INT64_MAX for never. For the queue's heap. */
int64_t notify_delay_time(
    const struct notify_case *notify, int64_t since, uint64_t notice, bool told);

#endif
