/* policy/retry.h: when to try again and when to give up (QUE-3, QUE-4, QUE-5). Pure: time and
 * chance are passed in. */
#ifndef POLICY_RETRY_H
#define POLICY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

enum retry_reason {
    RETRY_REPLY,      /* the next hop spoke: a 4yz reply, say greylisting; the reason is known */
    RETRY_CONNECTION, /* no connection, no greeting, a lost connection, DNS without an answer */
};

/* Seconds until the next attempt. failures: failed attempts of this recipient so far, this one
 * included (1: the first has just failed); 0 counts as 1. random: any number; adds 0 to 10 per
 * cent, so that the wait is never below what the list says. */
int64_t retry_delay(
    const struct conf_queue *queue, enum retry_reason reason, uint64_t failures, uint32_t random);

/* Wall time in seconds at which a recipient expires. from: when its life began (arrival, or release
 * of a held message). */
int64_t retry_expiry(const struct conf_queue *queue, int64_t from, bool is_notice);

/* The wall time of the next attempt, or the expiry where that comes first: the last attempt falls
 * on the expiry itself. */
int64_t retry_next(const struct conf_queue *queue, enum retry_reason reason, uint64_t failures,
    uint32_t random, int64_t now, int64_t expiry);

/* Seconds for which a host (address and port) counts as dead after that many failures in a row:
 * doubled each time, one hour at most. 0: not remembered. */
int64_t retry_dead_host(const struct conf_queue *queue, uint64_t failures);

#endif
