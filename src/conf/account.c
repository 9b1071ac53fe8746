/* conf/account.c: names and numbers of users. */
#include "conf/account.h"

#include <pwd.h>
#include <stdio.h>

enum err account_find(struct slice text, struct account *out_account)
{
    uint64_t number;
    char name[256];
    struct passwd *entry;

    if (slice_number(text, (uint32_t)-2, &number)) {
        *out_account = (struct account){ .uid = (uid_t)number, .gid = (gid_t)number };
        return ERR_OK;
    }
    if (text.len >= sizeof name)
        return ERR_NOTFOUND;
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(text));
    entry = getpwnam(name);
    if (!entry)
        return ERR_NOTFOUND;
    *out_account = (struct account){ .uid = entry->pw_uid, .gid = entry->pw_gid };
    return ERR_OK;
}
