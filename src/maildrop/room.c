/* maildrop/room.c: takes jobs of the queue, writes them on hands, keeps each outcome until the
 * queue has it in its synced journal. */
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "conf/conf.h"
#include "maildrop/drop.h"
#include "maildrop/maildrop.h"
#include "net/hands.h"
#include "net/loop.h"

enum {
    HANDS = 4,
    CONF_MEMORY = 8 << 20,
    DRAIN_MS = 10000,
    IN_HAND_MOST = 65536
};

/* The folders of one snapshot. Shared by the jobs that use them. */
struct places {
    struct place *list;
    size_t count;
};

struct maildrop {
    struct room *room;
    struct channel *queue;
    struct hands *hands;
    struct arena conf_arena;
    const struct conf *conf;
    struct places now;
    struct places next; /* given, not applied yet */
    struct drop *drops; /* all: waiting, under way, told */
    struct timer deadline;
    bool is_draining;
};

static void places_clear(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        place_drop(&places->list[i].shared);
    free(places->list);
    *places = (struct places){ 0 };
}

static struct shared_place *place_find(const struct places *places, uint32_t route)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->list[i].route == route)
            return places->list[i].shared;
    return NULL;
}

/* ---- outcomes ---- */

static void tell(struct maildrop *maildrop, struct drop *drop)
{
    struct msg_outcome outcome;

    drop_outcome(drop, &outcome);
    if (maildrop->queue && channel_send(maildrop->queue, MSG_OUTCOME, &outcome, -1) != ERR_OK)
        log_event(LOG_WARNING, NULL, "an outcome waits for a new channel");
}

static void check_drained(struct maildrop *maildrop, bool is_late)
{
    if (maildrop->is_draining && (!maildrop->drops || is_late))
        room_drained(maildrop->room);
}

static void deadline(void *owner)
{
    check_drained(owner, true);
}

static void remove_drop(struct maildrop *maildrop, struct drop *drop)
{
    DL_DELETE(maildrop->drops, drop);
    drop_free(&drop);
}

static void written(struct hand_job *job)
{
    struct drop *drop = CONTAINER_OF(job, struct drop, hand);
    struct maildrop *maildrop = drop->owner;

    drop->state = DROP_TOLD;
    tell(maildrop, drop);
}

/* Begins a job, unless its snapshot is still to come. */
static void begin(struct maildrop *maildrop, struct drop *drop)
{
    uint64_t number = maildrop->conf ? maildrop->conf->number : 0;

    if (drop->snapshot > number)
        return;
    if (drop->snapshot < number || maildrop->is_draining) {
        drop_give_back(drop);
        drop->state = DROP_TOLD;
        tell(maildrop, drop);
        return;
    }
    drop_place(drop, place_find(&maildrop->now, drop->route),
        drop->route < maildrop->conf->route_count ? maildrop->conf->routes[drop->route].path
                                                  : (struct slice){ 0 },
        maildrop->conf->hostname);
    drop->state = DROP_WRITING;
    drop->hand = (struct hand_job){ .work = drop_work, .done = written };
    hands_give(maildrop->hands, &drop->hand);
}

/* ---- the queue ---- */

static void on_job(void *owner, struct channel *channel, const void *message, int fd)
{
    struct maildrop *maildrop = owner;
    struct drop *drop = drop_new(maildrop, message, fd);

    (void)channel;
    if (!drop) {
        /* Not named in the next MSG_IN_HAND, so the queue gives it again. */
        log_event(LOG_ERROR, NULL, "no memory for a job", log_reason(ERR_NOMEM));
        channel_free(&maildrop->queue);
        return;
    }
    DL_APPEND(maildrop->drops, drop);
    begin(maildrop, drop);
}

static void on_outcome_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct maildrop *maildrop = owner;
    const struct msg_job_ref *m = message;
    struct drop *drop, *next;

    (void)channel, (void)fd;
    DL_FOREACH_SAFE (maildrop->drops, drop, next) {
        if (drop->job != m->job || drop->state != DROP_TOLD)
            continue;
        remove_drop(maildrop, drop);
        break;
    }
    check_drained(maildrop, false);
}

static const struct channel_handler handlers[] = {
    { MSG_JOB, on_job },
    { MSG_OUTCOME_DONE, on_outcome_done },
};

static void on_closed(void *owner, struct channel *channel)
{
    struct maildrop *maildrop = owner;

    (void)channel;
    channel_free(&maildrop->queue);
}

/* All that the queue has not acknowledged first, since an outcome counts only for a job that was
 * named; then what became of those that have ended. */
static void say_in_hand(struct maildrop *maildrop)
{
    struct msg_in_hand message = { 0 };
    struct drop *drop;
    size_t count = 0;

    DL_FOREACH (maildrop->drops, drop)
        count++;
    message.jobs = calloc(count + 1, sizeof *message.jobs);
    if (!message.jobs) {
        channel_free(&maildrop->queue);
        return;
    }
    DL_FOREACH (maildrop->drops, drop) {
        if (message.job_count < IN_HAND_MOST)
            message.jobs[message.job_count++] =
                (struct msg_job_ref){ drop->job, drop->id.high, drop->id.low };
    }
    if (channel_send(maildrop->queue, MSG_IN_HAND, &message, -1) != ERR_OK)
        log_event(LOG_ERROR, NULL, "the queue cannot be told what is in hand");
    free(message.jobs);
    DL_FOREACH (maildrop->drops, drop)
        if (drop->state == DROP_TOLD)
            tell(maildrop, drop);
}

static void peer(struct room *room, const struct msg_peer *peer, int fd)
{
    struct maildrop *maildrop = room->state;
    struct channel_spec spec = {
        .self = ROLE_MAILDROP,
        .peer = ROLE_QUEUE,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_closed,
        .owner = maildrop,
    };

    if (peer->role != ROLE_QUEUE) {
        close(fd);
        return;
    }
    if (maildrop->queue)
        channel_free(&maildrop->queue);
    maildrop->queue = channel_new(room->loop, fd, &spec);
    if (maildrop->queue)
        say_in_hand(maildrop);
}

/* ---- the room ---- */

static enum err init(struct room *room)
{
    struct maildrop *maildrop = calloc(1, sizeof *maildrop);

    if (!maildrop)
        return ERR_NOMEM;
    maildrop->room = room;
    arena_init(&maildrop->conf_arena, CONF_MEMORY);
    timer_init(&maildrop->deadline, room->loop, deadline, maildrop);
    maildrop->hands = hands_new(room->loop, "maildrop", HANDS);
    if (!maildrop->hands) {
        free(maildrop);
        return ERR_NOMEM;
    }
    room->state = maildrop;
    return ERR_OK;
}

void maildrop_free(struct room *room)
{
    struct maildrop *maildrop = room->state;
    struct drop *drop, *next;

    if (maildrop->queue)
        channel_free(&maildrop->queue);
    hands_free(&maildrop->hands);
    timer_stop(&maildrop->deadline);
    DL_FOREACH_SAFE (maildrop->drops, drop, next)
        remove_drop(maildrop, drop);
    places_clear(&maildrop->now);
    places_clear(&maildrop->next);
    arena_clear(&maildrop->conf_arena);
    free(maildrop);
    room->state = NULL;
}

static void give(struct room *room, const struct msg_give *gift, int fd)
{
    struct maildrop *maildrop = room->state;
    struct places *next = &maildrop->next;
    struct place *list;
    struct shared_place *shared;

    if (gift->gift != GIFT_MAILDIR) {
        close(fd);
        return;
    }
    shared = place_new(fd);
    list = shared ? reallocarray(next->list, next->count + 1, sizeof *list) : NULL;
    if (!list) {
        /* Its mail is put off, and says so. */
        log_event(LOG_ERROR, NULL, "a folder was not taken", log_slice("folder", gift->name),
            log_reason(ERR_NOMEM));
        place_drop(&shared);
        return;
    }
    next->list = list;
    list[next->count++] = (struct place){ .route = gift->index, .shared = shared };
}

static enum err apply(struct room *room, struct slice bytes)
{
    struct maildrop *maildrop = room->state;
    struct arena fresh, old = maildrop->conf_arena;
    struct drop *drop, *after;
    struct conf *conf;
    enum err rc;

    arena_init(&fresh, CONF_MEMORY);
    rc = conf_unpack(bytes, &fresh, &conf);
    if (rc != ERR_OK) {
        arena_clear(&fresh);
        places_clear(&maildrop->next);
        return rc;
    }
    maildrop->conf = conf;
    maildrop->conf_arena = fresh;
    arena_clear(&old);
    places_clear(&maildrop->now);
    maildrop->now = maildrop->next;
    maildrop->next = (struct places){ 0 };
    DL_FOREACH_SAFE (maildrop->drops, drop, after)
        if (drop->state == DROP_WAITING)
            begin(maildrop, drop);
    return ERR_OK;
}

static void drain(struct room *room)
{
    struct maildrop *maildrop = room->state;

    maildrop->is_draining = true;
    timer_set(&maildrop->deadline, DRAIN_MS);
    check_drained(maildrop, false);
}

const struct room_type maildrop_room = {
    .role = ROLE_MAILDROP,
    .early_walls = WALLS_ALL,
    .init = init,
    .give = give,
    .peer = peer,
    .apply = apply,
    .drain = drain,
};
