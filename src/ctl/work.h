/* ctl/work.h: a user file that a command works on, and how rights are shown. */
#ifndef CTL_WORK_H
#define CTL_WORK_H

#include "ctl/command.h"
#include "users/file.h"

struct work {
    char path[1100];
    int lock;
    struct users *users;
};

/* Each an exit status; told when it is not 0. */

/* First. */
MUST_CHECK int work_open(struct invocation *call, struct work *work);
/* To look; the users are the caller's to free. may_be_missing: an absent file counts as an empty
 * one. */
MUST_CHECK int work_read(struct invocation *call, struct work *work, bool may_be_missing);
/* To change, with the lock. */
MUST_CHECK int work_begin(struct invocation *call, struct work *work, bool may_be_missing);
/* The change was made, or refused with that fault; it is told which name it was about. The work is
 * over. */
MUST_CHECK int work_finish(struct invocation *call, struct work *work, enum user_fault fault);

/* The rights that the command line names; the words live here. */
struct change {
    struct rights_change rights;
    struct slice senders[CTL_LIST_MAX], recipients[CTL_LIST_MAX], groups[CTL_LIST_MAX];
};

MUST_CHECK int change_take(struct invocation *call, struct change *out_change);

/* Adds "submit", "senders", "recipients", "max_recipients" and "max_size" to the object. */
void rights_json(const struct user_rights *rights, json_t *object);
/* "  may not submit  also as a, b  only to c  at most 5 recipients  at most 1000 octets". */
void rights_put(FILE *to, const struct user_rights *rights);

#endif
