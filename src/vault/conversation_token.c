/* vault/conversation_token.c: OAUTHBEARER and XOAUTH2: the access token that a client says. */
#include <stdlib.h>

#include "base/clock.h"
#include "vault/conversation.h"
#include "vault/tokens.h"

/* A token under way. Outlives its conversation: who hangs up early is counted all the same. */
struct token_wait {
    struct token_check check;
    struct conversation *conversation; /* NULL: gone */
    struct auth *auth;
    struct client_key client;
    char account[SASL_TEXT_MAX];
    size_t account_len;
};

void conversation_drop_token(struct conversation *c)
{
    if (c->token)
        c->token->conversation = NULL;
    c->token = NULL;
}

static void on_token_checked(struct token_check *check)
{
    struct token_wait *wait = CONTAINER_OF(check, struct token_wait, check);
    struct conversation *c = wait->conversation;
    struct login login = check->login;
    const char *trouble = check->trouble;
    const char *why = check->why;
    enum sasl_result result;

    if (!c && !trouble && why)
        failures_count(wait->auth->failures, &wait->client,
            slice_of(wait->account, wait->account_len), clock_mono_ms());
    secret_clear(&check->token);
    free(wait);
    if (!c)
        return;
    c->token = NULL;
    if (trouble) {
        conversation_conclude(c, AUTH_TEMPORARY, NULL, trouble); /* AUTH-15 */
        return;
    }
    c->token_fault = why;
    result = sasl_token(&c->sasl, why ? NULL : &login);
    /* The client is told the reason first, and may never answer. */
    if (result == SASL_CHALLENGE)
        conversation_count_failure(c);
    conversation_advance(c, result);
}

static bool fill(struct token_wait *wait, struct conversation *c)
{
    struct slice account = conversation_account(c);

    wait->conversation = c;
    wait->auth = c->auth;
    wait->client = c->client;
    if (account.len > 0)
        memcpy(wait->account, account.data, account.len);
    wait->account_len = account.len;
    wait->check.done = on_token_checked;
    return secret_set(&wait->check.token, secret_slice(&c->sasl.password));
}

void conversation_check_token(struct conversation *c, enum sasl_result result UNUSED)
{
    struct token_wait *wait = calloc(1, sizeof *wait);

    if (conversation_is_over(c)) {
        free(wait);
        conversation_conclude(c, AUTH_TEMPORARY, NULL, "too many failures");
        return;
    }
    if (wait && c->auth->tokens && fill(wait, c)) {
        if (tokens_give(c->auth->tokens, &wait->check)) {
            c->token = wait;
            c->stage = STAGE_TOKEN;
            return;
        }
        secret_clear(&wait->check.token);
    }
    free(wait);
    conversation_conclude(c, AUTH_TEMPORARY, NULL, "too many logins at once");
}
