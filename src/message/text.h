/* message/text.h: octets from outside as text: what charset they are in, and their harmless form.
 */
#ifndef MESSAGE_TEXT_H
#define MESSAGE_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "smtp/address.h" /* text_is_ascii, text_is_utf8 */

/* Takes the character in front off *text: its code point, or '?' for an octet that starts no
 * well-formed one. text is not empty. */
uint32_t text_next(struct slice *text);
/* Appends the text with every control character as "?", tabs as spaces; characters above 127 as
 * they are when utf8, else
 * "?". So it fits into any line. */
void text_put_safe(struct buffer *out, struct slice text, bool utf8);
/* Appends the unfolded header line and CRLF, folded before spaces so that lines keep within 78
 * columns where words allow and within 998 octets always (there a space is put in). No fold comes
 * into the first `keep` octets. The line holds no CR or LF; no output line consists of white space.
 */
void text_put_folded(struct buffer *out, struct slice line, size_t keep);

#endif
