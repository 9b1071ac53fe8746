/* vault/auth.c: runs each conversation between its waits: for the client, for the user file, for a
 * hash. At any moment it waits for one of them, and `stage` says which. */
#include "vault/auth.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_limit.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"
#include "net/loop.h"
#include "vault/proofs.h"
#include "vault/sasl.h"
#include "vault/store.h"
#include "vault/tokens.h"
#include "vault/verify.h"

enum {
    WAITING_MAX = 1024,
    LIFE_MS = 300000,
    THREADS_MAX = 16,
    CLIENT_TEXT = 64,
    GRANT_ARENA = 8192
};

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
    char client_text[CLIENT_TEXT];
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

/* A hash under way. Outlives its conversation: who hangs up early is counted all the same. */
struct password_check {
    struct check check;
    struct auth *auth;
    struct conversation *conversation; /* NULL: gone */
    char account[SASL_TEXT_MAX];
    size_t account_len;
};

/* A token under way. */
struct token_wait {
    struct token_check check;
    struct conversation *conversation; /* NULL: gone */
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

/* What limits count by: the prepared name where there is one, so that its spellings are one
 * account. */
static struct slice account_of(const struct conversation *c)
{
    return c->sasl.has_login ? login_slice(&c->sasl.login) : sasl_name(&c->sasl);
}

static void drop_check(struct conversation *c)
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

static void forget(struct conversation *c)
{
    struct auth *auth = c->auth;

    store_forget(&c->wait);
    drop_check(c);
    if (c->token)
        c->token->conversation = NULL;
    HASH_DELETE(hh, auth->by_key, c);
    DL_DELETE(auth->oldest, c);
    c->asker->conversations--;
    sasl_clear(&c->sasl);
    free(c);
}

static const struct {
    const char *name;
    enum log_level level;
} results[] = {
    [AUTH_OK] = { "ok", LOG_INFO },
    [AUTH_REFUSED] = { "refused", LOG_NOTICE },
    [AUTH_TEMPORARY] = { "temporary", LOG_WARNING },
    [AUTH_DISABLED] = { "disabled", LOG_NOTICE },
    [AUTH_TOO_WEAK] = { "too-weak", LOG_NOTICE },
    [AUTH_UNKNOWN] = { "unknown-mechanism", LOG_NOTICE },
    [AUTH_NO_INITIAL] = { "no-initial-response", LOG_NOTICE },
};

static const struct user *find_user(const struct conversation *c)
{
    return c->sasl.has_login ? store_find(c->auth->store, login_slice(&c->sasl.login)) : NULL;
}

/* The app password that the login is by; NULL: none, or one that no longer works. */
static const struct app *find_app(const struct conversation *c, const struct user *user)
{
    return c->is_app && user ? user_app(user, slice_of(c->app_key, SCRAM_KEY), clock_wall()) : NULL;
}

static void log_attempt(
    const struct conversation *c, enum log_level level, const char *result, const char *why)
{
    const struct app *app = find_app(c, find_user(c));
    struct log_field reason = log_text("why", why);
    struct log_field by = log_slice("app_password", app ? app->name : slice_text(""));

    /* Without a key it is the end of the list. */
    if (!app)
        by.key = NULL;
    if (why[0] == '\0') {
        reason = by;
        by.key = NULL;
    }
    log_event(level, NULL, "login", log_slice("user", account_of(c)),
        log_text("mechanism", sasl_mechanism(&c->sasl)),
        log_slice("client", slice_of(c->client_text, c->client_len)), log_text("result", result),
        log_number("gate", channel_peer_index(c->asker->channel)),
        log_number("session", (int64_t)c->key.session), reason, by);
}

/* Strangers cause these lines, so they are bounded. */
static void log_failure(
    const struct conversation *c, enum log_level level, const char *result, const char *why)
{
    struct line_limit *lines = &c->auth->lines;
    struct slice client = slice_of(c->client.octets, sizeof c->client.octets);
    int64_t wall = clock_wall();
    uint64_t before = line_limit_told(lines, wall);

    if (before > 0)
        log_event(LOG_NOTICE, NULL, "suppressed", log_number("lines", (int64_t)before));
    if (line_limit_take(lines, client, wall, LINE_LIMIT_PER_CLIENT))
        log_attempt(c, level, result, why);
}

static size_t tell_patterns(
    const struct sender *patterns, size_t count, struct msg_sender *out_patterns)
{
    for (size_t i = 0; i < count; i++)
        out_patterns[i].pattern = patterns[i].pattern;
    return count;
}

/* The lists of a scope. */
struct scope_lists {
    struct msg_sender senders[APP_PATTERNS_MAX], recipients[APP_PATTERNS_MAX];
};

static struct msg_scope scope_of(const struct app *app, struct scope_lists *lists)
{
    struct grant grant = app_grant(app);

    return (struct msg_scope){ .may_submit = grant.may_submit,
        .senders = lists->senders,
        .sender_count = tell_patterns(grant.senders, grant.sender_count, lists->senders),
        .recipients = lists->recipients,
        .recipient_count =
            tell_patterns(grant.recipients, grant.recipient_count, lists->recipients),
        .max_recipients = grant.max_recipients,
        .max_size = grant.max_size };
}

/* user: only for AUTH_OK; app: what it was by, or NULL. */
static void send_done(struct asker *asker, uint64_t session, enum auth_result result,
    const struct user *user, const struct app *app)
{
    struct msg_auth_done done = { .session = session, .result = result };
    struct msg_sender senders[GRANT_SENDERS_MAX], recipients[GRANT_RECIPIENTS_MAX];
    struct scope_lists lists;
    struct arena arena;
    struct grant grant;

    arena_init(&arena, GRANT_ARENA);
    if (result == AUTH_OK && !grant_of(user, GRANT_SENDERS_MAX, &arena, &grant))
        done.result = AUTH_TEMPORARY;
    if (done.result == AUTH_OK) {
        done.user = grant.user;
        done.may_submit = grant.may_submit;
        done.senders = senders;
        done.sender_count = tell_patterns(grant.senders, grant.sender_count, senders);
        done.more_senders = grant.truncated;
        done.recipients = recipients;
        done.recipient_count = tell_patterns(grant.recipients, grant.recipient_count, recipients);
        done.more_recipients = grant.recipients_truncated;
        done.max_recipients = grant.max_recipients;
        done.max_size = grant.max_size;
        done.is_narrowed = app != NULL;
        if (app)
            done.scope = scope_of(app, &lists);
    }
    channel_send(asker->channel, MSG_AUTH_DONE, &done, -1);
    arena_clear(&arena);
}

/* The end of a conversation. user: only for AUTH_OK. */
static void conclude(
    struct conversation *c, enum auth_result result, const struct user *user, const char *why)
{
    (result == AUTH_OK ? log_attempt : log_failure)(
        c, results[result].level, results[result].name, why);
    send_done(c->asker, c->key.session, result, user, find_app(c, user));
    forget(c);
}

static void count_failure(struct conversation *c)
{
    if (!c->is_counted)
        failures_count(c->auth->failures, &c->client, account_of(c), clock_mono_ms());
    c->is_counted = true;
}

/* Wrong credentials, or what cannot be any. The words to the client do not tell which (AUTH-14). */
static void refuse(struct conversation *c, const char *why)
{
    count_failure(c);
    conclude(c, AUTH_REFUSED, NULL, why);
}

/* The credentials are right: may this user come in? Only here a stranger could learn anything of a
 * record, and only who knows the password gets here (AUTH-16). */
static void judge(struct conversation *c, const struct user *user,
    void (*admit)(struct conversation *, const struct user *))
{
    if (user->state == USER_DISABLED)
        conclude(c, AUTH_DISABLED, NULL, "the user is disabled");
    else if (user->min_mech == USER_MECH_SCRAM && !sasl_is_strong(&c->sasl))
        conclude(c, AUTH_TOO_WEAK, NULL, "the user may only use SCRAM");
    else
        admit(c, user);
}

static void welcome(struct conversation *c, const struct user *user)
{
    conclude(c, AUTH_OK, user, "");
}

static void stale(struct conversation *c)
{
    conclude(c, AUTH_TEMPORARY, NULL, "the record changed meanwhile");
}

static void say_challenge(struct conversation *c, const struct user *user UNUSED)
{
    struct msg_auth_step say = { .session = c->key.session,
        .data = buffer_slice(&c->sasl.challenge) };

    c->stage = STAGE_CLIENT;
    channel_send(c->asker->channel, MSG_AUTH_SAY, &say, -1);
}

static bool is_over(const struct conversation *c)
{
    return failures_over(c->auth->failures, &c->client, account_of(c), clock_mono_ms());
}

static void advance(struct conversation *c, enum sasl_result result);

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
    const struct user *user = find_user(c);
    enum scram_hash hash = sasl_hash(&c->sasl);
    struct scram_verifier verifiers[1 + USER_APPS_MAX];
    size_t count = user ? list_verifiers(user, hash, verifiers) : 0;

    if (count == 0) {
        store_invent(c->auth->store, hash, account_of(c), &verifiers[0]);
        count = 1;
    }
    advance(c, sasl_supply(&c->sasl, verifiers, count));
    explicit_bzero(verifiers, sizeof verifiers);
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
    const struct user *user = pc->conversation ? find_user(pc->conversation) : NULL;
    const struct app *app;

    if (failures_over(pc->auth->failures, &check->client, account, clock_mono_ms()))
        return CHECK_REFUSED;
    if (check->is_decoy || !is_same_record(user, check) ||
        !is_remembered(pc->auth, user, secret_slice(&check->password), &app))
        return CHECK_NEEDED;
    check->app = app ? place_of(check, app) : check->app_count;
    return app && check->app == check->app_count ? CHECK_NEEDED : CHECK_RIGHT;
}

static void take_app(struct conversation *c, const unsigned char key[SCRAM_KEY])
{
    c->is_app = true;
    memcpy(c->app_key, key, SCRAM_KEY);
}

static void on_right(struct conversation *c, const struct check *check)
{
    const struct user *user = find_user(c);

    struct user record;

    if (!is_same_record(user, check)) {
        stale(c);
        return;
    }
    record = *user;
    if (check->app < check->app_count) {
        take_app(c, check->app_keys[check->app]);
        if (!find_app(c, user)) {
            refuse(c, "the app password is over or revoked");
            return;
        }
        record = as_record(user, find_app(c, user));
    }
    proofs_add(c->auth->proofs, &record, secret_slice(&c->sasl.password), clock_mono_ms());
    judge(c, user, welcome);
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
        refuse(c, check->is_decoy ? "unknown user" : "wrong password");
    else if (c)
        conclude(c, AUTH_TEMPORARY, NULL,
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
    struct slice account = account_of(c);

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

/* PLAIN and LOGIN: an earlier proof, or the hash. */
static void on_password(struct conversation *c)
{
    const struct user *user = find_user(c);
    const struct app *app;
    struct password_check *pc;

    if (user && is_remembered(c->auth, user, secret_slice(&c->sasl.password), &app)) {
        if (app)
            take_app(c, app->scram.stored_key);
        judge(c, user, welcome);
        return;
    }
    pc = calloc(1, sizeof *pc);
    if (!pc || !fill_check(c, user, pc)) {
        free(pc);
        conclude(c, AUTH_TEMPORARY, NULL, "no memory");
        return;
    }
    c->stage = STAGE_HASH;
    c->check = pc;
    if (verifier_give(c->auth->verifier, &pc->check))
        return;
    c->check = NULL;
    check_clear(&pc->check);
    free(pc);
    conclude(c, AUTH_TEMPORARY, NULL, "too many logins at once");
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
    take_app(c, (const unsigned char *)key.data);
    return true;
}

static void on_proved(struct conversation *c)
{
    const struct user *user = find_user(c);

    if (has_proved(c, user))
        judge(c, user, say_challenge);
    else
        stale(c);
}

static void on_done(struct conversation *c)
{
    const struct user *user = find_user(c);

    if (has_proved(c, user))
        judge(c, user, welcome);
    else
        stale(c);
}

/* A certificate of nobody's counts as a failure, like any unknown user. */
static void on_known(struct conversation *c)
{
    const struct user *user = find_user(c);

    if (user)
        judge(c, user, welcome);
    else
        refuse(c, "unknown user");
}

/* What to do once the user file was looked at. */
static void (*const on_users[])(struct conversation *) = {
    [SASL_LOOKUP] = on_lookup,
    [SASL_CHECK] = on_password,
    [SASL_PROVED] = on_proved,
    [SASL_KNOWN] = on_known,
    [SASL_DONE] = on_done,
};

static void on_users_ready(struct store_wait *wait, enum err rc)
{
    struct conversation *c = CONTAINER_OF(wait, struct conversation, wait);

    if (rc != ERR_OK)
        conclude(c, AUTH_TEMPORARY, NULL, "the user file cannot be used"); /* AUTH-15 */
    else
        on_users[c->wanted](c);
}

static void ask_users(struct conversation *c, enum sasl_result result)
{
    if (is_over(c)) {
        conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
        return;
    }
    c->stage = STAGE_USERS;
    c->wanted = result;
    c->wait.ready = on_users_ready;
    store_ask(c->auth->store, &c->wait);
}

static void on_token_checked(struct token_check *check)
{
    struct token_wait *wait = CONTAINER_OF(check, struct token_wait, check);
    struct conversation *c = wait->conversation;
    struct login login = check->login;
    enum err error = check->error;
    enum sasl_result result;
    const char *why = check->why;

    secret_clear(&check->token);
    free(wait);
    if (!c)
        return;
    c->token = NULL;
    if (error != ERR_OK) {
        conclude(c, AUTH_TEMPORARY, NULL, "the key file cannot be used"); /* AUTH-15 */
        return;
    }
    c->token_fault = why;
    result = sasl_token(&c->sasl, why ? NULL : &login);
    /* The client is told the reason first, and may never answer. */
    if (result == SASL_CHALLENGE)
        count_failure(c);
    advance(c, result);
}

static void on_token(struct conversation *c, enum sasl_result result UNUSED)
{
    struct token_wait *wait = calloc(1, sizeof *wait);

    if (is_over(c)) {
        free(wait);
        conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
        return;
    }
    if (wait && c->auth->tokens &&
        secret_set(&wait->check.token, secret_slice(&c->sasl.password))) {
        wait->conversation = c;
        wait->check.done = on_token_checked;
        if (tokens_give(c->auth->tokens, &wait->check)) {
            c->token = wait;
            c->stage = STAGE_TOKEN;
            return;
        }
        secret_clear(&wait->check.token);
    }
    free(wait);
    conclude(c, AUTH_TEMPORARY, NULL, "too many logins at once");
}

static void on_challenge(struct conversation *c, enum sasl_result result UNUSED)
{
    say_challenge(c, NULL);
}

static void on_refused(struct conversation *c, enum sasl_result result UNUSED)
{
    refuse(c, c->token_fault ? c->token_fault : "not acceptable");
}

static void on_unknown(struct conversation *c, enum sasl_result result UNUSED)
{
    conclude(c, AUTH_UNKNOWN, NULL, "");
}

static void on_failed(struct conversation *c, enum sasl_result result UNUSED)
{
    conclude(c, AUTH_TEMPORARY, NULL, "no memory");
}

static void (*const on_result[])(struct conversation *, enum sasl_result) = {
    [SASL_CHALLENGE] = on_challenge,
    [SASL_LOOKUP] = ask_users,
    [SASL_CHECK] = ask_users,
    [SASL_PROVED] = ask_users,
    [SASL_TOKEN] = on_token,
    [SASL_KNOWN] = ask_users,
    [SASL_DONE] = ask_users,
    [SASL_REFUSED] = on_refused,
    [SASL_UNKNOWN] = on_unknown,
    [SASL_FAILED] = on_failed,
};

/* The conversation may be gone afterwards. */
static void advance(struct conversation *c, enum sasl_result result)
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
        conclude(c, AUTH_TEMPORARY, NULL, "it took too long");
        return;
    }
    log_failure(c, LOG_INFO, "expired", c->token_fault ? c->token_fault : "");
    forget(c);
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
    c->client_len = message->client.len < CLIENT_TEXT ? message->client.len : CLIENT_TEXT;
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
        forget(c); /* the gate has begun anew under the same number */
    c = asker->conversations < ASKER_CONVERSATIONS_MAX ? begin(auth, asker, message) : NULL;
    if (!c)
        send_done(asker, message->session, AUTH_TEMPORARY, NULL, NULL);
    else if (!message->tls)
        /* AUTH-3: in the clear nothing is looked at, so the answer tells nothing. */
        conclude(c, AUTH_REFUSED, NULL, "no TLS");
    else
        advance(c, sasl_start(&c->sasl, auth->library, &opening));
}

void auth_step(struct auth *auth, struct asker *asker, const struct msg_auth_step *message)
{
    struct conversation *c = find(auth, asker, message->session);

    if (!c)
        send_done(asker, message->session, AUTH_TEMPORARY, NULL, NULL);
    else if (c->stage != STAGE_CLIENT)
        conclude(c, AUTH_TEMPORARY, NULL, "the gate spoke out of turn");
    else if (is_over(c))
        conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
    else
        advance(c, sasl_step(&c->sasl, message->data));
}

void auth_cancel(struct auth *auth, struct asker *asker, const struct msg_session *message)
{
    struct conversation *c = find(auth, asker, message->session);

    if (!c)
        return;
    log_failure(c, LOG_INFO, "cancelled", c->token_fault ? c->token_fault : "");
    forget(c);
}

void auth_forget_asker(struct auth *auth, struct asker *asker)
{
    struct conversation *c, *next;

    DL_FOREACH_SAFE (auth->oldest, c, next)
        if (c->asker == asker)
            forget(c);
}

size_t auth_busy(const struct auth *auth)
{
    const struct conversation *c;
    size_t busy = 0;

    DL_FOREACH (auth->oldest, c)
        busy += c->stage != STAGE_CLIENT;
    return busy;
}
