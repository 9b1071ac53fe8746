/* vault/secrets.h: what a snapshot brings: TLS keys and smarthost passwords. A few older snapshots
 * stay, for handshakes and deliveries that began under them. */
#ifndef VAULT_SECRETS_H
#define VAULT_SECRETS_H

#include "base/error.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "ipc/role.h"
#include "vault/key.h"

struct secrets;

/* A login at a next hop. */
struct smarthost {
    struct secret username;
    struct secret password; /* empty: the route has no login */
    enum role asker;        /* who may log in there: a relay, or the fetch room */
};

enum { SECRETS_KEPT = 4 }; /* snapshots, the one in force included */

MUST_CHECK struct secrets *secrets_new(void);
void secrets_free(struct secrets **secrets);

/* For the snapshot that secrets_apply will name; what is given twice replaces. Descriptors are
 * closed. Faults are kept until then. name: what to call the file in the log. */
void secrets_give_certificate(struct secrets *secrets, uint32_t index, struct slice chain_pem);
void secrets_give_key(struct secrets *secrets, uint32_t index, struct slice name, int fd);
void secrets_give_password(struct secrets *secrets, uint32_t route, int fd);
/* Puts what was given in force. On failure (a bad key, a bad password file: said in the log)
 * everything is as before and what was given is forgotten. ERR_INVALID, ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err secrets_apply(struct secrets *secrets, const struct conf *conf);

/* number: key_number of ipc/messages.h; with no snapshot in it, the newest is meant. ERR_OK:
 * *out_key is borrowed until the next secrets_apply. ERR_BUSY: of a snapshot that is not in force
 * here yet. ERR_NOTFOUND. */
MUST_CHECK enum err secrets_key(struct secrets *secrets, uint32_t number, struct key **out_key);
/* NULL: no such snapshot (any more), no such route, or no login on it. Borrowed until the next
 * secrets_apply. */
const struct smarthost *secrets_smarthost(
    const struct secrets *secrets, uint64_t snapshot, uint32_t route);

#endif
