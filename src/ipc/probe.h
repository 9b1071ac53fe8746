/* ipc/probe.h: a room tries its own walls. In the program that is installed this does nothing; a
 * build with -Dprobe=true puts tests/rooms/probe.c in its place. */
#ifndef IPC_PROBE_H
#define IPC_PROBE_H

struct walls;

/* Right before the walls of a room go up, with all that it was given and one thread: children may
 * raise them and run against them. */
void probe_before(struct walls *walls);
/* Right after: the room itself runs against them. */
void probe_after(const struct walls *walls);

#endif
