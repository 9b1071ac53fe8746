/* relay/login.h: logging in at a smarthost. The vault holds the secret and speaks; this side only
 * carries its words (OUT-18, OUT-19). */
#ifndef RELAY_LOGIN_H
#define RELAY_LOGIN_H

#include "ipc/messages.h"

struct carrier;
struct connection;
struct peer_reply;

/* Begins: connection_ready or connection_refuse follows. A vault that is not there is waited for,
 * as long as a step may take. */
void login_start(struct connection *connection);
/* The peer's reply to AUTH or to one of its steps. */
void login_reply(struct connection *connection, const struct peer_reply *reply);
/* The vault's words. */
void login_say(struct carrier *carrier, const struct msg_login_say *say);
/* The vault need not think of it any more. Wipes what is kept of its words. */
void login_end(struct connection *connection);

/* A vault has come: logins in which nothing was said to the peer yet begin anew with it. */
void logins_begin(struct carrier *carrier);
/* It has gone: logins that wait in the middle have failed. */
void logins_break(struct carrier *carrier);

#endif
