/* relay/target.c: MX, then the addresses of each host, IPv6 first (OUT-1 to OUT-6). */
#include "relay/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "net/loop.h"
#include "smtp/address.h"

enum { DNS_TIMEOUT_MS = 30000, FAMILIES = 2 };

struct host {
    char name[DNS_NAME_TEXT + 1];
    struct peer addresses[FAMILIES][TARGET_ADDRESSES_MAX]; /* IPv6, then IPv4 */
    size_t counts[FAMILIES];
};

/* The owner of one address query. */
struct lookup {
    struct target_query *target;
    struct resolve_query *query;
    size_t host;
    size_t family;
};

struct target_query {
    struct loop *loop;
    struct resolver *resolver;
    target_fn *fn;
    void *owner;
    uint16_t port;
    bool is_configured;               /* the host stands in the configuration */
    bool implicit;                    /* the domain itself stands in for missing MX records */
    char hostname[DNS_NAME_TEXT + 1]; /* ours */
    char domain[DNS_NAME_TEXT + 1];
    struct resolve_query *mx;
    struct host hosts[MX_HOSTS_MAX];
    size_t host_count;
    struct lookup lookups[MX_HOSTS_MAX * FAMILIES];
    size_t waiting;
    bool temporary; /* an address query failed for now */
    struct timer limit;
    struct deferred report;
    struct hop hops[TARGET_ADDRESSES_MAX];
    size_t hop_count;
    bool failed;
    struct verdict failure;
};

static uint32_t any_number(void)
{
    uint32_t number;

    /* Without chance the order of equals is that of the answer, which servers vary themselves. */
    return getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number ? number : 0;
}

static void copy_name(char out_text[DNS_NAME_TEXT + 1], struct slice name)
{
    snprintf(out_text, DNS_NAME_TEXT + 1, "%.*s", SLICE_ARGS(slice_first(name, DNS_NAME_TEXT)));
}

static void stop_queries(struct target_query *t)
{
    resolve_cancel(&t->mx);
    for (size_t i = 0; i < LENGTH_OF(t->lookups); i++)
        resolve_cancel(&t->lookups[i].query);
    t->waiting = 0;
    timer_stop(&t->limit);
}

void target_cancel(struct target_query **query)
{
    struct target_query *t = *query;

    *query = NULL;
    if (!t)
        return;
    stop_queries(t);
    deferred_cancel(&t->report);
    free(t);
}

static void report(void *owner)
{
    struct target_query *t = owner;

    t->fn(t->owner, t->hops, t->hop_count, t->temporary, t->failed ? &t->failure : NULL);
    target_cancel(&t);
}

/* Where the host is the operator's word, not the recipient's domain, nothing that DNS says of it is
 * the mail's fault. */
static void fail(struct target_query *t, struct verdict why)
{
    if (t->is_configured && why.result == DELIVERY_FAILED) {
        why.result = DELIVERY_DEFERRED;
        why.cause = CAUSE_LOCAL;
        snprintf(why.status, sizeof why.status, "4.3.5");
    }
    stop_queries(t);
    t->failed = true;
    t->failure = why;
    deferred_ask(&t->report);
}

static void add_hop(struct target_query *t, const char *host, const struct peer *address)
{
    struct hop *hop = &t->hops[t->hop_count];

    if (t->hop_count == TARGET_ADDRESSES_MAX)
        return;
    snprintf(hop->host, sizeof hop->host, "%s", host);
    hop->address = *address;
    hop->address.port = t->port;
    t->hop_count++;
}

/* A host's share of the room that is left, IPv6 first; where it has both, each family gets its
 * part, or a host with many dead addresses of one would keep the other, and its neighbours, from
 * being tried (OUT-4, OUT-6). */
static void add_hops_of(struct target_query *t, const struct host *host, size_t share)
{
    size_t ipv4 = host->counts[1] < share / 2 ? host->counts[1] : share / 2;
    size_t ipv6 = host->counts[0] < share - ipv4 ? host->counts[0] : share - ipv4;

    for (size_t i = 0; i < ipv6; i++)
        add_hop(t, host->name, &host->addresses[0][i]);
    for (size_t i = 0; i < host->counts[1] && i < share - ipv6; i++)
        add_hop(t, host->name, &host->addresses[1][i]);
}

static void add_hops(struct target_query *t)
{
    for (size_t i = 0; i < t->host_count; i++)
        add_hops_of(t, &t->hosts[i], (TARGET_ADDRESSES_MAX - t->hop_count) / (t->host_count - i));
}

static void all_addresses_known(struct target_query *t)
{
    add_hops(t);
    if (t->hop_count > 0) {
        stop_queries(t);
        deferred_ask(&t->report);
    } else if (t->temporary) {
        fail(t, verdict_of(DELIVERY_DEFERRED, CAUSE_DNS, "4.4.3",
                    "DNS gives no address for the mail hosts of %s now", t->domain));
    } else {
        fail(t, verdict_of(DELIVERY_FAILED, CAUSE_DNS, "5.4.4",
                    t->implicit ? "%s has neither MX nor address records"
                                : "no mail host of %s has an address",
                    t->domain));
    }
}

static void on_address(void *owner, const struct resolve_result *result)
{
    struct lookup *lookup = owner;
    struct target_query *t = lookup->target;
    struct host *host = &t->hosts[lookup->host];

    lookup->query = NULL;
    t->temporary =
        t->temporary || result->status == RESOLVE_TEMPORARY || result->status == RESOLVE_BOGUS;
    for (size_t i = 0; result->status == RESOLVE_FOUND && i < result->answer.record_count; i++) {
        size_t *count = &host->counts[lookup->family];
        struct peer *address = &host->addresses[lookup->family][*count];

        if (*count == TARGET_ADDRESSES_MAX)
            break;
        *address = (struct peer){ .family = lookup->family == 0 ? PEER_IPV6 : PEER_IPV4 };
        memcpy(address->octets, result->answer.records[i].data.data,
            result->answer.records[i].data.len);
        ++*count;
    }
    if (--t->waiting == 0)
        all_addresses_known(t);
}

static void find_addresses(struct target_query *t)
{
    static const enum dns_type types[FAMILIES] = { DNS_AAAA, DNS_A };
    size_t count = t->host_count * FAMILIES;

    t->waiting = count;
    for (size_t i = 0; i < count; i++) {
        struct lookup *lookup = &t->lookups[i];

        *lookup = (struct lookup){ .target = t, .host = i / FAMILIES, .family = i % FAMILIES };
        if (resolve_start(t->resolver, slice_text(t->hosts[lookup->host].name),
                types[lookup->family], on_address, lookup, &lookup->query) != ERR_OK) {
            fail(t, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory"));
            return;
        }
    }
}

static void add_host(struct target_query *t, struct slice name)
{
    copy_name(t->hosts[t->host_count++].name, name);
}

static void on_mx_found(struct target_query *t, const struct dns_answer *answer)
{
    struct mx_host hosts[MX_HOSTS_MAX];
    size_t count;

    switch (mx_order(answer->records, answer->record_count, slice_text(t->hostname), any_number,
        hosts, &count)) {
    case MX_NULL:
        fail(t, verdict_of(DELIVERY_FAILED, CAUSE_DNS, "5.1.10",
                    "%s does not accept mail (null MX)", t->domain));
        return;
    case MX_SELF:
        fail(t, verdict_of(DELIVERY_FAILED, CAUSE_DNS, "5.4.6",
                    "mail for %s loops back to this server", t->domain));
        return;
    case MX_NONE:
        fail(t, verdict_of(DELIVERY_FAILED, CAUSE_DNS, "5.4.4", "no MX record of %s can be used",
                    t->domain));
        return;
    case MX_HOSTS:
        break;
    }
    for (size_t i = 0; i < count; i++)
        add_host(t, hosts[i].name);
    find_addresses(t);
}

static void on_mx(void *owner, const struct resolve_result *result)
{
    struct target_query *t = owner;

    t->mx = NULL;
    switch (result->status) {
    case RESOLVE_FOUND:
        on_mx_found(t, &result->answer);
        break;
    case RESOLVE_NODATA:
        t->implicit = true;
        add_host(t, slice_text(t->domain));
        find_addresses(t);
        break;
    case RESOLVE_NXDOMAIN:
        fail(t, verdict_of(DELIVERY_FAILED, CAUSE_DNS, "5.1.2", "the domain %s does not exist",
                    t->domain));
        break;
    case RESOLVE_TEMPORARY:
        fail(t, verdict_of(DELIVERY_DEFERRED, CAUSE_DNS, "4.4.3",
                    "DNS gives no answer about %s now", t->domain));
        break;
    case RESOLVE_BOGUS:
        fail(t, verdict_of(DELIVERY_DEFERRED, CAUSE_DNS, "4.7.5",
                    "the DNS answer about %s fails DNSSEC validation", t->domain));
        break;
    }
}

/* The addresses that are known by now will do; without any it is a failure for now. */
static void on_limit(void *owner)
{
    struct target_query *t = owner;

    t->temporary = true;
    stop_queries(t);
    all_addresses_known(t);
}

/* A hop that needs no DNS: a numeric address, which is its name too. */
static bool take_numeric(struct target_query *t, struct slice text)
{
    struct peer address;
    char name[PEER_TEXT];

    if (!peer_parse(text, t->port, &address))
        return false;
    peer_text(&address, name);
    add_hop(t, name, &address);
    deferred_ask(&t->report);
    return true;
}

static void start_mx(struct target_query *t, struct slice domain)
{
    struct slice literal;

    copy_name(t->domain, domain);
    if (literal_parse(domain, &literal)) {
        if (!take_numeric(t, literal))
            fail(t, verdict_of(
                        DELIVERY_FAILED, CAUSE_LOCAL, "5.1.2", "%s is not an address", t->domain));
        return;
    }
    if (resolve_start(t->resolver, domain, DNS_MX, on_mx, t, &t->mx) != ERR_OK)
        fail(t, verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "out of memory"));
}

static void start_host(struct target_query *t, struct slice host)
{
    copy_name(t->domain, host);
    if (take_numeric(t, host))
        return;
    add_host(t, host);
    find_addresses(t);
}

static void start_path(struct target_query *t, struct slice path)
{
    struct peer address = { .family = PEER_UNIX };

    add_hop(t, "localhost", &address);
    snprintf(t->hops[0].path, sizeof t->hops[0].path, "%.*s", SLICE_ARGS(path));
    deferred_ask(&t->report);
}

struct target_query *target_find(struct loop *loop, struct resolver *resolver,
    const struct conf *conf, const struct conf_route *route, struct slice domain, target_fn *fn,
    void *owner)
{
    struct target_query *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->loop = loop;
    t->resolver = resolver;
    t->fn = fn;
    t->owner = owner;
    t->port = route->port;
    t->is_configured = route->via != CONF_VIA_MX;
    copy_name(t->hostname, conf->hostname);
    timer_init(&t->limit, loop, on_limit, t);
    deferred_init(&t->report, loop, report, t);
    timer_set(&t->limit, DNS_TIMEOUT_MS);
    if (route->path.len > 0)
        start_path(t, route->path);
    else if (route->via == CONF_VIA_MX || route->mx)
        start_mx(t, route->via == CONF_VIA_MX ? domain : route->host);
    else
        start_host(t, route->host);
    return t;
}
