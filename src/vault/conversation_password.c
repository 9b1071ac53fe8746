/* vault/conversation_password.c: PLAIN and LOGIN: the password that a client says, against its
 * user's own and the app passwords. */
#include <stdlib.h>

#include "base/clock.h"
#include "vault/conversation.h"

/* A hash under way. Outlives its conversation: who hangs up early is counted all the same. */
struct password_check {
    struct check check;
    struct auth *auth;
    struct conversation *conversation; /* NULL: gone */
    char account[SASL_TEXT_MAX];
    size_t account_len;
};

void conversation_drop_check(struct conversation *c)
{
    struct password_check *pc = c->check;

    c->check = NULL;
    if (!pc)
        return;
    pc->conversation = NULL;
    if (verifier_take_back(c->auth->verifier, &pc->check)) {
        check_clear(&pc->check);
        free(pc);
    }
}

/* Is the record still the one that the password was checked against? */
static bool is_same_record(const struct user *user, const struct check *check)
{
    return user && slice_is(user->hash, check->hash) &&
           user->scram.iterations == check->scram.iterations &&
           memcmp(user->scram.stored_key, check->scram.stored_key, SCRAM_KEY) == 0;
}

/* What the proofs of an app password are filed under: a record of its own. */
static struct user as_record(const struct user *user, const struct app *app)
{
    return (struct user){ .login = user->login, .scram = app->scram };
}

/* Was this password found right a moment ago? *out_app: for which app password; NULL: the user's
 * own. One that was revoked, or is over, is not looked for. */
static bool is_remembered(
    struct auth *auth, const struct user *user, struct slice password, const struct app **out_app)
{
    int64_t now = clock_mono_ms();
    int64_t wall = clock_wall();

    *out_app = NULL;
    if (proofs_hit(auth->proofs, user, password, now))
        return true;
    for (const struct app *app = user->apps; app; app = app->next) {
        struct user record = as_record(user, app);

        if ((app->until == 0 || wall < app->until) &&
            proofs_hit(auth->proofs, &record, password, now)) {
            *out_app = app;
            return true;
        }
    }
    return false;
}

/* The place of the app password in the check; app_count: it has none. */
static size_t place_of(const struct check *check, const struct app *app)
{
    size_t at = 0;

    while (
        at < check->app_count && memcmp(check->app_keys[at], app->scram.stored_key, SCRAM_KEY) != 0)
        at++;
    return at;
}

/* While it waited the limit may have been reached, or the same password have been found right for
 * another session of the same user: a program that opens many at once pays for one. */
static enum check_result foresee(struct check *check)
{
    struct password_check *pc = CONTAINER_OF(check, struct password_check, check);
    struct slice account = slice_of(pc->account, pc->account_len);
    const struct user *user = pc->conversation ? conversation_user(pc->conversation) : NULL;
    const struct app *app;

    if (failures_over(pc->auth->failures, &check->client, account, clock_mono_ms()))
        return CHECK_REFUSED;
    if (check->is_decoy || !is_same_record(user, check) ||
        !is_remembered(pc->auth, user, secret_slice(&check->password), &app))
        return CHECK_NEEDED;
    check->app = app ? place_of(check, app) : check->app_count;
    return app && check->app == check->app_count ? CHECK_NEEDED : CHECK_RIGHT;
}

static void on_right(struct conversation *c, const struct check *check)
{
    const struct user *user = conversation_user(c);

    struct user record;

    if (!is_same_record(user, check)) {
        conversation_stale(c);
        return;
    }
    record = *user;
    if (check->app < check->app_count) {
        conversation_take_app(c, check->app_keys[check->app]);
        if (!conversation_app(c, user)) {
            conversation_refuse(c, "the app password is over or revoked");
            return;
        }
        record = as_record(user, conversation_app(c, user));
    }
    proofs_add(c->auth->proofs, &record, secret_slice(&c->sasl.password), clock_mono_ms());
    conversation_judge(c, user, conversation_welcome);
}

static void on_checked(struct check *check)
{
    struct password_check *pc = CONTAINER_OF(check, struct password_check, check);
    struct conversation *c = pc->conversation;

    if (c)
        c->check = NULL;
    if (c && check->result == CHECK_RIGHT)
        on_right(c, check);
    else if (c && check->result == CHECK_WRONG)
        conversation_refuse(c, check->is_decoy ? "unknown user" : "wrong password");
    else if (c)
        conversation_conclude(c, AUTH_TEMPORARY, NULL,
            check->result == CHECK_REFUSED ? "too many failures" : "too many logins at once");
    else if (check->result == CHECK_WRONG)
        failures_count(pc->auth->failures, &check->client, slice_of(pc->account, pc->account_len),
            clock_mono_ms());
    check_clear(check);
    free(pc);
}

/* False without memory. */
static bool fill_check(struct conversation *c, const struct user *user, struct password_check *pc)
{
    struct slice account = conversation_account(c);

    pc->auth = c->auth;
    pc->conversation = c;
    memcpy(pc->account, account.data, account.len);
    pc->account_len = account.len;
    pc->check.client = c->client;
    pc->check.foresee = foresee;
    pc->check.done = on_checked;
    check_fill(&pc->check, c->auth->verifier, user, store_model(c->auth->store, account));
    return secret_set(&pc->check.password, secret_slice(&c->sasl.password));
}

void conversation_check_password(struct conversation *c)
{
    const struct user *user = conversation_user(c);
    const struct app *app;
    struct password_check *pc;

    if (user && is_remembered(c->auth, user, secret_slice(&c->sasl.password), &app)) {
        if (app)
            conversation_take_app(c, app->scram.stored_key);
        conversation_judge(c, user, conversation_welcome);
        return;
    }
    pc = calloc(1, sizeof *pc);
    if (!pc || !fill_check(c, user, pc)) {
        free(pc);
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "no memory");
        return;
    }
    c->stage = STAGE_HASH;
    c->check = pc;
    if (verifier_give(c->auth->verifier, &pc->check))
        return;
    c->check = NULL;
    check_clear(&pc->check);
    free(pc);
    conversation_conclude(c, AUTH_TEMPORARY, NULL, "too many logins at once");
}
