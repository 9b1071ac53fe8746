/* bench/load_send.h: what a connection of the load says. */
#ifndef BENCH_LOAD_SEND_H
#define BENCH_LOAD_SEND_H

#include "bench/load_client.h"

/* The command of the step (any but STEP_GREETING and STEP_READY), and with STEP_MAIL what may be
 * pipelined behind it. Counts what will be answered in client->in_flight. */
void client_send(struct client *client, enum step step);
/* Writes on in the content while there is room; the end of data goes with the last of it. */
void client_feed(struct client *client);

#endif
