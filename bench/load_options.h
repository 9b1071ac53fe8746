/* bench/load_options.h: what a load is asked to be. */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* A pattern holds %u for the number of the user and %n for that of the message. */
struct load_options {
    const char *server; /* ADDRESS:PORT */
    const char *tls;    /* "implicit", "starttls" or "none" */
    const char *host;   /* for SNI */
    const char *user;   /* pattern; NULL: no AUTH */
    const char *password;
    uint64_t users;       /* a new session takes the next of so many */
    uint64_t connections; /* at the same time */
    uint64_t threads;     /* that share them */
    uint64_t sources;     /* local addresses 127.0.0.1, .2, ... */
    uint64_t per_session; /* messages for each session; 0: all */
    const char *from;     /* pattern; NULL: the user */
    const char *to;       /* pattern */
    uint64_t recipients;  /* for each message; %n of the pattern is then followed by -1, -2, ... */
    uint64_t size;        /* octets of a message, header included */
    bool bdat;
    bool no_pipelining;
    bool resume;     /* TLS sessions, by their tickets */
    bool idle;       /* log in, hold, and ask for a NOOP when told to */
    uint64_t count;  /* messages to begin; 0: no bound */
    double seconds;  /* length of the window in which is counted; 0: no bound */
    double warmup;   /* seconds of load before it */
    double rate;     /* messages offered per second; 0: closed loop */
    double timeout;  /* seconds for one reply or connection */
    uint64_t faults; /* so many unexpected replies end it */
    uint64_t first;  /* number of the first message */
    bool json;
    bool marks;
};

#endif
