/* bench/load_hold.h: --idle: connections that have logged in are held, and asked for a NOOP when a
 * line comes in on standard input. */
#ifndef BENCH_LOAD_HOLD_H
#define BENCH_LOAD_HOLD_H

struct lane;

/* All connections are there: says "held" on standard error and listens. The end of standard input
 * ends it: all take their leave. */
void hold(struct lane *lane);

#endif
