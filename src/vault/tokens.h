/* vault/tokens.h: access tokens checked on a thread of their own, which alone knows the keys: it
 * looks at the key file's version before each check and reads it again when that is new. */
#ifndef VAULT_TOKENS_H
#define VAULT_TOKENS_H

#include "base/macros.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "net/hands.h"
#include "vault/jwt.h"

struct loop;
struct tokens;
struct token_rules;

enum { TOKENS_WAITING_MAX = 1024 };

/* One token, owned by who gives it. */
struct token_check {
    struct hand_job job; /* the tokens' own, like the next two */
    struct tokens *tokens;
    struct token_rules *rules;
    struct secret token;
    enum err error;     /* not ERR_OK: the keys cannot be had (AUTH-15) */
    const char *why;    /* ERR_OK: why it was refused; NULL: it was not */
    struct login login; /* then: whose it is */
    /* In the loop; the check is its owner's again. */
    void (*done)(struct token_check *check);
};

/* NULL without memory or threads. */
MUST_CHECK struct tokens *tokens_new(struct loop *loop);
/* What holds from now on. dir: the key file's folder, taken over (-1: there is none, no token is
 * good); name: the file's in it. False without memory. */
MUST_CHECK bool tokens_set_rules(
    struct tokens *tokens, const struct conf_auth *auth, int dir, struct slice name);
/* False: too many are waiting; the check stays the caller's. */
MUST_CHECK bool tokens_give(struct tokens *tokens, struct token_check *check);
/* Checks under way. */
size_t tokens_busy(const struct tokens *tokens);

#endif
