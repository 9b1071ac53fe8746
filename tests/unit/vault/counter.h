/* tests/unit/vault/counter.h: the vault's side of logins to a smarthost behind a desk, for programs
 * that have one. */
#ifndef TESTS_VAULT_COUNTER_H
#define TESTS_VAULT_COUNTER_H

#include "desk.h"
#include "net/loop.h"
#include "vault/login.h"

static struct loop *loop;
static struct secrets *secrets;
static struct logins *logins;
static struct desk desk;

static void on_start(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    logins_start(logins, owner, message);
}

static void on_step(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    logins_step(logins, owner, message);
}

static void on_end(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    logins_end(logins, owner, message);
}

static const struct channel_handler handlers[] = {
    { MSG_LOGIN_START, on_start },
    { MSG_LOGIN_STEP, on_step },
    { MSG_LOGIN_END, on_end },
};

static inline bool counter_open(void)
{
    loop = loop_new();
    secrets = secrets_new();
    logins = logins_new(loop, secrets);
    if (!loop || !secrets || !logins)
        return false;
    desk_open(&desk, loop, ROLE_RELAY, handlers, LENGTH_OF(handlers));
    return true;
}

#endif
