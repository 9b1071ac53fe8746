/* relay/upload.h: the content of a transaction on its way out: the header block, then the body,
 * which came with the job or is read from its file on a hand, piece by piece. With doubled dots for
 * DATA, as it is for BDAT. Memory is bounded whatever the size. */
#ifndef RELAY_UPLOAD_H
#define RELAY_UPLOAD_H

struct connection;

/* Begins; transaction->content is CONTENT_SENT when all is handed over. May lose the connection. */
void upload_begin(struct connection *connection);
/* There is room for more. */
void upload_drained(struct connection *connection);
/* Nothing of it stays under way. */
void upload_stop(struct connection *connection);

#endif
