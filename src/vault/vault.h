/* vault/vault.h: the room that keeps the secrets: TLS keys, the user database, smarthost passwords.
 * It answers gates and relays over their channels and has no other socket. */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "ipc/room.h"

extern const struct room_type vault_room;

#endif
