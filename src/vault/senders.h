/* vault/senders.h: the questions about senders that a grant was too short for (RIGHTS_ASK of
 * policy/rights.h). */
#ifndef VAULT_SENDERS_H
#define VAULT_SENDERS_H

#include "base/macros.h"
#include "ipc/messages.h"
#include "vault/asker.h"

struct senders;
struct store;

/* store is borrowed. NULL without memory. */
MUST_CHECK struct senders *senders_new(struct store *store);
/* Every asker must have been forgotten. */
void senders_free(struct senders **senders);
/* Answered by MSG_RIGHTS_DONE, later: may this user, as the file says now, use this address? No for
 * a user who is disabled or gone. */
void senders_ask(struct senders *senders, struct asker *asker, const struct msg_rights *message);
/* The asker is gone; nothing is answered. */
void senders_forget_asker(struct senders *senders, struct asker *asker);

#endif
