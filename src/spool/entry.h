/* spool/entry.h: the facts of the journal as typed structs, one table for all kinds, and batches of
 * them. A fact may be read twice (a batch whose sync failed is written again), so every entry says
 * what is, never what to add. Pure. */
#ifndef SPOOL_ENTRY_H
#define SPOOL_ENTRY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "spool/envelope.h"
#include "spool/frame.h"

/* Numbers on disk: never given to anything else. */
enum journal_kind {
    JOURNAL_ARRIVED = 1, /* the queue has read the record */
    JOURNAL_OUTCOME = 2, /* of one attempt for one recipient (QUE-12) */
    JOURNAL_HELD = 3,
    JOURNAL_RELEASED = 4,
    JOURNAL_DELETED = 5, /* by an operator; the message is closed with it */
    JOURNAL_CLOSED = 6,  /* nothing is left to do */
    JOURNAL_NOTICED = 7, /* a notification about recipients is in the spool */
    /* 8 is kept for MOVED (compaction) */
    JOURNAL_CUT = 9,        /* records of a segment from an offset on were refused */
    JOURNAL_SET_ASIDE = 10, /* octets of a segment are in aside/ */
    /* 11 is kept for CHECKPOINT */
};
enum { JOURNAL_KINDS = JOURNAL_SET_ASIDE + 1 };

/* Bounds in octets. Longer text is cut, never refused: an outcome is not lost for its words. */
enum {
    JOURNAL_HOST_MAX = 256,
    JOURNAL_STATUS_MAX = 16,
    JOURNAL_TEXT_MAX = 512,
    JOURNAL_ENTRY_MAX = 64 << 10, /* packed */
};

struct journal_arrived {
    uint64_t segment;
    uint64_t offset;
    uint64_t body_file; /* 0: inline */
    int64_t arrival_us;
    uint64_t size; /* octets of header block and body */
    uint32_t recipient_count;
    struct slice sender;
    struct slice user;
    struct slice mechanism;
    struct slice listener;
    struct slice client;
    struct slice tls_version;
    struct slice tls_cipher;
    enum envelope_notice notice;
    struct queue_id about;
};

enum journal_result { JOURNAL_DELIVERED, JOURNAL_DEFERRED, JOURNAL_FAILED, JOURNAL_EXPIRED };

struct journal_outcome {
    uint32_t recipient; /* index in the envelope */
    enum journal_result result;
    uint32_t attempt;         /* 1 for the first */
    int64_t started_us;       /* wall time at which the attempt began, 0 when there was none */
    struct slice mailbox;     /* the recipient's address where it is known, for `trace` */
    int64_t next_us;          /* DEFERRED: wall time of the next attempt */
    uint8_t cause;            /* the queue's own number for why, 0 for none */
    uint16_t code;            /* basic reply code, 0 when nobody replied */
    struct slice status;      /* "5.1.1" */
    struct slice host;        /* name of the next hop, empty when none was reached */
    struct slice address;     /* "192.0.2.1:25" */
    struct slice text;        /* the reply, or our reason */
    struct slice tls_version; /* empty: clear */
    struct slice tls_cipher;
    struct slice local; /* who tried: relay and its local address */
};

struct journal_held {
    int64_t until_us; /* 0: until released */
    struct slice why;
};

struct journal_by {
    struct slice by; /* an operator's login, or what in us decided */
};

struct journal_noticed_recipient {
    uint32_t recipient;
};

struct journal_noticed {
    enum envelope_notice notice;
    struct queue_id notice_id;
    struct journal_noticed_recipient *recipients;
    size_t recipient_count;
};

struct journal_cut {
    uint64_t segment;
    uint64_t offset; /* records from here on do not count */
};

struct journal_set_aside {
    uint64_t segment;
    uint64_t offset;
    uint64_t length;
    struct slice why;
};

struct journal_entry {
    enum journal_kind kind;
    struct queue_id id; /* the message; zero for CUT, and for SET_ASIDE where it is not known */
    int64_t at_us;      /* wall clock */
    union {
        struct journal_arrived arrived;
        struct journal_outcome outcome;
        struct journal_held held;
        struct journal_by released;
        struct journal_by deleted;
        struct journal_by closed;
        struct journal_noticed noticed;
        struct journal_cut cut;
        struct journal_set_aside set_aside;
    };
};

/* "arrived", "outcome", …; NULL for a number that is none. */
const char *journal_kind_name(unsigned kind);

/* Entries that shall become durable together. Made on the loop, without blocking; no file is known
 * yet. */
struct journal_batch {
    struct buffer bytes;
    size_t count;
};

void journal_batch_init(struct journal_batch *batch, size_t cap);
void journal_batch_clear(struct journal_batch *batch);
/* Empties it, memory kept. */
void journal_batch_reset(struct journal_batch *batch);
/* Appends a copy; trouble is sticky in batch->bytes.error. */
void journal_put(struct journal_batch *batch, const struct journal_entry *entry);

extern const struct frame_format journal_format;
extern const struct shape journal_outcome_shape;

/* From a sound frame. Text points into its bytes, the list of a notice lies in the arena.
 * ERR_INVALID for a kind or version newer than ours, ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK enum err journal_entry_from_frame(
    const struct frame *frame, struct arena *arena, struct journal_entry *out_entry);

#endif
