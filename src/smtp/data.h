/* smtp/data.h: message content on the wire: the DATA stream in and out, and what content holds.
 * Resumable at every octet; copies nothing on the way in. */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* What content held, after dot processing. Embedded, all zero at the start. Used alone for BDAT
 * (DATA-15); the decoder has one inside. The first group is the result, valid at any time but for a
 * CR or line that is still open; content_finish closes. */
struct content {
    uint64_t octets;
    uint64_t lines;        /* ended by CRLF */
    uint64_t longest_line; /* octets without CRLF; bare CR and bare LF end no line (DATA-9) */
    bool has_bare_cr;
    bool has_bare_lf;
    bool has_nul;
    bool has_8bit;

    uint64_t line_start; /* position where the open line began */
    bool after_cr;       /* the last octet was a CR */
};

/* Looks at the next octets of content. */
void content_inspect(struct content *content, struct slice bytes);
/* The content is whole: a CR or a line without CRLF at its end is counted. Returns true when it
 * ends with CRLF or is empty; false asks the caller to append CRLF (DATA-11), which is then counted
 * as inspected. Call once. */
bool content_finish(struct content *content);

enum data_answer {
    DATA_MORE, /* nothing more in the input; a dot at its end may be held back */
    DATA_RUN,  /* a run of content */
    DATA_END,  /* CRLF.CRLF was taken (or .CRLF as the first line); what follows is a command */
};

/* Embedded, all zero before the first octet after the 354. */
struct data_decoder {
    enum { DATA_CONTENT, DATA_DOT, DATA_DOT_CR, DATA_ENDED } state; /* of a dot that is held back */
    struct content content;                                         /* of all runs given so far */
};

/* Reads on: gives the next run of content (inside the input, or a static octet) and the number of
 * input octets it took, both of which may be zero. Call until DATA_MORE or DATA_END, taking
 * *out_consumed from the input each time. Only CRLF.CRLF ends the data (DATA-3); a leading dot is
 * removed (DATA-2). The content is inspected as it passes; at DATA_END it is whole,
 * without content_finish. The decoder does not judge: bare CR, NUL and the rest are content. */
MUST_CHECK enum data_answer data_decode(
    struct data_decoder *decoder, struct slice input, struct slice *out_run, size_t *out_consumed);

/* Embedded, all zero before the first octet of content. */
struct data_encoder {
    struct content content;
};

/* Appends the next octets of content with dots doubled at line starts (OUT-15), whatever the cuts.
 * At most 2 * bytes.len octets are appended. False when the content so far holds a bare CR or LF,
 * which must not be sent (DATA-6): then close the connection, for the data cannot be ended cleanly.
 */
MUST_CHECK bool data_encode(struct data_encoder *encoder, struct slice bytes, struct buffer *out);
/* Appends the end: CRLF if the last line has none, then ".CRLF". False as above. */
MUST_CHECK bool data_encode_end(struct data_encoder *encoder, struct buffer *out);

#endif
