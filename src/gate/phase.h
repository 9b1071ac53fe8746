/* gate/phase.h: where a session stands in its dialogue. Pure: the moves that are lawful, and names.
 * The only one who moves a session is session_move. */
#ifndef GATE_PHASE_H
#define GATE_PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_HANDSHAKE, /* TLS is being agreed upon: from the first octet, or after STARTTLS */
    PHASE_GREETED,   /* no EHLO or HELO yet, or none since TLS began (TLS-5) */
    PHASE_READY,     /* no transaction */
    PHASE_AUTH,      /* inside an AUTH exchange: lines are the client's answers, not commands */
    PHASE_MAIL,      /* MAIL was accepted, no recipient so far */
    PHASE_RCPT,      /* at least one recipient */
    PHASE_DATA,      /* content, up to CRLF.CRLF */
    PHASE_CHUNK,     /* the octets that a BDAT announced, wanted or not */
    PHASE_FETCH,     /* content that a BURL named is being fetched */
    PHASE_CHUNKS,    /* between two BDAT or BURL of one message */
    PHASE_SPOILT,    /* a BDAT or BURL failed: nothing of the transaction counts until RSET */
    PHASE_COMMIT,    /* the message is whole and on its way to the disk */
    PHASE_CLOSING,   /* the last word was said; nothing is read any more */
};
enum { PHASE_COUNT = PHASE_CLOSING + 1 };

#define PHASE_BIT(phase) (1u << (phase))

/* Phases in which a transaction is open. */
enum {
    PHASES_TRANSACTION = PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_RCPT) | PHASE_BIT(PHASE_DATA) |
                         PHASE_BIT(PHASE_CHUNK) | PHASE_BIT(PHASE_FETCH) | PHASE_BIT(PHASE_CHUNKS) |
                         PHASE_BIT(PHASE_SPOILT) | PHASE_BIT(PHASE_COMMIT),
    /* Phases in which content is coming or being kept: a client there may finish (LSN-6). */
    PHASES_CONTENT = PHASE_BIT(PHASE_DATA) | PHASE_BIT(PHASE_CHUNK) | PHASE_BIT(PHASE_FETCH) |
                     PHASE_BIT(PHASE_CHUNKS) | PHASE_BIT(PHASE_COMMIT),
};

static inline bool phase_in(enum phase phase, unsigned set)
{
    return (PHASE_BIT(phase) & set) != 0;
}

bool phase_may_follow(enum phase from, enum phase to);
/* "greeted"; for logs and messages of tests. */
const char *phase_name(enum phase phase);

#endif
