/* vault/tokens.c: one thread; the keys are its own, so nothing is locked. */
#include "vault/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "users/file.h"

/* Shared by the tokens and by checks under way. */
struct token_rules {
    unsigned holds; /* changed in the loop alone */
    int dir;
    char name[NAME_MAX + 1];
    struct arena arena;
    struct jwt_rules jwt;
    /* The thread's own: */
    struct jwks *keys;
    struct users_stamp stamp; /* of the version that was read */
    bool has_stamp;
    enum err error; /* of that version */
};

struct tokens {
    struct hands *hands;
    struct token_rules *rules;
    size_t waiting;
    enum err said; /* what was complained of last */
};

struct tokens *tokens_new(struct loop *loop)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);

    if (!tokens)
        return NULL;
    tokens->hands = hands_new(loop, "tokens", 1);
    if (tokens->hands)
        return tokens;
    free(tokens);
    return NULL;
}

static void drop_rules(struct token_rules *rules)
{
    if (!rules || --rules->holds > 0)
        return;
    if (rules->dir >= 0)
        close(rules->dir);
    jwks_free(&rules->keys);
    arena_clear(&rules->arena);
    free(rules);
}

static bool fill_rules(struct token_rules *rules, const struct conf_auth *auth, struct slice name)
{
    arena_init(&rules->arena, 1 << 16);
    rules->jwt.leeway = (int64_t)auth->oauth_leeway;
    if (name.len > NAME_MAX)
        return false;
    if (name.len > 0)
        memcpy(rules->name, name.data, name.len);
    return arena_copy(&rules->arena, auth->oauth_issuer, &rules->jwt.issuer) &&
           arena_copy(&rules->arena, auth->oauth_audience, &rules->jwt.audience) &&
           arena_copy(&rules->arena, auth->oauth_claim, &rules->jwt.claim);
}

bool tokens_set_rules(
    struct tokens *tokens, const struct conf_auth *auth, int dir, struct slice name)
{
    struct token_rules *rules = calloc(1, sizeof *rules);

    if (!rules) {
        if (dir >= 0)
            close(dir);
        return false;
    }
    rules->holds = 1;
    rules->dir = dir;
    if (!fill_rules(rules, auth, name)) {
        drop_rules(rules);
        return false;
    }
    drop_rules(tokens->rules);
    tokens->rules = rules;
    return true;
}

static enum err read_keys(const struct token_rules *rules, struct buffer *out)
{
    int fd = openat(rules->dir, rules->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = 1;

    if (fd < 0)
        return err_from_errno(errno);
    while (got > 0) {
        char *room = buffer_reserve(out, 16384);

        got = room ? read(fd, room, 16384) : -1;
        if (got > 0)
            buffer_commit(out, (size_t)got);
    }
    if (got < 0 && out->error == ERR_OK)
        out->error = err_from_errno(errno);
    close(fd);
    return out->error;
}

/* In the thread: what the file holds now. */
static enum err refresh(struct token_rules *rules)
{
    struct users_stamp stamp;
    struct buffer text;
    struct jwks *keys = NULL;
    enum err rc = users_stamp_read(rules->dir, rules->name, &stamp);

    if (rc != ERR_OK)
        return rc;
    if (rules->has_stamp && users_stamp_equals(&stamp, &rules->stamp))
        return rules->error;
    buffer_init(&text, JWKS_FILE_MAX + 16384);
    rc = read_keys(rules, &text);
    if (rc == ERR_OK)
        rc = jwks_parse(buffer_slice(&text), &keys);
    buffer_clear(&text);
    jwks_free(&rules->keys);
    rules->keys = keys;
    rules->stamp = stamp;
    rules->has_stamp = rc == ERR_OK || rc == ERR_INVALID;
    rules->error = rc;
    return rc;
}

/* In the thread. */
static void work(struct hand_job *job)
{
    struct token_check *check = CONTAINER_OF(job, struct token_check, job);
    struct token_rules *rules = check->rules;

    check->error = rules->dir >= 0 ? refresh(rules) : ERR_NOTFOUND;
    if (check->error == ERR_OK)
        check->why = jwt_check(
            rules->keys, &rules->jwt, secret_slice(&check->token), clock_wall(), &check->login);
}

static void done(struct hand_job *job)
{
    struct token_check *check = CONTAINER_OF(job, struct token_check, job);
    struct tokens *tokens = check->tokens;

    tokens->waiting--;
    if (check->error != ERR_OK && check->error != tokens->said)
        log_event(LOG_ERROR, NULL, "key file cannot be used, no token is accepted",
            log_text("file", check->rules->name), log_reason(check->error));
    tokens->said = check->error;
    drop_rules(check->rules);
    check->rules = NULL;
    check->done(check);
}

bool tokens_give(struct tokens *tokens, struct token_check *check)
{
    if (!tokens->rules || tokens->waiting == TOKENS_WAITING_MAX)
        return false;
    tokens->waiting++;
    check->tokens = tokens;
    check->rules = tokens->rules;
    check->rules->holds++;
    check->job = (struct hand_job){ .work = work, .done = done };
    hands_give(tokens->hands, &check->job);
    return true;
}

size_t tokens_busy(const struct tokens *tokens)
{
    return tokens->waiting;
}
