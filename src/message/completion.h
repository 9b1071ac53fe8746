/* message/completion.h: writes the header block that is kept and relayed: our Received, the
 * sender's fields, what was missing (RFC 6409 section 8). */
#ifndef MESSAGE_COMPLETION_H
#define MESSAGE_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "message/header.h"
#include "message/received.h"

/* What was done besides the Received field, as bits; completion_fixups_text names them for the log
 * (MSG-20). */
enum completion_fixup {
    FIXUP_DATE = 1 << 0,           /* added, or replaced because invalid (SUB-8.2-1, SUB-8.2-2) */
    FIXUP_MESSAGE_ID = 1 << 1,     /* added, or replaced because invalid (SUB-8.3-1) */
    FIXUP_BCC = 1 << 2,            /* Bcc or Resent-Bcc removed (MSG-6) */
    FIXUP_RETURN_PATH = 1 << 3,    /* removed (MSG-6) */
    FIXUP_CONTENT_LENGTH = 1 << 4, /* removed (MSG-6) */
    FIXUP_PRIVATE = 1 << 5,        /* a field that only we may write removed (MSG-6) */
    FIXUP_AUTH_RESULTS = 1 << 6,   /* Authentication-Results in our name removed (MSG-15) */
};

enum { FIXUPS_TEXT = 80 };

struct completion_facts {
    struct received_facts
        received;    /* also gives host name, queue id and time for the added fields */
    uint64_t random; /* fresh for each message, for the Message-ID */
    bool keep_date;  /* switches; all false is the default: every cure on */
    bool keep_message_id;
    bool keep_bcc;
};

/* Appends the final header block, the closing empty line included, and returns the fixups done. The
 * header has passed header_check. Received comes first (MSG-9); then the original fields, byte for
 * byte in their order, minus those that MSG-6 names; an invalid Date or Message-ID is replaced
 * where it stood; absent ones are added behind the last field, where they cannot part a block of
 * trace or Resent fields (RFC 5322 section 3.6). Appends at most the original block and 4 KiB; the
 * buffer's sticky error tells failure. */
unsigned completion_put(
    struct buffer *out, const struct header_index *header, const struct completion_facts *facts);

/* "date,msgid,bcc"; "" for none. */
void completion_fixups_text(unsigned fixups, char out_text[FIXUPS_TEXT]);

#endif
