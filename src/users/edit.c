/* users/edit.c: what submitctl may change, in memory. */
#include <stdlib.h>

#include "users/lines.h"
#include "users/login.h"

static const char *const fault_texts[USER_FAULTS] = {
    [USER_OK] = "done",
    [USER_BAD_LOGIN] =
        ("not a login name; allowed is user@domain: at most 64 of letters, digits and "
         "!#$%&'*+-/=?^_`{|}~. in user (not # first), labels of letters, digits and hyphens in "
         "domain"),
    [USER_BAD_PASSWORD] =
        "not a password; allowed are 1 to 255 octets of UTF-8 without control characters",
    [USER_BAD_SENDER] = "not a pattern; allowed is user@domain, *@domain or *",
    [USER_BAD_GROUP] =
        "not a group's name; allowed are 64 of letters, digits, dots, hyphens and underscores",
    [USER_MANY_SENDERS] = "more than 256 patterns, or 16 groups",
    [USER_EXISTS] = "there is such a user already",
    [USER_UNKNOWN] = "there is no such user",
    [USER_NO_GROUP] = "there is no such group",
    [USER_HAS_GROUP] = "the group has members",
    [USER_BAD_APP] = "not a name of an app password; allowed are 64 of letters, digits, dots, "
                     "hyphens and underscores",
    [USER_MANY_APPS] = "the user has 16 app passwords already",
    [USER_HAS_APP] = "the user has an app password of that name already",
    [USER_NO_APP] = "the user has no app password of that name",
    [USER_FAILED] = "no memory or no random numbers",
};

const char *user_fault_text(enum user_fault fault)
{
    return fault_texts[fault];
}

/* The hash and verifiers of a new password, all or nothing. */
struct proofs {
    char hash[PASSWORD_HASH_MAX + 1];
    struct scram_verifier scram;
    struct scram_verifier scram_sha1; /* where it is wanted */
};

/* like: whose salt and count the new verifier takes over; NULL: a salt of its own. */
static enum user_fault make_proofs(const struct users *users, struct slice password,
    const struct scram_verifier *like, struct proofs *out_proofs)
{
    struct secret prepared = { 0 };
    enum err rc;
    enum user_fault fault = USER_OK;

    *out_proofs = (struct proofs){ .hash = "" };
    if (!password_prepare(password, true, &prepared))
        return USER_BAD_PASSWORD;
    rc = password_hash(secret_slice(&prepared), out_proofs->hash);
    if (rc == ERR_OK)
        rc = like ? scram_derive(SCRAM_SHA_256, secret_slice(&prepared),
                        slice_of(like->salt, like->salt_len), like->iterations, &out_proofs->scram)
                  : scram_make(SCRAM_SHA_256, secret_slice(&prepared), &out_proofs->scram);
    if (rc != ERR_OK)
        fault = USER_FAILED;
    if (fault == USER_OK && users->makes_sha1 &&
        scram_make(SCRAM_SHA_1, secret_slice(&prepared), &out_proofs->scram_sha1) != ERR_OK)
        fault = USER_FAILED;
    secret_clear(&prepared);
    return fault;
}

/* False without memory; the record is as it was. */
static bool keep_proofs(struct users *users, const struct proofs *proofs, struct user *user)
{
    struct scram_verifier *sha1 = NULL;
    struct slice hash;

    if (!arena_copy(&users->arena, slice_text(proofs->hash), &hash))
        return false;
    if (proofs->scram_sha1.iterations > 0) {
        sha1 = arena_alloc(&users->arena, sizeof *sha1);
        if (!sha1)
            return false;
        *sha1 = proofs->scram_sha1;
    }
    user->hash = hash;
    user->scram = proofs->scram;
    user->scram_sha1 = sha1;
    return true;
}

void users_make_sha1(struct users *users, bool is_wanted)
{
    users->makes_sha1 = is_wanted;
}

static struct user *find(struct users *users, struct slice login)
{
    struct login prepared;
    struct user *user;

    if (!login_prepare(login, true, &prepared))
        return NULL;
    HASH_FIND(hh, users->by_login, prepared.text, (unsigned)prepared.len, user);
    return user;
}

/* Lines that were set aside for this login would come to life once the first one is gone. */
static bool has_line(const struct users *users, struct slice login)
{
    struct users_line *line;

    DL_FOREACH (users->lines, line)
        if (slice_equals(line->login, login))
            return true;
    return false;
}

enum user_fault users_add(struct users *users, struct slice login, struct slice password,
    const struct slice *senders, size_t sender_count)
{
    struct user *user = arena_alloc(&users->arena, sizeof *user);
    struct proofs proofs;
    struct login prepared;
    enum user_fault fault;

    if (!login_prepare(login, true, &prepared))
        return USER_BAD_LOGIN;
    if (has_line(users, login_slice(&prepared)))
        return USER_EXISTS;
    if (!user)
        return USER_FAILED;
    user->rights.may_submit = true;
    fault = users_change_rights(users,
        &(struct rights_change){ .senders = { true, senders, sender_count } }, &user->rights);
    if (fault == USER_OK)
        fault = make_proofs(users, password, NULL, &proofs);
    if (fault != USER_OK)
        return fault;
    if (!arena_copy(&users->arena, login_slice(&prepared), &user->login) ||
        !keep_proofs(users, &proofs, user) ||
        !users_append(users, slice_text(NULL), user->login, user))
        fault = USER_FAILED;
    explicit_bzero(&proofs, sizeof proofs);
    return fault;
}

enum user_fault users_set_password(struct users *users, struct slice login, struct slice password)
{
    struct user *user = find(users, login);
    struct proofs proofs;
    enum user_fault fault;

    if (!user)
        return USER_UNKNOWN;
    fault = make_proofs(users, password, user->apps ? &user->apps->scram : NULL, &proofs);
    if (fault != USER_OK)
        return fault;
    if (!keep_proofs(users, &proofs, user))
        fault = USER_FAILED;
    explicit_bzero(&proofs, sizeof proofs);
    return fault;
}

enum user_fault users_set_state(struct users *users, struct slice login, enum user_state state)
{
    struct user *user = find(users, login);

    if (!user)
        return USER_UNKNOWN;
    user->state = state;
    return USER_OK;
}

enum user_fault users_remove(struct users *users, struct slice login)
{
    struct users_line *line, *next;
    struct login prepared;
    enum user_fault fault = USER_UNKNOWN;

    if (!login_prepare(login, true, &prepared))
        return USER_UNKNOWN;
    DL_FOREACH_SAFE (users->lines, line, next) {
        if (!slice_equals(
                slice_first(line->login, slice_find(line->login, ':')), login_slice(&prepared)))
            continue;
        if (line->user)
            HASH_DELETE(hh, users->by_login, line->user);
        DL_DELETE(users->lines, line);
        fault = USER_OK;
    }
    return fault;
}
