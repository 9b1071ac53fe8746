/* relay/pool.h: idle connections, found again by route and destination: what one route may use,
 * with its rules on TLS and its login, another may not (OUT-17). */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

struct connection;
struct pool;
struct pool_place;

MUST_CHECK struct pool *pool_new(void);
/* Frees its connections without a word. */
void pool_free(struct pool **pool);
/* The connection to that place that was used last, or NULL. It is the caller's then, who sets its
 * owner. */
MUST_CHECK struct connection *pool_take(
    struct pool *pool, uint32_t route, struct slice destination);
/* Keeps an idle connection for the time that its settings say, then ends it in order. What has done
 * its work, or finds no room, is ended now. The caller forgets it either way. */
void pool_give(struct pool *pool, struct connection *connection);
/* Ends all in order. */
void pool_close(struct pool *pool);
size_t pool_count(const struct pool *pool);

#endif
