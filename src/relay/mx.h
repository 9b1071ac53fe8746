/* relay/mx.h: which of a domain's MX hosts to try, in which order. Pure. */
#ifndef RELAY_MX_H
#define RELAY_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/dns_answer.h"

enum { MX_HOSTS_MAX = 5 }; /* OUT-4 */

struct mx_host {
    struct slice name;
    uint16_t preference;
};

enum mx_verdict {
    MX_HOSTS, /* at least one host to try */
    MX_NULL,  /* the domain takes no mail (RFC 7505, OUT-3) */
    MX_SELF,  /* we are the best host: sending would loop (OUT-5) */
    MX_NONE,  /* no record that can be used */
};

/* Sorts by preference, shuffles equals (random: any numbers, one is used for each record), drops
 * ourselves and every host that is not better than us. records: of type MX. */
enum mx_verdict mx_order(const struct dns_record *records, size_t count, struct slice hostname,
    uint32_t (*random)(void), struct mx_host out_hosts[MX_HOSTS_MAX], size_t *out_count);

#endif
