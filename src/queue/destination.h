/* queue/destination.h: where mail goes and whose turn it is. A destination is one place that mail
 * is sent to under one route; each has its own window of deliveries at once (QUE-9), a memory of
 * being dead (QUE-5) and one lane for each user with mail for it (QUE-10). Decides, sends nothing.
 */
#ifndef QUEUE_DESTINATION_H
#define QUEUE_DESTINATION_H

#include "base/heap.h"
#include "base/map.h"
#include "conf/conf.h"
#include "ipc/role.h"
#include "policy/concurrency.h"
#include "queue/reply.h"

struct recipient;
struct lane;

/* As what a destination may get one more delivery. One that has taken nothing lately may be a
 * tarpit: such ones never hold all places, and few of them more than one. */
enum offer {
    OFFER_PROVEN,
    OFFER_FIRST,  /* has taken nothing, and has nothing in hand */
    OFFER_SECOND, /* has taken nothing, and has something in hand */
    OFFERS,
    OFFER_NONE = OFFERS,
};

/* The levels of MIXER: what MT-PRIORITY asks for counts as the next of them above (EXT-MTPRI-4). A
 * level has its turn when nothing above it can go, and one turn in so many all the same. */
enum level { LEVEL_URGENT, LEVEL_NORMAL, LEVEL_NON_URGENT, LEVELS };

/* priority: -9 to 9. */
static inline enum level level_of(int priority)
{
    return priority > 0 ? LEVEL_URGENT : priority > -4 ? LEVEL_NORMAL : LEVEL_NON_URGENT;
}

/* Whoever submits. Turns go by user, within a level. Counted: one reference for each message and
 * lane. */
struct user {
    UT_hash_handle hh;
    struct turn {
        struct heap_node node; /* in destinations.turns while a lane of his is so offered; key: last
                                  served */
        struct user *user;
        struct lane *offered; /* his lanes that may go now, in their order */
    } turns[LEVELS][OFFERS];
    int64_t served;
    uint64_t timed; /* messages of his that wait for their release, and their octets: release.c */
    uint64_t timed_octets;
    uint32_t refs;
    uint32_t len;
    char name[]; /* empty: nobody logged in, or a notice of ours */
};

/* A recipient's domain, kept once. Counted: one reference for each recipient. */
struct domain {
    UT_hash_handle hh;
    struct destination *destination; /* under the route of `snapshot`; NULL when no route fits */
    uint64_t snapshot;
    uint32_t refs;
    uint32_t len;
    char name[]; /* lower-case, A-labels (EXT-SMTPUTF8-8); empty for an address without a domain */
};

struct destination {
    UT_hash_handle hh;
    char *key;     /* of policy/route.h */
    char *address; /* what MSG_JOB says: the domain for mx, otherwise the route's own text */
    uint64_t snapshot;
    uint32_t route; /* place in the configuration of that snapshot */
    enum role carrier;
    uint32_t carrier_index;
    bool is_served; /* the carrier is there and has said what it has in hand */
    bool is_proven; /* has taken mail lately, or is on this machine */
    bool is_local;
    enum offer offered; /* in which of their users' lists its lanes are */
    bool is_dead;
    uint32_t refs; /* domains, lanes, deliveries under way, being dead */
    uint32_t in_hand;
    struct concurrency concurrency;
    uint64_t failures;        /* in a row without a connection */
    struct heap_node revival; /* while dead: monotonic ms */
    struct lane *lanes;
    struct reply *last_failure;
};

/* The waiting recipients of one user and level for one destination, first come first served. */
struct lane {
    UT_hash_handle hh;
    struct lane_key {
        struct user *user;
        struct destination *destination;
        size_t level; /* enum level, without padding behind it: the key is hashed */
    } key;
    struct recipient *recipients;
    struct lane *next, *prev;                 /* in the destination's */
    struct lane *next_offered, *prev_offered; /* in the user's */
};

enum { PROVEN_MOST = 1024 };

struct destinations {
    struct user *users;
    struct domain *domains;
    struct destination *map;
    struct lane *lanes;
    struct heap turns[LEVELS][OFFERS]; /* users with something offered, the one served longest ago
                                          first */
    unsigned passed_over[LEVELS];      /* turns of higher levels while this one could go */
    struct heap dead;                  /* destinations by revival */
    int64_t turn;
    size_t in_hand;               /* places taken, of `limit` */
    uint32_t proven[PROVEN_MOST]; /* hashes of the keys of places that took mail lately; 0: none */
    size_t unproven;              /* deliveries under way there */
    size_t limit;                 /* of in_hand */
    size_t window_limit;          /* of each destination */
    uint64_t dead_host;
    struct replies *replies;
    /* Is there somebody who takes work for it? */
    bool (*is_served)(void *owner, enum role carrier, uint32_t index);
    void *owner;
};

void destinations_init(struct destinations *ds, struct replies *replies,
    bool (*is_served)(void *owner, enum role carrier, uint32_t index), void *owner);
/* All messages must be gone before. */
void destinations_clear(struct destinations *ds);
/* Takes the limits of a configuration over. */
void destinations_limit(struct destinations *ds, const struct conf *conf);

struct user *user_take(struct destinations *ds, struct slice name);
void user_drop(struct destinations *ds, struct user *user);
/* NULL: no message of his is here. */
struct user *user_find(struct destinations *ds, struct slice name);
/* domain: any case, kept in lower case. */
struct domain *domain_take(struct destinations *ds, struct slice name);
void domain_drop(struct destinations *ds, struct domain *domain);

/* The destination of a domain under this configuration, or NULL when no route fits. Cached until
 * the configuration has another number. */
struct destination *domain_route(
    struct destinations *ds, const struct conf *conf, struct domain *domain);

/* Puts a recipient at the end of the user's lane for the destination and its message's level, or
 * takes it out. */
void lane_put(
    struct destinations *ds, struct user *user, struct destination *d, struct recipient *r);
void lane_take_out(struct destinations *ds, struct recipient *r);

/* The recipient whose turn it is and whose destination may get one more delivery now, or NULL. Its
 * user has then had his turn. */
struct recipient *destinations_pick(struct destinations *ds);

/* One more of the places that all deliveries share is taken, whether or not one is free, or one is
 * free again. */
void destinations_occupy(struct destinations *ds);
void destinations_vacate(struct destinations *ds);
/* A delivery is under way from _began to _ended. It occupies a place from _began on until that is
 * vacated, which may be later: what a window learns is about deliveries, a place is also kept for
 * an outcome that is not on the disk yet. */
void destination_began(struct destinations *ds, struct destination *d);
void destination_ended(struct destinations *ds, struct destination *d);
/* It was reached, with that sign (not UNREACHED), and is not dead. Before destination_ended. */
void destination_answered(
    struct destinations *ds, struct destination *d, enum concurrency_sign sign);
/* No connection: dead for a while, longer each time (QUE-5), unless other deliveries are under way
 * there. Before destination_ended. */
void destination_unreachable(
    struct destinations *ds, struct destination *d, int64_t now_ms, struct reply *why);
/* The carrier has come or gone. */
void destinations_served(struct destinations *ds, enum role carrier, uint32_t index);
/* Lets those try again whose time is over. */
void destinations_revive(struct destinations *ds, int64_t now_ms);
/* Forgets who is dead. */
void destinations_forgive(struct destinations *ds);

static inline struct slice user_name(const struct user *user)
{
    return slice_of(user->name, user->len);
}

static inline struct slice domain_name(const struct domain *domain)
{
    return slice_of(domain->name, domain->len);
}

#endif
