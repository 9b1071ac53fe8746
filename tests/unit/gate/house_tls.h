/* tests/unit/gate/house_tls.h: a certificate for the house, whose key only the vault has. */
#ifndef TESTS_GATE_HOUSE_TLS_H
#define TESTS_GATE_HOUSE_TLS_H

#include "house.h"

struct house_tls *house_tls_new(void);
void house_tls_free(struct house_tls **tls);
/* Begins the client's side of a handshake. */
void client_start_tls(struct client *client, struct house_tls *tls);
/* The same, and turns until it is done. */
void client_secure(struct client *client, struct house_tls *tls);

#endif
