/* net/loop.h: the event loop of a room: readiness of descriptors, timers, signals, and work put off
 * to the end of the turn. A thin cover over libevent's core. One thread; every function is called
 * from the thread that runs the loop. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"

struct loop;

/* Ignores SIGPIPE for the process: a broken peer is an error of the write. NULL without memory or
 * descriptors. Opens its descriptors here (epoll, a pipe for signals), so it is made before the
 * walls of a room go up. */
MUST_CHECK struct loop *loop_new(void);
/* Runs what was put off first. Every watch, timer and signal_watch must be cleared before. */
void loop_free(struct loop **loop);
/* Turns until loop_stop. A turn: wait, call everything that is ready, then everything deferred. */
void loop_run(struct loop *loop);
/* Ends loop_run after this turn. */
void loop_stop(struct loop *loop);
/* One turn that waits at most wait_ms (0: not at all). For tests, and for draining at the end. */
void loop_turn(struct loop *loop, int64_t wait_ms);

/* Room for libevent's struct event, so that nobody outside net/ includes libevent. */
struct loop_event {
    _Alignas(8) unsigned char room[128];
};

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* Called with the one of WATCH_READ and WATCH_WRITE that is ready (an error or hang-up counts as
 * ready). May clear the watch and free the object it lies in. */
typedef void watch_fn(void *owner, unsigned ready);

/* Embedded in its owner. Level-triggered: called again each turn while the descriptor is ready. */
struct watch {
    struct loop_event read;
    struct loop_event write;
    struct loop *loop;
    watch_fn *fn;
    void *owner;
    int fd;
    unsigned wanted;
};

/* Watches nothing until enabled. The descriptor stays the caller's and must be non-blocking. */
void watch_init(struct watch *watch, struct loop *loop, int fd, watch_fn *fn, void *owner);
/* what: WATCH_READ, WATCH_WRITE or both; adds to what is wanted. ERR_NOMEM, ERR_NOSPACE (the
 * kernel's limit on watches), ERR_DENIED (a descriptor that cannot be polled). Nothing is done for
 * what is wanted already. */
MUST_CHECK enum err watch_enable(struct watch *watch, unsigned what);
void watch_disable(struct watch *watch, unsigned what);
/* Disables all. Before the descriptor is closed. Harmless on a zeroed or cleared watch. */
void watch_clear(struct watch *watch);

typedef void timer_fn(void *owner);

/* Embedded in its owner. Fires once for each timer_set. */
struct timer {
    struct loop_event event;
    struct loop *loop;
    timer_fn *fn;
    void *owner;
    bool is_set;
};

void timer_init(struct timer *timer, struct loop *loop, timer_fn *fn, void *owner);
/* Fires once, ms milliseconds from now; a timer that is set already is moved. Negative counts as
 * zero. Ends the process without memory: a wait without its bound would be worse. */
void timer_set(struct timer *timer, int64_t ms);
/* Harmless on a zeroed or stopped timer. A timer must be stopped before its memory goes. */
void timer_stop(struct timer *timer);

typedef void signal_fn(void *owner, int signal);

/* Embedded in its owner. The handler runs in the loop, so it may do anything. */
struct signal_watch {
    struct loop_event event;
    struct loop *loop;
    signal_fn *fn;
    void *owner;
    int signal;
};

/* Starts at once. One loop of a process handles signals. */
MUST_CHECK enum err signal_watch_start(
    struct signal_watch *watch, struct loop *loop, int signal, signal_fn *fn, void *owner);
/* Harmless on a zeroed or stopped one. */
void signal_watch_stop(struct signal_watch *watch);

typedef void deferred_fn(void *owner);

/* Embedded in its owner. Runs once at the end of the turn in which it was asked for, in the order
 * of asking: many replies, one write. What is asked for while the deferred ones run, runs at the
 * end of the next turn, which then does not wait. */
struct deferred {
    struct deferred *next;
    struct deferred *previous;
    struct loop *loop;
    deferred_fn *fn;
    void *owner;
    bool is_queued;
};

void deferred_init(struct deferred *deferred, struct loop *loop, deferred_fn *fn, void *owner);
/* Nothing when it is queued already. */
void deferred_ask(struct deferred *deferred);
/* Harmless on a zeroed or idle one. Before its memory goes. */
void deferred_cancel(struct deferred *deferred);

#endif
