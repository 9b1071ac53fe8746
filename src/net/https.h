/* net/https.h: one HTTPS request and its whole answer, by libcurl on our loop. No redirects, no
 * proxies, no cookies, HTTP/1.1 alone, TLS 1.2 and 1.3, a certificate that verifies for the host;
 * names are looked up by the caller. Whatever the server does, the answer is bounded in octets and
 * in time. */
#ifndef NET_HTTPS_H
#define NET_HTTPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/peer.h"

struct loop;
struct tls_client;
struct https;
struct https_request;

enum { HTTPS_WHY = 256, HTTPS_HEADER_MAX = 64 << 10 };

/* Loads libcurl and lets it open and load all that it would otherwise when it is first needed:
 * before the walls of the room go up. ERR_NOTFOUND with a phrase in out_why: it is not there, or
 * not the one with OpenSSL. */
MUST_CHECK enum err https_warm(char out_why[HTTPS_WHY]);

/* Connections to servers that these roots vouch for; kept open for a while for the next request.
 * client: whose roots; held. NULL without memory or descriptors. */
MUST_CHECK struct https *https_new(struct loop *loop, struct tls_client *client);
/* Requests under way are cancelled: their callbacks do not come. Not from inside a callback. */
void https_free(struct https **https);

struct https_order {
    struct slice url;  /* https://HOST[:PORT]/…; ASCII without spaces */
    struct slice host; /* as in the url, without brackets */
    uint16_t port;
    const struct peer *peers; /* where the host is, in the order of trying */
    size_t peer_count;        /* at least one */
    bool is_post;
    struct slice form; /* is_post: application/x-www-form-urlencoded */
    struct slice user; /* Basic authentication (RFC 7617); empty: none. Both are sent as they are */
    struct slice password;
    size_t most; /* octets of the answer's body */
    int64_t ms;  /* for all of it */
};

struct https_answer {
    const char *why; /* NULL: there is an answer, of whatever status; else why not, in words */
    unsigned status; /* 200, 404, … */
    struct slice body;
    struct slice content_type; /* the fields of that name, empty without */
    struct slice cache_control;
};

/* The answer lives until the callback returns; the request is gone then. */
typedef void https_fn(void *owner, const struct https_answer *answer);

/* The order is copied. The callback comes exactly once, never from inside this call, unless the
 * request is cancelled. ERR_NOMEM. */
MUST_CHECK enum err https_start(struct https *https, const struct https_order *order, https_fn *fn,
    void *owner, struct https_request **out_request);
/* No callback will come. Nulls the pointer; NULL is harmless; not for one whose callback is
 * running. */
void https_cancel(struct https_request **request);

#endif
