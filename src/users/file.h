/* users/file.h: the user file: read by the vault, changed by submitctl. Never on a room's loop: it
 * blocks on the disk.
 *
 * The file is text. The first line is "submitd-users 1 key=BASE64" (format 1; the key, 32 random
 * octets, makes what is shown for unknown users stable; it may be missing). Then one user a line:
 *
 *   LOGIN state=active|disabled [min_mech=any|scram] [hash=CRYPT]
 * [scram=ITERATIONS:SALT:STORED:SERVER] [scram_sha1=ITERATIONS:SALT:STORED:SERVER]
 * [group=NAME]... [RIGHT]...
 *
 * or a group, whose rights its members have in addition to their own:
 *
 *   @NAME [RIGHT]...
 *
 * or an app password, one more secret of a user's, which narrows what the user may do:
 *
 *   LOGIN:NAME scram=ITERATIONS:SALT:STORED:SERVER [until=SECONDS] [RIGHT]...
 *
 * Its iterations and salt are those of the user's own scram= and of the user's other app passwords,
 * so that one salt shown to a client serves them all; until= is the end of its life in seconds
 * since 1970.
 *
 * A RIGHT is one of submit=yes|no, sender=PATTERN (repeats), recipient=PATTERN (repeats),
 * max_recipients=NUMBER and max_size=OCTETS. users/grant.h says what they come to together.
 *
 * Words are separated by one blank; no word can hold a blank, so nothing can be smuggled in. The
 * last three of scram= (SHA-256) and scram_sha1= are base64. At least one of hash and scram is
 * there. Empty lines and lines
 * that begin with '#' are kept and say nothing. A line that breaks these rules sets that user
 * aside: it is reported, kept as it is, and stops nobody else. So does a group that no line
 * describes: its member would otherwise miss a limit; and an app password whose user no line
 * describes, or that does not go with the user's others: the lines before it count. What was set
 * aside does not come to life because one of those is removed: it is kept as a comment then. */
#ifndef USERS_FILE_H
#define USERS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/slice.h"
#include "users/grant.h"
#include "users/password.h"

enum {
    USERS_FILE_MAX = 64 << 20, /* octets */
    USERS_LINE_MAX = 16384,    /* octets without the line end */
    USER_SENDERS_MAX = 256,
    USER_RECIPIENTS_MAX = 256,
    USER_GROUPS_MAX = 16,
    USER_APPS_MAX = 16, /* app passwords */
    APP_PATTERNS_MAX = GRANT_SENDERS_MAX,
    APP_SECRET = 24,                /* characters of a new app password */
    USER_MOST_RECIPIENTS = 1000000, /* the largest max_recipients= */
    USERS_KEY = 32,
    USERS_PROBLEMS_MAX = 16,
    USERS_PROBLEM_TEXT = 240,
};

enum user_state { USER_ACTIVE, USER_DISABLED, USER_STATES };
enum user_mech { USER_MECH_ANY, USER_MECH_SCRAM, USER_MECHS };

/* What one line of the file says of rights. */
struct user_rights {
    bool may_submit;
    struct sender *senders;
    size_t sender_count;
    struct sender *recipients; /* none: nothing is said of recipients */
    size_t recipient_count;
    uint64_t max_recipients; /* 0: not said */
    uint64_t max_size;       /* octets; 0: not said */
};

/* "@NAME". */
struct user_group {
    struct slice name; /* without the @: letters, digits, dots, hyphens and underscores */
    size_t line;       /* of the file it was read from; 0: new */
    struct user_rights rights;
    UT_hash_handle hh;
};

/* That a user belongs to a group. */
struct membership {
    struct slice name;
    const struct user_group *group; /* never NULL in a user that users_find and the like give */
};

/* "LOGIN:NAME": an app password. */
struct app {
    struct app *next; /* of the same user, in the file's order */
    struct slice login;
    struct slice name; /* letters, digits, dots, hyphens and underscores */
    size_t line;       /* of the file it was read from; 0: new */
    struct scram_verifier scram;
    int64_t until; /* seconds since 1970 from which it no longer works; 0: works for ever */
    struct user_rights rights;
};

/* One user. All slices belong to the struct users it came from. */
struct user {
    struct slice login;
    size_t line; /* of the file it was read from; 0: new */
    enum user_state state;
    enum user_mech min_mech; /* the weakest mechanism that this user may log in with (AUTH-16) */
    struct slice hash;       /* empty: none, then only SCRAM works */
    struct scram_verifier scram;
    struct scram_verifier *scram_sha1; /* NULL: none; then SCRAM-SHA-1 does not work */
    struct user_rights rights;         /* its own */
    struct membership *groups;
    size_t group_count;
    struct app *apps;
    size_t app_count;
    UT_hash_handle hh;
};

/* A lookup by login, in the file's order. */
struct users;

/* Which version of a file it was. */
struct users_stamp {
    uint64_t device, inode;
    int64_t size;
    int64_t changed_ns, modified_ns;
};

/* What is wrong with a file, for people. */
struct users_problem {
    size_t line;                   /* from 1; 0: the file as a whole */
    char text[USERS_PROBLEM_TEXT]; /* names the word and what is allowed; printable; never a hash or
                                      a key */
};

struct users_report {
    size_t count; /* all of them; the first USERS_PROBLEMS_MAX are kept */
    struct users_problem problems[USERS_PROBLEMS_MAX];
};

/* What submitctl's user may do wrong, and the world. */
enum user_fault {
    USER_OK,
    USER_BAD_LOGIN,
    USER_BAD_PASSWORD,
    USER_BAD_SENDER,
    USER_BAD_GROUP,
    USER_MANY_SENDERS, /* or recipients, or groups */
    USER_EXISTS,
    USER_UNKNOWN,
    USER_NO_GROUP,  /* no line describes the group */
    USER_HAS_GROUP, /* the group has members */
    USER_BAD_APP,
    USER_MANY_APPS,
    USER_HAS_APP,
    USER_NO_APP,
    USER_FAILED, /* no memory or no randomness */
    USER_FAULTS,
};

/* One English sentence without a full stop. */
const char *user_fault_text(enum user_fault fault);

/* An empty file with a new key. ERR_NOMEM, ERR_IO without randomness. */
MUST_CHECK enum err users_new(struct users **out_users);
void users_free(struct users **users);

/* Reads what a file holds: memory of malloc, taken over whatever the result. *out_report is filled
 * on success too (users set aside) and always valid. ERR_INVALID: the first line is not one of this
 * format. ERR_NOMEM. */
MUST_CHECK enum err users_parse(
    char *bytes, size_t len, struct users_report *out_report, struct users **out_users);
/* The same for the file `name` below the directory descriptor dir (AT_FDCWD: as open(2) takes it).
 * Further ERR_NOTFOUND, ERR_DENIED (also when others than owner and group may read or write it),
 * ERR_LIMIT (longer than USERS_FILE_MAX), ERR_IO. */
MUST_CHECK enum err users_load(
    int dir, const char *name, struct users_report *out_report, struct users **out_users);
/* The version that users_load read; zero for one that came from users_new or users_parse. */
struct users_stamp users_stamp_of(const struct users *users);
/* The version that lies there now. */
MUST_CHECK enum err users_stamp_read(int dir, const char *name, struct users_stamp *out_stamp);
bool users_stamp_equals(const struct users_stamp *a, const struct users_stamp *b);

size_t users_count(const struct users *users);
/* login must be prepared (login_prepare). NULL: unknown. */
const struct user *users_find(const struct users *users, struct slice login);
/* The same for a login as the operator typed it. */
const struct user *users_find_typed(const struct users *users, struct slice login);
/* The first user and the one after, in the file's order; NULL at the end. */
const struct user *users_first(const struct users *users);
const struct user *users_next(const struct user *user);
/* A group by its name without @; the first and the one after. */
const struct user_group *users_find_group(const struct users *users, struct slice name);
const struct user_group *users_first_group(const struct users *users);
const struct user_group *users_next_group(const struct user_group *group);
/* For a login that is unknown: a user whose hash method and iteration count an impostor's answers
 * should imitate. pick: any number that depends on the login, on a secret and on nothing else, so
 * that the same login gets the same model as long as the file is the same. NULL when the file that
 * was read has nobody. */
const struct user *users_model(const struct users *users, uint64_t pick);
/* USERS_KEY octets, or the empty slice when the file has none. */
struct slice users_key(const struct users *users);

/* The verifier of that hash; NULL where the record has none. */
const struct scram_verifier *user_scram(const struct user *user, enum scram_hash hash);

/* From now on a new password gets a verifier for SCRAM-SHA-1, too; at first it does not. */
void users_make_sha1(struct users *users, bool is_wanted);
/* Changes, in memory only; users_save writes them. login, password and senders are as the operator
 * gave them and are prepared here. Users that were found before stay valid until they are removed.
 */
MUST_CHECK enum user_fault users_add(struct users *users, struct slice login, struct slice password,
    const struct slice *senders, size_t sender_count);
MUST_CHECK enum user_fault users_set_password(
    struct users *users, struct slice login, struct slice password);
MUST_CHECK enum user_fault users_set_state(
    struct users *users, struct slice login, enum user_state state);

/* One list of a change: all of it replaces what was there. */
struct rights_list {
    bool is_given;
    const struct slice *words;
    size_t count;
};

/* New rights, as the operator gave them; what is not given stays as it is. */
struct rights_change {
    bool has_submit, may_submit;
    struct rights_list senders, recipients, groups; /* groups: of a user only */
    bool has_max_recipients, has_max_size;
    uint64_t max_recipients, max_size; /* 0: no longer said */
};

MUST_CHECK enum user_fault users_set_rights(
    struct users *users, struct slice login, const struct rights_change *change);
/* The same for a group, which is made where there is none. */
MUST_CHECK enum user_fault users_set_group(
    struct users *users, struct slice name, const struct rights_change *change);
/* Forgets it, and further lines for it that were set aside. USER_HAS_GROUP while it has members,
 * those that were set aside included. */
MUST_CHECK enum user_fault users_remove_group(struct users *users, struct slice name);
/* Makes an app password: out_secret is what the user types, 120 random bits as APP_SECRET letters
 * and digits, NUL-ended, the caller's to wipe; it is kept nowhere. until as in struct app. Groups
 * in the change are ignored. USER_MANY_SENDERS above APP_PATTERNS_MAX patterns. */
MUST_CHECK enum user_fault users_add_app(struct users *users, struct slice login, struct slice name,
    int64_t until, const struct rights_change *change, char out_secret[APP_SECRET + 1]);
/* Forgets it, set aside or not. Lines of the user's that were set aside for what his other app
 * passwords are become comments when they are saved: *out_muted of them. */
MUST_CHECK enum user_fault users_remove_app(
    struct users *users, struct slice login, struct slice name, size_t *out_muted);
/* The user's app password with that stored key (SCRAM_KEY octets; found in constant time for each),
 * if it works at that time (seconds since 1970); else NULL. */
const struct app *user_app(const struct user *user, struct slice stored_key, int64_t now);
/* What it leaves of the user's rights: a second grant, of nobody's address; a decision is allowed
 * when both allow it. Its texts are the record's. */
struct grant app_grant(const struct app *app);

/* Removes every line of that login, its app passwords and those that were set aside included. */
MUST_CHECK enum user_fault users_remove(struct users *users, struct slice login);

/* Nobody else changes the file until users_unlock: take it before users_load when you mean to save.
 * A lock on the file's directory, so nothing is left behind. Waits up to five seconds, then
 * ERR_BUSY. */
MUST_CHECK enum err users_lock(const char *path, int *out_lock);
void users_unlock(int *lock);
/* Replaces the file as a whole: a new file in the same directory, synced, renamed over the old one,
 * directory synced; on failure the old one is as it was. A file that exists keeps its mode and,
 * where we may, its owner; a new one gets mode 0600 and, when owner is not (uid_t)-1, that owner
 * and group. A symbolic link is followed. ERR_LIMIT: a line, or all of it, would be longer than can
 * be read; nothing is written. */
MUST_CHECK enum err users_save(
    const struct users *users, const char *path, uid_t owner, gid_t group);

#endif
