/* vault/conversation_answer.c: what a conversation says to the client and to the log, and how it
 * ends. */
#include "base/clock.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "vault/conversation.h"

enum { GRANT_ARENA = 8192 };

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

static void log_attempt(
    const struct conversation *c, enum log_level level, const char *result, const char *why)
{
    const struct app *app = conversation_app(c, conversation_user(c));
    struct log_field reason = log_text("why", why);
    struct log_field by = log_slice("app_password", app ? app->name : slice_text(""));

    /* Without a key it is the end of the list. */
    if (!app)
        by.key = NULL;
    if (why[0] == '\0') {
        reason = by;
        by.key = NULL;
    }
    log_event(level, NULL, "login", log_slice("user", conversation_account(c)),
        log_text("mechanism", sasl_mechanism(&c->sasl)),
        log_slice("client", slice_of(c->client_text, c->client_len)), log_text("result", result),
        log_number("gate", channel_peer_index(c->asker->channel)),
        log_number("session", (int64_t)c->key.session), reason, by);
}

void conversation_log_failure(
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

/* user and store: only for AUTH_OK; app: what it was by, or NULL. */
void conversation_send_done(struct asker *asker, uint64_t session, enum auth_result result,
    const struct user *user, const struct app *app, const struct store *store)
{
    struct msg_auth_done done = { .session = session, .result = result };
    struct digest proof;
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
        proof = store_proof(store, user->login);
        done.proof = slice_of(proof.octets, sizeof proof.octets);
    }
    channel_send(asker->channel, MSG_AUTH_DONE, &done, -1);
    arena_clear(&arena);
}

void conversation_conclude(
    struct conversation *c, enum auth_result result, const struct user *user, const char *why)
{
    (result == AUTH_OK ? log_attempt : conversation_log_failure)(
        c, results[result].level, results[result].name, why);
    conversation_send_done(
        c->asker, c->key.session, result, user, conversation_app(c, user), c->auth->store);
    conversation_forget(c);
}

void conversation_count_failure(struct conversation *c)
{
    if (!c->is_counted)
        failures_count(c->auth->failures, &c->client, conversation_account(c), clock_mono_ms());
    c->is_counted = true;
}

void conversation_refuse(struct conversation *c, const char *why)
{
    conversation_count_failure(c);
    conversation_conclude(c, AUTH_REFUSED, NULL, why);
}

void conversation_judge(struct conversation *c, const struct user *user,
    void (*admit)(struct conversation *, const struct user *))
{
    if (user->state == USER_DISABLED)
        conversation_conclude(c, AUTH_DISABLED, NULL, "the user is disabled");
    else if (user->min_mech == USER_MECH_SCRAM && !sasl_is_strong(&c->sasl))
        conversation_conclude(c, AUTH_TOO_WEAK, NULL, "the user may only use SCRAM");
    else
        admit(c, user);
}

void conversation_welcome(struct conversation *c, const struct user *user)
{
    conversation_conclude(c, AUTH_OK, user, "");
}

void conversation_stale(struct conversation *c)
{
    conversation_conclude(c, AUTH_TEMPORARY, NULL, "the record changed meanwhile");
}

void conversation_say_challenge(struct conversation *c, const struct user *user UNUSED)
{
    struct msg_auth_step say = { .session = c->key.session,
        .data = buffer_slice(&c->sasl.challenge) };

    c->stage = STAGE_CLIENT;
    channel_send(c->asker->channel, MSG_AUTH_SAY, &say, -1);
}
