/* relay/domain.h: a gate's question about a domain: does it exist, does it take mail (SUB-4.2-6,
 * OPS-7, OUT-3)? */
#ifndef RELAY_DOMAIN_H
#define RELAY_DOMAIN_H

#include "ipc/messages.h"

struct carrier;
struct channel;
struct domain_question;

/* Asks DNS and answers on the channel, once, within five seconds. */
void domain_ask(struct carrier *carrier, struct channel *gate, const struct msg_domain_ask *ask);
/* The gate has gone: its questions need no answer. */
void domain_forget(struct carrier *carrier, const struct channel *gate);

#endif
