/* bench/meter.c: a slot for each microsecond below 128, then 64 slots for each power of two. */
#include "bench/meter.h"

#include <math.h>
#include <stddef.h>

enum { EXACT = 128, EXACT_BITS = 7, FINE_BITS = 6, FINE = 1 << FINE_BITS };

static const int64_t most_counted = ((int64_t)1 << 40) - 1;

static size_t slot_of(int64_t us)
{
    int bits;

    if (us < EXACT)
        return (size_t)us;
    bits = 63 - __builtin_clzll((unsigned long long)us);
    return (size_t)(EXACT + (bits - EXACT_BITS) * FINE + ((us >> (bits - FINE_BITS)) & (FINE - 1)));
}

/* The largest value that falls into the slot. */
static int64_t slot_edge(size_t slot)
{
    int64_t fine = (int64_t)((slot - EXACT) % FINE) + FINE;
    size_t shift = (slot - EXACT) / FINE + EXACT_BITS - FINE_BITS;

    return slot < EXACT ? (int64_t)slot : ((fine + 1) << shift) - 1;
}

void meter_add(struct meter *meter, int64_t us)
{
    int64_t value = us < 0 ? 0 : us > most_counted ? most_counted : us;

    meter->slots[slot_of(value)]++;
    meter->count++;
    if (value > meter->most_us)
        meter->most_us = value;
}

void meter_join(struct meter *meter, const struct meter *other)
{
    for (size_t slot = 0; slot < METER_SLOTS; slot++)
        meter->slots[slot] += other->slots[slot];
    meter->count += other->count;
    if (other->most_us > meter->most_us)
        meter->most_us = other->most_us;
}

double meter_ms(const struct meter *meter, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)meter->count);
    uint64_t seen = 0;

    for (size_t slot = 0; slot < METER_SLOTS && meter->count > 0; slot++) {
        seen += meter->slots[slot];
        if (seen < wanted || seen == 0)
            continue;
        int64_t edge = slot_edge(slot);

        return (double)(edge < meter->most_us ? edge : meter->most_us) / 1000.0;
    }
    return 0;
}
