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
    bool has_failure;
    struct verdict
        failure; /* what to tell when no hop is left: the last temporary one, else the last */
};

static void start_target(struct delivery *d);
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

/* No hop is left. */
static void give_up(struct delivery *d)
{
    struct verdict unreachable = verdict_of(DELIVERY_DEFERRED, CAUSE_CONNECT, "4.4.1",
        "no mail host of the destination could be reached lately");

    connection_free(&d->connection);
    job_decide_rest(d->job, d->has_failure ? &d->failure : &unreachable);
    finish(d);
}

/* A temporary reason outweighs a permanent one: as long as one hop may work later, the mail waits
 * (D-15's spirit). */
static void remember(struct delivery *d, const struct verdict *why)
{
    if (d->has_failure && d->failure.result == DELIVERY_DEFERRED && why->result == DELIVERY_FAILED)
        return;
    d->has_failure = true;
    d->failure = *why;
}

/* What the outcome and the log will say of the other side. */
static void note_peer(struct delivery *d)
{
    const struct connection *c = d->connection;
    const struct tls_info *tls = c->stream ? stream_tls_info(c->stream) : NULL;
    struct job *job = d->job;

    snprintf(job->remote_host, sizeof job->remote_host, "%s", c->hop.host);
    snprintf(job->remote_address, sizeof job->remote_address, "%s", c->address);
    snprintf(job->tls_version, sizeof job->tls_version, "%s", tls ? tls->version : "");
    snprintf(job->tls_cipher, sizeof job->tls_cipher, "%s", tls ? tls->cipher : "");
}

static void start_transaction(struct delivery *d)
{
    note_peer(d);
    if (transaction_start(d->connection, d->job))
        return;
    finish(d);
}

static void on_opened(void *owner)
{
    struct delivery *d = owner;

    dead_hosts_remove(d->carrier->dead, d->connection->address);
    start_transaction(d);
}

/* This one takes no more; the rest goes over another. */
static void change_connection(struct delivery *d)
{
    struct connection *spent = d->connection;

    d->connection = NULL;
    pool_give(d->carrier->pool, spent);
    start_target(d);
}

/* Open recipients are left where the hop takes fewer at a time, or was lost before it said a word.
 */
static void on_done(void *owner)
{
    struct delivery *d = owner;

    if (job_is_decided(d->job))
        finish(d);
    else if (!connection_is_spent(d->connection))
        start_transaction(d);
    else
        change_connection(d);
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

    note_peer(d);
    if (end == CONNECTION_END_HOP && why.cause == CAUSE_CONNECT)
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

static void try_hop(struct delivery *d)
{
    char address[PEER_TEXT];

    for (; d->hop < d->hop_count; d->hop++) {
        const struct hop *hop = &d->hops[d->hop];

        peer_text_with_port(&hop->address, address);
        if (hop->address.family != PEER_UNIX &&
            dead_hosts_has(d->carrier->dead, address, clock_mono_ms()))
            continue;
        d->connection = connection_open(d->carrier, d->settings, d->job->message.route,
            d->job->message.destination, hop, d->clear_only, &events, d);
        if (d->connection)
            return;
        d->failure = verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory");
        d->has_failure = true;
    }
    give_up(d);
}

static void on_target(
    void *owner, const struct hop *hops, size_t count, const struct verdict *failure)
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
