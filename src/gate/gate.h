/* gate/gate.h: the room that talks to clients. It holds client sockets, channels and descriptors it
 * was handed; it opens nothing, connects to nothing and knows no secret. */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <stdbool.h>

#include "gate/ask.h"
#include "gate/commit.h"
#include "gate/blunders.h"
#include "gate/fetching.h"
#include "gate/limits.h"
#include "gate/partial.h"
#include "gate/snapshot.h"
#include "ipc/room.h"
#include "net/listen.h"
#include "net/tls.h"

struct session;
struct tls_signer;

extern const struct room_type gate_room;

enum gate_state {
    GATE_STARTING, /* no configuration yet */
    GATE_OPEN,
    GATE_DRAINING, /* no new clients; those inside a message may finish (LSN-6) */
    GATE_ORPHANED, /* the supervisor is gone: nobody is told 250 any more */
};

enum { GATE_LISTENERS_MAX = 64, GATE_DRAIN_MS = 30000, GATE_DRAIN_GRACE_MS = 3000 };

/* A listening socket, and the place of its section in the configuration. */
struct door {
    struct gate *gate;
    uint32_t index;
    int fd; /* given and not open yet; else -1 */
    bool is_open;
    struct listener listener;
};

struct gate {
    struct loop *loop;
    struct room *room; /* NULL where a test drives the gate */
    enum gate_state state;
    struct snapshot *snapshot;        /* in force */
    struct certificates certificates; /* for the next one */
    struct door doors[GATE_LISTENERS_MAX];
    struct tls_signer *signer;
    struct tls_ticket_key ticket_keys[2]; /* the first for new tickets */
    size_t ticket_key_count;
    struct limits limits;
    struct blunders blunders;
    bool is_full; /* the last client got its place from another */
    struct ask ask;
    struct fetchings fetchings;
    struct commit commit;
    struct partials partials;
    struct session *sessions; /* map by id */
    uint64_t next_session;
    struct arena scratch; /* for the command under way */
    struct buffer words;  /* the reply under way */
    struct timer drain;
    struct deferred drained;
    bool is_last_call; /* the time to drain is over */
};

/* Zeroed before. room may be NULL. disk is borrowed. ERR_NOMEM and what TLS says. */
MUST_CHECK enum err gate_init(
    struct gate *gate, struct loop *loop, struct disk *disk, struct room *room);
/* Ends all sessions without a word. */
void gate_clear(struct gate *gate);
/* conf: conf_pack's octets. The first opens the doors, later ones leave open sessions as they are.
 * As room_type's apply. */
MUST_CHECK enum err gate_apply(struct gate *gate, struct slice conf);
/* See LSN-6. */
void gate_drain(struct gate *gate);

/* From the vault; copied. Malformed ones are dropped. */
void gate_set_ticket_keys(struct gate *gate, const struct msg_ticket_keys *keys);
/* A session has ended. */
void gate_session_gone(struct gate *gate);

#endif
