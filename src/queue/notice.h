/* queue/notice.h: writes one notice as a record: reads the original, makes the report about it and
 * packs both into a draft. On a hand; knows no state of the room. */
#ifndef QUEUE_NOTICE_H
#define QUEUE_NOTICE_H

#include "spool/entry.h"
#include "spool/segment.h"
#include "spool/store.h"

/* A recipient reported. mailbox of the outcome is filled in where it is empty. */
struct notice_row {
    uint32_t recipient;
    bool is_relayed; /* NOTICE_SUCCESS: to a next hop that does not report */
    int64_t at_us;
    struct journal_outcome *outcome;
};

struct notice {
    /* In. */
    enum envelope_notice kind;
    struct queue_id id; /* of the notice */
    struct queue_id about;
    int handle; /* of the original's segment */
    uint64_t generation;
    uint64_t offset;
    struct slice hostname;
    struct slice postmaster;
    int64_t now_us;
    int64_t retry_until; /* NOTICE_DELAY: seconds */
    struct notice_row *rows;
    size_t row_count;
    struct arena *arena; /* for mailboxes and small things; lives longer than the draft */
    /* Out. */
    struct buffer header;
    struct buffer body;
    struct buffer envelope;
    struct buffer content; /* of a body file that comes back whole */
    struct slice header_piece;
    struct slice body_piece;
    struct record_draft draft;
    bool is_ready;
};

void notice_init(struct notice *notice, struct arena *arena);
void notice_clear(struct notice *notice);
/* Fills the draft. store: only for store_open_read, which keeps no state. ERR_CORRUPT, ERR_INVALID:
 * the original cannot be read back. Blocks. */
MUST_CHECK enum err notice_make(struct notice *notice, struct disk *disk, struct store *store);

#endif
