/* vault/tickets.c: the key in use and the one before. */
#include "vault/tickets.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "net/loop.h"
#include "net/tls_sign.h"

struct tickets {
    struct timer timer;
    int64_t life_ms;
    void (*changed)(void *owner);
    void *owner;
    size_t count;                  /* 1, and 2 after the first change */
    struct tls_ticket_key keys[2]; /* the one in use first */
    struct msg_ticket_key octets[2];
};

static bool make_key(struct tickets *tickets)
{
    struct tls_ticket_key fresh;

    if (getrandom(&fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
        return false;
    tickets->keys[1] = tickets->keys[0];
    tickets->keys[0] = fresh;
    explicit_bzero(&fresh, sizeof fresh);
    if (tickets->count < 2)
        tickets->count++;
    return true;
}

static void on_timer(void *owner)
{
    struct tickets *tickets = owner;

    timer_set(&tickets->timer, tickets->life_ms);
    if (make_key(tickets))
        tickets->changed(tickets->owner);
    else
        log_event(LOG_WARNING, NULL, "session ticket keys stay as they are", log_reason(ERR_IO));
}

struct tickets *tickets_new(
    struct loop *loop, int64_t life_ms, void (*changed)(void *owner), void *owner)
{
    struct tickets *tickets = calloc(1, sizeof *tickets);

    if (!tickets || !make_key(tickets)) {
        free(tickets);
        return NULL;
    }
    tickets->life_ms = life_ms;
    tickets->changed = changed;
    tickets->owner = owner;
    timer_init(&tickets->timer, loop, on_timer, tickets);
    timer_set(&tickets->timer, life_ms);
    return tickets;
}

void tickets_free(struct tickets **tickets)
{
    if (!*tickets)
        return;
    timer_stop(&(*tickets)->timer);
    explicit_bzero(*tickets, sizeof **tickets);
    free(*tickets);
    *tickets = NULL;
}

struct msg_ticket_keys tickets_message(struct tickets *tickets)
{
    for (size_t i = 0; i < tickets->count; i++)
        tickets->octets[i].octets = slice_of(&tickets->keys[i], sizeof tickets->keys[i]);
    return (struct msg_ticket_keys){ .keys = tickets->octets, .key_count = tickets->count };
}
