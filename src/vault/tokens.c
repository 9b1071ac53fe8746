/* vault/tokens.c: the way of a check, by where its answer comes from. */
#include "vault/tokens.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "net/loop.h"
#include "vault/introspection.h"
#include "vault/jwt.h"
#include "vault/keyset.h"
#include "vault/known_tokens.h"
#include "vault/token_rules.h"

/* A key set that the thread is to take. */
struct reading {
    struct hand_job job;
    struct tokens *tokens;
    struct token_rules *rules;
    struct buffer document;
    enum err error;
};

struct tokens {
    struct hands *hands; /* one thread, so the keys need no lock */
    struct fetcher *fetcher;
    struct token_rules *rules;
    struct keyset keyset;
    struct known_tokens *known;
    struct token_check *parked; /* until the keyset has settled */
    size_t waiting;
    const char *said; /* what was complained of last */
};

/* The thread. */

static void work_file(struct token_check *check)
{
    struct token_rules *rules = check->rules;
    enum err rc = token_rules_read_file(rules);

    if (rc == ERR_OK)
        check->why = jwt_check(
            rules->keys, &rules->claims, secret_slice(&check->token), clock_wall(), &check->login);
    else
        check->trouble = err_text(rc);
}

static void work_address(struct token_check *check)
{
    struct token_rules *rules = check->rules;

    if (rules->keys)
        check->why = jwt_check(
            rules->keys, &rules->claims, secret_slice(&check->token), clock_wall(), &check->login);
    else
        check->trouble = "there are no keys yet";
}

static void work_ask(struct token_check *check)
{
    if (!check->is_known &&
        introspection_read(buffer_slice(&check->document), &check->rules->claims, clock_wall(),
            &check->why, &check->login, &check->until) != ERR_OK)
        check->trouble = "what the identity provider says of it makes no sense";
}

static void work_reading(struct hand_job *job)
{
    struct reading *reading = CONTAINER_OF(job, struct reading, job);

    reading->error = token_rules_take(reading->rules, buffer_slice(&reading->document));
}

/* The loop. */

static void begin(struct token_check *check);

static void finish(struct token_check *check)
{
    check->tokens->waiting--;
    token_rules_drop(&check->rules);
    buffer_clear(&check->document);
    check->done(check);
}

static void hand(struct token_check *check);

/* By way of the thread, too, so that `done` is never called where the check was given. */
static void hand_trouble(struct token_check *check, const char *trouble)
{
    check->trouble = trouble;
    hand(check);
}

static void begin_none(struct token_check *check)
{
    hand_trouble(check, "there are no tokens");
}

/* Under the rules that hold now. */
static void begin_anew(struct token_check *check)
{
    token_rules_drop(&check->rules);
    check->rules = token_rules_hold(check->tokens->rules);
    check->why = NULL;
    begin(check);
}

/* Until the keyset has settled; then it begins anew, for the last time. */
static void park(struct token_check *check)
{
    check->is_second = true;
    DL_APPEND(check->tokens->parked, check);
}

static void release_parked(struct tokens *tokens)
{
    struct token_check *list = tokens->parked, *check, *next;

    tokens->parked = NULL;
    DL_FOREACH_SAFE (list, check, next)
        begin_anew(check);
}

static void done_file(struct token_check *check)
{
    struct tokens *tokens = check->tokens;

    if (check->trouble && check->trouble != tokens->said)
        log_event(LOG_ERROR, NULL, "key file cannot be used, no token is accepted",
            log_text("file", check->rules->name), log_text("reason", check->trouble));
    tokens->said = check->trouble;
    finish(check);
}

static void done_address(struct token_check *check)
{
    if (check->why == jwt_unknown_key && !check->is_second && keyset_demand(&check->tokens->keyset))
        park(check);
    else
        finish(check);
}

static void done_ask(struct token_check *check)
{
    struct tokens *tokens = check->tokens;

    if (!check->trouble && !check->why && !check->is_known && check->rules == tokens->rules)
        known_tokens_add(tokens->known, secret_slice(&check->token), &check->login, check->until,
            clock_mono_ms());
    finish(check);
}

static void begin_address(struct token_check *check)
{
    struct keyset *keyset = &check->tokens->keyset;

    if (keyset_has_keys(keyset))
        hand(check);
    else if (!check->is_second && keyset_demand(keyset))
        park(check);
    else
        hand_trouble(check, "there is no key set");
}

static void on_said(struct fetch_ask *ask, const struct msg_fetched *answer)
{
    struct token_check *check = CONTAINER_OF(ask, struct token_check, ask);

    if (!answer && !check->is_second && check->rules != check->tokens->rules) {
        check->is_second = true;
        begin_anew(check); /* it was asked for in the name of rules that are gone */
        return;
    }
    if (!answer) {
        hand_trouble(check, "the identity provider does not answer");
        return;
    }
    buffer_init(&check->document, FETCH_DOCUMENT_MAX);
    buffer_put_slice(&check->document, answer->document);
    if (check->document.error == ERR_OK)
        hand(check);
    else
        hand_trouble(check, err_text(check->document.error));
}

static void begin_ask(struct token_check *check)
{
    struct tokens *tokens = check->tokens;
    struct slice token = secret_slice(&check->token);

    check->is_known =
        known_tokens_find(tokens->known, token, clock_mono_ms(), clock_wall(), &check->login);
    if (check->is_known) {
        hand(check);
        return;
    }
    check->ask = (struct fetch_ask){ .target = FETCH_TOKEN, .token = token, .done = on_said };
    fetcher_ask(tokens->fetcher, &check->ask);
}

/* What is done where: in the loop, in the thread, in the loop again. */
static const struct {
    void (*begin)(struct token_check *check);
    void (*work)(struct token_check *check);
    void (*done)(struct token_check *check);
} ways[] = {
    [TOKENS_NONE] = { begin_none, NULL, finish },
    [TOKENS_FILE] = { hand, work_file, done_file },
    [TOKENS_ADDRESS] = { begin_address, work_address, done_address },
    [TOKENS_ASK] = { begin_ask, work_ask, done_ask },
};

static void begin(struct token_check *check)
{
    ways[check->rules->source].begin(check);
}

static void work(struct hand_job *job)
{
    struct token_check *check = CONTAINER_OF(job, struct token_check, job);

    if (!check->trouble)
        ways[check->rules->source].work(check);
}

static void on_worked(struct hand_job *job)
{
    struct token_check *check = CONTAINER_OF(job, struct token_check, job);

    ways[check->rules->source].done(check);
}

static void hand(struct token_check *check)
{
    check->job = (struct hand_job){ .work = work, .done = on_worked };
    hands_give(check->tokens->hands, &check->job);
}

bool tokens_give(struct tokens *tokens, struct token_check *check)
{
    if (!tokens->rules || tokens->rules->source == TOKENS_NONE ||
        tokens->waiting == TOKENS_WAITING_MAX)
        return false;
    tokens->waiting++;
    check->tokens = tokens;
    check->rules = token_rules_hold(tokens->rules);
    begin(check);
    return true;
}

size_t tokens_busy(const struct tokens *tokens)
{
    return tokens->waiting;
}

/* Key sets. */

static void reading_free(struct reading *reading)
{
    token_rules_drop(&reading->rules);
    buffer_clear(&reading->document);
    free(reading);
}

static void on_read(struct hand_job *job)
{
    struct reading *reading = CONTAINER_OF(job, struct reading, job);
    struct keyset *keyset = &reading->tokens->keyset;
    enum err result = reading->error;

    reading_free(reading);
    keyset_read(keyset, result);
}

/* It was good before. */
static void on_read_again(struct hand_job *job)
{
    reading_free(CONTAINER_OF(job, struct reading, job));
}

static bool read_keys(struct tokens *tokens, struct slice document, void (*done)(struct hand_job *))
{
    struct reading *reading = calloc(1, sizeof *reading);

    if (!reading)
        return false;
    reading->tokens = tokens;
    buffer_init(&reading->document, FETCH_DOCUMENT_MAX);
    buffer_put_slice(&reading->document, document);
    if (reading->document.error != ERR_OK) {
        reading_free(reading);
        return false;
    }
    reading->rules = token_rules_hold(tokens->rules);
    reading->job = (struct hand_job){ .work = work_reading, .done = done };
    hands_give(tokens->hands, &reading->job);
    return true;
}

static void on_fetched(struct keyset *keyset)
{
    struct tokens *tokens = CONTAINER_OF(keyset, struct tokens, keyset);

    if (!read_keys(tokens, buffer_slice(&keyset->fresh), on_read))
        keyset_read(keyset, ERR_NOMEM);
}

static void on_settled(struct keyset *keyset)
{
    release_parked(CONTAINER_OF(keyset, struct tokens, keyset));
}

/* The set stays in force while another is fetched from the same address. */
static bool begin_keyset(struct tokens *tokens, const struct token_rules *old)
{
    struct keyset *keyset = &tokens->keyset;
    bool is_same =
        old && old->source == TOKENS_ADDRESS && slice_equals(old->address, tokens->rules->address);

    if (is_same && keyset_has_keys(keyset) &&
        !read_keys(tokens, buffer_slice(&keyset->good), on_read_again))
        return false;
    keyset_begin(keyset, is_same);
    return true;
}

bool tokens_set_rules(
    struct tokens *tokens, const struct conf_auth *auth, int dir, struct slice name)
{
    struct token_rules *old = tokens->rules;
    struct token_rules *rules = token_rules_new(auth, dir, name);
    bool is_done = true;

    if (!rules)
        return false;
    tokens->rules = rules;
    tokens->said = NULL;
    known_tokens_forget(tokens->known);
    if (rules->source == TOKENS_ADDRESS)
        is_done = begin_keyset(tokens, old);
    else
        keyset_end(&tokens->keyset);
    if (rules->source != TOKENS_ADDRESS)
        release_parked(tokens);
    token_rules_drop(&old);
    return is_done;
}

struct tokens *tokens_new(struct loop *loop, struct fetcher *fetcher)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);

    if (!tokens)
        return NULL;
    tokens->fetcher = fetcher;
    keyset_init(&tokens->keyset, loop, fetcher);
    tokens->keyset.read = on_fetched;
    tokens->keyset.settled = on_settled;
    tokens->known = known_tokens_new(KNOWN_TOKENS_MAX);
    tokens->hands = hands_new(loop, "tokens", 1);
    if (tokens->hands && tokens->known)
        return tokens;
    tokens_free(&tokens);
    return NULL;
}

void tokens_free(struct tokens **at)
{
    struct tokens *tokens = *at;

    *at = NULL;
    keyset_clear(&tokens->keyset);
    hands_free(&tokens->hands);
    known_tokens_free(&tokens->known);
    token_rules_drop(&tokens->rules);
    free(tokens);
}
