/* ipc/walls.h: the walls of a room: what the kernel refuses it from some moment on, whoever then
 * runs in it. Landlock rules for files, ports, signals; a seccomp list of system calls; limits.
 * Reasons: docs/decisions/0007-walls.md. */
#ifndef IPC_WALLS_H
#define IPC_WALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"
#include "ipc/messages.h"

/* The parts, in the order in which they go up. */
enum {
    WALL_RIGHTS = 1 << 0, /* no capability. Holds as WALL_FILES does */
    WALL_SELF = 1 << 1,   /* no new rights, no debugger, no core file, no further processes */
    WALL_FILES = 1 << 2,  /* Landlock. Holds for the calling thread and those it makes afterwards */
    WALL_CALLS = 1 << 3,  /* seccomp. Holds for all threads. What is not listed kills the process */
    WALLS_ALL = WALL_RIGHTS | WALL_SELF | WALL_FILES | WALL_CALLS,
};

struct walls {
    enum role role;
    unsigned up;      /* the parts that stand */
    unsigned missing; /* those that were asked for and that this kernel does not have */
    int *folders;     /* descriptors: below these the room may do its work */
    size_t folder_count;
    enum err error; /* a folder could not be kept */
};

void walls_init(struct walls *walls, enum role role);
/* To be shown every gift before the first raise: keeps a copy of the descriptor where the room
 * works in a folder (GIFT_SPOOL, GIFT_USERS, GIFT_MAILDIR). */
void walls_note_gift(struct walls *walls, enum gift gift, int fd);
/* Raises the given parts (several WALL_ bits) that do not stand yet; there is no way back. A part
 * that the kernel lacks, wholly or partly, is logged and left out (walls->missing), and the room
 * runs on. WALL_RIGHTS and WALL_FILES need the process to have one thread. ERR_DENIED, ERR_NOMEM
 * and others: a part that the kernel has could not be raised; the room must not go on. */
MUST_CHECK enum err walls_raise(struct walls *walls, unsigned parts);

#endif
