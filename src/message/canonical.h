/* message/canonical.h: does the text of a binary message keep its canonical form? In a part of type
 * text and in the header of any part CR and LF stand together only (EXT-BINARYMIME-4, RFC 2046
 * section 4.1.1); everywhere else any octet is content. */
#ifndef MESSAGE_CANONICAL_H
#define MESSAGE_CANONICAL_H

#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum canonical_fault {
    CANONICAL_SOUND,
    CANONICAL_NEWLINE, /* a CR or LF alone in text or in a part's header */
    CANONICAL_DEEP,    /* multiparts in multiparts, more than CANONICAL_DEPTH_MAX (DATA-14) */
};

enum { CANONICAL_DEPTH_MAX = 100 };

/* Fed with the whole content of a message, header first, as it streams in; resumable at every
 * octet, of a fixed size whatever the content. Follows multiparts by their boundaries and messages
 * in messages. A part whose type cannot be read is text (RFC 2045 section 5.2), and so is a
 * multipart without a sound boundary. Transfer encodings do not matter: in none may a line of text
 * end otherwise. */
struct canonical;

/* NULL without memory. */
MUST_CHECK struct canonical *canonical_new(void);
/* Nulls the pointer; NULL is harmless. */
void canonical_free(struct canonical **canonical);

/* The next octets of content. Behind a fault nothing is looked at any more. */
void canonical_feed(struct canonical *canonical, struct slice bytes);
/* The content is whole. Call once. */
void canonical_end(struct canonical *canonical);

/* The first fault, and the line that holds it, counted from 1 by CRLF. */
enum canonical_fault canonical_fault(const struct canonical *canonical);
uint64_t canonical_fault_line(const struct canonical *canonical);

#endif
