/* smtp/domain.h: the domain half of smtp/address.h, for address.c alone. */
#ifndef SMTP_DOMAIN_H
#define SMTP_DOMAIN_H

#include "smtp/address.h"

/* Octets at the front of text that a host name may hold, whatever their order. */
size_t domain_span(struct slice text);
/* Checks domain as domain_check does, a trailing dot allowed, and gives the canonical form of
 * struct address: inside domain where nothing changes, else in the arena. */
MUST_CHECK enum address_fault domain_canonical(
    struct arena *arena, struct slice domain, struct slice *out_domain, size_t *out_at);

#endif
