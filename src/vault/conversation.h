/* vault/conversation.h: a conversation between its waits, for auth.c and the files conversation*.c
 * alone. */
#ifndef VAULT_CONVERSATION_H
#define VAULT_CONVERSATION_H

#include "base/line_limit.h"
#include "base/log.h"
#include "base/map.h"
#include "net/loop.h"
#include "vault/auth.h"
#include "vault/proofs.h"
#include "vault/sasl.h"
#include "vault/store.h"
#include "vault/verify.h"

struct password_check;
struct token_wait;
struct tokens;

enum { CONVERSATION_CLIENT = 64 };

enum stage {
    STAGE_CLIENT, /* the client's next message */
    STAGE_USERS,  /* the user file: `wait` */
    STAGE_HASH,   /* a password: `check` */
    STAGE_TOKEN,  /* an access token: `token` */
};

struct conversation_key {
    uint64_t asker;
    uint64_t session;
};

struct conversation {
    struct conversation_key key;
    struct conversation *prev, *next; /* by age */
    struct auth *auth;
    struct asker *asker;
    enum stage stage;
    int64_t began;
    struct sasl sasl;
    struct client_key client;
    char client_text[CONVERSATION_CLIENT];
    size_t client_len;
    struct store_wait wait;
    enum sasl_result wanted; /* what the user file was asked for */
    bool is_app;             /* the secret is an app password, that with this stored key: */
    unsigned char app_key[SCRAM_KEY];
    struct password_check *check;
    struct token_wait *token;
    const char *token_fault; /* why it was refused, for the log */
    bool is_counted;         /* as a failure */
    UT_hash_handle hh;
};

struct auth {
    struct loop *loop;
    struct store *store;
    struct tokens *tokens;
    struct verifier *verifier;
    struct failures *failures;
    struct proofs *proofs;
    struct Gsasl *library;
    int64_t life_ms;
    struct conversation *by_key;
    struct conversation *oldest;
    struct timer expiry;
    struct line_limit lines; /* of the log, about logins that came to nothing */
};

/* Who it is, and what it is by (auth.c). */

/* What limits count by: the prepared name where there is one, so that its spellings are one
 * account. */
struct slice conversation_account(const struct conversation *c);
/* NULL: there is no such user. */
const struct user *conversation_user(const struct conversation *c);
/* The app password that the login is by; NULL: none, or one that no longer works. */
const struct app *conversation_app(const struct conversation *c, const struct user *user);
void conversation_take_app(struct conversation *c, const unsigned char key[SCRAM_KEY]);
/* Were there too many failures? */
bool conversation_is_over(const struct conversation *c);

/* Its steps: the conversation may be gone afterwards. */

/* What to do next by the SASL layer's word (auth.c). */
void conversation_advance(struct conversation *c, enum sasl_result result);
/* Looks at the user file, then goes on by the result (conversation_users.c). */
void conversation_ask_users(struct conversation *c, enum sasl_result result);
/* PLAIN and LOGIN: an earlier proof, or the hash (conversation_password.c). */
void conversation_check_password(struct conversation *c);
/* Takes the check back, or leaves it to end alone. */
void conversation_drop_check(struct conversation *c);
/* OAUTHBEARER and XOAUTH2 (conversation_token.c). */
void conversation_check_token(struct conversation *c, enum sasl_result result);
/* Leaves the check to end alone. */
void conversation_drop_token(struct conversation *c);

/* Its words to the client and to the log (conversation_answer.c). */

/* It came to nothing. Strangers cause these lines, so they are bounded. */
void conversation_log_failure(
    const struct conversation *c, enum log_level level, const char *result, const char *why);
/* user and store: only for AUTH_OK; app: what it was by, or NULL. */
void conversation_send_done(struct asker *asker, uint64_t session, enum auth_result result,
    const struct user *user, const struct app *app, const struct store *store);
void conversation_say_challenge(struct conversation *c, const struct user *user);

/* Its ends. */

/* user: only for AUTH_OK. */
void conversation_conclude(
    struct conversation *c, enum auth_result result, const struct user *user, const char *why);
/* Once for each conversation. */
void conversation_count_failure(struct conversation *c);
/* Wrong credentials, or what cannot be any. The words to the client do not tell which (AUTH-14). */
void conversation_refuse(struct conversation *c, const char *why);
/* The credentials are right: may this user come in? Only here a stranger could learn anything of a
 * record, and only who knows the password gets here (AUTH-16). */
void conversation_judge(struct conversation *c, const struct user *user,
    void (*admit)(struct conversation *, const struct user *));
void conversation_welcome(struct conversation *c, const struct user *user);
/* The record changed while something was checked against it. */
void conversation_stale(struct conversation *c);
/* Frees it; nothing is said (auth.c). */
void conversation_forget(struct conversation *c);

#endif
