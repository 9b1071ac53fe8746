/* gate/command.h: every command's handler, and what goes on after a wait. The table that names them
 * is in dispatch.c; nobody else calls a handler. */
#ifndef GATE_COMMAND_H
#define GATE_COMMAND_H

#include "base/slice.h"
#include "gate/answer.h"
#include "ipc/messages.h"
#include "smtp/reply.h"

struct session;

/* argument: what follows the verb, without white space at its ends. It lives until the handler
 * returns, and handlers that wait copy what they need. All that the table asks for (phase, TLS,
 * login, no argument) holds when a handler is called. */
typedef enum answer command_fn(struct session *session, struct slice argument);
/* A command that was not let through to its handler: says the reply, after what else the protocol
 * wants. */
typedef enum answer command_refused_fn(
    struct session *session, struct slice argument, enum reply_id reply);

/* command_hello.c */
command_fn command_ehlo, command_helo, command_starttls;
/* command_auth.c */
command_fn command_auth;
/* command_mail.c */
command_fn command_mail, command_rcpt;
/* command_data.c */
command_fn command_data, command_bdat;
command_refused_fn command_bdat_refused;
/* command_burl.c */
command_fn command_burl;
command_refused_fn command_burl_refused;
/* command_small.c */
command_fn command_rset, command_noop, command_vrfy, command_expn, command_help, command_quit;

/* Readers of input that is no command: they take from the front of the stream's input what is
 * there. An answer line of an AUTH exchange, content up to its end, the octets of a chunk. */
enum answer auth_read(struct session *session);
enum answer data_read(struct session *session);
enum answer chunk_read(struct session *session);

/* What the vault says in an exchange (WAIT_AUTH is over). */
enum answer auth_challenged(struct session *session, struct slice challenge);
enum answer auth_finished(struct session *session, const struct msg_auth_done *done);
enum answer auth_lost(struct session *session);
/* Wipes and forgets the exchange, if there is one. */
void auth_forget(struct session *session);

/* The sender is taken, and recipients come next: says so. */
enum answer mail_say_sender(struct session *session);

/* Opens the body of the session's transaction, unless a chunk before has done so. */
void content_open(struct session *session);
/* Content that was to come does not come, so the message has a hole, whatever else the client has
 * sent ahead: nothing but RSET helps. */
void content_spoil(struct session *session);
/* The body cannot take more now: waits for it. Its phase goes on then. */
enum answer body_wait(struct session *session);
/* The content that a BURL named does not come: the transaction is spoilt, and this is said. */
enum answer burl_failed(struct session *session, enum reply_id reply);

/* The disk did not take in time what it was given (WAIT_BODY is over). */
enum answer body_is_late(struct session *session);

#endif
