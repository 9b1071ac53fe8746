/* fetch/imap_reply.h: what an IMAP server says (RFC 9051, RFC 3501), cut into lines and literals,
 * and the few forms of it that fetching a URL needs. Pure, resumable at every octet, and bounded:
 * the server is a stranger. */
#ifndef FETCH_IMAP_REPLY_H
#define FETCH_IMAP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* Octets of a line, CRLF included. The input buffer must hold one. */
enum { IMAP_LINE_MAX = 16384 };

enum imap_answer {
    IMAP_MORE,    /* nothing whole in the input yet */
    IMAP_LINE,    /* text up to the end of a response */
    IMAP_LITERAL, /* text, then a literal of `size` octets: IMAP_OCTETS until they are there */
    IMAP_OCTETS,  /* a run of the literal's octets, at least one */
    IMAP_BROKEN,  /* a line that is too long, a control character, no literal's size */
};

/* Zeroed: at the start of a response. */
struct imap_reader {
    bool is_inside; /* the next text goes on with a response that a literal has interrupted */
    uint64_t left;  /* octets of the literal that are still to come */
    size_t scanned; /* octets of the input that hold no LF */
};

/* Points into the input. */
struct imap_part {
    struct slice text; /* without CRLF, and without the literal's announcement */
    bool is_first;     /* the response begins with it */
    uint64_t size;     /* IMAP_LITERAL */
};

/* Takes one part from the front of the input. *out_consumed is set always, *out_part for LINE,
 * LITERAL and OCTETS. */
MUST_CHECK enum imap_answer imap_read(struct imap_reader *reader, struct slice input,
    size_t *out_consumed, struct imap_part *out_part);

/* What a response is, by its first text. */
enum imap_kind {
    IMAP_CONTINUE, /* "+ …" */
    IMAP_UNTAGGED, /* "* …" */
    IMAP_TAGGED,   /* our tag */
    IMAP_FOREIGN,  /* anything else */
};

enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH, IMAP_OTHER };

struct imap_response {
    enum imap_kind kind;
    enum imap_condition condition; /* of UNTAGGED and TAGGED */
    struct slice name;             /* of UNTAGGED: its first word */
    struct slice rest;             /* behind the word, or behind "+ " */
};

struct imap_response imap_response_parse(struct slice text, const char *tag);
/* Is this response code, such as "UNAVAILABLE", at the front of the text? Any case. */
bool imap_has_code(struct slice rest, const char *code);

enum imap_value_kind { IMAP_VALUE_NONE, IMAP_VALUE_ATOM, IMAP_VALUE_QUOTED, IMAP_VALUE_BAD };

/* Cuts the next value off: an atom, or a quoted string (its text still escaped, without the
 * quotes). NONE: there is nothing but spaces. */
enum imap_value_kind imap_value_take(struct slice *rest, struct slice *out_value);
/* Appends what a quoted string stands for. */
void imap_unquote(struct buffer *out, struct slice quoted);

#endif
