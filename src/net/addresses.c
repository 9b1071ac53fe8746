/* net/addresses.c: two questions, AAAA and A, and one answer when both are there. */
#include "net/addresses.h"

#include <stdlib.h>
#include <string.h>

#include "net/loop.h"
#include "net/resolve.h"

enum { FAMILIES = 2 };

struct question {
    struct addresses *lookup;
    struct resolve_query *query; /* NULL: answered, or not asked */
    struct peer peers[ADDRESSES_MAX];
    size_t count;
    bool is_temporary; /* it might be answered another time */
};

struct addresses {
    addresses_fn *fn;
    void *owner;
    uint16_t port;
    struct question questions[FAMILIES]; /* IPv6, then IPv4 */
    struct timer limit;
    struct deferred tell;
    bool is_late;
};

static const struct family {
    enum dns_type type;
    enum peer_family peer;
    size_t octets;
} families[FAMILIES] = { { DNS_AAAA, PEER_IPV6, 16 }, { DNS_A, PEER_IPV4, 4 } };

void addresses_cancel(struct addresses **lookup)
{
    struct addresses *a = *lookup;

    *lookup = NULL;
    if (!a)
        return;
    for (size_t i = 0; i < FAMILIES; i++)
        resolve_cancel(&a->questions[i].query);
    timer_stop(&a->limit);
    deferred_cancel(&a->tell);
    free(a);
}

static const char *why_none(const struct addresses *a)
{
    if (a->is_late)
        return "DNS does not answer in time";
    if (a->questions[0].is_temporary || a->questions[1].is_temporary)
        return "DNS fails";
    return "the host has no address";
}

/* What came in time is used, even where the other question is still open. */
static void tell(void *owner)
{
    struct addresses *a = owner;
    struct peer peers[FAMILIES * ADDRESSES_MAX];
    addresses_fn *fn = a->fn;
    void *whose = a->owner;
    const char *why = why_none(a);
    size_t count = 0;

    for (size_t i = 0; i < FAMILIES; i++)
        for (size_t k = 0; k < a->questions[i].count; k++)
            peers[count++] = a->questions[i].peers[k];
    addresses_cancel(&a);
    fn(whose, peers, count < ADDRESSES_MAX ? count : ADDRESSES_MAX, count > 0 ? NULL : why);
}

static void on_limit(void *owner)
{
    struct addresses *a = owner;

    a->is_late = true;
    tell(a);
}

static void on_answer(void *owner, const struct resolve_result *result)
{
    struct question *q = owner;
    struct addresses *a = q->lookup;
    const struct family *family = &families[q - a->questions];

    q->query = NULL;
    q->is_temporary = result->status == RESOLVE_TEMPORARY || result->status == RESOLVE_BOGUS;
    for (size_t i = 0; result->status == RESOLVE_FOUND && i < result->answer.record_count &&
                       q->count < ADDRESSES_MAX;
         i++) {
        struct slice octets = result->answer.records[i].data;
        struct peer *peer = &q->peers[q->count];

        if (octets.len != family->octets)
            continue;
        *peer = (struct peer){ .family = family->peer, .port = a->port };
        memcpy(peer->octets, octets.data, octets.len);
        q->count++;
    }
    if (!a->questions[0].query && !a->questions[1].query)
        tell(a);
}

static enum err ask(struct addresses *a, struct resolver *resolver, struct slice host)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < FAMILIES && rc == ERR_OK; i++)
        rc = resolve_start(
            resolver, host, families[i].type, on_answer, &a->questions[i], &a->questions[i].query);
    return rc;
}

enum err addresses_start(struct loop *loop, struct resolver *resolver, struct slice host,
    uint16_t port, int64_t ms, addresses_fn *fn, void *owner, struct addresses **out_lookup)
{
    struct addresses *a = calloc(1, sizeof *a);
    enum err rc = ERR_OK;

    if (!a)
        return ERR_NOMEM;
    *a = (struct addresses){ .fn = fn, .owner = owner, .port = port };
    for (size_t i = 0; i < FAMILIES; i++)
        a->questions[i].lookup = a;
    timer_init(&a->limit, loop, on_limit, a);
    deferred_init(&a->tell, loop, tell, a);
    if (peer_parse(host, port, &a->questions[0].peers[0])) {
        a->questions[0].count = 1;
        deferred_ask(&a->tell);
    } else {
        rc = ask(a, resolver, host);
    }
    if (rc != ERR_OK) {
        addresses_cancel(&a);
        return rc;
    }
    timer_set(&a->limit, ms);
    *out_lookup = a;
    return ERR_OK;
}
