/* vault/login.h: logging in to a smarthost on a relay's behalf: the relay carries the messages, the
 * password stays here (OUT-18, OUT-19). */
#ifndef VAULT_LOGIN_H
#define VAULT_LOGIN_H

#include "base/macros.h"
#include "ipc/messages.h"
#include "vault/asker.h"
#include "vault/secrets.h"

struct logins;
struct loop;

/* A next hop may ask for at most this many PBKDF2 rounds, half a second's work, and for no fewer
 * than RFC 7677 allows. */
enum { LOGIN_ITERATIONS_MIN = 4096, LOGIN_ITERATIONS_MAX = 1000000, LOGIN_LIFE_MS = 600000 };

/* secrets is borrowed. NULL without memory or threads. */
MUST_CHECK struct logins *logins_new(struct loop *loop, struct secrets *secrets);
/* Every asker must have been forgotten. */
void logins_free(struct logins **logins);

/* Each but the end is answered by MSG_LOGIN_SAY, later. After `failed` the number is free.
 * Mechanisms in the order of preference: SCRAM-SHA-256, PLAIN, LOGIN. Refused without a verified
 * TLS connection (OUT-19). */
void logins_start(
    struct logins *logins, struct asker *asker, const struct msg_login_start *message);
void logins_step(struct logins *logins, struct asker *asker, const struct msg_login_step *message);
void logins_end(struct logins *logins, struct asker *asker, const struct msg_login *message);
/* The asker is gone; nothing is answered. */
void logins_forget_asker(struct logins *logins, struct asker *asker);
/* Answers that are owed. */
size_t logins_busy(const struct logins *logins);

#endif
