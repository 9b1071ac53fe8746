/* gate/conduct.h: how a client behaves in one session: what is counted, and when that is too much.
 * Pure. LSN-12, LSN-14, LSN-16, AUTH-17. */
#ifndef GATE_CONDUCT_H
#define GATE_CONDUCT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ERRORS_BEFORE_DELAY = 10, /* after that many errors replies come late (LSN-12) */
    ERRORS_MAX = 20,          /* the one that closes */
    ERROR_DELAY_MS = 1000,
    IDLE_COMMANDS_FREE = 100,     /* since the last accepted message (LSN-16) */
    PREAUTH_COMMANDS_MAX = 30,    /* LSN-14 */
    PREAUTH_OCTETS_MAX = 65536,   /* LSN-14 */
    AUTH_FAILURES_MAX = 5,        /* the one that closes (AUTH-17) */
    AUTH_FAILURE_DELAY_MS = 2000, /* AUTH-14 */
};

struct conduct {
    uint64_t octets;   /* received, TLS records not counted */
    uint32_t commands; /* lines taken as commands */
    uint32_t errors;   /* since the last accepted message */
    uint32_t idle_commands;
    uint32_t auth_failures;
    uint32_t mails;    /* MAIL commands (EXT-LIMITS-2) */
    uint32_t accepted; /* messages */
};

/* A command begins. idle: one of those that lead nowhere (LSN-16); authorized: the client may
 * submit. The idle commands beyond the free ones are counted as errors here. */
void conduct_command(struct conduct *conduct, bool idle, bool authorized);
/* Has a client that is not authorized said too much (LSN-14)? */
bool conduct_is_prolix(const struct conduct *conduct);
/* Octets of a refused content and the like count as input too. */
static inline void conduct_octets(struct conduct *conduct, uint64_t octets)
{
    conduct->octets += octets;
}

/* A command got a reply of that code. False when the client has to go (LSN-12): the reply to give
 * is then 421. *out_delay_ms: how long the reply is held back. */
bool conduct_reply(struct conduct *conduct, unsigned code, uint32_t *out_delay_ms);
/* A login was refused. False when it was one too many (AUTH-17). */
bool conduct_auth_failed(struct conduct *conduct);
/* A message was accepted: a clean sheet. */
void conduct_accepted(struct conduct *conduct);

#endif
