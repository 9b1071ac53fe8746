/* net/loop_internal.h: the libevent base under a loop, for net/resolve alone (libunbound's event
 * interface asks for it). */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

struct event_base;
struct loop;

/* Owned by the loop. Events added to it directly run within the turns of the loop. */
struct event_base *loop_event_base(struct loop *loop);

#endif
