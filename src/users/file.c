/* users/file.c: reads the user file: first line, then one user a line, each on its own merits. */
#include "users/file.h"

#include <fcntl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "users/lines.h"
#include "users/login.h"

static const char first_line[] = "submitd-users 1";

/* One reading of a file. */
struct reader {
    struct users *users;
    struct users_report *report;
    size_t line;
    enum err error; /* the world's fault, sticky */
    struct sender senders[USER_SENDERS_MAX];
    struct sender recipients[USER_RECIPIENTS_MAX];
    struct membership groups[USER_GROUPS_MAX];
    int64_t until; /* of the app password that is being read */
};

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

/* word is shown printable and cut; the format says what is wrong with it. */
static void report(struct reader *reader, struct slice word, const char *complaint)
{
    struct users_report *list = reader->report;
    char shown[65];
    size_t len = word.len < sizeof shown - 1 ? word.len : sizeof shown - 1;

    list->count++;
    if (list->count > USERS_PROBLEMS_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        shown[i] = word.data[i] > ' ' && word.data[i] < 127 ? word.data[i] : '?';
    shown[len] = '\0';
    list->problems[list->count - 1].line = reader->line;
    snprintf(list->problems[list->count - 1].text, USERS_PROBLEM_TEXT, "%s%s%s", shown,
        len > 0 ? ": " : "", complaint);
}

static bool decode_exactly(
    struct slice text, size_t min, size_t max, unsigned char *out, size_t *out_len)
{
    char space[SCRAM_SALT_MAX * 2];
    struct buffer octets = { .data = space, .size = sizeof space, .cap = sizeof space };
    bool good;

    if (text.len > sizeof space)
        return false;
    good = base64_decode(&octets, text) && octets.error == ERR_OK && octets.len >= min &&
           octets.len <= max;
    if (good) {
        memcpy(out, space, octets.len);
        *out_len = octets.len;
    }
    explicit_bzero(space, sizeof space);
    return good;
}

/* Takes what lies before the separator off the front. */
static struct slice take_until(struct slice *rest, char separator)
{
    size_t len = slice_find(*rest, separator);
    struct slice part = slice_first(*rest, len);

    *rest = slice_from(*rest, len + 1);
    return part;
}

static bool read_state(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->state = slice_is(value, "disabled") ? USER_DISABLED : USER_ACTIVE;
    return user->state == USER_DISABLED || slice_is(value, "active");
}

static bool read_submit(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->rights.may_submit = slice_is(value, "yes");
    return user->rights.may_submit || slice_is(value, "no");
}

static bool read_min_mech(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->min_mech = slice_is(value, "scram") ? USER_MECH_SCRAM : USER_MECH_ANY;
    return user->min_mech == USER_MECH_SCRAM || slice_is(value, "any");
}

static bool read_hash(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->hash = value;
    return password_hash_is_valid(value);
}

static bool read_verifier(enum scram_hash hash, struct slice value, struct scram_verifier *scram)
{
    size_t size = scram_key_size(hash);
    uint64_t iterations;
    size_t len;

    if (!slice_number(take_until(&value, ':'), SCRAM_ITERATIONS_MAX, &iterations) ||
        iterations < SCRAM_ITERATIONS_MIN)
        return false;
    if (!decode_exactly(take_until(&value, ':'), 1, SCRAM_SALT_MAX, scram->salt, &scram->salt_len))
        return false;
    if (!decode_exactly(take_until(&value, ':'), size, size, scram->stored_key, &len))
        return false;
    if (!decode_exactly(value, size, size, scram->server_key, &len))
        return false;
    scram->hash = hash;
    scram->iterations = (uint32_t)iterations;
    return true;
}

static bool read_scram(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return read_verifier(SCRAM_SHA_256, value, &user->scram);
}

static bool read_scram_sha1(struct reader *reader, struct user *user, struct slice value)
{
    user->scram_sha1 = arena_alloc(&reader->users->arena, sizeof *user->scram_sha1);
    if (!user->scram_sha1)
        reader->error = ERR_NOMEM;
    return user->scram_sha1 && read_verifier(SCRAM_SHA_1, value, user->scram_sha1);
}

static bool read_sender(struct reader *reader, struct user *user, struct slice value)
{
    if (user->rights.sender_count == USER_SENDERS_MAX || !sender_is_valid(value))
        return false;
    reader->senders[user->rights.sender_count++].pattern = value;
    return true;
}

static bool read_recipient(struct reader *reader, struct user *user, struct slice value)
{
    if (user->rights.recipient_count == USER_RECIPIENTS_MAX || !sender_is_valid(value))
        return false;
    reader->recipients[user->rights.recipient_count++].pattern = value;
    return true;
}

static bool read_max_recipients(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return slice_number(value, USER_MOST_RECIPIENTS, &user->rights.max_recipients) &&
           user->rights.max_recipients > 0;
}

static bool read_max_size(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return slice_number(value, INT64_MAX, &user->rights.max_size) && user->rights.max_size > 0;
}

static bool read_group(struct reader *reader, struct user *user, struct slice value)
{
    if (user->group_count == USER_GROUPS_MAX || !group_is_valid(value))
        return false;
    reader->groups[user->group_count++].name = value;
    return true;
}

static bool read_until(struct reader *reader, struct user *user UNUSED, struct slice value)
{
    uint64_t seconds;

    if (!slice_number(value, INT64_MAX, &seconds) || seconds == 0)
        return false;
    reader->until = (int64_t)seconds;
    return true;
}

/* What a line describes. */
enum subject { OF_USER = 1, OF_GROUP = 2, OF_APP = 4, OF_ALL = 7 };

/* The words of a line behind its first. */
static const struct word {
    const char *name; /* with its equals sign */
    bool (*read)(struct reader *reader, struct user *user, struct slice value);
    const char *allowed;
    bool is_public; /* the value may be shown in a message */
    bool may_repeat;
    unsigned subjects; /* bits: which lines have it */
} words[] = {
    { "state=", read_state, "allowed is state=active or state=disabled", true, false, OF_USER },
    { "submit=", read_submit, "allowed is submit=yes or submit=no", true, false, OF_ALL },
    { "min_mech=", read_min_mech, "allowed is min_mech=any or min_mech=scram", true, false,
        OF_USER },
    { "hash=", read_hash, "not a password hash that crypt(3) knows here", false, false, OF_USER },
    { "scram=", read_scram,
        "allowed is ITERATIONS:SALT:STORED:SERVER, at least 4096 iterations, the rest base64",
        false, false, OF_USER | OF_APP },
    { "scram_sha1=", read_scram_sha1,
        "allowed is ITERATIONS:SALT:STORED:SERVER, at least 4096 iterations, the rest base64",
        false, false, OF_USER },
    { "sender=", read_sender, "allowed are 256 of sender=user@domain, sender=*@domain or sender=*",
        true, true, OF_ALL },
    { "recipient=", read_recipient,
        "allowed are 256 of recipient=user@domain, recipient=*@domain or recipient=*", true, true,
        OF_ALL },
    { "max_recipients=", read_max_recipients, "allowed is a number from 1 to 1000000", true, false,
        OF_ALL },
    { "max_size=", read_max_size, "allowed is a number of octets above 0", true, false, OF_ALL },
    { "group=", read_group,
        "allowed are 16 names of letters, digits, dots, hyphens and underscores", true, true,
        OF_USER },
    { "until=", read_until, "allowed is a number of seconds since 1970", true, false, OF_APP },
};

static bool is_group_line(struct slice login)
{
    return login.len > 0 && login.data[0] == '@';
}

static bool is_app_line(struct slice login)
{
    return slice_find(login, ':') < login.len && !is_group_line(login);
}

static enum subject subject_of(struct slice login)
{
    return is_group_line(login) ? OF_GROUP : is_app_line(login) ? OF_APP : OF_USER;
}

static void report_unknown(struct reader *reader, struct slice name, enum subject subject)
{
    static const char *const allowed[] = {
        [OF_USER] = "unknown word; allowed are state= min_mech= hash= scram= scram_sha1= group= "
                    "submit= sender= recipient= max_recipients= max_size=",
        [OF_GROUP] =
            "unknown word; allowed are submit= sender= recipient= max_recipients= max_size=",
        [OF_APP] = "unknown word; allowed are scram= until= submit= sender= recipient= "
                   "max_recipients= max_size=",
    };

    report(reader, name, allowed[subject]);
}

/* Reads one word; seen has a bit for each row of the table. */
static bool read_word(struct reader *reader, struct user *user, struct slice text, unsigned *seen)
{
    enum subject subject = subject_of(user->login);
    size_t name_len = slice_find(text, '=') + 1;

    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        const struct word *word = &words[i];

        if (name_len > text.len || !slice_is(slice_first(text, name_len), word->name) ||
            !(word->subjects & subject))
            continue;
        if ((*seen & 1u << i) && !word->may_repeat) {
            report(reader, slice_text(word->name), "given twice");
            return false;
        }
        *seen |= 1u << i;
        if (word->read(reader, user, slice_from(text, name_len)))
            return true;
        report(reader, word->is_public ? text : slice_text(word->name), word->allowed);
        return false;
    }
    report_unknown(reader, slice_first(text, name_len), subject);
    return false;
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
        report(reader, login, "not a group; allowed is @ and letters, digits, dots, hyphens and _");
        return false;
    }
    if (users_find_group(reader->users, name)) {
        report(reader, login, "there is a line for this group already");
        return false;
    }
    while (rest.len > 0)
        if (!read_word(reader, user, take_until(&rest, ' '), &seen))
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
        report(reader, login,
            "not an app password; allowed is user@domain, a colon and letters, digits, dots, "
            "hyphens and underscores");
        return false;
    }
    while (rest.len > 0)
        if (!read_word(reader, user, take_until(&rest, ' '), &seen))
            return false;
    if (user->scram.iterations == 0) {
        report(reader, login, "scram= is missing");
        return false;
    }
    if (user->rights.sender_count > APP_PATTERNS_MAX ||
        user->rights.recipient_count > APP_PATTERNS_MAX) {
        report(reader, login, "an app password has at most 32 patterns of each kind");
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
        report(reader, login, "not a login name; allowed is user@domain, the domain in lower case");
        return false;
    }
    if (users_find(reader->users, login)) {
        report(reader, login, "there is a line for this user already");
        return false;
    }
    while (rest.len > 0)
        if (!read_word(reader, user, take_until(&rest, ' '), &seen))
            return false;
    if (!(seen & 1)) {
        report(reader, login, "state= is missing");
        return false;
    }
    if (user->hash.len == 0 && user->scram.iterations == 0) {
        report(reader, login, "hash= and scram= are both missing");
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
    if (is_group_line(parsed->login)) {
        group = arena_alloc(arena, sizeof *group);
        if (!group)
            return false;
        *group = (struct user_group){
            .name = slice_from(parsed->login, 1), .line = parsed->line, .rights = parsed->rights
        };
        return users_append_group(reader->users, line, group);
    }
    if (is_app_line(parsed->login))
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
    struct slice login = is_comment(line) ? slice_first(line, 0) : take_until(&rest, ' ');
    bool good = false;

    /* A line that was cut could lack the very word that takes a right away. */
    if (!ended)
        report(reader, login, "the line has no end; the file may have been cut");
    else if (line.len > USERS_LINE_MAX)
        report(reader, slice_first(login, 64), "the line is longer than 16384 octets");
    else if (is_group_line(login))
        good = read_group_line(reader, login, rest, &parsed);
    else if (!is_comment(line) && is_app_line(login))
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
        report(reader, slice_first(line, slice_find(line, ' ')),
            "the first line must begin with \"submitd-users 1\"");
        return false;
    }
    rest = slice_from(line, sizeof first_line - 1);
    if (rest.len == 0)
        return true;
    if (slice_starts_nocase(rest, " key=") &&
        decode_exactly(slice_from(rest, 5), USERS_KEY, USERS_KEY, users->key, &len)) {
        users->has_key = true;
        return true;
    }
    report(reader, slice_first(line, 0),
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
    report(reader, word, complaint);
}

static enum err read_all(struct reader *reader)
{
    struct users *users = reader->users;
    struct slice rest = slice_of(users->bytes, users->len);

    if (!read_first_line(reader, take_until(&rest, '\n')))
        return ERR_INVALID;
    while (rest.len > 0 && reader->error == ERR_OK) {
        bool ended = slice_find(rest, '\n') < rest.len;

        reader->line++;
        read_line(reader, take_until(&rest, '\n'), ended);
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

static struct users_stamp stamp_of(const struct stat *st)
{
    return (struct users_stamp){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .changed_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
        .modified_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
    };
}

/* The whole file, one octet more than it may be at most. */
static enum err read_file(int fd, char **out_bytes, size_t *out_len)
{
    size_t size = 1 << 16, len = 0;
    char *bytes = malloc(size);
    ssize_t got = 1;

    while (bytes && got > 0 && len <= USERS_FILE_MAX) {
        if (len == size) {
            /* Not realloc: it would leave hashes behind in what it frees. */
            char *larger = malloc(size * 2);
            if (larger)
                memcpy(larger, bytes, len);
            explicit_bzero(bytes, len);
            free(bytes);
            bytes = larger;
            size *= 2;
            continue;
        }
        got = read(fd, bytes + len, size - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (!bytes)
        return ERR_NOMEM;
    if (got < 0 || len > USERS_FILE_MAX) {
        enum err rc = got < 0 ? err_from_errno(errno) : ERR_LIMIT;
        explicit_bzero(bytes, len);
        free(bytes);
        return rc;
    }
    *out_bytes = bytes;
    *out_len = len;
    return ERR_OK;
}

static enum err check_file(const struct stat *st, struct users_report *list)
{
    struct reader reader = { .report = list };

    if (!S_ISREG(st->st_mode)) {
        report(&reader, slice_text(NULL), "not a regular file");
        return ERR_INVALID;
    }
    if (st->st_mode & 07) {
        report(&reader, slice_text(NULL),
            "others than owner and group may use the file; allowed is mode 0600 or 0640");
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err users_load(
    int dir, const char *name, struct users_report *out_report, struct users **out_users)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *bytes = NULL;
    size_t len = 0;
    enum err rc;

    *out_report = (struct users_report){ .count = 0 };
    if (fd < 0)
        return err_from_errno(errno);
    rc = fstat(fd, &st) == 0 ? check_file(&st, out_report) : err_from_errno(errno);
    if (rc == ERR_OK)
        rc = read_file(fd, &bytes, &len);
    close(fd);
    if (rc == ERR_OK)
        rc = users_parse(bytes, len, out_report, out_users);
    if (rc == ERR_OK)
        (*out_users)->stamp = stamp_of(&st);
    return rc;
}

struct users_stamp users_stamp_of(const struct users *users)
{
    return users->stamp;
}

enum err users_stamp_read(int dir, const char *name, struct users_stamp *out_stamp)
{
    struct stat st;

    if (fstatat(dir, name, &st, 0) != 0)
        return err_from_errno(errno);
    *out_stamp = stamp_of(&st);
    return ERR_OK;
}

bool users_stamp_equals(const struct users_stamp *a, const struct users_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns && a->modified_ns == b->modified_ns;
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
