/* queue/queue.h: the room that owns the spool: it decides when, to whom and when to give up, writes
 * all spool state, and answers operators on a local socket. It never talks to strangers and parses
 * no SMTP, MIME or DNS. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "ipc/room.h"

/* Gifts: GIFT_SPOOL (directory descriptor), GIFT_LOCK (held open), GIFT_CONTROL (listening unix
 * socket; without it no operator is answered), GIFT_MISTAKES (to read). Peers: gates, relays, the maildrop. */
extern const struct room_type queue_room;

#endif
