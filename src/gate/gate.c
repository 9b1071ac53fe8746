/* gate/gate.c: the room: what it is given, when it opens its doors, how it closes them. */
#include "gate/gate.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/accept.h"
#include "gate/report.h"
#include "gate/session.h"
#include "ipc/channel.h"
#include "spool/disk.h"

enum {
    SCRATCH_OCTETS = 256 << 10,
    WORDS_OCTETS = 64 << 10,
    ID_SECONDS = 14, /* ids of a later life lie above those of an earlier one */
    DISPLACEABLE_LOOKED_AT = 64,
    COURTESY_MS = 2,
    FLUSH_MS = 1000,
};

/* Doors. */

/* A client that gets no session costs one write. Behind implicit TLS it would not understand it. */
static void turn_away(struct gate *gate, const struct conf_listener *listener, int fd,
    const struct peer *peer, enum reply_id reply)
{
    struct buffer words;

    report_turned_away(gate, peer, reply);
    buffer_init(&words, REPLY_LINE_MAX * 2);
    reply_write(&words, reply);
    if (listener->tls != CONF_LISTENER_IMPLICIT && words.error == ERR_OK &&
        write(fd, buffer_slice(&words).data, words.len) < 0)
        log_event(LOG_DEBUG, NULL, "turned away unheard");
    buffer_clear(&words);
    close(fd);
}

/* Clients that may not submit, and so may be anybody. Of the oldest of them the one whose address
 * has most connections: a crowd displaces itself, whoever comes alone is hardly ever met. */
static struct session *whom_to_displace(const struct gate *gate)
{
    struct session *chosen = NULL;
    struct session *s, *next;
    uint64_t most = 0;
    int looked = 0;

    HASH_ITER (hh, gate->sessions, s, next) {
        uint64_t connections;

        if (session_grant(s) || s->phase == PHASE_CLOSING)
            continue;
        connections = limits_connections(&gate->limits, &s->peer);
        if (connections > most) {
            most = connections;
            chosen = s;
        }
        if (++looked == DISPLACEABLE_LOOKED_AT)
            break;
    }
    return chosen;
}

/* The house is full. A place is made where somebody has not even logged in; the one displaced has
 * ended when the next client is met. */
static bool make_room(struct gate *gate, const struct peer *peer)
{
    struct session *s = whom_to_displace(gate);

    if (!s)
        return false;
    if (!gate->is_full)
        log_event(LOG_WARNING, NULL, "all connections are taken: who has not logged in gives way");
    gate->is_full = true;
    session_displace(s);
    limits_enter_all_the_same(&gate->limits, peer);
    return true;
}

static void on_client(void *owner, int fd, const struct peer *peer)
{
    struct door *door = owner;
    struct gate *gate = door->gate;
    const struct conf *conf = gate->snapshot->conf;
    const struct conf_listener *listener = &conf->listeners[door->index];

    switch (limits_enter(&gate->limits, &conf->limits, peer)) {
    case ADMISSION_GRANTED:
        gate->is_full = false;
        session_open(gate, listener, fd, peer);
        break;
    case ADMISSION_FULL:
        if (make_room(gate, peer))
            session_open(gate, listener, fd, peer);
        else
            turn_away(gate, listener, fd, peer, REPLY_CONNECTIONS_TOTAL);
        break;
    case ADMISSION_CLIENT_FULL:
        turn_away(gate, listener, fd, peer, REPLY_CONNECTIONS_CLIENT);
        break;
    }
    /* Whoever is awake when a crowd comes would have all of it, and its core would serve it alone.
     */
    if (limits_is_ahead(&gate->limits))
        listener_rest(&door->listener, COURTESY_MS);
}

static void close_door(struct door *door)
{
    if (door->is_open)
        listener_clear(&door->listener);
    door->is_open = false;
    if (door->fd >= 0)
        close(door->fd);
    door->fd = -1;
}

/* A door given for a section that the configuration does not have stays shut. */
static enum err open_door(struct door *door)
{
    int fd = door->fd;
    enum err code;

    if (door->index >= door->gate->snapshot->conf->listener_count) {
        close_door(door);
        return ERR_OK;
    }
    if (fd < 0)
        return ERR_OK;
    if (door->is_open)
        listener_clear(&door->listener);
    door->fd = -1; /* the listener's, also when it fails */
    code = listener_init(&door->listener, door->gate->loop, fd, on_client, door);
    door->is_open = code == ERR_OK;
    return code;
}

static enum err open_doors(struct gate *gate)
{
    enum err code = ERR_OK;

    for (size_t i = 0; i < GATE_LISTENERS_MAX && code == ERR_OK; i++)
        code = open_door(&gate->doors[i]);
    return code;
}

static void close_doors(struct gate *gate)
{
    for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
        close_door(&gate->doors[i]);
}

/* TLS. */

static void use_ticket_keys(struct gate *gate)
{
    if (gate->snapshot && gate->snapshot->tls && gate->ticket_key_count > 0)
        tls_server_set_ticket_keys(gate->snapshot->tls, &gate->ticket_keys[0],
            gate->ticket_key_count > 1 ? &gate->ticket_keys[1] : NULL);
}

void gate_set_ticket_keys(struct gate *gate, const struct msg_ticket_keys *keys)
{
    size_t count = keys->key_count < LENGTH_OF(gate->ticket_keys) ? keys->key_count
                                                                  : LENGTH_OF(gate->ticket_keys);

    for (size_t i = 0; i < count; i++) {
        if (keys->keys[i].octets.len != sizeof gate->ticket_keys[i])
            return;
        memcpy(&gate->ticket_keys[i], keys->keys[i].octets.data, sizeof gate->ticket_keys[i]);
    }
    gate->ticket_key_count = count;
    use_ticket_keys(gate);
}

static void warn_of_expiry(const struct snapshot *snapshot)
{
    enum { DAY = 86400, WARN_DAYS = 14 };
    int64_t left = snapshot->tls ? tls_server_expiry(snapshot->tls) - clock_wall() : INT64_MAX;

    if (left < (int64_t)WARN_DAYS * DAY)
        log_event(LOG_WARNING, NULL,
            left < 0 ? "a certificate has expired" : "a certificate expires",
            log_number("days", left / DAY)); /* TLS-17 */
}

/* Configuration. */

enum err gate_apply(struct gate *gate, struct slice conf)
{
    struct snapshot *fresh = NULL;
    struct snapshot *old = gate->snapshot;
    enum err code;

    if (!gate->limits.counters)
        return ERR_INVALID;
    code = snapshot_new(conf, &gate->certificates, gate->signer, &fresh);
    certificates_clear(&gate->certificates);
    if (code)
        return code;
    gate->snapshot = fresh;
    code = open_doors(gate);
    if (code) {
        gate->snapshot = old;
        snapshot_release(&fresh);
        return code;
    }
    snapshot_release(&old);
    use_ticket_keys(gate);
    warn_of_expiry(gate->snapshot);
    if (gate->state == GATE_STARTING)
        gate->state = GATE_OPEN;
    return ERR_OK;
}

/* The end. */

static void on_drained(void *owner)
{
    struct gate *gate = owner;

    if (gate->state != GATE_DRAINING || gate->sessions || gate->commit.busy > 0 ||
        gate->partials.saving > 0)
        return;
    if (gate->commit.queue)
        channel_flush(gate->commit.queue, FLUSH_MS); /* what was kept last */
    if (gate->room)
        room_drained(gate->room);
}

void gate_session_gone(struct gate *gate)
{
    deferred_ask(&gate->drained);
}

static bool may_be_dismissed(const struct session *s)
{
    return s->wait == WAIT_NOTHING || s->wait == WAIT_DELAY || s->wait == WAIT_OUTPUT ||
           s->wait == WAIT_HANDSHAKE || s->wait == WAIT_FETCH;
}

static void dismiss(struct session *s)
{
    enum wait wait = s->wait;

    if (wait != WAIT_NOTHING)
        session_woken(s, wait);
    if (wait == WAIT_HANDSHAKE)
        session_settle(s, ANSWER_VANISH);
    else
        session_dismiss(s);
}

/* Clients inside a message have until the time is over; what is on its way to the disk is answered
 * even then, if it comes soon. */
static void dismiss_all(struct gate *gate, unsigned spared)
{
    struct session *s, *next;

    HASH_ITER (hh, gate->sessions, s, next)
        if (s->phase != PHASE_CLOSING && !phase_in(s->phase, spared) && may_be_dismissed(s))
            dismiss(s);
}

static void on_drain_time(void *owner)
{
    struct gate *gate = owner;

    dismiss_all(gate, 0);
    if (gate->is_last_call && gate->room)
        room_drained(gate->room);
    gate->is_last_call = true;
    timer_set(&gate->drain, GATE_DRAIN_GRACE_MS);
}

void gate_drain(struct gate *gate)
{
    if (gate->state == GATE_DRAINING)
        return;
    gate->state = GATE_DRAINING;
    close_doors(gate);
    dismiss_all(gate, PHASES_CONTENT);
    timer_set(&gate->drain, GATE_DRAIN_MS);
    deferred_ask(&gate->drained);
}

/* Life. */

static void on_told(void *owner, const struct entry *entry, enum commit_result result)
{
    struct gate *gate = owner;

    accept_told(gate, entry, result);
    deferred_ask(&gate->drained);
}

static void on_held_known(void *owner, const struct msg_held_answer *answer)
{
    ask_held_answered(owner, answer);
}

enum err gate_init(struct gate *gate, struct loop *loop, struct disk *disk, struct room *room)
{
    enum err code;

    gate->loop = loop;
    gate->room = room;
    gate->next_session = (uint64_t)clock_wall() << ID_SECONDS;
    for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
        gate->doors[i] = (struct door){ .gate = gate, .index = (uint32_t)i, .fd = -1 };
    arena_init(&gate->scratch, SCRATCH_OCTETS);
    buffer_init(&gate->words, WORDS_OCTETS);
    certificates_init(&gate->certificates);
    ask_init(&gate->ask, gate);
    partials_init(&gate->partials, gate);
    fetchings_init(&gate->fetchings, gate);
    timer_init(&gate->drain, loop, on_drain_time, gate);
    deferred_init(&gate->drained, loop, on_drained, gate);
    code = tls_signer_new(ask_sign, &gate->ask, &gate->signer);
    if (code == ERR_OK)
        code = commit_init(&gate->commit, loop, disk, on_told, gate);
    gate->commit.held_known = on_held_known;
    gate->commit.partials = &gate->partials;
    return code;
}

void gate_clear(struct gate *gate)
{
    struct session *s, *next;

    close_doors(gate);
    HASH_ITER (hh, gate->sessions, s, next)
        session_free(&s);
    partials_clear(&gate->partials);
    commit_clear(&gate->commit);
    ask_clear(&gate->ask);
    fetchings_clear(&gate->fetchings);
    snapshot_release(&gate->snapshot);
    tls_signer_free(&gate->signer);
    certificates_clear(&gate->certificates);
    limits_clear(&gate->limits);
    blunders_clear(&gate->blunders);
    arena_clear(&gate->scratch);
    buffer_clear(&gate->words);
    timer_stop(&gate->drain);
    deferred_cancel(&gate->drained);
}

/* The room's side. */

static enum err init(struct room *room)
{
    struct gate *gate = calloc(1, sizeof *gate);
    enum err code;

    if (!gate)
        return ERR_NOMEM;
    room->state = gate;
    code = tls_warm();
    return code ? code : gate_init(gate, room->loop, disk_posix(), room);
}

static void give(struct room *room, const struct msg_give *gift, int fd)
{
    struct gate *gate = room->state;
    enum err code = ERR_INVALID;

    if (gift->gift == GIFT_LISTENER && gift->index < GATE_LISTENERS_MAX) {
        if (gate->doors[gift->index].fd >= 0)
            close(gate->doors[gift->index].fd);
        gate->doors[gift->index].fd = fd;
        return;
    }
    if (gift->gift == GIFT_COUNTERS)
        code = limits_open(&gate->limits, fd, room->index);
    if (gift->gift == GIFT_MISTAKES)
        code = blunders_open(&gate->blunders, fd, room->index);
    if (code)
        log_event(
            LOG_ERROR, NULL, "a gift of no use", log_number("gift", gift->gift), log_reason(code));
    close(fd);
}

static void certificate(struct room *room, const struct msg_certificate *message)
{
    struct gate *gate = room->state;
    enum err code = certificates_add(&gate->certificates, message->index, message->chain);

    if (code)
        log_event(LOG_ERROR, NULL, "certificate not taken", log_number("index", message->index),
            log_reason(code));
}

static void peer(struct room *room, const struct msg_peer *message, int fd)
{
    struct gate *gate = room->state;

    switch (message->role) {
    case ROLE_VAULT:
        ask_attach_vault(&gate->ask, fd);
        break;
    case ROLE_RELAY:
        ask_attach_relay(&gate->ask, message->index, fd);
        break;
    case ROLE_FETCH:
        fetchings_attach(&gate->fetchings, fd);
        break;
    case ROLE_QUEUE:
        commit_attach(&gate->commit, fd);
        ask_held_again(gate);
        break;
    default:
        close(fd);
    }
}

static enum err apply(struct room *room, struct slice conf)
{
    return gate_apply(room->state, conf);
}

static void drain(struct room *room)
{
    gate_drain(room->state);
}

static void orphaned(struct room *room)
{
    struct gate *gate = room->state;

    gate->state = GATE_ORPHANED;
    close_doors(gate);
}

const struct room_type gate_room = {
    .role = ROLE_GATE,
    .early_walls = WALLS_ALL,
    .init = init,
    .give = give,
    .certificate = certificate,
    .peer = peer,
    .apply = apply,
    .drain = drain,
    .orphaned = orphaned,
};
