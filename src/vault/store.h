/* vault/store.h: the user file as the vault holds it: looked at before every login, read again when
 * it has changed, never on the loop. `submitctl user disable` therefore works at the next login. */
#ifndef VAULT_STORE_H
#define VAULT_STORE_H

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "users/file.h"
#include "vault/keyed.h"

struct loop;
struct store;

/* Embedded in who waits. */
struct store_wait {
    struct store_wait *prev, *next;
    struct store *store; /* NULL when not waiting */
    uint64_t look;       /* the one that it waits for */
    /* In the loop. rc: ERR_OK, and store_users is what the file held at some moment after
     * store_ask; else the user file cannot be read (AUTH-15). */
    void (*ready)(struct store_wait *wait, enum err rc);
};

/* NULL without memory, threads or randomness. */
MUST_CHECK struct store *store_new(struct loop *loop);
/* Nobody may be waiting. */
void store_free(struct store **store);

/* Where the file lies from now on: a directory descriptor, the store's to close (-1: there is no
 * user file), and the name in it. False without memory or for a name above NAME_MAX; the descriptor
 * is closed all the same. */
MUST_CHECK bool store_set_place(struct store *store, int dir, struct slice name);
/* Calls ready once, never from inside. */
void store_ask(struct store *store, struct store_wait *wait);
/* ready will not be called. Harmless when not waiting. */
void store_forget(struct store_wait *wait);

/* What was read last; NULL before the first reading. Valid until the loop turns. */
const struct users *store_users(const struct store *store);
/* The user, or NULL; login must be prepared. */
const struct user *store_find(const struct store *store, struct slice login);
/* For a login that does not exist: the user to imitate (or NULL), the same for the same name. */
const struct user *store_model(const struct store *store, struct slice name);
/* What SCRAM shows for it: salt and iterations look like those of the file's users and are stable;
 * the keys fit no password (SASL-8). */
void store_invent(const struct store *store, enum scram_hash hash, struct slice name,
    struct scram_verifier *out_verifier);

/* What nobody can name who has not been told it here: the same for a user in every life of the
 * vault, as long as the file has its key. */
struct digest store_proof(const struct store *store, struct slice login);

#endif
