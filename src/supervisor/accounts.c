/* supervisor/accounts.c: names and numbers of the rooms' users. */
#include "supervisor/accounts.h"

#include <stdio.h>
#include <unistd.h>

static struct slice account_text(const struct conf *conf, enum role role)
{
    const struct slice texts[ROLE_COUNT] = {
        [ROLE_GATE] = conf->accounts.gate,
        [ROLE_VAULT] = conf->accounts.vault,
        [ROLE_QUEUE] = conf->accounts.queue,
        [ROLE_RELAY] = conf->accounts.relay,
        [ROLE_MAILDROP] = conf->accounts.maildrop,
        [ROLE_FETCH] = conf->accounts.fetch,
    };

    return texts[role];
}

static enum err refuse(
    struct conf_error *out_why, enum role role, struct slice text, const char *what)
{
    snprintf(out_why->text, sizeof out_why->text,
        "accounts: the %s room's user \"%.*s\" %s; make one with "
        "\"adduser --system --group --no-create-home NAME\" or name another in accounts { %s = "
        "\"NAME\" }",
        role_name(role), SLICE_ARGS(text), what, role_name(role));
    return ERR_INVALID;
}

enum err accounts_find(
    const struct conf *conf, struct account out_accounts[ROLE_COUNT], struct conf_error *out_why)
{
    struct account found[ROLE_COUNT];

    for (size_t i = 0; i < ROLE_COUNT; i++)
        found[i] = (struct account){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    for (enum role role = ROLE_GATE; geteuid() == 0 && role <= ROLE_FETCH; role++) {
        struct slice text = account_text(conf, role);

        if (account_find(text, &found[role]) != ERR_OK)
            return refuse(out_why, role, text, "does not exist");
        if (found[role].uid == 0)
            return refuse(out_why, role, text, "is root, which no room may be");
        for (enum role other = ROLE_GATE; other < role; other++)
            if (found[other].uid == found[role].uid)
                return refuse(out_why, role, text, "is another room's user too");
    }
    memcpy(out_accounts, found, sizeof found);
    return ERR_OK;
}
