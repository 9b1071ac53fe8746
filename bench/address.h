/* bench/address.h: "ADDRESS:PORT" on a command line, and listening there. IPv4 only. */
#ifndef BENCH_ADDRESS_H
#define BENCH_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/macros.h"

/* False when it is not a numeric address and a port. */
MUST_CHECK bool address_read(const char *text, struct sockaddr_in *out_address);
/* A listening socket that does not block, -1 on failure; either is told on standard error, success
 * as "listening ADDRESS:PORT" with the port that was free when 0 was asked for. */
MUST_CHECK int address_listen(const char *text);

#endif
