/* relay/delivery.c: the walk over the hops. */
#include "relay/delivery.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "relay/carrier.h"

struct delivery {
    struct delivery *prev, *next; /* of the carrier */
    struct carrier *carrier;
    struct settings *settings;
    struct job *job;
    struct target_query *target;
    struct connection *connection;
    bool is_reused; /* the connection came from the pool: if it is lost at once, a fresh one is due
                     */
    struct hop hops[TARGET_ADDRESSES_MAX];
    size_t hop_count;
    size_t hop; /* the one being tried */
    bool clear_only;
    bool is_partial; /* some hop was not even tried, so that another day may be better */
    bool has_failure;
    struct verdict failure; /* to tell when no hop is left: the last temporary one, else the last */
};

static void start_target(struct delivery *d);
static void next_hop(struct delivery *d);
static void try_hop(struct delivery *d);

static const struct conf_route *route_of(const struct delivery *d)
{
    return &d->settings->conf->routes[d->job->message.route];
}

static void delivery_free(struct delivery *d)
{
    target_cancel(&d->target);
    connection_free(&d->connection);
    DL_DELETE(d->carrier->deliveries, d);
    settings_drop(&d->settings);
    free(d);
}

/* Every recipient is decided. A healthy connection goes back to the pool. */
static void finish(struct delivery *d)
{
    struct carrier *carrier = d->carrier;
    struct connection *connection = d->connection;
    struct job *job = d->job;

    d->connection = NULL;
    if (connection)
        pool_give(carrier->pool, connection);
    delivery_free(d);
    carrier_job_finished(carrier, job);
}

/* No hop is left. What every one of them refuses is refused; otherwise the mail waits (D-15). */
static void give_up(struct delivery *d)
{
    struct verdict unreachable = verdict_of(DELIVERY_DEFERRED, CAUSE_CONNECT, "4.4.1",
        "no mail host of the destination could be reached lately");
    bool is_refused = d->has_failure && d->failure.result == DELIVERY_FAILED;
    bool is_known = d->has_failure && !(is_refused && d->is_partial);

    for (size_t i = 0; i < d->job->recipient_count; i++) {
        struct job_recipient *r = &d->job->recipients[i];
        struct verdict own = r->verdict;

        if (is_known && is_refused && r->is_unfit)
            job_decide(r, &own);
        else
            job_decide(r, is_known ? &d->failure : &unreachable);
    }
    finish(d);
}

/* A temporary reason outweighs a permanent one: as long as one hop may work later, the mail waits.
 */
static void remember(struct delivery *d, const struct verdict *why)
{
    if (d->has_failure && d->failure.result == DELIVERY_DEFERRED && why->result == DELIVERY_FAILED)
        return;
    d->has_failure = true;
    d->failure = *why;
}

/* What the outcome and the log will say of the other side, once there was one. */
static void note_peer(struct delivery *d)
{
    const struct connection *c = d->connection;
    const struct tls_info *tls = c->stream ? stream_tls_info(c->stream) : NULL;
    struct job *job = d->job;

    if (!c->was_reached)
        return;
    snprintf(job->remote_host, sizeof job->remote_host, "%s", c->hop.host);
    snprintf(job->remote_address, sizeof job->remote_address, "%s", c->address);
    snprintf(job->tls_version, sizeof job->tls_version, "%s", tls ? tls->version : "");
    snprintf(job->tls_cipher, sizeof job->tls_cipher, "%s", tls ? tls->cipher : "");
}

static const struct verdict *first_unfit(const struct job *job)
{
    size_t i = 0;

    while (job->recipients[i].decided)
        i++;
    return &job->recipients[i].verdict;
}

/* The rest goes over another connection. */
static void leave_connection(struct delivery *d)
{
    struct connection *left = d->connection;

    d->connection = NULL;
    pool_give(d->carrier->pool, left);
}

static void start_transaction(struct delivery *d)
{
    note_peer(d);
    if (transaction_start(d->connection, d->job))
        return;
    if (job_is_decided(d->job)) {
        finish(d);
        return;
    }
    /* Those left cannot go to this hop; perhaps to another of the destination's. */
    remember(d, first_unfit(d->job));
    leave_connection(d);
    if (d->is_reused)
        start_target(d);
    else
        next_hop(d);
}

static void on_opened(void *owner)
{
    struct delivery *d = owner;

    dead_hosts_remove(d->carrier->dead, d->connection->address);
    start_transaction(d);
}

/* Open recipients are left where the hop takes fewer at a time, or was lost before it said a word.
 */
static void on_done(void *owner)
{
    struct delivery *d = owner;

    if (job_is_decided(d->job)) {
        finish(d);
    } else if (!connection_is_spent(d->connection)) {
        start_transaction(d);
    } else {
        leave_connection(d);
        start_target(d);
    }
}

static void next_hop(struct delivery *d)
{
    d->hop++;
    d->clear_only = false;
    try_hop(d);
}

static void on_failed(void *owner, enum connection_end end, const struct verdict *why_borrowed)
{
    struct delivery *d = owner;
    struct verdict why = *why_borrowed;
    bool decided = job_is_decided(d->job);

    if (!decided)
        note_peer(d);
    if (end == CONNECTION_END_HOP && why.cause == CAUSE_CONNECT && !d->connection->has_greeted)
        dead_hosts_add(
            d->carrier->dead, d->connection->address, &d->settings->conf->queue, clock_mono_ms());
    connection_quit(d->connection);
    d->connection = NULL;
    if (decided) {
        finish(d);
    } else if (end == CONNECTION_END_TLS && !d->clear_only) {
        log_event(LOG_WARNING, NULL, "TLS failed, the host is tried in clear",
            log_text("id", d->job->id), log_text("host", d->hops[d->hop].host),
            log_text("reason", why.text));
        d->clear_only = true;
        try_hop(d);
    } else if (end == CONNECTION_END_LOST && d->is_reused) {
        start_target(d); /* an idle connection had gone stale; nothing was said in it */
    } else {
        remember(d, &why);
        next_hop(d);
    }
}

/* Only a pooled connection is idle for long. */
static void on_expired(void *owner)
{
    (void)owner;
}

static const struct connection_events events = { on_opened, on_done, on_expired, on_failed };

static bool is_dead(const struct delivery *d, const struct hop *hop)
{
    char address[PEER_TEXT];

    if (hop->address.family == PEER_UNIX)
        return false;
    peer_text_with_port(&hop->address, address);
    return dead_hosts_has(d->carrier->dead, address, clock_mono_ms());
}

static void try_hop(struct delivery *d)
{
    struct verdict full = verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory");

    for (; d->hop < d->hop_count; d->hop++) {
        const struct hop *hop = &d->hops[d->hop];

        if (is_dead(d, hop)) {
            d->is_partial = true;
            continue;
        }
        d->connection = connection_open(d->carrier, d->settings, d->job->message.route,
            d->job->message.destination, hop, d->clear_only, &events, d);
        if (d->connection)
            return;
        remember(d, &full);
    }
    give_up(d);
}

static void on_target(void *owner, const struct hop *hops, size_t count, bool is_partial,
    const struct verdict *failure)
{
    struct delivery *d = owner;

    d->target = NULL;
    if (failure) {
        remember(d, failure);
        give_up(d);
        return;
    }
    memcpy(d->hops, hops, count * sizeof *hops);
    d->hop_count = count;
    d->hop = 0;
    d->is_partial = is_partial;
    try_hop(d);
}

static void start_target(struct delivery *d)
{
    struct verdict full = verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory");

    d->is_reused = false;
    d->clear_only = false;
    d->target = target_find(d->carrier->loop, d->carrier->resolver, d->settings->conf, route_of(d),
        d->job->message.destination, on_target, d);
    if (!d->target) {
        remember(d, &full);
        give_up(d);
    }
}

void deliveries_clear(struct carrier *carrier)
{
    while (carrier->deliveries)
        delivery_free(carrier->deliveries);
}

bool delivery_start(struct carrier *carrier, struct job *job)
{
    struct delivery *d = calloc(1, sizeof *d);

    if (!d)
        return false;
    d->carrier = carrier;
    d->settings = settings_hold(carrier->settings);
    d->job = job;
    DL_APPEND(carrier->deliveries, d);
    d->connection = pool_take(carrier->pool, job->message.route, job->message.destination);
    if (!d->connection) {
        start_target(d);
        return true;
    }
    connection_set_owner(d->connection, &events, d);
    d->is_reused = true;
    start_transaction(d);
    return true;
}
