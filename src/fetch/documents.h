/* fetch/documents.h: the small documents that the vault asks for: from the address that the
 * configuration has for each, looked up, asked, judged, told. */
#ifndef FETCH_DOCUMENTS_H
#define FETCH_DOCUMENTS_H

#include "fetch/state.h"

/* Asks at once for one asker; those beyond are told that it failed. */
enum { DOCUMENTS_MAX = 1024 };

/* Each is answered by one MSG_FETCHED within the time that is allowed, unless it is cancelled, the
 * channel goes, or its configuration never comes. */
void documents_ask(struct asker *asker, const struct msg_fetch *message);
/* A configuration came into force: asks that waited for it begin. */
void documents_begin(struct asker *asker);
void documents_cancel(struct asker *asker, const struct msg_request *message);
void documents_forget(struct asker *asker);
bool documents_is_busy(const struct asker *asker);

#endif
