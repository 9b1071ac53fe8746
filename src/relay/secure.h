/* relay/secure.h: STARTTLS on a connection (OTLS-1 to OTLS-6). */
#ifndef RELAY_SECURE_H
#define RELAY_SECURE_H

#include <stdbool.h>

struct connection;
struct peer_reply;

/* Where TLS can and should be had now, asks for it. */
bool secure_begin(struct connection *connection);
/* The peer's reply to STARTTLS. */
void secure_reply(struct connection *connection, const struct peer_reply *reply);
/* The handshake did not come to its end. */
void secure_failed(struct connection *connection, const char *why);

#endif
