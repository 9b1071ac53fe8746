/* bench/sink_session.h: one connection to the sink: takes every message and keeps none. */
#ifndef BENCH_SINK_SESSION_H
#define BENCH_SINK_SESSION_H

#include "base/macros.h"
#include "bench/sink_tally.h"

struct loop;

/* What the sessions share. */
struct sink {
    struct loop *loop;
    struct tally tally;
    struct session *sessions; /* a list, for the end */
    void (*on_message)(struct sink *sink);
};

/* Takes fd and greets. Without memory the connection is closed. */
void session_open(struct sink *sink, int fd);
/* Ends all at once. */
void sessions_close(struct sink *sink);

#endif
