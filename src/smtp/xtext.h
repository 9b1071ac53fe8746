/* smtp/xtext.h: the xtext encoding of parameter values, RFC 3461 section 4 (GRM-12). */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* Appends the decoded octets. Strict: lower-case hex and a lone "+" are refused, and so is a
 * decoded control (0-31, 127). Raw octets above 127 pass only with allow_utf8. The result is valid
 * UTF-8. False, and nothing appended, otherwise. */
MUST_CHECK bool xtext_decode(struct buffer *out, struct slice text, bool allow_utf8);

#endif
