/* base/map.h: uthash with a hash that strangers cannot aim at: XXH3 seeded with a random value of
 * this process. Include this, never <uthash.h>. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Seeds the hash; called once by role start before any map is used. Until then the seed is a
 * constant. */
void map_seed(uint64_t seed);
unsigned int map_hash(const void *key, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = map_hash((keyptr), (keylen)))
#include <uthash.h>
#include <utlist.h>

#endif
