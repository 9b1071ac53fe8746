/* tests/unit/net/ends.h: one end of a connection that writes down what its stream tells it. */
#ifndef TEST_NET_ENDS_H
#define TEST_NET_ENDS_H

#include "net/loop.h"
#include "net/stream.h"

struct end {
    struct stream *stream;
    struct buffer received; /* what on_input consumed */
    int inputs;
    int drained;
    int secured;
    int closed;
    enum stream_end end;
    char why[128];
    size_t keep; /* octets that on_input leaves in place */
    bool pauses; /* on_input pauses after consuming */
    bool echoes; /* on_input sends back what it consumed */
    bool frees_on_input;
    bool frees_on_drained;
    bool frees_on_secured;
    bool frees_on_closed;
    bool closes_on_input; /* stream_close_after_flush with a linger of 200 ms */
};

extern const struct stream_events end_events;
extern const struct stream_settings end_settings;

/* A stream on fd that tells the end. */
void end_open(struct end *end, struct loop *loop, int fd, const struct stream_settings *settings);
void end_clear(struct end *end);
/* Turns until *what is at least `count`, at most 20 seconds; fails otherwise. */
void turn_until(struct loop *loop, const int *what, int count);
void turn_for(struct loop *loop, int64_t ms);

#endif
