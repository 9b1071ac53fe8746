/* supervisor/plan.c: the table of rooms. */
#include "supervisor/plan.h"

#include <unistd.h>

#include "ipc/counters.h"

/* Counted once: the shared counters have a column for each gate of the start, and a core that comes
 * or goes is no change of the configuration. */
static long count_cores(void)
{
    static long cores;

    if (cores == 0)
        cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores;
}

size_t plan_gates(const struct conf *conf)
{
    long cores = conf->gates > 0 ? (long)conf->gates : count_cores();

    if (cores < 1)
        cores = 1;
    return cores > COUNTERS_GATES_MAX ? COUNTERS_GATES_MAX : (size_t)cores;
}

static size_t one(const struct conf *conf)
{
    (void)conf;
    return 1;
}

static size_t relays(const struct conf *conf)
{
    return conf->relays;
}

static size_t maildrops(const struct conf *conf)
{
    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].via == CONF_VIA_MAILDIR)
            return 1;
    return 0;
}

/* Whoever is to be asked outside: a condition for each. */
static size_t fetches(const struct conf *conf)
{
    return conf->auth.oauth_jwks_uri.len > 0 || conf->auth.oauth_introspection.len > 0 ||
           conf->extensions.burl;
}

/* In the order in which rooms are started; they are drained from the gates on (see supervisor.c).
 */
const struct room_plan room_plans[] = {
    { ROLE_VAULT, one, 1 << GIFT_KEY | 1 << GIFT_USERS | 1 << GIFT_PASSWORD, true },
    { ROLE_QUEUE, one, 1 << GIFT_SPOOL | 1 << GIFT_LOCK | 1 << GIFT_CONTROL | 1 << GIFT_MISTAKES,
        false },
    { ROLE_RELAY, relays, 1 << GIFT_ROOTS, false },
    { ROLE_MAILDROP, maildrops, 1 << GIFT_MAILDIR, false },
    { ROLE_FETCH, fetches, 1 << GIFT_FETCH_ROOTS | 1 << GIFT_IMAP_ROOTS | 1 << GIFT_FETCH_SECRET,
        false },
    { ROLE_GATE, plan_gates, 1 << GIFT_LISTENER | 1 << GIFT_COUNTERS | 1 << GIFT_MISTAKES, true },
};
const size_t room_plan_count = LENGTH_OF(room_plans);

const struct pair_plan pair_plans[] = {
    { ROLE_GATE, ROLE_QUEUE, ROLE_GATE },
    { ROLE_GATE, ROLE_VAULT, ROLE_GATE },
    { ROLE_GATE, ROLE_RELAY, ROLE_SUPERVISOR },
    { ROLE_QUEUE, ROLE_RELAY, ROLE_RELAY },
    { ROLE_QUEUE, ROLE_MAILDROP, ROLE_MAILDROP },
    { ROLE_RELAY, ROLE_VAULT, ROLE_RELAY },
    { ROLE_VAULT, ROLE_FETCH, ROLE_FETCH },
    { ROLE_GATE, ROLE_FETCH, ROLE_FETCH },
};
const size_t pair_plan_count = LENGTH_OF(pair_plans);

const struct pair_plan *plan_pair(enum role a, enum role b)
{
    for (size_t i = 0; i < pair_plan_count; i++)
        if ((pair_plans[i].one == a && pair_plans[i].other == b) ||
            (pair_plans[i].one == b && pair_plans[i].other == a))
            return &pair_plans[i];
    return NULL;
}
