/* gate/domains.h: what a relay said of a domain, remembered for a short while. Fixed in size: a new
 * name takes the place of another with the same hash. */
#ifndef GATE_DOMAINS_H
#define GATE_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "ipc/messages.h"

enum { DOMAINS_CELLS = 1024, DOMAIN_NAME_MAX = 255 };

struct domains_entry {
    int64_t until_ms; /* monotonic; 0: empty */
    enum domain_verdict verdict;
    uint8_t len;
    char name[DOMAIN_NAME_MAX];
};

struct domains {
    struct domains_entry cells[DOMAINS_CELLS];
};

/* domain: A-labels in lower case, at most DOMAIN_NAME_MAX octets (longer ones are not kept). False
 * when nothing is known of it at that time. */
MUST_CHECK bool domains_find(const struct domains *domains, struct slice domain, int64_t now_ms,
    enum domain_verdict *out_verdict);
/* Keeps what is sure: a temporary failure and silence are not remembered. */
void domains_keep(
    struct domains *domains, struct slice domain, int64_t now_ms, enum domain_verdict verdict);

#endif
