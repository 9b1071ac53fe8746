/* base/base64.h: RFC 4648 section 4, strict: no foreign octets, padding only at the end and only as
 * much as is due, unused bits zero (AUTH-11). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends the encoding with padding. */
void base64_encode(struct buffer *out, struct slice bytes);
/* Appends the decoded octets. False when the text is not base64; what was appended until then is
 * taken back. */
MUST_CHECK bool base64_decode(struct buffer *out, struct slice text);

#endif
