/* gate/conduct.c: the counts of one session. */
#include "gate/conduct.h"

void conduct_command(struct conduct *conduct, bool idle, bool authorized)
{
    conduct->commands++;
    if (idle && authorized && ++conduct->idle_commands > IDLE_COMMANDS_FREE)
        conduct->errors++;
}

bool conduct_is_prolix(const struct conduct *conduct)
{
    return conduct->commands > PREAUTH_COMMANDS_MAX || conduct->octets > PREAUTH_OCTETS_MAX;
}

bool conduct_reply(struct conduct *conduct, unsigned code, uint32_t *out_delay_ms)
{
    uint32_t before = conduct->errors;

    if (code >= 500)
        conduct->errors++;
    if (conduct->errors >= ERRORS_MAX)
        return false;
    *out_delay_ms = before >= ERRORS_BEFORE_DELAY ? ERROR_DELAY_MS : 0;
    return true;
}

bool conduct_auth_failed(struct conduct *conduct)
{
    return ++conduct->auth_failures < AUTH_FAILURES_MAX;
}

void conduct_accepted(struct conduct *conduct)
{
    conduct->accepted++;
    conduct->errors = 0;
    conduct->idle_commands = 0;
}
