/* message/dsn_part.h: the two parts of a notice that say what happened: one for people, one for
 * programs. */
#ifndef MESSAGE_DSN_PART_H
#define MESSAGE_DSN_PART_H

#include "message/dsn.h"

/* Part 1: plain UTF-8 text, wrapped (DSN-15). */
void dsn_put_text(struct buffer *out, const struct dsn_notice *notice);
/* Part 2: the fields of RFC 3464; utf8: as message/global-delivery-status (DSN-5, DSN-6, DSN-13).
 */
void dsn_put_status(struct buffer *out, const struct dsn_notice *notice, bool utf8);

#endif
