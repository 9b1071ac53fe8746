/* message/header.h: the header block of a message: taken in from the stream of content, indexed by
 * field, checked against the rules for what may be submitted. Knows no sockets and no replies but
 * the three parts of one. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

enum {
    HEADER_SIZE_MAX = 256 * 1024, /* octets of the block without the empty line (DATA-14) */
    HEADER_FIELDS_MAX = 2000,     /* (DATA-14) */
    HEADER_BODY_MAX = 100 * 1024, /* octets of one field after the colon, with folds (DATA-14) */
    HEADER_LINE_MAX = 998,        /* octets of a line without CRLF (RFC 5322 section 2.1.1) */
    HEADER_RECEIVED_MAX = 100,    /* (DATA-12) */
};

/* What is wrong with a header; the sender's fault, told at the end of data. */
enum header_fault {
    HEADER_SOUND,
    HEADER_TOO_LARGE, /* more than HEADER_SIZE_MAX */
    HEADER_TOO_MANY_FIELDS,
    HEADER_FIELD_TOO_LARGE,
    HEADER_LINE_TOO_LONG,
    HEADER_BARE_NEWLINE, /* CR or LF alone (DATA-4) */
    HEADER_NUL,          /* (DATA-8) */
    HEADER_BAD_LINE, /* neither field nor fold nor empty: text before or among the fields (MSG-3) */
    HEADER_NO_FROM,  /* (MSG-2) */
    HEADER_REPEATED_FIELD, /* (MSG-1, RTLS-6) */
    HEADER_LOOP,           /* more than HEADER_RECEIVED_MAX Received fields: 554 5.4.6 (DATA-12) */
    HEADER_NOT_UTF8,       /* octets above 127 that are not UTF-8: nothing may carry them on */
    HEADER_8BIT_ADDRESS,   /* such octets in a field of addresses or ids without SMTPUTF8: 554 5.6.7
                              (EXT-SMTPUTF8-12) */
    HEADER_FAULTS,
};

/* One fault and how to say it: code, status and text make the line "554 5.6.0 Missing From". */
struct header_verdict {
    enum header_fault fault;
    unsigned code;      /* 0 when sound */
    const char *status; /* static, such as "5.6.0"; NULL when sound */
    char text[96];      /* printable ASCII; names the field or line */
};

/* The verdict for a fault. subject: the field or line that the text names, where it names one;
 * ours, short. */
struct header_verdict header_verdict_of(enum header_fault fault, struct slice subject);

enum header_state {
    HEADER_OPEN,     /* wants more */
    HEADER_COMPLETE, /* the empty line has been seen, or header_scan_end was called */
    HEADER_REFUSED,  /* verdict says why; whatever else is fed is consumed and dropped */
    HEADER_FAILED,   /* no memory; feeding consumes and drops */
};

/* Embedded in its owner. Resumable at every octet. */
struct header_scan {
    struct buffer text; /* the block so far, with every CRLF, without the empty line */
    size_t line_start;  /* of the line that is not finished yet */
    size_t body_start;  /* of the field that is under way: behind its colon */
    size_t fields;
    size_t lines;
    enum header_state state;
    struct header_verdict verdict;
};

void header_scan_init(struct header_scan *scan);
/* Frees the memory; ready for the next message. */
void header_scan_clear(struct header_scan *scan);
/* Takes the next run of content octets (dot-stuffing already undone; anything may be in them).
 * Returns how many belong to the header, its empty line included: less than run.len only when the
 * state has become HEADER_COMPLETE, and then the rest is body. When it was complete before: 0. */
size_t header_scan_feed(struct header_scan *scan, struct slice run);
/* The content has ended: a header without an empty line is complete (a missing last CRLF is added,
 * DATA-11), or refused. */
void header_scan_end(struct header_scan *scan);

/* The block of a complete scan: whole lines with CRLF, without the empty line; may be empty. Owned
 * by the scan. */
static inline struct slice header_scan_block(const struct header_scan *scan)
{
    return buffer_slice(&scan->text);
}

/* The field names that some rule here or in a room speaks of. */
enum header_id {
    HEADER_OTHER,
    HEADER_FROM,
    HEADER_SENDER,
    HEADER_REPLY_TO,
    HEADER_TO,
    HEADER_CC,
    HEADER_BCC,
    HEADER_DATE,
    HEADER_MESSAGE_ID,
    HEADER_IN_REPLY_TO,
    HEADER_REFERENCES,
    HEADER_SUBJECT,
    HEADER_RECEIVED,
    HEADER_RETURN_PATH,
    HEADER_RESENT_FROM,
    HEADER_RESENT_SENDER,
    HEADER_RESENT_TO,
    HEADER_RESENT_CC,
    HEADER_RESENT_BCC,
    HEADER_RESENT_DATE,
    HEADER_RESENT_MESSAGE_ID,
    HEADER_DISPOSITION_NOTIFICATION_TO,
    HEADER_MIME_VERSION,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_TRANSFER_ENCODING,
    HEADER_CONTENT_LENGTH,
    HEADER_AUTO_SUBMITTED,
    HEADER_TLS_REQUIRED,
    HEADER_REQUIRETLS, /* the same by its earlier name */
    HEADER_DKIM_SIGNATURE,
    HEADER_AUTHENTICATION_RESULTS,
    HEADER_PRIVATE, /* any name that starts with "X-Submitd-": ours, never taken from outside
                       (MSG-6) */
    HEADER_IDS,
};

enum header_charset {
    HEADER_ASCII,
    HEADER_UTF8,  /* octets above 127, all UTF-8: needs SMTPUTF8 on its way (EXT-SMTPUTF8-6) */
    HEADER_MIXED, /* octets above 127 that are not UTF-8 */
};

struct header_field {
    struct slice name;  /* as written, without the colon */
    struct slice body;  /* behind the colon, folds as they are, without the last CRLF */
    struct slice whole; /* name, colon, body and the last CRLF */
    enum header_id id;
    enum header_charset charset;
};

struct header_index {
    struct slice block;
    const struct header_field *fields; /* in the order of the message */
    size_t count;
    size_t seen[HEADER_IDS];     /* how many fields have the id */
    enum header_charset charset; /* the worst of all fields */
};

/* Indexes a block as header_scan_block gives it (an empty line at its end does no harm). The array
 * comes from the arena, the slices point into the block. ERR_INVALID for a block that no complete
 * scan would have given, ERR_LIMIT above HEADER_FIELDS_MAX, ERR_NOMEM. */
MUST_CHECK enum err header_index_build(
    struct slice block, struct arena *arena, struct header_index *out_index);
/* The body without surrounding white space and folds. */
struct slice header_value(const struct header_field *field);
/* The id of a field name, in any case of letters. */
enum header_id header_id_of(struct slice name);
/* The usual spelling of an id's name, "" for HEADER_OTHER. Does it hold addresses or message ids?
 */
const char *header_id_name(enum header_id id);
bool header_id_is_address(enum header_id id);
/* Length of the field name that the line starts with, when a colon follows it at once; else 0. */
size_t header_name_length(struct slice line);

/* May this header be submitted: MSG-1 (Date and Message-ID may be absent: completion adds them),
 * MSG-2, DATA-12, octets above 127. smtputf8: MAIL said SMTPUTF8. Foreign Received fields are
 * counted and never judged (MSG-14). True when sound; *out_verdict is filled either way, with the
 * first fault in the order of the message. */
MUST_CHECK bool header_check(
    const struct header_index *index, bool smtputf8, struct header_verdict *out_verdict);

#endif
