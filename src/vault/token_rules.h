/* vault/token_rules.h: what holds for access tokens under one configuration, shared by the checks
 * that began under it, and the keys, which are the thread's alone. */
#ifndef VAULT_TOKEN_RULES_H
#define VAULT_TOKEN_RULES_H

#include <limits.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "users/file.h"
#include "vault/claims.h"
#include "vault/jwks.h"

/* Who knows whether a token is good. */
enum token_source {
    TOKENS_NONE,    /* there are no tokens */
    TOKENS_FILE,    /* a key set in a file */
    TOKENS_ADDRESS, /* a key set at an address */
    TOKENS_ASK,     /* who issued it is asked about each */
};

struct token_rules {
    unsigned holds; /* changed in the loop alone */
    enum token_source source;
    int dir;                 /* TOKENS_FILE: the folder of the key file; else -1 */
    char name[NAME_MAX + 1]; /* its name in it */
    struct slice address;    /* TOKENS_ADDRESS */
    struct arena arena;
    struct claim_rules claims;
    /* The thread's own: */
    struct jwks *keys;        /* NULL: there are none */
    struct users_stamp stamp; /* of the version of the file that was read */
    bool has_stamp;
    enum err error; /* of that version */
};

/* Takes dir over, also when it fails. NULL without memory. */
MUST_CHECK struct token_rules *token_rules_new(
    const struct conf_auth *auth, int dir, struct slice name);
struct token_rules *token_rules_hold(struct token_rules *rules);
/* Nulls the pointer; frees with the last hold. In the loop. */
void token_rules_drop(struct token_rules **rules);

/* In the thread: what the key file holds now. ERR_INVALID: no key set; ERR_DENIED: also when
 * everybody may write it; others: it cannot be read. */
MUST_CHECK enum err token_rules_read_file(struct token_rules *rules);
/* In the thread: this key set holds from now on. ERR_INVALID: it is none; ERR_NOTFOUND: it has no
 * key for us, as a provider's may have whose own storage was lost; ERR_NOMEM. Then the one before
 * still does. */
MUST_CHECK enum err token_rules_take(struct token_rules *rules, struct slice document);

#endif
