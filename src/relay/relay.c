/* relay/relay.c: the room: its channels, the jobs in hand. */
#include "relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "relay/carrier.h"
#include "relay/login.h"
#include "relay/own_name.h"

enum { OUTCOME_ARENA_MAX = 4 << 20, GATES_MAX = 256 };

#define CLOCK_BACK_US (INT64_C(3600) * 1000000)

/* Jobs and outcomes. */

static void on_closed(void *owner, struct channel *channel);

/* Something cannot be told, and the queue would wait for it for ever. On a new channel it is told
 * what is in hand, and every outcome; what is named there no more it gives out anew. */
static void part_from_queue(struct carrier *carrier, const char *untold)
{
    log_event(LOG_ERROR, NULL, "the queue could not be told", log_text("what", untold));
    on_closed(carrier, carrier->queue);
}

static void send_outcome(struct carrier *carrier, const struct job *job)
{
    struct msg_outcome outcome;
    struct arena arena;
    bool is_told;

    if (!carrier->queue)
        return; /* told when the queue is back */
    arena_init(&arena, OUTCOME_ARENA_MAX);
    is_told = job_outcome(job, &arena, &outcome) &&
              channel_send(carrier->queue, MSG_OUTCOME, &outcome, -1) == ERR_OK;
    arena_clear(&arena);
    if (!is_told)
        part_from_queue(carrier, "an outcome");
}

static void log_outcome(const struct job *job)
{
    static const char *const results[] = { "delivered", "deferred", "failed", "returned" };
    char to[1024];

    for (size_t i = 0; i < job->recipient_count; i++) {
        const struct job_recipient *r = &job->recipients[i];

        snprintf(to, sizeof to, "%.*s", SLICE_ARGS(r->address));
        log_event(LOG_INFO, NULL, results[r->verdict.result], log_text("id", job->id),
            log_text("to", to), log_text("host", job->remote_host),
            log_text("address", job->remote_address), log_text("tls", job->tls_version),
            log_number("code", r->verdict.code), log_text("status", r->verdict.status),
            log_text("reply", r->verdict.text),
            log_number("ms", (job->finished_us - job->started_us) / 1000));
    }
}

static void drain_if_done(struct carrier *carrier)
{
    if (!carrier->is_draining)
        return;
    /* The queue ends after the last outcome that it waited for: what is under way still has nobody
     * left to be told to, and will be sent again. */
    if (!carrier->queue && carrier->deliveries) {
        room_drained(carrier->room);
        return;
    }
    if (carrier->queue && carrier->jobs)
        return;
    pool_close(carrier->pool);
    if (!carrier->connections)
        room_drained(carrier->room);
}

void carrier_connection_gone(struct carrier *carrier)
{
    drain_if_done(carrier);
}

void carrier_job_finished(struct carrier *carrier, struct job *job)
{
    job->finished = true;
    job->finished_us = clock_wall_us();
    log_outcome(job);
    send_outcome(carrier, job);
    drain_if_done(carrier);
}

static void refuse_job(struct carrier *carrier, struct job *job, const char *why)
{
    struct verdict v = verdict_of(DELIVERY_RETURNED, CAUSE_LOCAL, "4.3.2", "%s", why);

    job_decide_rest(job, &v);
    carrier_job_finished(carrier, job);
}

static struct job *job_find(const struct carrier *carrier, uint64_t number)
{
    struct job *job;

    HASH_FIND(hh, carrier->jobs, &number, sizeof number, job);
    return job;
}

/* The resolver library keeps answers by the wall clock: after a step back they would live for
 * years. They cannot be thrown away, nor can the library be opened again behind the walls, so the
 * room ends in order and the supervisor starts another one. */
static void mind_clock(struct carrier *carrier)
{
    int64_t offset = clock_offset_us();

    if (carrier->is_draining || offset > carrier->clock_offset_us - CLOCK_BACK_US)
        return;
    log_event(LOG_NOTICE, NULL, "the clock was set back: names are asked anew by another relay",
        log_number("seconds", (offset - carrier->clock_offset_us) / 1000000));
    carrier->is_draining = true;
    carrier->room->end = ROOM_END_CLOCK;
}

static void begin_job(struct carrier *carrier, struct job *job)
{
    const struct settings *settings = carrier->settings;
    const struct msg_job *m = &job->message;

    if (!settings || m->snapshot != settings->number || m->route >= settings->conf->route_count)
        refuse_job(carrier, job, "the configuration changed meanwhile");
    else if (carrier->is_draining)
        refuse_job(carrier, job, "the server is stopping");
    else if (!delivery_start(carrier, job))
        refuse_job(carrier, job, "out of memory");
}

/* There is no memory to keep the job: none of it was done, and the outcome is told but once. */
static void return_job(struct carrier *carrier, const struct msg_job *m)
{
    struct msg_outcome outcome = { .job = m->job, .id_high = m->id_high, .id_low = m->id_low };
    struct arena arena;
    bool is_told = false;

    log_event(LOG_ERROR, NULL, "a job is given back", log_reason(ERR_NOMEM));
    arena_init(&arena, OUTCOME_ARENA_MAX);
    outcome.started_us = outcome.finished_us = clock_wall_us();
    outcome.results = arena_array(&arena, m->recipient_count, sizeof *outcome.results);
    if (outcome.results) {
        for (; outcome.result_count < m->recipient_count; outcome.result_count++)
            outcome.results[outcome.result_count] = (struct msg_result){
                .index = m->recipients[outcome.result_count].index,
                .result = DELIVERY_RETURNED,
                .cause = CAUSE_LOCAL,
                .status = slice_text("4.3.2"),
                .text = slice_text("out of memory"),
            };
        is_told = channel_send(carrier->queue, MSG_OUTCOME, &outcome, -1) == ERR_OK;
    }
    arena_clear(&arena);
    if (!is_told)
        part_from_queue(carrier, "an outcome");
}

static void on_job(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;
    const struct msg_job *m = message;
    struct job *job;

    if (job_find(carrier, m->job) || (fd < 0 && m->body.len != m->body_size)) {
        log_event(LOG_ERROR, NULL, "a job that makes no sense");
        if (fd >= 0)
            close(fd);
        on_closed(carrier, channel);
        return;
    }
    job = job_new(m, fd);
    if (!job) {
        return_job(carrier, m);
        return;
    }
    HASH_ADD(hh, carrier->jobs, message.job, sizeof job->message.job, job);
    mind_clock(carrier);
    begin_job(carrier, job);
}

static void on_outcome_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;
    const struct msg_job_ref *ref = message;
    struct job *job = job_find(carrier, ref->job);

    (void)channel, (void)fd;
    if (!job || !job->finished)
        return;
    HASH_DEL(carrier->jobs, job);
    job_free(&job);
    drain_if_done(carrier);
}

/* The first word on a new channel: what is still in hand; then every outcome the queue may not have
 * written down. */
static void tell_all(struct carrier *carrier)
{
    struct msg_in_hand in_hand = { 0 };
    struct job *job, *next;
    bool is_told;

    in_hand.jobs = calloc(HASH_COUNT(carrier->jobs) + 1, sizeof *in_hand.jobs);
    if (in_hand.jobs)
        HASH_ITER (hh, carrier->jobs, job, next)
            in_hand.jobs[in_hand.job_count++] =
                (struct msg_job_ref){ job->message.job, job->message.id_high, job->message.id_low };
    is_told = in_hand.jobs && channel_send(carrier->queue, MSG_IN_HAND, &in_hand, -1) == ERR_OK;
    free(in_hand.jobs);
    if (!is_told) {
        part_from_queue(carrier, "what is in hand");
        return;
    }
    HASH_ITER (hh, carrier->jobs, job, next)
        if (job->finished)
            send_outcome(carrier, job);
}

/* Channels. */

static void on_domain_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)fd;
    mind_clock(owner);
    domain_ask(owner, channel, message);
    drain_if_done(owner);
}

static void on_login_say(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    login_say(owner, message);
}

static void on_forgive(void *owner, struct channel *channel, const void *message, int fd)
{
    struct carrier *carrier = owner;

    (void)channel, (void)message, (void)fd;
    dead_hosts_forgive(carrier->dead);
}

static const struct channel_handler queue_handlers[] = { { MSG_JOB, on_job },
    { MSG_OUTCOME_DONE, on_outcome_done }, { MSG_FORGIVE, on_forgive } };
static const struct channel_handler vault_handlers[] = { { MSG_LOGIN_SAY, on_login_say } };
static const struct channel_handler gate_handlers[] = { { MSG_DOMAIN_ASK, on_domain_ask } };

static struct channel **channel_place(struct carrier *carrier, enum role role, uint32_t index)
{
    switch (role) {
    case ROLE_QUEUE:
        return &carrier->queue;
    case ROLE_VAULT:
        return &carrier->vault;
    case ROLE_GATE:
        return index < GATES_MAX ? &carrier->gates[index] : NULL;
    default:
        return NULL;
    }
}

static void on_closed(void *owner, struct channel *channel)
{
    struct carrier *carrier = owner;
    struct channel **place =
        channel_place(carrier, channel_peer(channel), channel_peer_index(channel));

    domain_forget(carrier, channel);
    if (place && *place == channel)
        *place = NULL;
    if (channel_peer(channel) == ROLE_VAULT)
        logins_break(carrier);
    channel_free(&channel);
    drain_if_done(carrier);
}

static const struct {
    enum role role;
    const struct channel_handler *handlers;
    size_t count;
} peers[] = {
    { ROLE_QUEUE, queue_handlers, LENGTH_OF(queue_handlers) },
    { ROLE_VAULT, vault_handlers, LENGTH_OF(vault_handlers) },
    { ROLE_GATE, gate_handlers, LENGTH_OF(gate_handlers) },
};

static void relay_peer(struct room *room, const struct msg_peer *peer, int fd)
{
    struct carrier *carrier = room->state;
    struct channel **place = channel_place(carrier, peer->role, peer->index);
    struct channel_spec spec = { .self = ROLE_RELAY,
        .peer = peer->role,
        .peer_index = peer->index,
        .closed = on_closed,
        .owner = carrier };

    for (size_t i = 0; i < LENGTH_OF(peers); i++)
        if (peers[i].role == peer->role) {
            spec.handlers = peers[i].handlers;
            spec.handler_count = peers[i].count;
        }
    if (!place || !spec.handlers) {
        close(fd);
        return;
    }
    if (*place)
        domain_forget(carrier, *place);
    channel_free(place);
    *place = channel_new(room->loop, fd, &spec);
    if (*place && peer->role == ROLE_QUEUE)
        tell_all(carrier);
    if (*place && peer->role == ROLE_VAULT) {
        logins_break(carrier); /* with the one before */
        logins_begin(carrier);
    }
}

/* Life. */

static enum err relay_init(struct room *room)
{
    struct carrier *carrier = calloc(1, sizeof *carrier);

    if (!carrier || tls_warm() != ERR_OK)
        return ERR_NOMEM;
    carrier->room = room;
    carrier->loop = room->loop;
    carrier->hands = hands_new(room->loop, "bodies", 1);
    carrier->dead = dead_hosts_new();
    carrier->pool = pool_new();
    carrier->gates = calloc(GATES_MAX, sizeof(struct channel *));
    carrier->clock_offset_us = clock_offset_us();
    room->state = carrier;
    return carrier->hands && carrier->dead && carrier->pool && carrier->gates ? ERR_OK : ERR_NOMEM;
}

static void relay_give(struct room *room, const struct msg_give *gift, int fd)
{
    struct carrier *carrier = room->state;

    if (gift->gift != GIFT_ROOTS) {
        close(fd);
        return;
    }
    if (roots_take(&carrier->roots, gift->index, fd) != ERR_OK)
        log_event(LOG_ERROR, NULL, "trusted roots were not taken", log_reason(ERR_NOMEM));
}

static enum err make_resolver(struct carrier *carrier, const struct conf_dns *dns)
{
    const char *forwards[16];
    struct arena arena;
    struct resolver_settings wanted = { .forwards = forwards };
    char why[RESOLVE_WHY];
    enum err rc;

    arena_init(&arena, 1 << 20);
    wanted.trust_anchor = arena_text(&arena, dns->trust_anchor);
    wanted.root_hints = arena_text(&arena, dns->root_hints);
    for (; wanted.forward_count < dns->forward_count && wanted.forward_count < LENGTH_OF(forwards);
         wanted.forward_count++)
        forwards[wanted.forward_count] =
            arena_text(&arena, dns->forward[wanted.forward_count].text);
    rc = resolver_new(carrier->loop, &wanted, &carrier->resolver, why);
    if (rc != ERR_OK)
        log_event(LOG_ERROR, NULL, "DNS cannot be used", log_text("why", why));
    arena_clear(&arena);
    return rc;
}

static enum err relay_apply(struct room *room, struct slice conf)
{
    struct carrier *carrier = room->state;
    struct settings *fresh;
    enum err rc = settings_new(conf, &carrier->roots, &fresh);

    roots_clear(&carrier->roots);
    if (rc == ERR_OK && !carrier->resolver) {
        rc = make_resolver(carrier, &fresh->conf->dns);
        if (rc != ERR_OK)
            settings_drop(&fresh);
    }
    if (rc != ERR_OK)
        return rc;
    pool_close(carrier->pool);
    settings_drop(&carrier->settings);
    carrier->settings = fresh;
    own_name_check(carrier);
    return ERR_OK;
}

static void relay_drain(struct room *room)
{
    struct carrier *carrier = room->state;

    carrier->is_draining = true;
    drain_if_done(carrier);
}

void carrier_free(struct carrier **at)
{
    struct carrier *carrier = *at;
    struct job *job, *next;

    *at = NULL;
    carrier->is_draining = false;
    deliveries_clear(carrier);
    pool_free(&carrier->pool);
    while (carrier->connections) {
        struct connection *c = carrier->connections;
        connection_free(&c);
    }
    for (size_t i = 0; i < GATES_MAX; i++) {
        domain_forget(carrier, carrier->gates[i]);
        channel_free(&carrier->gates[i]);
    }
    channel_free(&carrier->queue);
    channel_free(&carrier->vault);
    hands_free(&carrier->hands);
    own_name_forget(carrier);
    HASH_ITER (hh, carrier->jobs, job, next) {
        HASH_DEL(carrier->jobs, job);
        job_free(&job);
    }
    resolver_free(&carrier->resolver);
    settings_drop(&carrier->settings);
    roots_clear(&carrier->roots);
    dead_hosts_free(&carrier->dead);
    free(carrier->gates);
    free(carrier);
}

const struct room_type relay_room = {
    .role = ROLE_RELAY,
    .init = relay_init,
    .give = relay_give,
    .peer = relay_peer,
    .apply = relay_apply,
    .drain = relay_drain,
};
