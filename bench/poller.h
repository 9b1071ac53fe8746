/* bench/poller.h: who is told when a descriptor is ready, and the one loop that tells. A tool of
 * the measurement has its own, so that it does not change with what it measures. */
#ifndef BENCH_POLLER_H
#define BENCH_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/macros.h"

/* Embedded in whoever waits for a descriptor. */
struct watcher {
    int fd;
    void (*on_ready)(struct watcher *watcher, uint32_t events); /* NULL: removed */
    void (*bury)(struct watcher *watcher); /* called when no event can meet it any more */
    struct watcher *next_dead;
};

struct poller {
    int fd;
    bool is_stopped;
    struct watcher *dead;
    void (*on_turn_end)(void *owner); /* after each turn; may be NULL */
    void *owner;
};

/* ERR_NOFILES. */
MUST_CHECK enum err poller_init(struct poller *poller);
/* Buries who was removed. */
void poller_clear(struct poller *poller);
/* Level-triggered. fd and on_ready of the watcher are set. ERR_NOMEM. */
MUST_CHECK enum err poller_add(struct poller *poller, struct watcher *watcher, uint32_t events);
void poller_change(struct poller *poller, struct watcher *watcher, uint32_t events);
/* The watcher hears no more; before the next turn it is buried, if bury is set. The descriptor
 * stays open. */
void poller_remove(struct poller *poller, struct watcher *watcher);
/* Turns until stopped. */
void poller_run(struct poller *poller);
void poller_stop(struct poller *poller);

#endif
