/* net/addresses.h: where a host is: its addresses by DNS, IPv6 first, within a time. For rooms that
 * dial a server of the configuration. */
#ifndef NET_ADDRESSES_H
#define NET_ADDRESSES_H

#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/peer.h"

struct loop;
struct resolver;
struct addresses;

enum { ADDRESSES_MAX = 8 }; /* those beyond are left out */

/* why: NULL and at least one address, or why there is none: a phrase, static. peers live until the
 * callback returns, in which the look-up may be cancelled; it is gone afterwards. */
typedef void addresses_fn(void *owner, const struct peer *peers, size_t count, const char *why);

/* host: a name in ASCII, or an IP address without brackets, which needs no DNS. The callback comes
 * exactly once, never from inside this call, within ms milliseconds, unless cancelled. ERR_NOMEM.
 */
MUST_CHECK enum err addresses_start(struct loop *loop, struct resolver *resolver, struct slice host,
    uint16_t port, int64_t ms, addresses_fn *fn, void *owner, struct addresses **out_lookup);
/* No callback will come. Nulls the pointer; NULL is harmless. */
void addresses_cancel(struct addresses **lookup);

#endif
