/* smtp/orcpt.h: ORCPT, the address that a message was sent to at first (RFC 3461 section 4.2,
 * RFC 6533 section 3): kept as it was given, so that it is passed on unchanged, and decoded where
 * it is shown. */
#ifndef SMTP_ORCPT_H
#define SMTP_ORCPT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

enum { ORCPT_MAX = 500 };

/* Appends "type;address" with the encoding undone; the result is printable and UTF-8, beyond ASCII
 * for the type utf-8 only (EXT-DSN-3, EXT-DSN-13). False, and nothing appended, when the text is no
 * such value, is above ORCPT_MAX octets, or where there is no room. */
MUST_CHECK bool orcpt_decode(struct buffer *out, struct slice text);

/* Appends a text that orcpt_decode takes, for a next hop. allow_utf8: octets above 127 may stay as
 * they are; else they leave as \x{HEX}. */
void orcpt_write(struct buffer *out, struct slice text, bool allow_utf8);

#endif
