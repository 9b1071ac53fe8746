/* relay/domain.c: MX decides; without MX records an address record does. */
#include "relay/domain.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/carrier.h"

enum {
    ANSWER_MS = 4500,      /* the gate gives up after five seconds */
    QUESTIONS_MOST = 2000, /* of one gate: a session asks one at a time */
};

struct domain_question {
    struct domain_question *prev, *next;
    struct carrier *carrier;
    struct channel *gate;
    uint64_t request;
    char domain[DNS_NAME_TEXT + 2];
    struct resolve_query *mx;
    struct resolve_query *addresses[2];
    size_t waiting;
    bool temporary;
    struct timer limit;
};

static void question_free(struct domain_question *q)
{
    resolve_cancel(&q->mx);
    resolve_cancel(&q->addresses[0]);
    resolve_cancel(&q->addresses[1]);
    timer_stop(&q->limit);
    DL_DELETE(q->carrier->questions, q);
    free(q);
}

static void answer(struct domain_question *q, enum domain_verdict verdict)
{
    struct msg_domain_answer message = { .request = q->request, .verdict = verdict };

    (void)channel_send(q->gate, MSG_DOMAIN_ANSWER, &message, -1);
    question_free(q);
}

static void on_limit(void *owner)
{
    answer(owner, DOMAIN_SILENT);
}

static void on_address(struct domain_question *q, size_t which, const struct resolve_result *result)
{
    q->addresses[which] = NULL;
    q->waiting--;
    if (result->status == RESOLVE_FOUND) {
        answer(q, DOMAIN_EXISTS);
        return;
    }
    q->temporary =
        q->temporary || result->status == RESOLVE_TEMPORARY || result->status == RESOLVE_BOGUS;
    /* The name exists without MX, A or AAAA: no mail can ever reach it. */
    if (q->waiting == 0)
        answer(q, q->temporary ? DOMAIN_TEMPORARY : DOMAIN_MISSING);
}

static void on_ipv6(void *owner, const struct resolve_result *result)
{
    on_address(owner, 0, result);
}

static void on_ipv4(void *owner, const struct resolve_result *result)
{
    on_address(owner, 1, result);
}

static void ask_addresses(struct domain_question *q)
{
    struct resolver *resolver = q->carrier->resolver;
    struct slice domain = slice_text(q->domain);

    q->waiting = 2;
    if (resolve_start(resolver, domain, DNS_AAAA, on_ipv6, q, &q->addresses[0]) != ERR_OK ||
        resolve_start(resolver, domain, DNS_A, on_ipv4, q, &q->addresses[1]) != ERR_OK)
        answer(q, DOMAIN_TEMPORARY);
}

static void on_mx(void *owner, const struct resolve_result *result)
{
    struct domain_question *q = owner;

    q->mx = NULL;
    switch (result->status) {
    case RESOLVE_FOUND:
        answer(q, result->answer.record_count == 1 && result->answer.records[0].name.len == 0
                      ? DOMAIN_NULL_MX
                      : DOMAIN_EXISTS);
        break;
    case RESOLVE_NODATA:
        ask_addresses(q);
        break;
    case RESOLVE_NXDOMAIN:
        answer(q, DOMAIN_MISSING);
        break;
    case RESOLVE_TEMPORARY:
    case RESOLVE_BOGUS:
        answer(q, DOMAIN_TEMPORARY);
        break;
    }
}

static bool may_ask(const struct carrier *carrier, const struct channel *gate)
{
    const struct domain_question *q;
    size_t count = 0;

    DL_FOREACH (carrier->questions, q)
        count += q->gate == gate;
    return count < QUESTIONS_MOST;
}

void domain_ask(struct carrier *carrier, struct channel *gate, const struct msg_domain_ask *ask)
{
    struct domain_question *q = may_ask(carrier, gate) ? calloc(1, sizeof *q) : NULL;
    struct msg_domain_answer trouble = { .request = ask->request, .verdict = DOMAIN_SILENT };

    if (!q || !carrier->resolver) {
        free(q);
        (void)channel_send(gate, MSG_DOMAIN_ANSWER, &trouble, -1);
        return;
    }
    q->carrier = carrier;
    q->gate = gate;
    q->request = ask->request;
    snprintf(q->domain, sizeof q->domain, "%.*s", SLICE_ARGS(ask->domain));
    timer_init(&q->limit, carrier->loop, on_limit, q);
    timer_set(&q->limit, ANSWER_MS);
    DL_APPEND(carrier->questions, q);
    if (resolve_start(carrier->resolver, slice_text(q->domain), DNS_MX, on_mx, q, &q->mx) != ERR_OK)
        answer(q, DOMAIN_TEMPORARY);
}

void domain_forget(struct carrier *carrier, const struct channel *gate)
{
    struct domain_question *q, *next;

    DL_FOREACH_SAFE (carrier->questions, q, next)
        if (q->gate == gate)
            question_free(q);
}
