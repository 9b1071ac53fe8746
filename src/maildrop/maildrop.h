/* maildrop/maildrop.h: the room that writes messages into Maildir folders. It has the folders of
 * its routes as directory descriptors and nothing else: no network, no spool. */
#ifndef MAILDROP_MAILDROP_H
#define MAILDROP_MAILDROP_H

#include "ipc/room.h"

/* Gifts: GIFT_MAILDIR (directory descriptor; index: the route, name: its path). Peer: the queue. */
extern const struct room_type maildrop_room;

#endif
