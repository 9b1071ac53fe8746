/* vault/auth.c: runs each conversation between its waits: for the client, for the user file, for a
 * hash, for a token. At any moment it waits for one of them, and `stage` says which. */
#include "vault/auth.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vault/conversation.h"

enum { WAITING_MAX = 1024, LIFE_MS = 300000, THREADS_MAX = 16 };

static void on_expiry(void *owner);

struct auth_settings auth_defaults(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores > 2 ? (unsigned)cores - 1 : 1;

    return (struct auth_settings){
        .threads = threads < THREADS_MAX ? threads : THREADS_MAX,
        .waiting = WAITING_MAX,
        .life_ms = LIFE_MS,
        .limits = { .per_client = 20, .per_account = 10 },
    };
}

struct auth *auth_new(struct loop *loop, struct store *store, struct tokens *tokens,
    const struct auth_settings *settings)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (!auth)
        return NULL;
    auth->loop = loop;
    auth->store = store;
    auth->tokens = tokens;
    auth->life_ms = settings->life_ms;
    timer_init(&auth->expiry, loop, on_expiry, auth);
    auth->verifier = verifier_new(loop, settings->threads, settings->waiting);
    auth->failures = failures_new(FAILURES_ENTRIES_MAX);
    auth->proofs = proofs_new(PROOFS_ENTRIES_MAX);
    auth->library = sasl_library_new();
    if (!auth->verifier || !auth->failures || !auth->proofs || !auth->library)
        auth_free(&auth);
    else
        failures_set_limits(auth->failures, settings->limits);
    return auth;
}

void auth_free(struct auth **auth)
{
    struct auth *gone = *auth;

    if (!gone)
        return;
    timer_stop(&gone->expiry);
    verifier_free(&gone->verifier);
    failures_free(&gone->failures);
    proofs_free(&gone->proofs);
    sasl_library_free(&gone->library);
    free(gone);
    *auth = NULL;
}

void auth_set_limits(struct auth *auth, struct failure_limits limits)
{
    failures_set_limits(auth->failures, limits);
}

struct slice conversation_account(const struct conversation *c)
{
    return c->sasl.has_login ? login_slice(&c->sasl.login) : sasl_name(&c->sasl);
}

void conversation_forget(struct conversation *c)
{
    struct auth *auth = c->auth;

    store_forget(&c->wait);
    conversation_drop_check(c);
    conversation_drop_token(c);
    HASH_DELETE(hh, auth->by_key, c);
    DL_DELETE(auth->oldest, c);
    c->asker->conversations--;
    sasl_clear(&c->sasl);
    free(c);
}

const struct user *conversation_user(const struct conversation *c)
{
    return c->sasl.has_login ? store_find(c->auth->store, login_slice(&c->sasl.login)) : NULL;
}

const struct app *conversation_app(const struct conversation *c, const struct user *user)
{
    return c->is_app && user ? user_app(user, slice_of(c->app_key, SCRAM_KEY), clock_wall()) : NULL;
}

void conversation_take_app(struct conversation *c, const unsigned char key[SCRAM_KEY])
{
    c->is_app = true;
    memcpy(c->app_key, key, SCRAM_KEY);
}

bool conversation_is_over(const struct conversation *c)
{
    return failures_over(c->auth->failures, &c->client, conversation_account(c), clock_mono_ms());
}

static void on_challenge(struct conversation *c, enum sasl_result result UNUSED)
{
    conversation_say_challenge(c, NULL);
}

static void on_refused(struct conversation *c, enum sasl_result result UNUSED)
{
    conversation_refuse(c, c->token_fault ? c->token_fault : "not acceptable");
}

static void on_unknown(struct conversation *c, enum sasl_result result UNUSED)
{
    conversation_conclude(c, AUTH_UNKNOWN, NULL, "");
}

static void on_failed(struct conversation *c, enum sasl_result result UNUSED)
{
    conversation_conclude(c, AUTH_TEMPORARY, NULL, "no memory");
}

static void (*const on_result[])(struct conversation *, enum sasl_result) = {
    [SASL_CHALLENGE] = on_challenge,
    [SASL_LOOKUP] = conversation_ask_users,
    [SASL_CHECK] = conversation_ask_users,
    [SASL_PROVED] = conversation_ask_users,
    [SASL_TOKEN] = conversation_check_token,
    [SASL_KNOWN] = conversation_ask_users,
    [SASL_DONE] = conversation_ask_users,
    [SASL_REFUSED] = on_refused,
    [SASL_UNKNOWN] = on_unknown,
    [SASL_FAILED] = on_failed,
};

void conversation_advance(struct conversation *c, enum sasl_result result)
{
    on_result[result](c, result);
}

static struct conversation *find(struct auth *auth, const struct asker *asker, uint64_t session)
{
    struct conversation_key key = { .asker = asker->id, .session = session };
    struct conversation *c;

    HASH_FIND(hh, auth->by_key, &key, sizeof key, c);
    return c;
}

static void set_expiry(struct auth *auth)
{
    if (auth->oldest && !auth->expiry.is_set)
        timer_set(&auth->expiry, auth->oldest->began + auth->life_ms - clock_mono_ms());
}

/* While the client's answer is awaited the gate has its own time-out and expects nothing from us.
 */
static void expire(struct conversation *c)
{
    if (c->stage != STAGE_CLIENT) {
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "it took too long");
        return;
    }
    conversation_log_failure(c, LOG_INFO, "expired", c->token_fault ? c->token_fault : "");
    conversation_forget(c);
}

static void on_expiry(void *owner)
{
    struct auth *auth = owner;
    int64_t now = clock_mono_ms();

    while (auth->oldest && now - auth->oldest->began >= auth->life_ms)
        expire(auth->oldest);
    set_expiry(auth);
}

static struct conversation *begin(
    struct auth *auth, struct asker *asker, const struct msg_auth_start *message)
{
    struct conversation *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->key = (struct conversation_key){ .asker = asker->id, .session = message->session };
    c->auth = auth;
    c->asker = asker;
    c->began = clock_mono_ms();
    c->client = client_key_of(message->client);
    c->client_len =
        message->client.len < CONVERSATION_CLIENT ? message->client.len : CONVERSATION_CLIENT;
    if (c->client_len > 0)
        memcpy(c->client_text, message->client.data, c->client_len);
    HASH_ADD(hh, auth->by_key, key, sizeof c->key, c);
    DL_APPEND(auth->oldest, c);
    asker->conversations++;
    set_expiry(auth);
    return c;
}

void auth_start(struct auth *auth, struct asker *asker, const struct msg_auth_start *message)
{
    struct conversation *c = find(auth, asker, message->session);
    const struct sasl_opening opening = { .mechanism = message->mechanism,
        .has_initial = message->has_initial,
        .initial = message->initial,
        .exporter = message->channel_binding,
        .unique = message->tls_unique,
        .external = message->external };

    if (c)
        conversation_forget(c); /* the gate has begun anew under the same number */
    c = asker->conversations < ASKER_CONVERSATIONS_MAX ? begin(auth, asker, message) : NULL;
    if (!c)
        conversation_send_done(asker, message->session, AUTH_TEMPORARY, NULL, NULL, NULL);
    else if (!message->tls)
        /* AUTH-3: in the clear nothing is looked at, so the answer tells nothing. */
        conversation_conclude(c, AUTH_REFUSED, NULL, "no TLS");
    else
        conversation_advance(c, sasl_start(&c->sasl, auth->library, &opening));
}

void auth_step(struct auth *auth, struct asker *asker, const struct msg_auth_step *message)
{
    struct conversation *c = find(auth, asker, message->session);

    if (!c)
        conversation_send_done(asker, message->session, AUTH_TEMPORARY, NULL, NULL, NULL);
    else if (c->stage != STAGE_CLIENT)
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "the gate spoke out of turn");
    else if (conversation_is_over(c))
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
    else
        conversation_advance(c, sasl_step(&c->sasl, message->data));
}

void auth_cancel(struct auth *auth, struct asker *asker, const struct msg_session *message)
{
    struct conversation *c = find(auth, asker, message->session);

    if (!c)
        return;
    conversation_log_failure(c, LOG_INFO, "cancelled", c->token_fault ? c->token_fault : "");
    conversation_forget(c);
}

void auth_forget_asker(struct auth *auth, struct asker *asker)
{
    struct conversation *c, *next;

    DL_FOREACH_SAFE (auth->oldest, c, next)
        if (c->asker == asker)
            conversation_forget(c);
}

size_t auth_busy(const struct auth *auth)
{
    const struct conversation *c;
    size_t busy = 0;

    DL_FOREACH (auth->oldest, c)
        busy += c->stage != STAGE_CLIENT;
    return busy;
}
