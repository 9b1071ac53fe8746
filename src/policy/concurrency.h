/* policy/concurrency.h: how many deliveries at once a destination gets (QUE-9): few at first, more
 * while it takes them, fewer when it shows strain, never none. Pure. */
#ifndef POLICY_CONCURRENCY_H
#define POLICY_CONCURRENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { CONCURRENCY_FIRST = 2, CONCURRENCY_CARE = 8 };

/* What the end of one delivery says of the destination. */
enum concurrency_sign {
    CONCURRENCY_TOOK,      /* it took a message */
    CONCURRENCY_ANSWERED,  /* it answered, about the message and not about itself */
    CONCURRENCY_STRAINED,  /* it lost the connection, or said that it cannot now */
    CONCURRENCY_UNREACHED, /* no connection */
    CONCURRENCY_SIGNS,
};

/* Begins with { .window = CONCURRENCY_FIRST }. */
struct concurrency {
    uint32_t window; /* deliveries at once; at least 1 */
    uint32_t taken;  /* messages taken since the last change */
    bool is_careful; /* it showed strain: grows slowly */
};

/* in_hand: deliveries under way, this one included. most: the configured limit, at least 1.
 * Grows by one with each message taken, after strain with each CONCURRENCY_CARE windows full of
 * them, and only where the window was in use: what was not tried is not known. Strain halves it,
 * once for all that were begun under the wider window. Without a connection, while no other
 * delivery is under way, what comes next is a single probe. */
void concurrency_learn(
    struct concurrency *c, enum concurrency_sign sign, uint32_t in_hand, uint32_t most);

/* Does a connection that failed mean that the host is dead (QUE-5)? Not while others are under way:
 * a host that refuses one connection too many is alive. */
bool concurrency_is_dead(enum concurrency_sign sign, uint32_t in_hand);

/* A 4yz reply about the server's own state and not about message, sender or recipient: 421, and the
 * enhanced codes for a system that takes nothing now, is congested, or is flooded (RFC 3463
 * sections 3.4 and 3.5; X.7.28 of the registry). code 0, status empty: nobody replied. */
bool concurrency_is_strain(uint16_t code, struct slice status);

#endif
