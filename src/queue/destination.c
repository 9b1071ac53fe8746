/* queue/destination.c: users, domains, destinations and lanes; whose turn it is. A lane is offered
 * while its destination may get one more delivery; the user who was served longest ago goes first.
 */
#include "queue/destination.h"

#include <assert.h>
#include <stdlib.h>

#include "policy/retry.h"
#include "policy/route.h"
#include "queue/memory.h"
#include "queue/message.h"
#include "smtp/address.h"
#include "spool/envelope.h"

enum {
    DESTINATION_KEY_MAX = 8192,
    PASSED_OVER_MOST = 16, /* turns of higher levels in a row, while a lower one could go too */
};

void destinations_init(struct destinations *ds, struct replies *replies,
    bool (*is_served)(void *owner, enum role carrier, uint32_t index), void *owner)
{
    *ds = (struct destinations){ .replies = replies, .is_served = is_served, .owner = owner };
    for (size_t level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < OFFERS; i++)
            heap_init(&ds->turns[level][i]);
    heap_init(&ds->dead);
    ds->limit = 1;
    ds->window_limit = 1;
}

void destinations_limit(struct destinations *ds, const struct conf *conf)
{
    ds->limit = conf->queue.concurrency;
    ds->window_limit = conf->queue.destination_concurrency;
    ds->dead_host = conf->queue.dead_host;
}

/* ---- users and domains ---- */

struct user *user_find(struct destinations *ds, struct slice name)
{
    const char *data = name.len > 0 ? name.data : "";
    struct user *user;

    HASH_FIND(hh, ds->users, data, name.len, user);
    return user;
}

struct user *user_take(struct destinations *ds, struct slice name)
{
    const char *data = name.len > 0 ? name.data : "";
    struct user *user;

    HASH_FIND(hh, ds->users, data, name.len, user);
    if (!user) {
        user = need_memory(sizeof *user + name.len + 1);
        user->len = (uint32_t)name.len;
        for (size_t level = 0; level < LEVELS; level++)
            for (size_t i = 0; i < OFFERS; i++)
                user->turns[level][i].user = user;
        memcpy(user->name, data, name.len);
        HASH_ADD_KEYPTR(hh, ds->users, user->name, user->len, user);
    }
    user->refs++;
    return user;
}

void user_drop(struct destinations *ds, struct user *user)
{
    if (--user->refs > 0)
        return;
    for (size_t level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < OFFERS; i++)
            heap_remove(&ds->turns[level][i], &user->turns[level][i].node);
    HASH_DEL(ds->users, user);
    free(user);
}

static struct domain *take_name(struct destinations *ds, struct slice name)
{
    struct domain *fresh = need_memory(sizeof *fresh + name.len + 1);
    struct domain *domain;

    for (size_t i = 0; i < name.len; i++)
        fresh->name[i] = ascii_lower(name.data[i]);
    HASH_FIND(hh, ds->domains, fresh->name, name.len, domain);
    if (domain) {
        free(fresh);
    } else {
        domain = fresh;
        domain->len = (uint32_t)name.len;
        HASH_ADD_KEYPTR(hh, ds->domains, domain->name, domain->len, domain);
    }
    domain->refs++;
    return domain;
}

struct domain *domain_take(struct destinations *ds, struct slice name)
{
    struct domain *domain;
    struct buffer ascii;

    buffer_init(&ascii, ADDRESS_DOMAIN_MAX);
    if (!text_is_ascii(name) && domain_to_ascii(&ascii, name))
        name = buffer_slice(&ascii);
    domain = take_name(ds, name);
    buffer_clear(&ascii);
    return domain;
}

static void destination_drop(struct destinations *ds, struct destination *d)
{
    if (!d || --d->refs > 0)
        return;
    assert(!d->lanes);
    HASH_DEL(ds->map, d);
    reply_drop(ds->replies, &d->last_failure);
    free(d->key);
    free(d->address);
    free(d);
}

void domain_drop(struct destinations *ds, struct domain *domain)
{
    if (--domain->refs > 0)
        return;
    destination_drop(ds, domain->destination);
    HASH_DEL(ds->domains, domain);
    free(domain);
}

/* ---- lanes and turns ---- */

static void lane_offer(struct destinations *ds, struct lane *lane, enum offer as)
{
    struct user *user = lane->key.user;
    size_t level = lane->key.level;
    struct turn *turn;

    if (as == OFFER_NONE)
        return;
    turn = &user->turns[level][as];
    if (!turn->offered)
        need(heap_set(&ds->turns[level][as], &turn->node, user->served));
    DL_APPEND2(turn->offered, lane, prev_offered, next_offered);
}

static void lane_withdraw(struct destinations *ds, struct lane *lane, enum offer from)
{
    size_t level = lane->key.level;
    struct turn *turn;

    if (from == OFFER_NONE)
        return;
    turn = &lane->key.user->turns[level][from];
    DL_DELETE2(turn->offered, lane, prev_offered, next_offered);
    if (!turn->offered)
        heap_remove(&ds->turns[level][from], &turn->node);
}

static enum offer offer_of(const struct destination *d)
{
    if (!d->is_served || d->is_dead || d->in_hand >= d->concurrency.window)
        return OFFER_NONE;
    if (d->is_proven)
        return OFFER_PROVEN;
    return d->in_hand == 0 ? OFFER_FIRST : OFFER_SECOND;
}

/* Makes the lanes' being offered true to the destination's state. */
static void destination_refresh(struct destinations *ds, struct destination *d)
{
    enum offer old = d->offered, as = offer_of(d);
    struct lane *lane;

    if (as == old)
        return;
    d->offered = as;
    DL_FOREACH (d->lanes, lane) {
        lane_withdraw(ds, lane, old);
        lane_offer(ds, lane, as);
    }
}

static uint32_t place_hash(const char *key)
{
    uint32_t hash = 2166136261U; /* FNV-1a: the same in every life, unlike the seeded maps' */

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619U;
    return hash;
}

static bool is_remembered(const struct destinations *ds, const struct destination *d)
{
    uint32_t hash = place_hash(d->key);

    return ds->proven[hash % PROVEN_MOST] == hash;
}

static void set_proven(struct destinations *ds, struct destination *d, bool is_proven)
{
    if (d->is_proven == is_proven)
        return;
    d->is_proven = is_proven;
    if (is_proven)
        ds->unproven -= d->in_hand;
    else
        ds->unproven += d->in_hand;
}

/* It has taken mail. Remembered beyond its being idle: mail for most places comes now and then. */
static void destination_prove(struct destinations *ds, struct destination *d)
{
    uint32_t hash = place_hash(d->key);

    ds->proven[hash % PROVEN_MOST] = hash;
    set_proven(ds, d, true);
}

/* It could not be reached. */
static void destination_doubt(struct destinations *ds, struct destination *d)
{
    if (d->is_local)
        return;
    if (is_remembered(ds, d))
        ds->proven[place_hash(d->key) % PROVEN_MOST] = 0;
    set_proven(ds, d, false);
}

static struct lane *lane_new(struct destinations *ds, const struct lane_key *key)
{
    struct lane *lane = need_memory(sizeof *lane);

    lane->key = *key;
    HASH_ADD(hh, ds->lanes, key, sizeof lane->key, lane);
    key->user->refs++;
    key->destination->refs++;
    DL_APPEND(key->destination->lanes, lane);
    lane_offer(ds, lane, key->destination->offered);
    return lane;
}

static void lane_free(struct destinations *ds, struct lane *lane)
{
    struct destination *d = lane->key.destination;

    lane_withdraw(ds, lane, d->offered);
    DL_DELETE(d->lanes, lane);
    HASH_DEL(ds->lanes, lane);
    user_drop(ds, lane->key.user);
    free(lane);
    destination_drop(ds, d);
}

void lane_put(
    struct destinations *ds, struct user *user, struct destination *d, struct recipient *r)
{
    struct lane_key key = {
        .user = user,
        .destination = d,
        .level = level_of(envelope_priority(r->message->priority)),
    };
    struct lane *lane;

    HASH_FIND(hh, ds->lanes, &key, sizeof key, lane);
    if (!lane)
        lane = lane_new(ds, &key);
    DL_APPEND(lane->recipients, r);
    r->lane = lane;
}

void lane_take_out(struct destinations *ds, struct recipient *r)
{
    struct lane *lane = r->lane;

    DL_DELETE(lane->recipients, r);
    r->lane = NULL;
    if (!lane->recipients)
        lane_free(ds, lane);
}

/* A quarter of all places is for destinations that take mail; the others share the rest, and when
 * half of all places are taken each of them holds one at most. */
static bool may_offer(const struct destinations *ds, enum offer as)
{
    if (as == OFFER_PROVEN)
        return true;
    return ds->unproven < ds->limit - ds->limit / 4 &&
           (as == OFFER_FIRST || ds->in_hand < ds->limit / 2);
}

/* The kind of offer with the user who was served longest ago; OFFER_NONE: nobody's turn. */
static enum offer best_offer(const struct destinations *ds, size_t level)
{
    enum offer best = OFFER_NONE;
    int64_t served = INT64_MAX;

    for (enum offer as = 0; as < OFFERS; as++) {
        const struct heap_node *first = heap_first(&ds->turns[level][as]);
        if (!first || first->key >= served || !may_offer(ds, as))
            continue;
        best = as;
        served = first->key;
    }
    return best;
}

/* The level whose turn it is and the kind of offer there; LEVELS: nobody's turn. The highest that
 * can go, unless one below has been passed over long enough: mail of high priority without end must
 * not keep other mail for ever. */
static size_t pick_level(struct destinations *ds, enum offer *out_as)
{
    enum offer offers[LEVELS];
    size_t level = LEVELS;

    for (size_t i = 0; i < LEVELS; i++) {
        offers[i] = best_offer(ds, i);
        if (offers[i] != OFFER_NONE && (level == LEVELS || ds->passed_over[i] >= PASSED_OVER_MOST))
            level = i;
    }
    if (level == LEVELS)
        return level;
    for (size_t i = level + 1; i < LEVELS; i++)
        ds->passed_over[i] += offers[i] != OFFER_NONE;
    ds->passed_over[level] = 0;
    *out_as = offers[level];
    return level;
}

static void user_served(struct destinations *ds, struct user *user)
{
    user->served = ++ds->turn;
    for (size_t level = 0; level < LEVELS; level++)
        for (enum offer as = 0; as < OFFERS; as++)
            if (user->turns[level][as].offered)
                need(heap_set(&ds->turns[level][as], &user->turns[level][as].node, user->served));
}

struct recipient *destinations_pick(struct destinations *ds)
{
    struct turn *turn;
    struct lane *lane;
    enum offer as;
    size_t level;

    if (ds->in_hand >= ds->limit || (level = pick_level(ds, &as)) == LEVELS)
        return NULL;
    turn = CONTAINER_OF(heap_first(&ds->turns[level][as]), struct turn, node);
    user_served(ds, turn->user);
    lane = turn->offered;
    DL_DELETE2(turn->offered, lane, prev_offered, next_offered);
    DL_APPEND2(turn->offered, lane, prev_offered, next_offered);
    /* When the destination's window opens again, the others there are offered before this user. */
    DL_DELETE(lane->key.destination->lanes, lane);
    DL_APPEND(lane->key.destination->lanes, lane);
    return lane->recipients;
}

/* ---- destinations ---- */

/* Nobody is spared by a slow start on this machine. */
static bool is_local(const struct conf_route *route)
{
    return route->via == CONF_VIA_MAILDIR || (route->via == CONF_VIA_LMTP && route->path.len > 0);
}

static struct destination *destination_new(struct destinations *ds, struct slice key)
{
    struct destination *d = need_memory(sizeof *d);

    d->key = need_memory(key.len + 1);
    memcpy(d->key, key.data, key.len);
    d->offered = OFFER_NONE;
    HASH_ADD_KEYPTR(hh, ds->map, d->key, key.len, d);
    return d;
}

/* Takes over what this configuration says of the destination. */
static void destination_adopt(struct destinations *ds, struct destination *d,
    const struct conf *conf, const struct conf_route *route, const struct domain *domain)
{
    struct slice address = route->via == CONF_VIA_MX ? domain_name(domain) : route->to;

    if (d->snapshot == conf->number && d->address)
        return;
    free(d->address);
    d->address = need_memory(address.len + 1);
    memcpy(d->address, address.data, address.len);
    d->snapshot = conf->number;
    d->route = (uint32_t)(route - conf->routes);
    d->carrier = route->via == CONF_VIA_MAILDIR ? ROLE_MAILDROP : ROLE_RELAY;
    d->carrier_index = 0;
    if (d->carrier == ROLE_RELAY && conf->relays > 0)
        d->carrier_index = place_hash(d->key) % (uint32_t)conf->relays;
    d->is_served = ds->is_served(ds->owner, d->carrier, d->carrier_index);
    d->is_local = is_local(route);
    set_proven(ds, d, d->is_local || d->is_proven || is_remembered(ds, d));
    if (d->concurrency.window == 0)
        d->concurrency.window = d->is_local ? (uint32_t)ds->window_limit : CONCURRENCY_FIRST;
    if (d->concurrency.window > ds->window_limit)
        d->concurrency.window = (uint32_t)ds->window_limit;
    destination_refresh(ds, d);
}

static struct destination *resolve(
    struct destinations *ds, const struct conf *conf, const struct domain *domain)
{
    struct route_choice choice;
    struct buffer key;
    struct destination *d;

    if (!route_choose(conf, domain_name(domain), &choice))
        return NULL;
    buffer_init(&key, DESTINATION_KEY_MAX);
    route_destination(choice.route, domain_name(domain), &key);
    need(key.error == ERR_OK);
    HASH_FIND(hh, ds->map, buffer_slice(&key).data, key.len, d);
    if (!d)
        d = destination_new(ds, buffer_slice(&key));
    buffer_clear(&key);
    destination_adopt(ds, d, conf, choice.route, domain);
    d->refs++;
    return d;
}

struct destination *domain_route(
    struct destinations *ds, const struct conf *conf, struct domain *domain)
{
    struct destination *old = domain->destination;

    if (old && domain->snapshot == conf->number)
        return old;
    domain->destination = resolve(ds, conf, domain);
    domain->snapshot = conf->number;
    destination_drop(ds, old);
    return domain->destination;
}

void destinations_occupy(struct destinations *ds)
{
    ds->in_hand++;
}

void destinations_vacate(struct destinations *ds)
{
    assert(ds->in_hand > 0);
    ds->in_hand--;
}

void destination_began(struct destinations *ds, struct destination *d)
{
    d->refs++;
    d->in_hand++;
    destinations_occupy(ds);
    ds->unproven += !d->is_proven;
    destination_refresh(ds, d);
}

void destination_ended(struct destinations *ds, struct destination *d)
{
    assert(d->in_hand > 0);
    d->in_hand--;
    ds->unproven -= !d->is_proven;
    if (d->in_hand == 0 && !d->lanes && !d->is_local)
        set_proven(ds, d, is_remembered(ds, d));
    destination_refresh(ds, d);
    destination_drop(ds, d);
}

static void destination_wake(struct destinations *ds, struct destination *d)
{
    if (!d->is_dead)
        return;
    heap_remove(&ds->dead, &d->revival);
    d->is_dead = false;
    destination_refresh(ds, d);
    destination_drop(ds, d);
}

static void learn(const struct destinations *ds, struct destination *d, enum concurrency_sign sign)
{
    concurrency_learn(&d->concurrency, sign, d->in_hand, (uint32_t)ds->window_limit);
}

void destination_answered(
    struct destinations *ds, struct destination *d, enum concurrency_sign sign)
{
    d->failures = 0;
    reply_drop(ds->replies, &d->last_failure);
    learn(ds, d, sign);
    if (sign == CONCURRENCY_TOOK)
        destination_prove(ds, d);
    destination_refresh(ds, d);
    destination_wake(ds, d);
}

void destination_unreachable(
    struct destinations *ds, struct destination *d, int64_t now_ms, struct reply *why)
{
    struct conf_queue settings = { .dead_host = ds->dead_host };
    int64_t seconds;

    if (d->is_dead)
        return;
    learn(ds, d, CONCURRENCY_UNREACHED);
    destination_doubt(ds, d);
    if (!concurrency_is_dead(CONCURRENCY_UNREACHED, d->in_hand)) {
        destination_refresh(ds, d);
        return;
    }
    seconds = retry_dead_host(&settings, ++d->failures);
    reply_drop(ds->replies, &d->last_failure);
    d->last_failure = reply_share(why);
    if (seconds > 0) {
        d->is_dead = true;
        d->refs++;
        need(heap_set(&ds->dead, &d->revival, now_ms + seconds * 1000));
    }
    destination_refresh(ds, d);
}

void destinations_served(struct destinations *ds, enum role carrier, uint32_t index)
{
    struct destination *d, *next;

    HASH_ITER (hh, ds->map, d, next) {
        if (d->carrier != carrier || d->carrier_index != index)
            continue;
        d->is_served = ds->is_served(ds->owner, carrier, index);
        destination_refresh(ds, d);
    }
}

void destinations_revive(struct destinations *ds, int64_t now_ms)
{
    struct heap_node *first;

    while ((first = heap_first(&ds->dead)) && first->key <= now_ms)
        destination_wake(ds, CONTAINER_OF(first, struct destination, revival));
}

void destinations_forgive(struct destinations *ds)
{
    struct heap_node *first;

    while ((first = heap_first(&ds->dead))) {
        struct destination *d = CONTAINER_OF(first, struct destination, revival);
        d->failures = 0;
        destination_wake(ds, d);
    }
}

void destinations_clear(struct destinations *ds)
{
    destinations_forgive(ds);
    assert(!ds->map && !ds->users && !ds->domains && !ds->lanes && ds->in_hand == 0);
    for (size_t level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < OFFERS; i++)
            heap_clear(&ds->turns[level][i]);
    heap_clear(&ds->dead);
}
