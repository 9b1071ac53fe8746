/* vault/asker.h: a gate or a relay at the other end of a channel. */
#ifndef VAULT_ASKER_H
#define VAULT_ASKER_H

#include <stddef.h>
#include <stdint.h>

struct channel;
struct vault;

/* Owned by vault.c. Everything that waits on behalf of an asker is told when it goes
 * (…_forget_asker).
 */
struct asker {
    struct asker *prev, *next;
    struct vault *vault;
    struct channel *channel;
    uint64_t id;          /* never given twice in this process */
    size_t conversations; /* open ones, of whatever kind */
};

enum { ASKER_CONVERSATIONS_MAX = 4096 };

#endif
