/* smtp/peer_reply.h: reads the replies of a next hop. Hostile input: bounded in lines, octets per
 * line and in total, and escaped before anybody sees the text (OUT-10, EXT-ESC-4). */
#ifndef SMTP_PEER_REPLY_H
#define SMTP_PEER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/line.h"
#include "smtp/status.h"

/* Bounds of one reply. Of a line above PEER_REPLY_LINE_MAX the rest is dropped.
 * PEER_REPLY_BUFFER_MIN: what the input buffer must be able to hold. */
enum {
    PEER_REPLY_LINES_MAX = 128,
    PEER_REPLY_LINE_MAX = 2048,
    PEER_REPLY_TOTAL_MAX = 65536,
    PEER_REPLY_BUFFER_MIN = PEER_REPLY_LINE_MAX + 2
};

/* One whole reply. text lives in the reader until the next call of peer_reply_read or _clear. */
struct peer_reply {
    unsigned code;        /* three digits */
    bool is_out_of_range; /* the first digit is not 2 to 5: fatal for the transaction (OUT-10) */
    struct status
        status; /* from the first line; set only when its class is the code's first digit */
    size_t lines;
    struct slice text; /* what follows the code on each line, enhanced code included, lines
                          separated by '\n'; everything else outside 32-126 is shown as \xHH */
};

/* 2 to 5, or 0 when out of range: what to decide by. */
static inline unsigned peer_reply_class(const struct peer_reply *reply)
{
    return reply->is_out_of_range ? 0 : reply->code / 100;
}

/* The next line of reply->text. *position starts at 0; false after the last. */
bool peer_reply_line(const struct peer_reply *reply, size_t *position, struct slice *out_line);

enum peer_reply_answer {
    PEER_REPLY_MORE,
    PEER_REPLY_READY,
    PEER_REPLY_BROKEN, /* the peer broke the protocol or a bound: close. reader->fault says how */
};

enum peer_reply_fault {
    PEER_REPLY_FAULT_NONE,
    PEER_REPLY_FAULT_SYNTAX, /* no code, or neither space nor hyphen after it */
    PEER_REPLY_FAULT_CODES,  /* lines of one reply with different codes */
    PEER_REPLY_FAULT_LINES,  /* too many lines */
    PEER_REPLY_FAULT_TOTAL,  /* too many octets */
    PEER_REPLY_FAULT_BARE_LF,
    PEER_REPLY_FAULT_NOMEM,
    PEER_REPLY_FAULT_COUNT
};

/* Embedded in the connection. */
struct peer_reply_reader {
    struct line_reader line;
    struct buffer text;
    struct peer_reply reply; /* the one being read */
    size_t total;            /* octets of it so far */
    bool is_done;            /* the last call gave a whole reply */
    bool is_last;            /* the present line is the last of its reply */
    bool has_head;           /* the present line is too long and its head has been read */
    enum peer_reply_fault fault;
};

void peer_reply_reader_init(struct peer_reply_reader *reader);
/* Frees the memory; ready for use again. */
void peer_reply_reader_clear(struct peer_reply_reader *reader);

/* Reads on in input, the whole unconsumed rest of the stream. *out_consumed, set whatever the
 * answer, is to be taken from its front. One reply per call, so that pipelined replies are met one
 * by one. After PEER_REPLY_BROKEN every call gives that. */
MUST_CHECK enum peer_reply_answer peer_reply_read(struct peer_reply_reader *reader,
    struct slice input, size_t *out_consumed, struct peer_reply *out_reply);

/* A short English phrase, for logs and notices. Never NULL. */
const char *peer_reply_fault_text(enum peer_reply_fault fault);

#endif
