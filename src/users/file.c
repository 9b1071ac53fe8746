/* users/file.c: reads the user file: first line, then one user a line, each on its own merits. */
#include "users/file.h"

#include <stdlib.h>
#include <sys/random.h>

#include "users/login.h"
#include "users/reader.h"

static const char first_line[] = "submitd-users 1";

/* An empty one without a key; NULL without memory. */
static struct users *blank(void)
{
    struct users *users = calloc(1, sizeof *users);

    if (users)
        arena_init(&users->arena, (size_t)16 * USERS_FILE_MAX);
    return users;
}

enum err users_new(struct users **out_users)
{
    struct users *users = blank();

    if (!users)
        return ERR_NOMEM;
    if (getrandom(users->key, USERS_KEY, 0) != USERS_KEY) {
        users_free(&users);
        return ERR_IO;
    }
    users->has_key = true;
    *out_users = users;
    return ERR_OK;
}

void users_free(struct users **users)
{
    struct users *gone = *users;

    *users = NULL;
    if (!gone)
        return;
    HASH_CLEAR(hh, gone->by_login);
    HASH_CLEAR(hh, gone->by_group);
    if (gone->bytes)
        explicit_bzero(gone->bytes, gone->len);
    free(gone->bytes);
    arena_clear(&gone->arena);
    explicit_bzero(gone, sizeof *gone);
    free(gone);
}

bool users_append(struct users *users, struct slice raw, struct slice login, struct user *user)
{
    struct users_line *line = arena_alloc(&users->arena, sizeof *line);

    if (!line)
        return false;
    line->raw = raw;
    line->login = login;
    line->user = user;
    DL_APPEND(users->lines, line);
    if (user)
        HASH_ADD_KEYPTR(hh, users->by_login, user->login.data, (unsigned)user->login.len, user);
    return true;
}

/* A copy in the arena; NULL for an empty list, and without memory. */
static void *keep_list(struct reader *reader, const void *list, size_t count, size_t size)
{
    void *copy = count > 0 ? arena_array(&reader->users->arena, count, size) : NULL;

    if (count > 0 && !copy)
        reader->error = ERR_NOMEM;
    if (copy)
        memcpy(copy, list, count * size);
    return copy;
}

static bool keep_lists(struct reader *reader, struct user *user)
{
    struct user_rights *rights = &user->rights;

    rights->senders =
        keep_list(reader, reader->senders, rights->sender_count, sizeof *rights->senders);
    rights->recipients =
        keep_list(reader, reader->recipients, rights->recipient_count, sizeof *rights->recipients);
    user->groups = keep_list(reader, reader->groups, user->group_count, sizeof *user->groups);
    return reader->error == ERR_OK;
}

/* A name that preparation refuses or changes could neither log in nor be disabled. ASCII stays as
 * it is, and a file of many users is read fast. */
static bool is_prepared(struct slice login)
{
    struct login prepared;
    bool is_ascii = true;

    for (size_t i = 0; i < login.len; i++)
        is_ascii = is_ascii && (unsigned char)login.data[i] < 128;
    return is_ascii ||
           (login_prepare(login, true, &prepared) && slice_equals(login_slice(&prepared), login));
}

static struct user blank_user(const struct reader *reader, struct slice login)
{
    return (struct user){ .login = login, .line = reader->line, .rights = { .may_submit = true } };
}

/* "@NAME RIGHT...". False: it is none, and that was reported. */
static bool read_group_line(
    struct reader *reader, struct slice login, struct slice rest, struct user *user)
{
    struct slice name = slice_from(login, 1);
    unsigned seen = 0;

    *user = blank_user(reader, login);
    if (!group_is_valid(name)) {
        reader_report(
            reader, login, "not a group; allowed is @ and letters, digits, dots, hyphens and _");
        return false;
    }
    if (users_find_group(reader->users, name)) {
        reader_report(reader, login, "there is a line for this group already");
        return false;
    }
    while (rest.len > 0)
        if (!reader_word(reader, user, reader_take(&rest, ' '), &seen))
            return false;
    return true;
}

/* "LOGIN:NAME WORD...". False: it is none, and that was reported. */
static bool read_app_line(
    struct reader *reader, struct slice login, struct slice rest, struct user *user)
{
    size_t colon = slice_find(login, ':');
    unsigned seen = 0;

    *user = blank_user(reader, login);
    reader->until = 0;
    if (!login_is_valid(slice_first(login, colon)) || !is_prepared(slice_first(login, colon)) ||
        !group_is_valid(slice_from(login, colon + 1))) {
        reader_report(reader, login,
            "not an app password; allowed is user@domain, a colon and letters, digits, dots, "
            "hyphens and underscores");
        return false;
    }
    while (rest.len > 0)
        if (!reader_word(reader, user, reader_take(&rest, ' '), &seen))
            return false;
    if (user->scram.iterations == 0) {
        reader_report(reader, login, "scram= is missing");
        return false;
    }
    if (user->rights.sender_count > APP_PATTERNS_MAX ||
        user->rights.recipient_count > APP_PATTERNS_MAX) {
        reader_report(reader, login, "an app password has at most 32 patterns of each kind");
        return false;
    }
    return true;
}

/* False: the line is no valid user, and that was reported. */
static bool read_user(
    struct reader *reader, struct slice login, struct slice rest, struct user *user)
{
    unsigned seen = 0;

    *user = blank_user(reader, login);
    if (!login_is_valid(login) || !is_prepared(login)) {
        reader_report(
            reader, login, "not a login name; allowed is user@domain, the domain in lower case");
        return false;
    }
    if (users_find(reader->users, login)) {
        reader_report(reader, login, "there is a line for this user already");
        return false;
    }
    while (rest.len > 0)
        if (!reader_word(reader, user, reader_take(&rest, ' '), &seen))
            return false;
    if (!(seen & 1)) {
        reader_report(reader, login, "state= is missing");
        return false;
    }
    if (user->hash.len == 0 && user->scram.iterations == 0) {
        reader_report(reader, login, "hash= and scram= are both missing");
        return false;
    }
    return true;
}

static bool is_comment(struct slice line)
{
    return line.len == 0 || line.data[0] == '#';
}

static bool keep_app(struct reader *reader, struct slice line, const struct user *parsed)
{
    struct app *app = arena_alloc(&reader->users->arena, sizeof *app);
    size_t colon = slice_find(parsed->login, ':');

    if (!app)
        return false;
    *app = (struct app){ .login = slice_first(parsed->login, colon),
        .name = slice_from(parsed->login, colon + 1),
        .line = parsed->line,
        .scram = parsed->scram,
        .until = reader->until,
        .rights = parsed->rights };
    return users_append_app(reader->users, line, parsed->login, app);
}

/* A line that was read as a user, a group or an app password becomes one. False without memory. */
static bool keep(struct reader *reader, struct slice line, struct user *parsed)
{
    struct arena *arena = &reader->users->arena;
    struct user_group *group;
    struct user *user;

    if (!keep_lists(reader, parsed))
        return false;
    if (subject_of(parsed->login) == OF_GROUP) {
        group = arena_alloc(arena, sizeof *group);
        if (!group)
            return false;
        *group = (struct user_group){
            .name = slice_from(parsed->login, 1), .line = parsed->line, .rights = parsed->rights
        };
        return users_append_group(reader->users, line, group);
    }
    if (subject_of(parsed->login) == OF_APP)
        return keep_app(reader, line, parsed);
    user = arena_alloc(arena, sizeof *user);
    if (!user)
        return false;
    *user = *parsed;
    return users_append(reader->users, line, user->login, user);
}

static void read_line(struct reader *reader, struct slice line, bool ended)
{
    struct user parsed = { .line = 0 };
    struct slice rest = line;
    struct slice login = is_comment(line) ? slice_first(line, 0) : reader_take(&rest, ' ');
    bool good = false;

    /* A line that was cut could lack the very word that takes a right away. */
    if (!ended)
        reader_report(reader, login, "the line has no end; the file may have been cut");
    else if (line.len > USERS_LINE_MAX)
        reader_report(reader, slice_first(login, 64), "the line is longer than 16384 octets");
    else if (subject_of(login) == OF_GROUP)
        good = read_group_line(reader, login, rest, &parsed);
    else if (!is_comment(line) && subject_of(login) == OF_APP)
        good = read_app_line(reader, login, rest, &parsed);
    else if (!is_comment(line))
        good = read_user(reader, login, rest, &parsed);
    if (!(good ? keep(reader, line, &parsed) : users_append(reader->users, line, login, NULL)))
        reader->error = ERR_NOMEM;
    explicit_bzero(&parsed.scram, sizeof parsed.scram);
    if (reader->error == ERR_OK)
        reader->users->lines->prev->is_cut = !ended; /* the last of the list */
}

/* "submitd-users 1", perhaps with " key=BASE64". */
static bool read_first_line(struct reader *reader, struct slice line)
{
    struct users *users = reader->users;
    struct slice rest;
    size_t len;

    reader->line = 1;
    if (!slice_equals(slice_first(line, sizeof first_line - 1), slice_text(first_line))) {
        reader_report(reader, slice_first(line, slice_find(line, ' ')),
            "the first line must begin with \"submitd-users 1\"");
        return false;
    }
    rest = slice_from(line, sizeof first_line - 1);
    if (rest.len == 0)
        return true;
    if (slice_starts_nocase(rest, " key=") &&
        reader_decode(slice_from(rest, 5), USERS_KEY, USERS_KEY, users->key, &len)) {
        users->has_key = true;
        return true;
    }
    reader_report(reader, slice_first(line, 0),
        "behind \"submitd-users 1\" only key= with 32 octets in base64 is allowed");
    return false;
}

static enum err make_models(struct users *users)
{
    size_t count = HASH_COUNT(users->by_login);

    if (count == 0)
        return ERR_OK;
    users->models = arena_array(&users->arena, count, sizeof(struct user *));
    if (!users->models)
        return ERR_NOMEM;
    for (struct user *user = users->by_login; user; user = user->hh.next)
        users->models[users->model_count++] = user;
    return ERR_OK;
}

static void tell_group(void *owner, size_t line, struct slice word, const char *complaint)
{
    struct reader *reader = owner;

    reader->line = line;
    reader_report(reader, word, complaint);
}

static enum err read_all(struct reader *reader)
{
    struct users *users = reader->users;
    struct slice rest = slice_of(users->bytes, users->len);

    if (!read_first_line(reader, reader_take(&rest, '\n')))
        return ERR_INVALID;
    while (rest.len > 0 && reader->error == ERR_OK) {
        bool ended = slice_find(rest, '\n') < rest.len;

        reader->line++;
        read_line(reader, reader_take(&rest, '\n'), ended);
    }
    if (reader->error != ERR_OK)
        return reader->error;
    users_join_groups(users, tell_group, reader);
    users_join_apps(users, tell_group, reader);
    return make_models(users);
}

enum err users_parse(
    char *bytes, size_t len, struct users_report *out_report, struct users **out_users)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct users *users = reader ? blank() : NULL;
    enum err rc = ERR_NOMEM;

    *out_report = (struct users_report){ .count = 0 };
    if (users) {
        users->bytes = bytes;
        users->len = len;
        reader->users = users;
        reader->report = out_report;
        rc = read_all(reader);
    } else {
        free(bytes);
    }
    free(reader);
    if (rc == ERR_OK)
        *out_users = users;
    else
        users_free(&users);
    return rc;
}

size_t users_count(const struct users *users)
{
    return HASH_COUNT(users->by_login);
}

const struct user *users_find(const struct users *users, struct slice login)
{
    struct user *user;

    HASH_FIND(hh, users->by_login, login.data, (unsigned)login.len, user);
    return user;
}

const struct scram_verifier *user_scram(const struct user *user, enum scram_hash hash)
{
    const struct scram_verifier *scram = hash == SCRAM_SHA_1 ? user->scram_sha1 : &user->scram;

    return scram && scram->iterations > 0 ? scram : NULL;
}

const struct user *users_first(const struct users *users)
{
    return users->by_login;
}

const struct user *users_next(const struct user *user)
{
    return user->hh.next;
}

const struct user *users_model(const struct users *users, uint64_t pick)
{
    return users->model_count > 0 ? users->models[pick % users->model_count] : NULL;
}

struct slice users_key(const struct users *users)
{
    return slice_of(users->key, users->has_key ? USERS_KEY : 0);
}
