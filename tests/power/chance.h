/* tests/power/chance.h: chance by seed, the same on every machine. */
#ifndef TESTS_POWER_CHANCE_H
#define TESTS_POWER_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_bits(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to below - 1. */
static inline size_t chance_below(struct chance *chance, size_t below)
{
    return below > 0 ? (size_t)(chance_bits(chance) % below) : 0;
}

static inline bool chance_of(struct chance *chance, unsigned in_thousand)
{
    return chance_below(chance, 1000) < in_thousand;
}

#endif
