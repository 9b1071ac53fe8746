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
    struct slice raw;   /* without the line end; unused when user is set */
    struct slice login; /* the first word, empty for comments */
    struct user *user;  /* NULL: a comment, an empty line, or one that was set aside */
    bool is_cut;        /* the file ended within it: must not come to life with an end of ours */
};

struct users {
    struct arena arena;
    char *bytes; /* what was read, wiped at the end; slices of lines and users point into it */
    size_t len;
    struct users_line *lines;
    struct user *by_login;
    struct user **models; /* all users as they were read, for users_model */
    size_t model_count;
    bool has_key;
    unsigned char key[USERS_KEY];
    struct users_stamp stamp;
};

/* A line at the end, for a user or (user NULL) with raw text. False without memory. */
MUST_CHECK bool users_append(
    struct users *users, struct slice raw, struct slice login, struct user *user);

#endif
