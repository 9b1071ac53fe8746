/* vault/tokens.h: access tokens checked on a thread of their own, which alone knows the keys. They
 * come from a file, whose version is looked at before each check, or from an address; or whoever
 * issued the token is asked about each. */
#ifndef VAULT_TOKENS_H
#define VAULT_TOKENS_H

#include "base/buffer.h"
#include "base/macros.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "net/hands.h"
#include "users/login.h"
#include "vault/fetcher.h"

struct loop;
struct tokens;
struct token_rules;

enum { TOKENS_WAITING_MAX = 1024 };

/* One token, owned by who gives it. */
struct token_check {
    struct token_check *prev, *next; /* the tokens' own, like all up to the token */
    struct hand_job job;
    struct fetch_ask ask;
    struct tokens *tokens;
    struct token_rules *rules;
    struct buffer document; /* what was said of it */
    int64_t until;          /* when it ends */
    bool is_known;          /* was good a moment ago */
    bool is_second;         /* it waited for other keys or rules already */
    struct secret token;
    const char *trouble; /* not NULL: it cannot be checked for now, in words (AUTH-15) */
    const char *why;     /* else: why it was refused; NULL: it was not */
    struct login login;  /* then: whose it is */
    /* In the loop, never from inside tokens_give; the check is its owner's again. */
    void (*done)(struct token_check *check);
};

/* fetcher is borrowed. NULL without memory or threads. */
MUST_CHECK struct tokens *tokens_new(struct loop *loop, struct fetcher *fetcher);
/* No check may be under way. */
void tokens_free(struct tokens **tokens);
/* What holds from now on. dir: the key file's folder, taken over (-1: there is none); name: the
 * file's in it. False without memory. */
MUST_CHECK bool tokens_set_rules(
    struct tokens *tokens, const struct conf_auth *auth, int dir, struct slice name);
/* False: too many are waiting, or there are no rules; the check stays the caller's. */
MUST_CHECK bool tokens_give(struct tokens *tokens, struct token_check *check);
/* Checks under way. */
size_t tokens_busy(const struct tokens *tokens);

#endif
