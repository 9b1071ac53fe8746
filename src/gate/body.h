/* gate/body.h: the content of one message on its way in: split into header block and body,
 * inspected octet by octet, kept in memory while it is small and in a body file when it is large.
 * Never blocks and never holds more than a bounded amount: whoever feeds it stops when it is stuck.
 */
#ifndef GATE_BODY_H
#define GATE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gate/replay.h"
#include "gate/spares.h"
#include "message/canonical.h"
#include "message/header.h"
#include "smtp/data.h"

/* What is wrong with the octets, as the first such thing in the content. */
enum body_fault {
    BODY_SOUND,
    BODY_BARE_CR, /* DATA-4, DATA-15 */
    BODY_BARE_LF,
    BODY_NUL,       /* DATA-8 */
    BODY_LONG_LINE, /* DATA-9 */
    BODY_TOO_BIG,   /* DATA-10, EXT-CHUNKING-7 */
    BODY_TEXT,      /* BINARYMIME: CR or LF alone in a text part (EXT-BINARYMIME-4) */
    BODY_DEEP,      /* BINARYMIME: multiparts in multiparts without end */
};

enum body_state {
    BODY_CLOSED,   /* zeroed, or cleared */
    BODY_HEADER,   /* the header block is not complete */
    BODY_SMALL,    /* what follows it fits in memory so far */
    BODY_WANTING,  /* it does not, and there is no file yet */
    BODY_FILING,   /* it goes into a file */
    BODY_SYNCING,  /* it is whole; the file is being synced */
    BODY_DROPPING, /* refused already: octets are only counted */
    BODY_DONE,
};

struct body_limits {
    uint64_t size;  /* octets of content; 0: no limit */
    uint64_t large; /* octets of body that stay in memory */
    bool is_binary; /* BODY=BINARYMIME: any octet is content but where text is canonical */
};

/* Embedded in a transaction. */
struct body {
    enum body_state state;
    struct spares *spares;
    struct body_limits limits;
    void (*moved)(void *owner); /* it was stuck and is no longer, or its file is synced */
    void *owner;

    struct header_scan header;
    struct data_decoder decoder; /* its part `content` has seen everything, BDAT included */
    struct canonical *canonical; /* limits.is_binary only */
    struct buffer small;
    struct body_file *file;
    struct spare_wish wish;
    uint64_t size; /* octets behind the header block */
    bool is_8bit;  /* among them */
    enum body_fault fault;
    uint64_t fault_line; /* from 1 */
    enum err error;      /* the world's fault: no memory, or the disk */

    struct slice front;    /* kept content that is still to be taken; borrowed */
    struct replay *replay; /* and what follows it in a file */
    uint64_t given;        /* after body_end: the octets that came … */
    uint64_t lined;        /* … and of them those in whole lines */
};

/* What a body leaves when its connection is cut. Owned by who took it. */
struct body_kept {
    struct buffer front;    /* the content from its beginning on */
    struct body_file *file; /* and what follows, with the hand perhaps; NULL: nothing */
    uint64_t octets;        /* of content that count: front, then file; the end of a line,
                        or any octet where only BDAT may follow */
};

/* spares is borrowed; moved is called from the loop only. */
void body_open(struct body *body, struct spares *spares, const struct body_limits *limits,
    void (*moved)(void *owner), void *owner);
/* Forgets all, and gives its file back. Harmless on a closed one. */
void body_clear(struct body *body);

/* DATA: takes content from the front of the input, up to its end. Returns the octets taken;
 * *out_is_end says that CRLF.CRLF was among them, and body_end was called. */
size_t body_take_data(struct body *body, struct slice input, bool *out_is_end);
/* BDAT: all of the bytes are content (EXT-CHUNKING-5). */
void body_take_chunk(struct body *body, struct slice bytes);
/* Right after body_open: the content begins with octets that were kept earlier: the front, which
 * must live as long as they are being taken, and so many from the beginning of the file (a
 * read-only handle that is taken over; -1: none). They are taken as if they came now, and meanwhile
 * it is stuck. */
void body_replay(struct body *body, struct slice front, int file, uint64_t octets);
/* The connection is cut: gives all that a later one needs to go on, and leaves the body with
 * nothing but to be cleared. False when there is nothing sound to keep. */
MUST_CHECK bool body_keep(struct body *body, struct body_kept *out_kept);
/* The content is whole (BDAT LAST; done by body_take_data for DATA). */
void body_end(struct body *body);
/* No more content now: `moved` will say when. */
bool body_is_stuck(const struct body *body);
/* Its disk or its file is too late: it fails with ERR_TIMEOUT, and takes (and drops) the rest. */
void body_give_up(struct body *body);
/* After body_end, for a body with a file: has it synced; `moved` says when it is done or failed. */
void body_sync(struct body *body);

/* Octets of content so far. */
static inline uint64_t body_content(const struct body *body)
{
    return body->decoder.content.octets;
}

#endif
