/* policy/route.h: recipient domain to route. Pure. */
#ifndef POLICY_ROUTE_H
#define POLICY_ROUTE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "conf/conf.h"

struct route_choice {
    const struct conf_route *route; /* into the configuration */
    /* Whether the gate asks DNS for the domain before it says 250 to RCPT (SUB-4.2-6): only where
     * the mail will follow the domain's own MX records. Never for an address literal. */
    bool ask_dns;
};

/* The most specific route: the domain itself, then the longest "*.parent", then "*". domain:
 * A-labels in any case, or an address literal "[192.0.2.1]", which only "*" matches. False when no
 * route fits: such a recipient cannot be served (550 5.7.1 at RCPT); *out_choice untouched. */
MUST_CHECK bool route_choose(
    const struct conf *conf, struct slice domain, struct route_choice *out_choice);

/* Appends the key under which the queue counts concurrency and a relay pools: mail for the same key
 * goes to the same place. "mx:example.org", "smtp:host:port", "lmtp:/path", "maildir:/path",
 * lower-case, at most 4352 octets. */
void route_destination(const struct conf_route *route, struct slice domain, struct buffer *out_key);

#endif
