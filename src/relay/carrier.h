/* relay/carrier.h: what all parts of the room share: loop, resolver, settings in force, pool of
 * idle connections, dead hosts, channels to the queue and the vault. */
#ifndef RELAY_CARRIER_H
#define RELAY_CARRIER_H

#include "ipc/channel.h"
#include "net/hands.h"
#include "net/resolve.h"
#include "relay/connection.h"
#include "relay/dead.h"
#include "relay/delivery.h"
#include "relay/domain.h"
#include "relay/pool.h"
#include "relay/settings.h"

struct carrier {
    struct room *room;
    struct loop *loop;
    struct resolver *resolver;
    struct settings *settings;
    struct roots roots; /* given, not applied yet */
    struct hands *hands; /* reads large bodies */
    struct channel *queue;
    struct channel *vault;
    struct channel **gates; /* by index */
    size_t gate_count;
    struct job *jobs; /* by number: in hand, or finished and not acknowledged */
    struct delivery *deliveries;
    struct connection *connections; /* all of them */
    struct pool *pool;              /* those of them that are idle */
    struct dead_hosts *dead;
    struct domain_question *questions;
    struct own_name *own_name; /* being looked up, else NULL */
    uint64_t last_login;       /* number of the latest conversation with the vault */
    int64_t clock_offset_us;   /* the wall clock minus the monotonic one at the start */
    bool is_draining;
};

/* A job's outcome is complete: tell the queue, and keep it until it says that it is synced. */
void carrier_job_finished(struct carrier *carrier, struct job *job);
/* A connection was freed: a room that is ending may have waited for it alone. */
void carrier_connection_gone(struct carrier *carrier);
/* Ends everything at once. A room's memory goes with its process: this is for tests. */
void carrier_free(struct carrier **carrier);

#endif
