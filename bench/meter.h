/* bench/meter.h: the monotonic clock in microseconds, and latencies as a histogram: exact below 128
 * us, within 1.6 % above. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdint.h>
#include <time.h>

enum { METER_SLOTS = 128 + 34 * 64 };

/* Microseconds of CLOCK_MONOTONIC, which all processes of the machine share. */
static inline int64_t mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Zeroed: empty. */
struct meter {
    uint64_t count;
    int64_t most_us;
    uint64_t slots[METER_SLOTS];
};

/* Negative counts as zero; above 2^40 us as that. */
void meter_add(struct meter *meter, int64_t us);
/* Adds what the other has counted. */
void meter_join(struct meter *meter, const struct meter *other);
/* Milliseconds that the given share (0 to 1) did not exceed: the upper edge of its slot, at most
 * the largest. 0 when empty. */
double meter_ms(const struct meter *meter, double share);

#endif
