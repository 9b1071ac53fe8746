/* vault/tickets.h: the keys of TLS session tickets: made here, shared by all gates, so that a
 * client may resume at any of them (TLS-20). The one named key that a gate holds. */
#ifndef VAULT_TICKETS_H
#define VAULT_TICKETS_H

#include "base/macros.h"
#include "ipc/messages.h"

struct loop;
struct tickets;

enum { TICKETS_LIFE_MS = 12 * 3600 * 1000 };

/* changed: the keys are new, tell the gates. life_ms: of the key that encrypts; it decrypts for as
 * long again. NULL without memory or randomness. */
MUST_CHECK struct tickets *tickets_new(
    struct loop *loop, int64_t life_ms, void (*changed)(void *owner), void *owner);
void tickets_free(struct tickets **tickets);
/* The message for a gate; its octets are the tickets' own and live until the next change. */
struct msg_ticket_keys tickets_message(struct tickets *tickets);

#endif
