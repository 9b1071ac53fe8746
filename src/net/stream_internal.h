/* net/stream_internal.h: the inside of a stream, shared by its interface (stream.c) and its work
 * (stream_io.c). */
#ifndef NET_STREAM_INTERNAL_H
#define NET_STREAM_INTERNAL_H

#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_internal.h"

/* The life of the connection, only forward. */
enum stream_phase {
    STREAM_OPEN,
    STREAM_CLOSING,   /* stream_close_after_flush: output goes out */
    STREAM_LINGERING, /* our end is sent; the peer's is waited for */
    STREAM_ENDED,     /* on_closed is due or was called */
    STREAM_FREED,     /* the memory waits for the end of the turn */
};

/* What lies between the owner and the descriptor, only forward. */
enum stream_layer {
    STREAM_CLEAR,
    STREAM_STARTING, /* the last clear output goes out */
    STREAM_SHAKING,
    STREAM_SECURED,
};

/* Left for the end of the turn. */
enum {
    DUE_SHAKE = 1,
    DUE_READ = 2,  /* the descriptor may not announce what there is: TLS holds octets, or there is
                      room again */
    DUE_INPUT = 4, /* resumed */
    DUE_FLUSH = 8,
    DUE_DRAINED = 16,
    DUE_CLOSED = 32,
};

struct stream {
    struct watch watch;
    struct timer timer; /* the write time-out, then the lingering */
    struct deferred turn_end;
    struct buffer input;
    struct buffer output;
    struct stream_settings settings;
    const struct stream_events *events;
    void *owner;
    struct tls_session *tls; /* from STREAM_STARTING on */
    enum stream_phase phase;
    enum stream_layer layer;
    unsigned due;
    unsigned shake_wants; /* WATCH_READ, WATCH_WRITE, or 0 while a signature is waited for */
    enum stream_end end;  /* from STREAM_ENDED on */
    enum stream_end peer_end;
    int fd;
    int64_t linger_ms;
    size_t dropped;    /* octets read into nothing while lingering */
    bool has_peer_end; /* nothing more will be read; peer_end says why */
    bool is_lost;      /* writing failed; what the peer had said before is still read */
    bool is_paused;
    bool read_rests;       /* paused, and the descriptor is not watched for it until resumed */
    bool read_wants_write; /* TLS must write before it can read */
    bool is_blocked;       /* the kernel takes no output now */
    bool is_full;          /* high_water was reached; on_drained is owed */
    bool wants_drained;    /* stream_ask_drained */
    char why[128];
};

/* The loop's calls; the owner is the stream. */
void stream_on_ready(void *owner, unsigned ready);
void stream_on_turn_end(void *owner);
void stream_on_timer(void *owner);

/* Has it done at the end of the turn. */
void stream_owe(struct stream *stream, unsigned due);
/* The end, told to the owner at the end of the turn; only the first counts. */
void stream_finish(struct stream *stream, enum stream_end end, const char *why);
/* Gives the kernel what it takes. Calls nobody. */
void stream_push(struct stream *stream);

#endif
