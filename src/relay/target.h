/* relay/target.h: from a route and a domain to the list of addresses to try, in order. Asks DNS;
 * never blocks. */
#ifndef RELAY_TARGET_H
#define RELAY_TARGET_H

#include "base/arena.h"
#include "conf/conf.h"
#include "net/peer.h"
#include "net/resolve.h"
#include "relay/mx.h"
#include "relay/verdict.h"

enum { TARGET_ADDRESSES_MAX = 10 }; /* OUT-4 */

struct hop {
    char host[DNS_NAME_TEXT + 1]; /* name for TLS and for people */
    struct peer address;
    char path[256]; /* unix socket, when address.family is PEER_UNIX */
};

struct target_query;

/* failure NULL: hops to try, best first; is_partial: there may be others, which DNS does not tell
 * now. Otherwise why there is none. All live until the call returns. */
typedef void target_fn(void *owner, const struct hop *hops, size_t count, bool is_partial,
    const struct verdict *failure);

/* domain: the destination's domain in A-labels, or an address literal, for via mx; otherwise
 * unused. The callback comes exactly once, never from inside this call, unless the query is
 * cancelled. NULL without memory. */
MUST_CHECK struct target_query *target_find(struct loop *loop, struct resolver *resolver,
    const struct conf *conf, const struct conf_route *route, struct slice domain, target_fn *fn,
    void *owner);
void target_cancel(struct target_query **query);

#endif
