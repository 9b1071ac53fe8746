/* supervisor/accounts.h: which user each room becomes when the program was started as root. */
#ifndef SUPERVISOR_ACCOUNTS_H
#define SUPERVISOR_ACCOUNTS_H

#include "conf/account.h"
#include "conf/conf.h"
#include "ipc/role.h"

/* Looks up the account of every room. Not as root: all stay. As root a name or number for each, no
 * two alike, none of them root; ERR_NOTFOUND or ERR_INVALID with one sentence in out_why. */
MUST_CHECK enum err accounts_find(
    const struct conf *conf, struct account out_accounts[ROLE_COUNT], struct conf_error *out_why);

#endif
