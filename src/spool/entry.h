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
    JOURNAL_DELETED = 5,     /* by an operator; the message is closed with it */
    JOURNAL_CLOSED = 6,      /* nothing is left to do */
    JOURNAL_NOTICED = 7,     /* a notification about recipients is in the spool */
    JOURNAL_MOVED = 8,       /* the message's record was copied and lies there now */
    JOURNAL_CUT = 9,         /* records of a segment from an offset on were refused */
    JOURNAL_SET_ASIDE = 10,  /* octets of a segment are in aside/ */
    JOURNAL_CHECKPOINT = 11, /* begin or end of a run of entries that say all that is */
    JOURNAL_SEGMENT = 12,    /* in a checkpoint: what of a segment is settled */
    JOURNAL_STATE = 13,      /* in a checkpoint: an open message */
    JOURNAL_CLOCK = 14,      /* the queue has begun, or saw the clock jump */
    JOURNAL_OWED = 15,       /* an outcome, delivered, of which the sender is still to be told */
};
enum { JOURNAL_KINDS = JOURNAL_OWED + 1 };

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

/* Of each recipient of a notice of success that is not in the spool yet. Counts until a NOTICED of
 * success names the recipient, or an OUTCOME comes for it; a STATE leaves it in force. */
struct journal_owed {
    struct queue_id notice_id;      /* the same for all whom one notice is to name */
    bool is_relayed;                /* to a next hop that does not report */
    int64_t finished_us;            /* wall time at which the attempt ended */
    struct journal_outcome outcome; /* DELIVERED */
};

struct journal_held {
    struct slice why; /* until it is released */
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

struct journal_moved {
    uint64_t segment;
    uint64_t offset;
};

/* A checkpoint is BEGIN, one SEGMENT for each segment whose name may still be on disk, the STATE of
 * every open message, END. Other entries may lie between. */
enum journal_stage { JOURNAL_BEGIN, JOURNAL_END };

struct journal_checkpoint {
    enum journal_stage stage;
    uint64_t number; /* the journal file that BEGIN is the first entry of. Whoever writes leaves it
                        to journal_commit, which alone knows */
};

/* Of the records that begin before `upto`, those of messages with neither a STATE in this
 * checkpoint nor an entry behind its BEGIN are closed. */
struct journal_segment {
    uint64_t generation;
    uint64_t upto; /* FILE_HEAD: nothing was read of it. Any octet will do, the end of a record or
                      one inside */
    uint64_t cut;  /* as of CUT; 0: none */
    bool is_complete; /* nobody writes it, and every record in it is before upto */
};

/* What the entries about one recipient add up to. */
enum recover_state {
    RECOVER_PENDING, /* never tried, or deferred */
    RECOVER_DELIVERED,
    RECOVER_FAILED,
    RECOVER_EXPIRED,
    RECOVER_DELETED, /* by an operator */
};

struct journal_state_recipient {
    struct slice domain; /* of the address, without the @; empty where it has none */
    enum recover_state state;
    uint32_t attempts;
    int64_t next_us; /* PENDING: wall time of the next attempt, 0: now */
    bool has_delay_notice;
    uint8_t notify; /* as in the envelope; from version 2 on */
    /* The last attempt that did not deliver; all empty for none. */
    uint8_t cause;
    uint16_t code;
    struct slice status;
    struct slice host;
    struct slice address;
    struct slice text;
};

/* Everything that is to be remembered of one open message; replaces what earlier entries said of
 * it. Several follow each other, `first` ascending from 0, where one entry cannot hold all
 * recipients: see journal_state_fits. */
struct journal_state {
    uint64_t segment;
    uint64_t offset;
    uint64_t body_file; /* 0: inline */
    int64_t arrival_us;
    uint64_t size; /* octets of header block and body */
    uint64_t body_size;
    struct slice sender;
    struct slice user;
    enum envelope_notice notice;
    struct queue_id about;
    bool is_held;
    uint32_t recipient_total; /* of the message */
    uint32_t first;           /* index in the envelope of the first in the list */
    struct journal_state_recipient *recipients;
    size_t recipient_count; /* in this entry */
    uint8_t priority;       /* as in the envelope; from version 2 on, as is */
    int64_t hold_us;        /* it is held for so long from its arrival on */
    int64_t hold_date;      /* or until this, wall clock in seconds; 0: not by date */
};

/* How many of state->recipients, from the front of the list, one entry can hold: at least
 * JOURNAL_STATE_LEAST of them if there are so many, whatever their texts. */
enum { JOURNAL_STATE_LEAST = 38 };
size_t journal_state_fits(const struct journal_state *state);

enum journal_clock_event { JOURNAL_LIFE, JOURNAL_JUMP };

struct journal_clock_entry {
    enum journal_clock_event event;
    int64_t was_us; /* what the wall clock would have shown, but for the jump */
};

struct journal_entry {
    enum journal_kind kind;
    struct queue_id id; /* the message; zero for CUT, CHECKPOINT, SEGMENT, CLOCK, and for SET_ASIDE
                           where it is not known */
    int64_t at_us;      /* wall clock */
    union {
        struct journal_arrived arrived;
        struct journal_outcome outcome;
        struct journal_owed owed;
        struct journal_held held;
        struct journal_by released;
        struct journal_by deleted;
        struct journal_by closed;
        struct journal_noticed noticed;
        struct journal_cut cut;
        struct journal_set_aside set_aside;
        struct journal_moved moved;
        struct journal_checkpoint checkpoint;
        struct journal_segment segment;
        struct journal_state state;
        struct journal_clock_entry clock;
    };
};

/* "arrived", "outcome", …; NULL for a number that is none. */
const char *journal_kind_name(unsigned kind);

/* Entries that shall become durable together. Made on the loop, without blocking; no file is known
 * yet. */
struct journal_batch {
    struct buffer bytes;
    size_t count;
    bool has_begin; /* a CHECKPOINT's BEGIN is among them: journal_commit begins a new file there */
    size_t begin;   /* its octet in bytes */
    size_t written; /* octets that journal_commit has synced already */
};

void journal_batch_init(struct journal_batch *batch, size_t cap);
void journal_batch_clear(struct journal_batch *batch);
/* Empties it, memory kept. */
void journal_batch_reset(struct journal_batch *batch);
/* Appends a copy; trouble is sticky in batch->bytes.error. At most one BEGIN in a batch. The
 * lengths of texts in a STATE's list that are above their bounds are cut in place. */
void journal_put(struct journal_batch *batch, const struct journal_entry *entry);

/* Fills in the number of a packed CHECKPOINT: `file` in a BEGIN, `begun` in an END. The frame then
 * wants sealing. Returns what it says now. */
struct journal_checkpoint journal_stamp(char *frame, uint64_t file, uint64_t begun);

extern const struct frame_format journal_format;
extern const struct shape journal_outcome_shape;
extern const struct shape journal_owed_shape;

/* From a sound frame. Text points into its bytes, the list of a notice lies in the arena.
 * ERR_INVALID for a kind or version newer than ours, ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK enum err journal_entry_from_frame(
    const struct frame *frame, struct arena *arena, struct journal_entry *out_entry);

#endif
