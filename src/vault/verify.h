/* vault/verify.h: checks passwords against hashes on worker threads, fairly: sources take turns, so
 * one that floods the vault waits behind itself and nobody else. */
#ifndef VAULT_VERIFY_H
#define VAULT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/secret.h"
#include "net/hands.h"
#include "users/file.h"
#include "vault/client.h"

struct loop;
struct verifier;
struct source;

enum check_result {
    CHECK_NEEDED, /* not a result: the work has to be done */
    CHECK_WRONG,
    CHECK_RIGHT,
    CHECK_REFUSED,  /* may not be worked on any more */
    CHECK_OVERLOAD, /* had to make room for another source */
};

/* One password to be checked, owned by who gives it. Copies all it needs, so the user file may
 * change meanwhile. */
struct check {
    struct hand_job job; /* the verifier's own, like the next three */
    struct check *prev, *next;
    struct source *source;
    struct verifier *verifier;
    struct client_key client;
    struct secret password;           /* prepared */
    char hash[PASSWORD_HASH_MAX + 1]; /* empty: the SCRAM verifier is checked instead */
    struct scram_verifier scram;
    struct scram_verifier apps; /* salt and count of the app passwords; iterations 0: none */
    size_t app_count;
    unsigned char app_keys[USER_APPS_MAX][SCRAM_KEY]; /* their stored keys */
    size_t app;    /* CHECK_RIGHT: which of them it was; app_count: the user's password itself */
    bool is_decoy; /* there is no such user: the same work, always wrong (AUTH-14) */
    enum check_result result;
    /* In the loop, right before the work begins, perhaps long after it was given: CHECK_NEEDED, or
     * the result if that is known by now. NULL: always needed. */
    enum check_result (*foresee)(struct check *check);
    /* In the loop; the check is its owner's again. */
    void (*done)(struct check *check);
};

/* threads: at once; waiting: checks in the queue at most. NULL without memory or threads. */
MUST_CHECK struct verifier *verifier_new(struct loop *loop, unsigned threads, size_t waiting);
/* Waits for those in work; those that wait come back as CHECK_OVERLOAD. */
void verifier_free(struct verifier **verifier);

/* What the record says; NULL user: a decoy that costs what `model` costs, or, where model is NULL
 * too, a new hash's price. */
void check_fill(struct check *check, const struct verifier *verifier, const struct user *user,
    const struct user *model);
/* False: the queue is full and this source has the most in it; the check stays the caller's. True:
 * done will be called, or was called already from inside (foresee knew the result). Another
 * source's newest may come back with CHECK_OVERLOAD from inside this call. */
MUST_CHECK bool verifier_give(struct verifier *verifier, struct check *check);
/* True: it was still waiting and is the caller's again, done will not be called. False: it is being
 * worked on. */
MUST_CHECK bool verifier_take_back(struct verifier *verifier, struct check *check);
/* Wipes the password; before the memory of a check goes. */
void check_clear(struct check *check);

#endif
