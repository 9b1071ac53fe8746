/* bench/poller.c: epoll. */
#include "bench/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS = 256 };

enum err poller_init(struct poller *poller)
{
    *poller = (struct poller){ .fd = epoll_create1(EPOLL_CLOEXEC) };
    return poller->fd >= 0 ? ERR_OK : ERR_NOFILES;
}

static void bury_dead(struct poller *poller)
{
    struct watcher *watcher;

    while ((watcher = poller->dead)) {
        poller->dead = watcher->next_dead;
        watcher->bury(watcher);
    }
}

void poller_clear(struct poller *poller)
{
    bury_dead(poller);
    if (poller->fd >= 0)
        close(poller->fd);
    poller->fd = -1;
}

enum err poller_add(struct poller *poller, struct watcher *watcher, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watcher };

    return epoll_ctl(poller->fd, EPOLL_CTL_ADD, watcher->fd, &event) == 0 ? ERR_OK : ERR_NOMEM;
}

void poller_change(struct poller *poller, struct watcher *watcher, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watcher };

    if (epoll_ctl(poller->fd, EPOLL_CTL_MOD, watcher->fd, &event) != 0)
        abort();
}

void poller_remove(struct poller *poller, struct watcher *watcher)
{
    if (epoll_ctl(poller->fd, EPOLL_CTL_DEL, watcher->fd, NULL) != 0)
        abort();
    watcher->on_ready = NULL;
    if (!watcher->bury)
        return;
    watcher->next_dead = poller->dead;
    poller->dead = watcher;
}

void poller_run(struct poller *poller)
{
    struct epoll_event events[EVENTS];

    while (!poller->is_stopped) {
        int count = epoll_wait(poller->fd, events, EVENTS, -1);

        if (count < 0 && errno != EINTR)
            abort();
        for (int i = 0; i < count; i++) {
            struct watcher *watcher = events[i].data.ptr;

            if (watcher->on_ready)
                watcher->on_ready(watcher, events[i].events);
        }
        if (poller->on_turn_end)
            poller->on_turn_end(poller->owner);
        bury_dead(poller);
    }
}

void poller_stop(struct poller *poller)
{
    poller->is_stopped = true;
}
