/* supervisor/links.c: sockets for pairs of rooms. A room that lives can ask for a new channel only
 * by having lost the one it was given last, so nobody makes the supervisor work more often than the
 * pauses allow, and nobody touches the channels of others. */
#include "supervisor/links.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    PAUSE_FIRST_MS = 100, /* by then a death that closed the channel is known as one */
    PAUSE_LAST_MS = 10000,
    PAUSE_DEAF_MS = 1000, /* before it is looked again whether a room reads */
    LONG_LIFE_MS = 60000, /* a channel that lived this long starts with the first pause again */
    LOSSES_MOST = 4,      /* in a row, before a room is started anew */
};

struct link {
    struct link *next; /* of all */
    UT_hash_handle hh; /* of by_number, while it has one */
    struct links *links;
    const struct pair_plan *plan;
    struct process *one;
    struct process *other;
    uint64_t told_one; /* where in its control channel the last introduction ends */
    uint64_t told_other;
    uint64_t number; /* of the channel; 0: none */
    int64_t made_ms;
    unsigned losses; /* in a row */
    struct timer again;
};

static bool has_end(const struct link *link, const struct process *p)
{
    return link->one == p || link->other == p;
}

static void drop_number(struct link *link)
{
    if (link->number != 0)
        HASH_DEL(link->links->by_number, link);
    link->number = 0;
}

/* A room that is gone meanwhile is noticed by its death; its channel takes the descriptor all the
 * same. Where one end is not delivered, it is closed, and the other room says so. */
static void introduce(
    struct process *to, const struct process *other, uint64_t number, int fd, uint64_t *out_place)
{
    struct msg_peer peer = { .role = other->plan->role, .index = other->index, .number = number };

    if (channel_send(to->control, MSG_PEER, &peer, fd) == ERR_OK)
        *out_place = channel_queued(to->control);
}

/* Each introduction that a room does not read costs a descriptor here, so it gets one for each
 * peer, and the next when that one has left. */
static bool is_heard(const struct link *link)
{
    return channel_has_written(link->one->control, link->told_one) &&
           channel_has_written(link->other->control, link->told_other);
}

static void link_lose(struct link *link)
{
    int64_t pause = PAUSE_FIRST_MS;

    drop_number(link);
    if (clock_mono_ms() - link->made_ms > LONG_LIFE_MS)
        link->losses = 0;
    for (unsigned i = 0; i < link->losses && pause < PAUSE_LAST_MS; i++)
        pause *= 2;
    link->losses++;
    timer_set(&link->again, pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS);
}

static void link_make(struct link *link)
{
    struct links *links = link->links;
    int pair[2];

    drop_number(link);
    if (!is_heard(link)) {
        timer_set(&link->again, PAUSE_DEAF_MS);
        return;
    }
    timer_stop(&link->again);
    link->made_ms = clock_mono_ms();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_event(LOG_ERROR, NULL, "no socket for two rooms", log_reason(err_from_errno(errno)));
        link_lose(link);
        return;
    }
    link->number = ++links->made;
    HASH_ADD(hh, links->by_number, number, sizeof link->number, link);
    introduce(link->one, link->other, link->number, pair[0], &link->told_one);
    introduce(link->other, link->one, link->number, pair[1], &link->told_other);
}

static void tell_again(const struct link *link)
{
    log_event(LOG_WARNING, NULL, "a channel between two rooms broke and is made again",
        log_text("room", role_name(link->one->plan->role)), log_number("index", link->one->index),
        log_text("peer", role_name(link->other->plan->role)),
        log_number("peer_index", link->other->index), log_number("times", (int64_t)link->losses));
}

/* No judgement on who lied: it is the one that the plan can spare. */
static void end_one(struct link *link)
{
    const struct process *p = link->one->plan->role == link->plan->ends ? link->one : link->other;

    log_event(LOG_ERROR, NULL, "a channel breaks again and again: a room is started anew",
        log_text("room", role_name(p->plan->role)), log_number("index", p->index));
    if (p->pid > 0)
        kill(p->pid, SIGKILL);
}

static void on_again(void *owner)
{
    struct link *link = owner;

    if (!process_is_reachable(link->one) || !process_is_reachable(link->other))
        return;
    if (link->losses > LOSSES_MOST && link->plan->ends != ROLE_SUPERVISOR) {
        end_one(link);
        return;
    }
    if (is_heard(link))
        tell_again(link);
    link_make(link);
}

static struct link *link_for(struct links *links, struct process *a, struct process *b)
{
    const struct pair_plan *plan = plan_pair(a->plan->role, b->plan->role);
    struct link *link;

    if (!plan)
        return NULL;
    LL_FOREACH (links->all, link)
        if (has_end(link, a) && has_end(link, b))
            return link;
    link = calloc(1, sizeof *link);
    if (!link) {
        log_event(LOG_ERROR, NULL, "no memory for a channel", log_reason(ERR_NOMEM));
        return NULL;
    }
    link->links = links;
    link->plan = plan;
    link->one = a;
    link->other = b;
    timer_init(&link->again, links->loop, on_again, link);
    LL_PREPEND(links->all, link);
    return link;
}

void links_init(struct links *links, struct loop *loop)
{
    *links = (struct links){ .loop = loop };
}

void links_clear(struct links *links)
{
    struct link *link, *next;

    LL_FOREACH_SAFE (links->all, link, next) {
        drop_number(link);
        timer_stop(&link->again);
        free(link);
    }
    links->all = NULL;
}

void links_make(struct links *links, struct process *a, struct process *b)
{
    struct link *link = link_for(links, a, b);

    if (link)
        link_make(link);
}

void links_lost(struct links *links, const struct process *by, uint64_t number)
{
    struct link *link;

    HASH_FIND(hh, links->by_number, &number, sizeof number, link);
    if (link && has_end(link, by))
        link_lose(link);
}

void links_forget(struct links *links, const struct process *dead)
{
    struct link *link;

    LL_FOREACH (links->all, link) {
        if (!has_end(link, dead))
            continue;
        drop_number(link);
        timer_stop(&link->again);
        link->losses = 0;
        *(link->one == dead ? &link->told_one : &link->told_other) = 0;
    }
}
