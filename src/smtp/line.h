/* smtp/line.h: the one byte-level reader of lines, which knows CRLF and nothing else. Resumable,
 * bounded, copies nothing. Used for commands, AUTH exchange lines and, on the other side, for
 * replies. */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum line_answer {
    LINE_MORE,     /* no whole line yet */
    LINE_READY,    /* a line */
    LINE_TOO_LONG, /* a line above its maximum has ended and was dropped whole: it wants one reply
                    */
    LINE_BARE_LF,  /* an LF without a CR before it: the session ends (DATA-7) */
};

/* Embedded in its owner, all zero at the start. Nothing to free. */
struct line_reader {
    size_t scanned;   /* octets at the front of the input that hold no LF */
    uint64_t dropped; /* octets of the present too long line that were given up so far */
    bool discarding;  /* inside a too long line */
};

struct line {
    struct slice text; /* without CRLF, inside the input; empty unless LINE_READY */
    size_t consumed;   /* octets to take from the front of the input, whatever the answer */
    bool has_nul;
    bool has_control; /* an octet below 32 that is not HTAB, or 127; NUL and bare CR count too */
    bool has_8bit;
    bool has_bare_cr;
};

/* Reads on in input, the whole unconsumed rest of the stream (buffer_slice). The caller takes
 * out_line->consumed octets from it after each call (for LINE_READY, after it is done with the
 * text) and calls again with what then remains, plus what came since; octets already searched are
 * not searched again. max: the longest line, without CRLF. It may differ from call to call (see
 * command_line_max, which decides it from the first octets); the owner's buffer must be able to
 * hold max + 2 octets. Above it the reader drops octets as they come, keeping no memory, and
 * answers LINE_TOO_LONG once, at the CRLF. LSN-15, CMD-22, CMD-23, DATA-7. */
MUST_CHECK enum line_answer line_read(
    struct line_reader *reader, struct slice input, size_t max, struct line *out_line);

#endif
