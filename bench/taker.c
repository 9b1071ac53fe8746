/* bench/taker.c: the life of the sessions, and replies that are held back. */
#include "bench/taker.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/meter.h"
#include "bench/taker_session.h"

static const char taken[] = "250 2.0.0 taken\r\n";

static void on_input(void *owner)
{
    session_read(owner);
}

/* Delayed replies */

static void set_timer(struct taker *taker)
{
    int64_t wait_us = taker->held ? taker->held->due_us - mono_us() : 0;
    struct itimerspec in = { 0 };

    if (taker->held && wait_us < 1)
        wait_us = 1;
    in.it_value = (struct timespec){ wait_us / 1000000, wait_us % 1000000 * 1000 };
    if (timerfd_settime(taker->timer.fd, 0, &in, NULL) != 0)
        abort();
}

/* The delay is the same for all, so the list is in order. */
static void hold(struct session *session)
{
    struct taker *taker = session->taker;

    session->phase = SESSION_HELD;
    session->due_us = mono_us() + taker->delay_us;
    session->next_held = NULL;
    if (taker->held)
        taker->held_last->next_held = session;
    else
        taker->held = session;
    taker->held_last = session;
    if (taker->held == session)
        set_timer(taker);
}

static void forget_held(struct session *session)
{
    struct taker *taker = session->taker;
    struct session *before = NULL;

    for (struct session *at = taker->held; at; before = at, at = at->next_held) {
        if (at != session)
            continue;
        if (before)
            before->next_held = session->next_held;
        else
            taker->held = session->next_held;
        if (taker->held_last == session)
            taker->held_last = before;
        return;
    }
}

static void on_timer(struct watcher *watcher, uint32_t ready)
{
    struct taker *taker = CONTAINER_OF(watcher, struct taker, timer);
    uint64_t expired;

    (void)ready;
    if (read(watcher->fd, &expired, sizeof expired) < 0)
        return;
    while (taker->held && taker->held->due_us <= mono_us()) {
        struct session *session = taker->held;

        taker->held = session->next_held;
        session->phase = SESSION_COMMANDS;
        session_reply(session, taken);
        session_read(session);
        wire_flush(session->wire);
    }
    set_timer(taker);
}

void session_taken(struct session *session)
{
    struct taker *taker = session->taker;

    tally_message(&taker->tally, session->octets, session->recipients,
        slice_of(session->head, session->head_len), mono_us());
    if (taker->delay_us > 0)
        hold(session);
    else
        session_reply(session, taken);
    if (taker->on_message)
        taker->on_message(taker);
}

/* Life */

static void session_free(struct session *session)
{
    if (session->previous)
        session->previous->next = session->next;
    else
        session->taker->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    forget_held(session);
    wire_free(&session->wire);
    free(session);
}

static void on_closed(void *owner, const char *why)
{
    struct session *session = owner;

    (void)why;
    if (session->phase != SESSION_COMMANDS)
        session->taker->tally.broken++;
    session_free(session);
}

static const struct wire_events events = { .on_input = on_input, .on_closed = on_closed };

static void link_session(struct taker *taker, struct session *session)
{
    session->next = taker->sessions;
    if (session->next)
        session->next->previous = session;
    taker->sessions = session;
    taker->tally.connections++;
}

void taker_serve(struct taker *taker, int fd, bool is_implicit)
{
    struct session *session = malloc(sizeof *session);

    if (!session) {
        close(fd);
        return;
    }
    memset(session, 0, offsetof(struct session, head));
    session->taker = taker;
    session->wire = wire_take(taker->poller, fd, &events, session);
    if (!session->wire) {
        free(session);
        return;
    }
    link_session(taker, session);
    if (is_implicit && wire_secure_server(session->wire, taker->tls) != ERR_OK) {
        session_free(session);
        return;
    }
    session_reply(session, "220 bench ESMTP\r\n");
    wire_flush(session->wire);
}

static void on_connection(struct watcher *watcher, uint32_t ready)
{
    struct door *door = CONTAINER_OF(watcher, struct door, watcher);
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)ready;
    if (fd >= 0)
        taker_serve(door->taker, fd, false);
}

enum err door_open(struct door *door, struct taker *taker, int fd)
{
    *door = (struct door){
        .watcher = { .fd = fd, .on_ready = on_connection },
        .taker = taker,
    };
    return poller_add(taker->poller, &door->watcher, EPOLLIN);
}

void takers_raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

enum err taker_init(struct taker *taker)
{
    taker->timer = (struct watcher){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
        .on_ready = on_timer,
    };
    if (taker->timer.fd < 0)
        return ERR_NOFILES;
    return poller_add(taker->poller, &taker->timer, EPOLLIN);
}

void taker_clear(struct taker *taker)
{
    while (taker->sessions)
        session_free(taker->sessions);
    close(taker->timer.fd);
    tally_clear(&taker->tally);
}
