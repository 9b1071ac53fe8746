/* fetch/urls.h: what gates ask for at BURL: the content of a URL, written into the pipe (a
 * stream socket) that came with the question. */
#ifndef FETCH_URLS_H
#define FETCH_URLS_H

#include "fetch/state.h"

enum {
    URLS_MAX = 1024,      /* of one gate, those that wait included; more are refused */
    URLS_AT_ONCE_MAX = 32 /* connections to IMAP servers, of all gates; others wait their turn */
};

/* Takes the descriptor. Each is answered by one MSG_URL_DONE within burl_timeout, unless it is
 * cancelled or the channel goes. */
void urls_ask(struct asker *asker, const struct msg_url *message, int pipe);
void urls_begin(struct asker *asker);
void urls_cancel(struct asker *asker, const struct msg_request *message);
void urls_forget(struct asker *asker);
bool urls_is_busy(const struct asker *asker);

#endif
