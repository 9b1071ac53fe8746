/* vault/auth.h: the logins of the gates' clients: conversations by (gate, session), from
 * MSG_AUTH_START to MSG_AUTH_DONE. */
#ifndef VAULT_AUTH_H
#define VAULT_AUTH_H

#include "base/macros.h"
#include "ipc/messages.h"
#include "vault/failures.h"
#include "vault/asker.h"

struct auth;
struct loop;
struct store;
struct tokens;

struct auth_settings {
    unsigned threads; /* password hashes at once */
    size_t waiting;   /* password hashes in the queue at most */
    int64_t life_ms;  /* of a conversation */
    struct failure_limits limits;
};

/* One hash for each core but one, 1024 waiting, five minutes. */
struct auth_settings auth_defaults(void);

/* store and tokens (NULL: none are accepted) are borrowed. NULL without memory or threads. */
MUST_CHECK struct auth *auth_new(struct loop *loop, struct store *store, struct tokens *tokens,
    const struct auth_settings *settings);
/* Every asker must have been forgotten, and the tokens must be gone. */
void auth_free(struct auth **auth);
void auth_set_limits(struct auth *auth, struct failure_limits limits);

/* Each is answered by MSG_AUTH_SAY or MSG_AUTH_DONE on the asker's channel, perhaps later, but for
 * a cancel. A number that is not known (any more) is answered AUTH_TEMPORARY. One line in the log
 * for each attempt (AUTH-27: never a credential), bounded for those that fail (SUB-5.2-3). */
void auth_start(struct auth *auth, struct asker *asker, const struct msg_auth_start *message);
void auth_step(struct auth *auth, struct asker *asker, const struct msg_auth_step *message);
void auth_cancel(struct auth *auth, struct asker *asker, const struct msg_session *message);
/* The asker is gone; nothing is answered. */
void auth_forget_asker(struct auth *auth, struct asker *asker);
/* Answers that are owed. */
size_t auth_busy(const struct auth *auth);

#endif
