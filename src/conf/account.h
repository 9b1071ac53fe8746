/* conf/account.h: a user name or number of the accounts section, looked up. */
#ifndef CONF_ACCOUNT_H
#define CONF_ACCOUNT_H

#include <sys/types.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

struct account {
    uid_t uid; /* (uid_t)-1: none, stay as we are */
    gid_t gid;
};

/* A number stands for the user and the group of that number, whether they have names or not; a name
 * is looked up among the system's users. ERR_NOTFOUND. Blocks on the user database. */
MUST_CHECK enum err account_find(struct slice text, struct account *out_account);

#endif
