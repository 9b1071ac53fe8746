/* policy/retry.c: waits, expiries and dead hosts. */
#include "policy/retry.h"

enum { DEAD_HOST_MOST = 3600 };

int64_t retry_delay(
    const struct conf_queue *queue, enum retry_reason reason, uint64_t failures, uint32_t random)
{
    const struct conf_number *list = reason == RETRY_REPLY ? queue->retry : queue->retry_connect;
    size_t count = reason == RETRY_REPLY ? queue->retry_count : queue->retry_connect_count;
    uint64_t index = failures > 0 ? failures - 1 : 0;
    uint64_t delay;

    /* conf/options.c sees to at least one value of at most 30 days, so nothing here overflows. */
    if (index >= count)
        index = count - 1;
    delay = list[index].value;
    return (int64_t)(delay + delay * (random % 101) / 1000);
}

int64_t retry_expiry(const struct conf_queue *queue, int64_t from, bool is_notice)
{
    return from + (int64_t)(is_notice ? queue->bounce_lifetime : queue->lifetime);
}

int64_t retry_next(const struct conf_queue *queue, enum retry_reason reason, uint64_t failures,
    uint32_t random, int64_t now, int64_t expiry)
{
    int64_t next = now + retry_delay(queue, reason, failures, random);

    return next < expiry ? next : expiry;
}

int64_t retry_dead_host(const struct conf_queue *queue, uint64_t failures)
{
    uint64_t seconds = queue->dead_host;

    if (failures == 0)
        return 0;
    while (--failures > 0 && seconds > 0 && seconds < DEAD_HOST_MOST)
        seconds *= 2;
    return seconds < DEAD_HOST_MOST ? (int64_t)seconds : DEAD_HOST_MOST;
}
