/* vault/sign.h: signatures for the gates' handshakes: quick keys on the loop, the others on hands,
 * so that an RSA handshake never delays a login. */
#ifndef VAULT_SIGN_H
#define VAULT_SIGN_H

#include "base/macros.h"
#include "ipc/messages.h"
#include "vault/asker.h"
#include "vault/secrets.h"

struct loop;
struct sign;

enum { SIGN_JOBS_MAX = 8192, SIGN_WAIT_MS = 30000 };

/* secrets is borrowed. NULL without memory or threads. */
MUST_CHECK struct sign *sign_new(struct loop *loop, struct secrets *secrets, unsigned threads);
/* Answered by MSG_SIGNED, at once or later. A request for a key of a snapshot that is not in force
 * here yet waits for it, up to SIGN_WAIT_MS. */
void sign_request(struct sign *sign, struct asker *asker, const struct msg_sign *message);
/* A snapshot came into force: what waited for it is signed. */
void sign_retry(struct sign *sign);
/* The asker is gone; nothing is answered. */
void sign_forget_asker(struct sign *sign, struct asker *asker);
/* Signatures that are owed. */
size_t sign_busy(const struct sign *sign);

#endif
