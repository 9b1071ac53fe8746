/* message/message_id.h: the Message-ID: made from a queue id, and checked. */
#ifndef MESSAGE_MESSAGE_ID_H
#define MESSAGE_MESSAGE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* Appends "<queueid.random@host>". Unique because the queue id is; random (from the caller, so that
 * this stays pure) keeps the id from being guessed by who knows only when the message was sent.
 * queue_id and host: text of ours, dot-atoms. */
void message_id_put(struct buffer *out, struct slice queue_id, uint64_t random, struct slice host);

/* Is the field body one `<dot-atom@dot-atom-or-literal>`, with nothing around it but white space
 * and comments (MSG-5, RFC 5322 section 3.6.4)? UTF-8 counts as atom text (RFC 6532 section 3.2).
 */
MUST_CHECK bool message_id_is_valid(struct slice body);

#endif
