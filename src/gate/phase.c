/* gate/phase.c: the table of lawful moves. */
#include "gate/phase.h"

#define TO(phase) PHASE_BIT(PHASE_##phase)

static const struct {
    const char *name;
    unsigned next;
} rows[PHASE_COUNT] = {
    [PHASE_HANDSHAKE] = { "handshake", TO(GREETED) | TO(CLOSING) },
    [PHASE_GREETED] = { "greeted", TO(READY) | TO(HANDSHAKE) | TO(CHUNK) | TO(CLOSING) },
    [PHASE_READY] = { "ready",
        TO(READY) | TO(AUTH) | TO(MAIL) | TO(HANDSHAKE) | TO(CHUNK) | TO(CLOSING) },
    [PHASE_AUTH] = { "auth", TO(READY) | TO(CLOSING) },
    [PHASE_MAIL] = { "mail", TO(RCPT) | TO(CHUNK) | TO(READY) | TO(CLOSING) },
    [PHASE_RCPT] = { "rcpt",
        TO(DATA) | TO(CHUNK) | TO(FETCH) | TO(SPOILT) | TO(READY) | TO(CLOSING) },
    [PHASE_DATA] = { "data", TO(COMMIT) | TO(CLOSING) },
    [PHASE_CHUNK] = { "chunk",
        TO(GREETED) | TO(READY) | TO(CHUNKS) | TO(SPOILT) | TO(COMMIT) | TO(CLOSING) },
    [PHASE_FETCH] = { "fetch", TO(CHUNKS) | TO(SPOILT) | TO(COMMIT) | TO(CLOSING) },
    [PHASE_CHUNKS] = { "chunks", TO(CHUNK) | TO(FETCH) | TO(SPOILT) | TO(READY) | TO(CLOSING) },
    [PHASE_SPOILT] = { "spoilt", TO(CHUNK) | TO(READY) | TO(CLOSING) },
    [PHASE_COMMIT] = { "commit", TO(READY) | TO(CLOSING) },
    [PHASE_CLOSING] = { "closing", 0 },
};

bool phase_may_follow(enum phase from, enum phase to)
{
    return phase_in(to, rows[from].next);
}

const char *phase_name(enum phase phase)
{
    return rows[phase].name;
}
