/* relay/pool.c: a list of idle connections for each destination, the latest first; the few of one
 * list are told apart by their route. Owns struct pool. */
#include "relay/pool.h"

#include <stdlib.h>

#include "relay/carrier.h"

enum { IDLE_MAX = 200 };

/* Exists as long as a connection lies in it. */
struct pool_place {
    UT_hash_handle hh;
    struct pool *pool;
    struct connection *idle;
    char destination[];
};

struct pool {
    struct pool_place *places;
    size_t count;
};

struct pool *pool_new(void)
{
    return calloc(1, sizeof(struct pool));
}

static struct pool_place *find(const struct pool *pool, struct slice destination)
{
    struct pool_place *place;

    HASH_FIND(hh, pool->places, destination.data, destination.len, place);
    return place;
}

static struct pool_place *find_or_make(struct pool *pool, struct slice destination)
{
    struct pool_place *place = find(pool, destination);

    if (place)
        return place;
    place = calloc(1, sizeof *place + destination.len);
    if (!place)
        return NULL;
    place->pool = pool;
    memcpy(place->destination, destination.data, destination.len);
    HASH_ADD_KEYPTR(hh, pool->places, place->destination, destination.len, place);
    return place;
}

static void leave(struct connection *c)
{
    struct pool_place *place = c->place;
    struct pool *pool = place->pool;

    DL_DELETE2(place->idle, c, idle_prev, idle_next);
    c->place = NULL;
    pool->count--;
    if (place->idle)
        return;
    HASH_DEL(pool->places, place);
    free(place);
}

static void never(void *owner)
{
    (void)owner;
}

static void on_expired(void *owner)
{
    leave(owner);
    connection_quit(owner);
}

static void on_failed(void *owner, enum connection_end end, const struct verdict *why)
{
    struct connection *c = owner;

    (void)end, (void)why;
    leave(c);
    connection_free(&c);
}

static const struct connection_events events = { never, never, on_expired, on_failed };

/* One that was lost in this turn waits to hear of it. */
static struct connection *find_fit(const struct pool_place *place, uint32_t route)
{
    struct connection *c;

    for (c = place->idle; c; c = c->idle_next)
        if (c->route_index == route && c->phase == CONNECTION_IDLE)
            return c;
    return NULL;
}

struct connection *pool_take(struct pool *pool, uint32_t route, struct slice destination)
{
    struct pool_place *place = find(pool, destination);
    struct connection *c = place ? find_fit(place, route) : NULL;

    if (!c)
        return NULL;
    leave(c);
    timer_stop(&c->limit);
    return c;
}

void pool_give(struct pool *pool, struct connection *c)
{
    uint64_t idle = c->settings->conf->timeouts.idle;
    bool is_welcome = c->phase == CONNECTION_IDLE && !connection_is_spent(c) && idle > 0 &&
                      c->settings == c->carrier->settings && !c->carrier->is_draining &&
                      pool->count < IDLE_MAX;

    c->place = is_welcome ? find_or_make(pool, c->destination) : NULL;
    if (!c->place) {
        connection_quit(c);
        return;
    }
    DL_PREPEND2(c->place->idle, c, idle_prev, idle_next);
    pool->count++;
    connection_set_owner(c, &events, c);
    connection_limit(c, idle);
}

void pool_close(struct pool *pool)
{
    while (pool->places) {
        struct connection *c = pool->places->idle;

        leave(c);
        connection_quit(c);
    }
}

size_t pool_count(const struct pool *pool)
{
    return pool->count;
}

void pool_free(struct pool **pool)
{
    while (*pool && (*pool)->places) {
        struct connection *c = (*pool)->places->idle;

        leave(c);
        connection_free(&c);
    }
    free(*pool);
    *pool = NULL;
}
