/* relay/verdict.h: what became of one recipient, or of a whole connection: the typed form of a
 * reply or of our own reason. */
#ifndef RELAY_VERDICT_H
#define RELAY_VERDICT_H

#include <stdint.h>

#include "base/macros.h"
#include "ipc/messages.h"
#include "smtp/peer_reply.h"

enum { VERDICT_TEXT = 1024 };

struct verdict {
    enum delivery_result result;
    enum delivery_cause cause;
    uint16_t code;               /* 0 when nobody replied */
    enum delivery_end end;       /* DELIVERY_DONE: what is known of what follows */
    char status[16];             /* "4.4.1", NUL-ended */
    char text[VERDICT_TEXT + 1]; /* printable, lines separated by LF */
};

/* By the first digit of the code (OUT-10); a code out of range is deferred as a protocol error. The
 * enhanced code is the peer's where it fits, else mapped (EXT-ESC-4, DSN-9). */
struct verdict verdict_of_reply(const struct peer_reply *reply);
/* A reply that answers nothing, whatever it says: nothing may be taken as done or refused by it. */
struct verdict verdict_of_unasked(const struct peer_reply *reply);
/* Our own reason. */
PRINTF_LIKE(4, 5)
struct verdict verdict_of(enum delivery_result result, enum delivery_cause cause,
    const char *status, const char *format, ...);

#endif
