/* vault/token_rules.c: a configuration's part on tokens, and where its keys come from. */
#include "vault/token_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 1 << 16, READ_STEP = 16384 };

static enum token_source source_of(const struct conf_auth *auth)
{
    if (auth->oauth_introspection.len > 0)
        return TOKENS_ASK;
    if (auth->oauth_jwks_uri.len > 0)
        return TOKENS_ADDRESS;
    return auth->oauth_jwks.len > 0 ? TOKENS_FILE : TOKENS_NONE;
}

static bool fill(struct token_rules *rules, const struct conf_auth *auth, struct slice name)
{
    struct claim_rules *claims = &rules->claims;

    claims->leeway = (int64_t)auth->oauth_leeway;
    claims->must_end = rules->source != TOKENS_ASK;
    if (name.len > NAME_MAX)
        return false;
    if (name.len > 0)
        memcpy(rules->name, name.data, name.len);
    return arena_copy(&rules->arena, auth->oauth_issuer, &claims->issuer) &&
           arena_copy(&rules->arena, auth->oauth_audience, &claims->audience) &&
           arena_copy(&rules->arena, auth->oauth_scope, &claims->scope) &&
           arena_copy(&rules->arena, auth->oauth_claim, &claims->claim) &&
           arena_copy(&rules->arena, auth->oauth_jwks_uri, &rules->address);
}

struct token_rules *token_rules_new(const struct conf_auth *auth, int dir, struct slice name)
{
    struct token_rules *rules = calloc(1, sizeof *rules);

    if (!rules) {
        if (dir >= 0)
            close(dir);
        return NULL;
    }
    rules->holds = 1;
    rules->source = source_of(auth);
    rules->dir = dir;
    arena_init(&rules->arena, ARENA_MAX);
    if (!fill(rules, auth, name))
        token_rules_drop(&rules);
    return rules;
}

struct token_rules *token_rules_hold(struct token_rules *rules)
{
    rules->holds++;
    return rules;
}

void token_rules_drop(struct token_rules **at)
{
    struct token_rules *rules = *at;

    *at = NULL;
    if (!rules || --rules->holds > 0)
        return;
    if (rules->dir >= 0)
        close(rules->dir);
    jwks_free(&rules->keys);
    arena_clear(&rules->arena);
    free(rules);
}

/* Whoever may add a key may log in as anybody. */
static enum err check_file(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_INVALID;
    return status.st_mode & S_IWOTH ? ERR_DENIED : ERR_OK;
}

static enum err read_all(const struct token_rules *rules, struct buffer *out)
{
    int fd = openat(rules->dir, rules->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = 1;

    if (fd < 0)
        return err_from_errno(errno);
    out->error = check_file(fd);
    if (out->error != ERR_OK)
        got = 0;
    while (got > 0) {
        char *room = buffer_reserve(out, READ_STEP);

        got = room ? read(fd, room, READ_STEP) : -1;
        if (got > 0)
            buffer_commit(out, (size_t)got);
    }
    if (got < 0 && out->error == ERR_OK)
        out->error = err_from_errno(errno);
    close(fd);
    return out->error;
}

/* A file that is no key set any more leaves none: the operator changed it. */
enum err token_rules_read_file(struct token_rules *rules)
{
    struct users_stamp stamp;
    struct buffer text;
    struct jwks *keys = NULL;
    enum err rc =
        rules->dir >= 0 ? users_stamp_read(rules->dir, rules->name, &stamp) : ERR_NOTFOUND;

    if (rc != ERR_OK)
        return rc;
    if (rules->has_stamp && users_stamp_equals(&stamp, &rules->stamp))
        return rules->error;
    buffer_init(&text, JWKS_TEXT_MAX + READ_STEP);
    rc = read_all(rules, &text);
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

enum err token_rules_take(struct token_rules *rules, struct slice document)
{
    struct jwks *keys;
    enum err rc = jwks_parse(document, &keys);

    if (rc != ERR_OK)
        return rc;
    if (jwks_is_empty(keys)) {
        jwks_free(&keys);
        return ERR_NOTFOUND;
    }
    jwks_free(&rules->keys);
    rules->keys = keys;
    return ERR_OK;
}
