/* net/loop.c: turns of libevent's loop with the deferred work behind each. Never blocks but in the
 * wait of a turn. */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/map.h"
#include "net/loop_internal.h"

_Static_assert(sizeof(struct event) <= sizeof(struct loop_event),
    "struct loop_event must hold libevent's struct event");

struct loop {
    struct event_base *base;
    struct deferred *deferred; /* utlist, in the order of asking */
    struct event wake;         /* bounds the wait of loop_turn */
    bool is_stopping;
};

static struct event *event_in(struct loop_event *room)
{
    return (struct event *)(void *)room->room;
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

static void on_wake(evutil_socket_t fd, short what, void *owner)
{
    (void)fd;
    (void)what;
    (void)owner;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    loop->base = event_base_new();
    if (!loop->base || event_assign(&loop->wake, loop->base, -1, 0, on_wake, NULL) != 0) {
        free(loop);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    return loop;
}

/* Only what was asked for before; what a deferred one asks for waits for the next turn. */
static void run_deferred(struct loop *loop)
{
    struct deferred mark = { .is_queued = true };

    if (!loop->deferred)
        return;
    DL_APPEND2(loop->deferred, &mark, previous, next);
    while (loop->deferred != &mark) {
        struct deferred *deferred = loop->deferred;

        DL_DELETE2(loop->deferred, deferred, previous, next);
        deferred->is_queued = false;
        deferred->fn(deferred->owner);
    }
    DL_DELETE2(loop->deferred, &mark, previous, next);
}

void loop_free(struct loop **loop)
{
    if (!*loop)
        return;
    while ((*loop)->deferred)
        run_deferred(*loop);
    event_base_free((*loop)->base);
    free(*loop);
    *loop = NULL;
}

static void turn(struct loop *loop)
{
    int flags = EVLOOP_ONCE | (loop->deferred ? EVLOOP_NONBLOCK : EVLOOP_NO_EXIT_ON_EMPTY);

    if (event_base_loop(loop->base, flags) < 0) {
        log_event(LOG_ERROR, NULL, "loop-failed", log_reason(err_from_errno(errno)));
        abort();
    }
    log_flush(); /* before the replies go out, which speak of the same things */
    run_deferred(loop);
    log_flush();
}

void loop_run(struct loop *loop)
{
    loop->is_stopping = false;
    log_hold(true);
    while (!loop->is_stopping)
        turn(loop);
    log_hold(false);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

    if (event_add(&loop->wake, &wait) != 0)
        abort();
    turn(loop);
    event_del(&loop->wake);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;

    (void)fd;
    watch->fn(watch->owner, what & EV_WRITE ? WATCH_WRITE : WATCH_READ);
}

void watch_init(struct watch *watch, struct loop *loop, int fd, watch_fn *fn, void *owner)
{
    *watch = (struct watch){ .loop = loop, .fn = fn, .owner = owner, .fd = fd };
    if (event_assign(
            event_in(&watch->read), loop->base, fd, EV_READ | EV_PERSIST, on_ready, watch) != 0 ||
        event_assign(
            event_in(&watch->write), loop->base, fd, EV_WRITE | EV_PERSIST, on_ready, watch) != 0)
        assert(!"libevent refuses the event");
}

static enum err enable(struct watch *watch, unsigned what, struct loop_event *room)
{
    if (watch->wanted & what)
        return ERR_OK;
    errno = 0;
    if (event_add(event_in(room), NULL) != 0)
        return errno ? err_from_errno(errno) : ERR_NOMEM;
    watch->wanted |= what;
    return ERR_OK;
}

enum err watch_enable(struct watch *watch, unsigned what)
{
    enum err err = ERR_OK;

    assert(watch->loop);
    if (what & WATCH_READ)
        err = enable(watch, WATCH_READ, &watch->read);
    if (err == ERR_OK && what & WATCH_WRITE)
        err = enable(watch, WATCH_WRITE, &watch->write);
    return err;
}

void watch_disable(struct watch *watch, unsigned what)
{
    if (watch->wanted & what & WATCH_READ)
        event_del(event_in(&watch->read));
    if (watch->wanted & what & WATCH_WRITE)
        event_del(event_in(&watch->write));
    watch->wanted &= ~what;
}

void watch_clear(struct watch *watch)
{
    watch_disable(watch, WATCH_READ | WATCH_WRITE);
    watch->loop = NULL;
    watch->fd = -1;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *timer = arg;

    (void)fd;
    (void)what;
    timer->is_set = false;
    timer->fn(timer->owner);
}

void timer_init(struct timer *timer, struct loop *loop, timer_fn *fn, void *owner)
{
    *timer = (struct timer){ .loop = loop, .fn = fn, .owner = owner };
    if (event_assign(event_in(&timer->event), loop->base, -1, 0, on_timer, timer) != 0)
        assert(!"libevent refuses the timer");
}

void timer_set(struct timer *timer, int64_t ms)
{
    struct timeval wait = { 0, 0 };

    if (ms > 0)
        wait = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    if (event_add(event_in(&timer->event), &wait) != 0) {
        log_event(LOG_ERROR, NULL, "timer-failed", log_reason(ERR_NOMEM));
        abort();
    }
    timer->is_set = true;
}

void timer_stop(struct timer *timer)
{
    if (timer->is_set)
        event_del(event_in(&timer->event));
    timer->is_set = false;
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
    struct signal_watch *watch = arg;

    (void)what;
    watch->fn(watch->owner, (int)signal);
}

enum err signal_watch_start(
    struct signal_watch *watch, struct loop *loop, int signal, signal_fn *fn, void *owner)
{
    *watch = (struct signal_watch){ .fn = fn, .owner = owner, .signal = signal };
    if (event_assign(event_in(&watch->event), loop->base, signal, EV_SIGNAL | EV_PERSIST, on_signal,
            watch) != 0 ||
        event_add(event_in(&watch->event), NULL) != 0)
        return ERR_IO;
    watch->loop = loop;
    return ERR_OK;
}

void signal_watch_stop(struct signal_watch *watch)
{
    if (watch->loop)
        event_del(event_in(&watch->event));
    watch->loop = NULL;
}

void deferred_init(struct deferred *deferred, struct loop *loop, deferred_fn *fn, void *owner)
{
    *deferred = (struct deferred){ .loop = loop, .fn = fn, .owner = owner };
}

void deferred_ask(struct deferred *deferred)
{
    if (deferred->is_queued)
        return;
    DL_APPEND2(deferred->loop->deferred, deferred, previous, next);
    deferred->is_queued = true;
}

void deferred_cancel(struct deferred *deferred)
{
    if (!deferred->is_queued)
        return;
    DL_DELETE2(deferred->loop->deferred, deferred, previous, next);
    deferred->is_queued = false;
}
