/* vault/conversation_users.c: what is to be done with a user's record, once the user file was
 * looked at. */
#include "base/clock.h"
#include "vault/conversation.h"

/* All secrets of the user that the proof may be for; they have one salt. Their number. */
static size_t list_verifiers(const struct user *user, enum scram_hash hash,
    struct scram_verifier out_verifiers[1 + USER_APPS_MAX])
{
    const struct scram_verifier *own = user_scram(user, hash);
    int64_t now = clock_wall();
    size_t count = 0;

    if (own)
        out_verifiers[count++] = *own;
    for (const struct app *app = user->apps; app && hash == SCRAM_SHA_256; app = app->next)
        if (app->until == 0 || now < app->until)
            out_verifiers[count++] = app->scram;
    return count;
}

/* SCRAM: a user without a verifier and a user who is none are shown the same inventions (SASL-8).
 */
static void on_lookup(struct conversation *c)
{
    const struct user *user = conversation_user(c);
    enum scram_hash hash = sasl_hash(&c->sasl);
    struct scram_verifier verifiers[1 + USER_APPS_MAX];
    size_t count = user ? list_verifiers(user, hash, verifiers) : 0;

    if (count == 0) {
        store_invent(c->auth->store, hash, conversation_account(c), &verifiers[0]);
        count = 1;
    }
    conversation_advance(c, sasl_supply(&c->sasl, verifiers, count));
    explicit_bzero(verifiers, sizeof verifiers);
}

/* Does the user still have the secret that was proved? Notes which it is. */
static bool has_proved(struct conversation *c, const struct user *user)
{
    enum scram_hash hash = sasl_hash(&c->sasl);
    struct slice key = sasl_proved(&c->sasl);
    const struct scram_verifier *own = user ? user_scram(user, hash) : NULL;

    c->is_app = false;
    if (!user || (own && secret_equals(slice_of(own->stored_key, key.len), key)))
        return user != NULL;
    if (hash != SCRAM_SHA_256 || !user_app(user, key, clock_wall()))
        return false;
    conversation_take_app(c, (const unsigned char *)key.data);
    return true;
}

static void on_proved(struct conversation *c)
{
    const struct user *user = conversation_user(c);

    if (has_proved(c, user))
        conversation_judge(c, user, conversation_say_challenge);
    else
        conversation_stale(c);
}

static void on_done(struct conversation *c)
{
    const struct user *user = conversation_user(c);

    if (has_proved(c, user))
        conversation_judge(c, user, conversation_welcome);
    else
        conversation_stale(c);
}

/* A certificate of nobody's counts as a failure, like any unknown user. */
static void on_known(struct conversation *c)
{
    const struct user *user = conversation_user(c);

    if (user)
        conversation_judge(c, user, conversation_welcome);
    else
        conversation_refuse(c, "unknown user");
}

/* What to do once the user file was looked at. */
static void (*const on_users[])(struct conversation *) = {
    [SASL_LOOKUP] = on_lookup,
    [SASL_CHECK] = conversation_check_password,
    [SASL_PROVED] = on_proved,
    [SASL_KNOWN] = on_known,
    [SASL_DONE] = on_done,
};

static void on_users_ready(struct store_wait *wait, enum err rc)
{
    struct conversation *c = CONTAINER_OF(wait, struct conversation, wait);

    if (rc != ERR_OK)
        conversation_conclude(
            c, AUTH_TEMPORARY, NULL, "the user file cannot be used"); /* AUTH-15 */
    else
        on_users[c->wanted](c);
}

void conversation_ask_users(struct conversation *c, enum sasl_result result)
{
    if (conversation_is_over(c)) {
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
        return;
    }
    c->stage = STAGE_USERS;
    c->wanted = result;
    c->wait.ready = on_users_ready;
    store_ask(c->auth->store, &c->wait);
}
