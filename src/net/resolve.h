/* net/resolve.h: DNS with DNSSEC validation in the process (libunbound), for the relay: the only
 * room with DNS. Every answer comes from the loop, never from inside resolve_start. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/error.h"
#include "base/macros.h"
#include "net/dns_answer.h"

struct loop;
struct resolver;
struct resolve_query;

struct resolver_settings {
    const char *trust_anchor;    /* file of the root's anchor; NULL or "": nothing is validated */
    const char *root_hints;      /* file; NULL or "": the library's own */
    const char *const *forwards; /* "192.0.2.1@53"; none: ask the name servers ourselves */
    size_t forward_count;
};

enum { RESOLVE_WHY = 160 };

/* Opens what the library needs; made before the walls of the room go up. ERR_INVALID with a phrase
 * in out_why; ERR_NOMEM. */
MUST_CHECK enum err resolver_new(struct loop *loop, const struct resolver_settings *settings,
    struct resolver **out_resolver, char out_why[RESOLVE_WHY]);
/* Queries under way end without an answer. Not from inside a callback. */
void resolver_free(struct resolver **resolver);

enum resolve_status {
    RESOLVE_FOUND,     /* at least one record */
    RESOLVE_NODATA,    /* the name exists, without such records */
    RESOLVE_NXDOMAIN,  /* the name does not exist */
    RESOLVE_TEMPORARY, /* SERVFAIL, no answer, or one that does not parse */
    RESOLVE_BOGUS,     /* DNSSEC validation failed; to be treated as temporary (DANE-2) */
};

struct resolve_result {
    enum resolve_status status;
    bool secure; /* validated by DNSSEC from the trust anchor on */
    struct dns_answer
        answer; /* set for RESOLVE_FOUND, NODATA and NXDOMAIN; lives until the callback returns */
};

typedef void resolve_fn(void *owner, const struct resolve_result *result);

/* name: ASCII, without final dot, at most DNS_NAME_TEXT octets; else the answer is NXDOMAIN. The
 * callback comes exactly once unless the query is cancelled; the library bounds the time itself (up
 * to minutes), the owner should do it earlier. ERR_NOMEM. */
MUST_CHECK enum err resolve_start(struct resolver *resolver, struct slice name, enum dns_type type,
    resolve_fn *fn, void *owner, struct resolve_query **out_query);
/* No callback will come. Nulls the pointer; NULL is harmless. A query whose callback is running is
 * gone already. */
void resolve_cancel(struct resolve_query **query);

#endif
