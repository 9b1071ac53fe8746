/* ipc/room.h: what every room does alike: started by the supervisor through exec with one
 * descriptor (3, the control channel), it drops its rights, reads its snapshot and its descriptors,
 * raises its walls before anything from outside is read, and ends when the supervisor is gone. */
#ifndef IPC_ROOM_H
#define IPC_ROOM_H

#include <sys/types.h>

#include "ipc/channel.h"
#include "ipc/walls.h"

enum { ROOM_CONTROL_FD = 3 };

/* Why a room ends in order, which is its exit status then and which the supervisor tells in words.
 * Above the numbers of sysexits.h. */
enum room_end {
    ROOM_END_ASKED = 0,  /* the supervisor wanted it */
    ROOM_END_CLOCK = 79, /* the clock was set back, and what it keeps goes by that clock */
};

struct room {
    const struct room_type *type;
    uint32_t index;
    struct loop *loop;
    struct channel *control;
    uint64_t snapshot; /* number in force; 0 before the first apply */
    void *state;       /* the room's own */
    enum room_end end; /* the room's to set before room_drained */
};

/* What a room provides. Every function runs on the loop. Descriptors passed in are the room's to
 * close. */
struct room_type {
    enum role role;
    /* Walls (WALL_ bits) that are up before the first snapshot is applied; the others follow right
     * after it. Threads start behind WALL_FILES and before WALL_CALLS: those whose jobs `apply`
     * waits for it must not have. */
    unsigned early_walls;
    /* Makes room->state, before any message; and warms what libraries would open or load later,
     * when the walls are up. An error ends the room. */
    enum err (*init)(struct room *room);
    /* A descriptor for the snapshot that follows. NULL: the room takes none. */
    void (*give)(struct room *room, const struct msg_give *gift, int fd);
    /* A certificate chain for the snapshot that follows. NULL: the room takes none. */
    void (*certificate)(struct room *room, const struct msg_certificate *certificate);
    /* A (new) channel to a peer room. The channel's socket. */
    void (*peer)(struct room *room, const struct msg_peer *peer, int fd);
    /* The snapshot comes into force; conf: conf_pack's octets, to be copied or unpacked before
     * return. The first call starts the room's work. An error at the first call ends the room;
     * later it keeps the old snapshot. */
    enum err (*apply)(struct room *room, struct slice conf);
    /* Finish what is under way, then call room_drained. */
    void (*drain)(struct room *room);
    /* The supervisor is gone: stop saying yes to anybody. The process ends right after. NULL:
     * nothing to do. */
    void (*orphaned)(struct room *room);
};

/* The life of a room: returns the exit status. uid, gid: what to become, or (uid_t)-1 to stay. */
int room_main(const struct room_type *type, uint32_t index, uid_t uid, gid_t gid);

/* Tells the supervisor that nothing is under way any more and ends the loop; see room->end. */
void room_drained(struct room *room);

#endif
