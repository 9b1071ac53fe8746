/* users/lines.h: the inside of struct users, shared by reading, changing and writing. For this
 * folder only. */
#ifndef USERS_LINES_H
#define USERS_LINES_H

#include "base/arena.h"
#include "users/file.h"

/* A line of the file, in order. What is no valid user is kept as it was read, so that saving loses
 * nothing. */
struct users_line {
    struct users_line *prev, *next;
    struct slice raw;         /* without the line end; unused when user is set */
    struct slice login;       /* the first word, empty for comments; a group's with its @ */
    struct user *user;        /* NULL: no user's, or one that was set aside */
    struct user_group *group; /* NULL: no group's */
    struct app *app; /* NULL: no app password's. None of the three: a comment, an empty line, set
                        aside */
    bool is_cut;     /* the file ended within it: must not come to life with an end of ours */
    bool is_rival;   /* an app password's that was set aside for what his others are */
    bool is_muted;   /* and must not come to life now that one of them is gone */
};

struct users {
    struct arena arena;
    char *bytes; /* what was read, wiped at the end; slices of lines and users point into it */
    size_t len;
    struct users_line *lines;
    struct user *by_login;
    struct user_group *by_group;
    struct user **models; /* all users as they were read, for users_model */
    size_t model_count;
    bool has_key;
    unsigned char key[USERS_KEY];
    struct users_stamp stamp;
    bool makes_sha1; /* of new passwords */
};

/* A line at the end, for a user or (user NULL) with raw text. False without memory. */
MUST_CHECK bool users_append(
    struct users *users, struct slice raw, struct slice login, struct user *user);

/* A line at the end, for a group. False without memory. */
MUST_CHECK bool users_append_group(struct users *users, struct slice raw, struct user_group *group);

/* A line at the end, for an app password; users_join_apps gives it to its user. False without
 * memory. */
MUST_CHECK bool users_append_app(
    struct users *users, struct slice raw, struct slice login, struct app *app);

/* What is given of the lists and numbers, groups aside, goes into *rights: as a whole or not at
 * all. */
MUST_CHECK enum user_fault users_change_rights(
    struct users *users, const struct rights_change *change, struct user_rights *rights);

/* Takes users whose groups no line describes out of the file's users; each is told. For
 * users_parse, after the last line. */
void users_join_groups(struct users *users,
    void (*tell)(void *owner, size_t line, struct slice word, const char *complaint), void *owner);
/* Gives app passwords to their users; those without one, or with another salt than the user's other
 * secrets, are taken out and told. After users_join_groups. */
void users_join_apps(struct users *users,
    void (*tell)(void *owner, size_t line, struct slice word, const char *complaint), void *owner);

#endif
