/* users/reader.h: one reading of a user file, from inside this folder: file.c reads lines, words.c
 * their words. */
#ifndef USERS_READER_H
#define USERS_READER_H

#include "users/lines.h"

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

/* What a line describes. */
enum subject { OF_USER = 1, OF_GROUP = 2, OF_APP = 4, OF_ALL = 7 };

/* By the first word of the line: "@NAME", "LOGIN:NAME" or "LOGIN". */
enum subject subject_of(struct slice first);

/* word is shown printable and cut; the complaint says what is wrong with it. */
void reader_report(struct reader *reader, struct slice word, const char *complaint);
/* Takes what lies before the separator off the front. */
struct slice reader_take(struct slice *rest, char separator);
/* Base64 of min to max octets, max at most SCRAM_SALT_MAX. False for anything else. */
MUST_CHECK bool reader_decode(
    struct slice text, size_t min, size_t max, unsigned char *out, size_t *out_len);
/* Reads one word of the line that begins with user->login into *user and the reader's lists; seen
 * has a bit for each word that the line had. False: it is none, and that was reported. */
MUST_CHECK bool reader_word(
    struct reader *reader, struct user *user, struct slice text, unsigned *seen);

#endif
