/* relay/relay.h: the room that talks to the outside: DNS, outgoing SMTP and LMTP. It never listens
 * and has no disk: a job brings its message with it, and what became of it goes back to the queue.
 * Gifts: GIFT_ROOTS.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "ipc/room.h"

extern const struct room_type relay_room;

#endif
