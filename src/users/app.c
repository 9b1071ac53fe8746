/* users/app.c: app passwords: further secrets of a user's, each with a name, rights of its own and
 * perhaps an end. They are made here and not chosen, so they need no slow hash: one PBKDF2 with the
 * salt that all of a user's secrets share tells which of them it is. */
#include <stdlib.h>
#include <sys/random.h>

#include "users/lines.h"
#include "users/login.h"

bool users_append_app(struct users *users, struct slice raw, struct slice login, struct app *app)
{
    if (!users_append(users, raw, login, NULL))
        return false;
    users->lines->prev->app = app;
    return true;
}

static bool has_same_salt(const struct scram_verifier *a, const struct scram_verifier *b)
{
    return a->iterations == b->iterations && a->salt_len == b->salt_len &&
           memcmp(a->salt, b->salt, a->salt_len) == 0;
}

static const struct app *find_app(const struct user *user, struct slice name)
{
    const struct app *app = user->apps;

    while (app && !slice_equals(app->name, name))
        app = app->next;
    return app;
}

static void append(struct user *user, struct app *app)
{
    struct app **end = &user->apps;

    while (*end)
        end = &(*end)->next;
    *end = app;
    app->next = NULL;
    user->app_count++;
}

/* What keeps it from being this user's; NULL: nothing. */
static const char *objection(const struct user *user, const struct app *app)
{
    if (!user)
        return "no line describes the user of this app password";
    if (user->app_count == USER_APPS_MAX)
        return "the user has 16 app passwords already";
    if (find_app(user, app->name))
        return "there is a line for this app password already";
    if ((user->scram.iterations > 0 && !has_same_salt(&user->scram, &app->scram)) ||
        (user->apps && !has_same_salt(&user->apps->scram, &app->scram)))
        return "another salt or count than the user's other secrets";
    return NULL;
}

void users_join_apps(struct users *users,
    void (*tell)(void *owner, size_t line, struct slice word, const char *complaint), void *owner)
{
    struct users_line *line;

    DL_FOREACH (users->lines, line) {
        struct app *app = line->app;
        struct user *user = NULL;
        const char *complaint;

        if (!app)
            continue;
        HASH_FIND(hh, users->by_login, app->login.data, (unsigned)app->login.len, user);
        complaint = objection(user, app);
        if (!complaint) {
            append(user, app);
            continue;
        }
        tell(owner, app->line, line->login, complaint);
        line->app = NULL;
        line->is_rival = user != NULL;
    }
}

/* 24 of 32 letters and digits that are not mistaken for each other: 120 bits. */
static bool make_secret(char out_secret[APP_SECRET + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[APP_SECRET];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < APP_SECRET; i++)
        out_secret[i] = letters[random[i] % 32];
    out_secret[APP_SECRET] = '\0';
    explicit_bzero(random, sizeof random);
    return true;
}

/* The verifier of a new secret, with the salt that the user's others have. */
static bool make_verifier(
    const struct user *user, struct slice secret, struct scram_verifier *out_verifier)
{
    const struct scram_verifier *like = user->scram.iterations > 0 ? &user->scram
                                        : user->apps               ? &user->apps->scram
                                                                   : NULL;

    if (!like)
        return scram_make(SCRAM_SHA_256, secret, out_verifier) == ERR_OK;
    return scram_derive(SCRAM_SHA_256, secret, slice_of(like->salt, like->salt_len),
               like->iterations, out_verifier) == ERR_OK;
}

/* "LOGIN:NAME" in the arena, the two names as its parts. */
static bool name_app(
    struct users *users, struct slice login, struct slice name, struct app *app, struct slice *out)
{
    char *text = arena_alloc(&users->arena, login.len + 1 + name.len);

    if (!text)
        return false;
    memcpy(text, login.data, login.len);
    text[login.len] = ':';
    memcpy(text + login.len + 1, name.data, name.len);
    app->login = slice_of(text, login.len);
    app->name = slice_of(text + login.len + 1, name.len);
    *out = slice_of(text, login.len + 1 + name.len);
    return true;
}

static struct user *find_user(const struct users *users, struct slice login)
{
    struct login prepared;
    struct user *user = NULL;

    if (login_prepare(login, true, &prepared))
        HASH_FIND(hh, users->by_login, prepared.text, (unsigned)prepared.len, user);
    return user;
}

const struct user *users_find_typed(const struct users *users, struct slice login)
{
    return find_user(users, login);
}

/* A line that was set aside would come to life beside the new one. */
static struct users_line *find_line(
    const struct users *users, struct slice login, struct slice name)
{
    struct users_line *line;

    DL_FOREACH (users->lines, line) {
        size_t colon = slice_find(line->login, ':');

        if (colon < line->login.len && slice_equals(slice_first(line->login, colon), login) &&
            slice_equals(slice_from(line->login, colon + 1), name))
            return line;
    }
    return NULL;
}

enum user_fault users_add_app(struct users *users, struct slice login, struct slice name,
    int64_t until, const struct rights_change *change, char out_secret[APP_SECRET + 1])
{
    struct user *user = find_user(users, login);
    struct app *app = arena_alloc(&users->arena, sizeof *app);
    struct slice whole;
    enum user_fault fault;

    if (!user)
        return USER_UNKNOWN;
    if (!group_is_valid(name))
        return USER_BAD_APP;
    if (find_line(users, user->login, name))
        return USER_HAS_APP;
    if (user->app_count == USER_APPS_MAX)
        return USER_MANY_APPS;
    if (change->senders.count > APP_PATTERNS_MAX || change->recipients.count > APP_PATTERNS_MAX)
        return USER_MANY_SENDERS;
    if (!app)
        return USER_FAILED;
    app->until = until;
    app->rights.may_submit = true;
    fault = users_change_rights(users, change, &app->rights);
    if (fault != USER_OK)
        return fault;
    if (!make_secret(out_secret) ||
        !make_verifier(user, slice_of(out_secret, APP_SECRET), &app->scram) ||
        !name_app(users, user->login, name, app, &whole) ||
        !users_append_app(users, slice_text(NULL), whole, app))
        return USER_FAILED;
    append(user, app);
    return USER_OK;
}

/* Out of the user's list. */
static void detach(struct user *user, const struct app *gone)
{
    struct app **at = &user->apps;

    while (*at && *at != gone)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = gone->next;
    user->app_count--;
}

/* Nobody has accepted these; that another is revoked is no word for them. Which of them would be
 * read next depends on their order, so all are kept as comments. Returns how many. */
static size_t mute_rivals(struct users *users, const struct user *user)
{
    struct users_line *line;
    size_t count = 0;

    DL_FOREACH (users->lines, line) {
        size_t colon = slice_find(line->login, ':');
        if (!line->is_rival || line->is_muted ||
            !slice_equals(slice_first(line->login, colon), user->login))
            continue;
        line->is_muted = true;
        count++;
    }
    return count;
}

enum user_fault users_remove_app(
    struct users *users, struct slice login, struct slice name, size_t *out_muted)
{
    struct login prepared;
    struct users_line *line;
    struct user *user = find_user(users, login);
    enum user_fault fault = user ? USER_NO_APP : USER_UNKNOWN;
    bool is_detached = false;

    *out_muted = 0;
    if (!login_prepare(login, true, &prepared))
        return USER_UNKNOWN;
    while ((line = find_line(users, login_slice(&prepared), name))) {
        if (line->app && user) {
            detach(user, line->app);
            is_detached = true;
        }
        DL_DELETE(users->lines, line);
        fault = USER_OK;
    }
    if (is_detached)
        *out_muted = mute_rivals(users, user);
    return fault;
}

const struct app *user_app(const struct user *user, struct slice stored_key, int64_t now)
{
    const struct app *found = NULL;

    for (const struct app *app = user->apps; app; app = app->next)
        if (secret_equals(slice_of(app->scram.stored_key, SCRAM_KEY), stored_key) &&
            (app->until == 0 || now < app->until))
            found = app;
    return found;
}

struct grant app_grant(const struct app *app)
{
    static struct sender any[] = { { SLICE_LITERAL("*") } };
    bool is_listed = app->rights.sender_count > 0;

    return (struct grant){ .may_submit = app->rights.may_submit,
        .senders = is_listed ? app->rights.senders : any,
        .sender_count = is_listed ? app->rights.sender_count : LENGTH_OF(any),
        .recipients = app->rights.recipients,
        .recipient_count = app->rights.recipient_count,
        .max_recipients = app->rights.max_recipients,
        .max_size = app->rights.max_size };
}
