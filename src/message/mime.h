/* message/mime.h: transfer encodings of RFC 2045 section 6, as far as what we write needs them. */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* The least encoding that may label the text as it is: only CRLF line ends, no NUL and lines within
 * 998 octets for the first two; octets above 127 for the second. MIME_ENCODED: it has to be
 * encoded. */
enum mime_need { MIME_7BIT, MIME_8BIT, MIME_ENCODED };
enum mime_need mime_need_of(struct slice text);

/* Appends the text in quoted-printable, lines of at most 76 characters. CRLF stays a line end; a CR
 * or LF alone is encoded like any control, so nothing is lost. The last line ends with CRLF: when
 * the text's last line does not, a soft line break stands before it. */
void mime_put_quoted_printable(struct buffer *out, struct slice text);

#endif
