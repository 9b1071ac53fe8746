/* net/resolve.c: libunbound through its event interface. Its callback may come from inside the call
 * that starts a query, so an answer is kept and told at the end of the turn. */
#include "net/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <unbound-event.h>

#include <event2/event.h>

#include "base/map.h"
#include "net/loop.h"
#include "net/loop_internal.h"

enum {
    CLASS_IN = 1,
    ANSWER_ARENA_MAX = 256 << 10,
    SEC_BOGUS = 1,
    SEC_SECURE = 2,
    RCODE_NXDOMAIN = 3
};

struct resolver {
    struct ub_ctx *ctx;
    struct loop *loop;
    struct resolve_query *queries;
};

struct resolve_query {
    struct resolve_query *prev, *next; /* of the resolver */
    struct resolver *resolver;
    resolve_fn *fn; /* NULL once cancelled */
    void *owner;
    char name[DNS_NAME_TEXT + 1];
    enum dns_type type;
    bool answered; /* the library has let go of it */
    struct deferred tell;
    struct arena arena;
    struct resolve_result result;
};

static void query_free(struct resolve_query *q)
{
    deferred_cancel(&q->tell);
    DL_DELETE(q->resolver->queries, q);
    arena_clear(&q->arena);
    free(q);
}

static void tell(void *owner)
{
    struct resolve_query *q = owner;

    if (q->fn)
        q->fn(q->owner, &q->result);
    query_free(q);
}

static enum resolve_status judge(struct resolve_query *q, int rcode, struct slice packet, int sec)
{
    if (sec == SEC_BOGUS)
        return RESOLVE_BOGUS;
    if (rcode != 0 || dns_answer_parse(packet, slice_text(q->name), q->type, &q->arena,
                          &q->result.answer) != ERR_OK)
        return RESOLVE_TEMPORARY;
    if (q->result.answer.rcode == RCODE_NXDOMAIN)
        return RESOLVE_NXDOMAIN;
    if (q->result.answer.rcode != 0)
        return RESOLVE_TEMPORARY;
    return q->result.answer.record_count > 0 ? RESOLVE_FOUND : RESOLVE_NODATA;
}

static void on_answer(void *owner, int rcode, void *packet, int packet_len, int sec,
    char *why_bogus, int was_ratelimited)
{
    struct resolve_query *q = owner;

    (void)why_bogus, (void)was_ratelimited;
    q->answered = true;
    q->result.secure = sec == SEC_SECURE;
    q->result.status =
        judge(q, rcode, slice_of(packet, packet_len > 0 ? (size_t)packet_len : 0), sec);
    if (q->fn)
        deferred_ask(&q->tell);
    else
        query_free(q);
}

enum err resolve_start(struct resolver *resolver, struct slice name, enum dns_type type,
    resolve_fn *fn, void *owner, struct resolve_query **out_query)
{
    struct resolve_query *q = calloc(1, sizeof *q);
    bool askable = name.len > 0 && name.len <= DNS_NAME_TEXT && slice_find(name, '\0') == name.len;

    if (!q)
        return ERR_NOMEM;
    q->resolver = resolver;
    q->fn = fn;
    q->owner = owner;
    q->type = type;
    arena_init(&q->arena, ANSWER_ARENA_MAX);
    deferred_init(&q->tell, resolver->loop, tell, q);
    DL_APPEND(resolver->queries, q);
    *out_query = q;
    if (askable)
        memcpy(q->name, name.data, name.len);
    if (!askable ||
        ub_resolve_event(resolver->ctx, q->name, (int)type, CLASS_IN, q, on_answer, NULL) != 0) {
        q->answered = true;
        q->result.status = askable ? RESOLVE_TEMPORARY : RESOLVE_NXDOMAIN;
        deferred_ask(&q->tell);
    }
    return ERR_OK;
}

/* The library still holds a query that it has not answered: it goes when the answer comes. */
void resolve_cancel(struct resolve_query **query)
{
    struct resolve_query *q = *query;

    *query = NULL;
    if (!q)
        return;
    q->fn = NULL;
    if (q->answered && q->tell.is_queued)
        query_free(q);
}

static bool set_option(struct ub_ctx *ctx, const char *option, const char *value)
{
    return ub_ctx_set_option(ctx, option, value) == 0;
}

static bool is_given(const char *text)
{
    return text && text[0] != '\0';
}

/* A forwarder on this machine is a common and safe set-up, so localhost may be asked. */
static const char *configure(struct ub_ctx *ctx, const struct resolver_settings *settings)
{
    if (!set_option(ctx, "do-not-query-localhost:", "no") ||
        !set_option(ctx, "module-config:", "validator iterator"))
        return "an option of the resolver library is refused";
    if (is_given(settings->root_hints) && !set_option(ctx, "root-hints:", settings->root_hints))
        return "the root hints cannot be used";
    if (is_given(settings->trust_anchor) && ub_ctx_add_ta_file(ctx, settings->trust_anchor) != 0)
        return "the trust anchor file cannot be used";
    for (size_t i = 0; i < settings->forward_count; i++)
        if (ub_ctx_set_fwd(ctx, settings->forwards[i]) != 0)
            return "a forwarder's address is refused";
    return NULL;
}

static void on_warmed(void *owner, int rcode, void *packet, int packet_len, int sec,
    char *why_bogus, int was_ratelimited)
{
    (void)owner, (void)rcode, (void)packet, (void)packet_len, (void)sec, (void)why_bogus,
        (void)was_ratelimited;
}

/* The library opens its files with the first question, and by then a room has its walls. This one
 * is answered by the library itself. */
static const char *warm(struct ub_ctx *ctx)
{
    return ub_resolve_event(ctx, "localhost", DNS_A, CLASS_IN, NULL, on_warmed, NULL) == 0
               ? NULL
               : "the trust anchor or the root hints cannot be used";
}

enum err resolver_new(struct loop *loop, const struct resolver_settings *settings,
    struct resolver **out_resolver, char out_why[RESOLVE_WHY])
{
    struct resolver *r = calloc(1, sizeof *r);
    const char *fault;

    if (!r)
        return ERR_NOMEM;
    r->loop = loop;
    r->ctx = ub_ctx_create_event(loop_event_base(loop));
    fault = r->ctx ? configure(r->ctx, settings) : "the resolver library does not start";
    if (!fault)
        fault = warm(r->ctx);
    if (fault) {
        snprintf(out_why, RESOLVE_WHY, "%s", fault);
        resolver_free(&r);
        return ERR_INVALID;
    }
    *out_resolver = r;
    return ERR_OK;
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *r = *resolver;
    struct resolve_query *q, *next;

    *resolver = NULL;
    if (!r)
        return;
    /* The library forgets its queries without calling back, so what it held is freed here. */
    if (r->ctx)
        ub_ctx_delete(r->ctx);
    DL_FOREACH_SAFE (r->queries, q, next)
        query_free(q);
    free(r);
}
