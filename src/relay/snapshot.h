/* relay/snapshot.h: one configuration as the relay uses it, shared by the deliveries that began under it. */
#ifndef RELAY_SNAPSHOT_H
#define RELAY_SNAPSHOT_H

#include "base/arena.h"
#include "conf/conf.h"
#include "net/tls.h"

struct snapshot {
    unsigned holds;
    uint64_t number;
    struct arena arena;
    struct conf *conf;
    struct tls_client **clients; /* by route; NULL where the route has no TLS */
};

/* Unpacks the configuration and loads trust anchors. ERR_CORRUPT, ERR_NOMEM, ERR_INVALID (logged with the file's name). */
MUST_CHECK enum err snapshot_new(struct slice conf, struct snapshot **out_snapshot);
struct snapshot *snapshot_hold(struct snapshot *snapshot);
/* Nulls the pointer; frees with the last hold. */
void snapshot_drop(struct snapshot **snapshot);

#endif
