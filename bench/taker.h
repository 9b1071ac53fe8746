/* bench/taker.h: an SMTP server that takes every message and keeps none: the next hop of sink in
 * clear text, the submission server of null over TLS with AUTH. */
#ifndef BENCH_TAKER_H
#define BENCH_TAKER_H

#include <openssl/ssl.h>

#include "bench/poller.h"
#include "bench/tally.h"

struct session;

/* What the sessions share. Set before taker_init: poller and what has a comment. */
struct taker {
    struct poller *poller;
    SSL_CTX *tls;         /* NULL: STARTTLS is not offered */
    const char *plain;    /* the response of AUTH PLAIN that is right, in base64; NULL: no AUTH */
    bool takes_anybody;   /* any response is right */
    bool has_no_chunking; /* CHUNKING is not offered */
    const char *refusal;  /* the reply to each RCPT, with CRLF; NULL: all are taken */
    int64_t delay_us;     /* before each 250 for a message */
    void (*on_message)(struct taker *taker);
    struct tally tally;
    struct session *sessions; /* a list, for the end */
    struct session *held;     /* those whose 250 is delayed, in order */
    struct session *held_last;
    struct watcher timer; /* a timerfd; used with a delay only */
};

/* As many connections as the system allows this process. */
void takers_raise_limits(void);

struct door {
    struct watcher watcher;
    struct taker *taker;
};

/* ERR_NOMEM, ERR_NOFILES. */
MUST_CHECK enum err taker_init(struct taker *taker);
/* Ends all sessions. */
void taker_clear(struct taker *taker);
/* Serves the connected socket, which becomes the taker's; TLS begins at once if is_implicit. */
void taker_serve(struct taker *taker, int fd, bool is_implicit);
/* Serves who connects to the listening socket, in clear text; the socket stays the caller's.
 * ERR_NOMEM.
 */
MUST_CHECK enum err door_open(struct door *door, struct taker *taker, int fd);

#endif
