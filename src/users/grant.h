/* users/grant.h: what a login may do, as plain data. The vault makes it from a user's record, it
 * travels to the gate with the successful login, and policy/ decides by it. */
#ifndef USERS_GRANT_H
#define USERS_GRANT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct user;

enum { GRANT_SENDERS_MAX = 32 }; /* a longer list stays in the vault and is asked about (RIGHTS) */

/* "local@domain", "*@domain" or "*", domain in lower case. */
struct sender {
    struct slice pattern;
};

struct grant {
    struct slice user; /* the login name, itself an address that the user may send as */
    bool may_submit;   /* false: the login is good, the submission is not allowed (SUB-3.3-4) */
    bool truncated; /* there are further patterns: what the listed ones do not allow, the vault must
                       be asked */
    struct sender *senders; /* without the user's own address */
    size_t sender_count;
};

/* The grant of a user's record. Its slices are the record's. */
struct grant grant_of(const struct user *user);

#endif
