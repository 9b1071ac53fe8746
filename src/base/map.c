/* base/map.c: the keyed hash. */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t hash_seed = 0x9e3779b97f4a7c15ull;

void map_seed(uint64_t seed)
{
    hash_seed = seed;
}

unsigned int map_hash(const void *key, size_t len)
{
    return (unsigned int)XXH3_64bits_withSeed(key, len, hash_seed);
}
