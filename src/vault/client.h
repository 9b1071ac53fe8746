/* vault/client.h: who a login comes from, as fairness and limits see it: an IPv4 address, or the
 * /64 of an IPv6 address, which one customer has to themselves. */
#ifndef VAULT_CLIENT_H
#define VAULT_CLIENT_H

#include "base/slice.h"

struct client_key {
    unsigned char octets[16];
};

/* address: as text. What is no address is a client of its own, by its first 15 octets. */
struct client_key client_key_of(struct slice address);

#endif
