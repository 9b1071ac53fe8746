/* fetch/fetch.h: the room that asks others over HTTPS on behalf of the rest of the house. It exists
 * where the configuration names somebody to ask, and nobody can make it ask anybody else. */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "ipc/room.h"

/* Gifts: GIFT_FETCH_ROOTS, GIFT_FETCH_SECRET (index: enum fetch_peer). Peers: the vault. */
extern const struct room_type fetch_room;

struct fetch;
/* The room's end, for tests. */
void fetch_free(struct fetch **fetch);

#endif
