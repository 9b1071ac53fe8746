/* spool/recover.h: from what lies on disk to messages: replays the journal from its last checkpoint
 * on, hands over the messages that it knows, reads the segments that it does not settle behind
 * their writers, drops what is closed, cut or held already, sets aside what is damaged. Start-up
 * and live tailing are the same call. */
#ifndef SPOOL_RECOVER_H
#define SPOOL_RECOVER_H

#include "spool/journal.h"
#include "spool/segment.h"
#include "spool/store.h"

/* What the journal knows of one recipient. */
struct recover_recipient {
    struct slice domain; /* of the address, without the @; empty where it has none */
    enum recover_state state;
    uint32_t attempts;
    int64_t next_us; /* wall time of the next attempt; 0: now */
    bool has_delay_notice;
    uint8_t notify;   /* as in the envelope */
    bool has_outcome; /* `outcome` is the last one; of DELIVERED kept only where is_owed. From a
                         checkpoint only result, attempt, next_us, cause, code, status, host,
                         address and text */
    struct journal_outcome outcome;
    bool is_owed; /* DELIVERED, and the sender is still to be told; as in struct journal_owed: */
    bool is_relayed;
    struct queue_id notice_id;
    int64_t finished_us;
};

struct recover_message {
    struct queue_id id;
    uint64_t segment;
    uint64_t offset;
    /* NULL: the record was not read, all is known from a checkpoint; then it is journalled. */
    const struct envelope *envelope;
    uint64_t body_file; /* 0: inline */
    int64_t
        arrival_us; /* where it is journalled, by the clock of recover_now; else the gate's word */
    uint64_t size;  /* octets of header block and body */
    uint64_t body_size;
    struct slice sender;
    struct slice user;
    enum envelope_notice notice;
    struct queue_id about;
    uint8_t priority;   /* as in the envelope */
    int64_t hold_us;    /* so long from its arrival on it is not sent */
    int64_t hold_date;  /* wall time in seconds that it waits for instead; 0: none */
    bool is_journalled; /* an "arrived" or a "state" entry exists; otherwise the queue writes the
                           former */
    bool is_held;
    bool is_suspect; /* journal entries that may concern it are damaged: hold it, never send it
                        blindly */
    bool is_refused; /* one entry says that it was accepted and another that it was cut: is_suspect
                        too */
    const struct recover_recipient *recipients;
    size_t recipient_count;
};

enum recover_why {
    RECOVER_CORRUPT, /* damaged, with sound records behind or within what the writer stated as good
                      */
    RECOVER_TORN,    /* the end of a write that never ended; nobody had a 250 for it */
    RECOVER_UNKNOWN, /* sound, of a version newer than ours */
};

struct recover_aside {
    uint64_t segment;
    uint64_t offset;
    uint64_t length;
    enum recover_why why;
    bool has_id;
    struct queue_id id;
    uint64_t pieces; /* that were not told before and are told with this */
    bool is_known;   /* an earlier start has copied it already, or told of it */
    enum err copied; /* not ERR_OK: it is only in the segment, which must then not be unlinked */
};

/* All are called from inside the functions below, on their thread. What is handed over is valid
 * during the call. */
struct recover_events {
    void *context;
    /* The message of that id is in the caller's hands already (live, or closed in this life): a
     * second record is dropped. */
    bool (*is_held)(void *context, struct queue_id id);
    /* A message that is to be delivered. An error ends the reading before it; it comes again next
     * time. */
    enum err (*on_message)(void *context, const struct recover_message *message);
    /* Octets that are no record (QUE-14). Of a segment's first pieces each is copied and told. Of
     * the others only messages that the journal knows are told at once; in the end, before
     * on_owned, all octets from the first to the last of them are copied and told together. */
    void (*on_aside)(void *context, const struct recover_aside *aside);
    /* A segment whose gate lives: read it when the gate states how far it is good, or is gone. */
    void (*on_alive)(void *context, uint64_t generation);
    /* An accepted message whose record is nowhere: its segment was removed or damaged behind our
     * back. */
    void (*on_missing)(void *context, struct queue_id id, uint64_t segment, uint64_t offset);
    /* The writer of a segment is gone and everything in it has been handed over: when none of its
     * messages is open (any more) it may be unlinked. */
    void (*on_owned)(void *context, uint64_t generation);
    /* A fault of the world that concerns one segment and stops nothing else. The segment is kept;
     * recover_gone tries again. */
    void (*on_trouble)(void *context, uint64_t generation, enum err reason, const char *what);
    /* Every journal entry and damage, for whoever keeps history. May be NULL. */
    void (*on_entry)(void *context, const struct journal_entry *entry);
    void (*on_journal_damage)(void *context, const struct journal_damage *damage);
};

struct recover;

/* Borrows store and events. NULL without memory. One thread at a time. */
MUST_CHECK struct recover *recover_new(struct store *store, const struct recover_events *events);
void recover_free(struct recover **recover);

/* First: replays the journal (recipient states, cuts, holds, what segments are settled). */
MUST_CHECK enum err recover_journal(struct recover *recover, struct journal_replayed *out_replayed);

/* Right behind it: the time now, by the wall clock or by one that leaves out its jumps in this
 * life. Times that the journal knows are handed over as that clock would have shown them: what the
 * wall clock jumped after they were written and before that time is added (see journal_clock.h),
 * what it jumps later is not. */
void recover_now(struct recover *recover, int64_t now_us);

/* Then: first the messages that a checkpoint and what follows it describe whole, without reading
 * their records. Then every segment on disk. Where the writer is gone the segment is synced first
 * and read to its last sound record, then on_owned; a segment of which the checkpoint has settled
 * everything is not read unless a message is looked for. Where the writer lives: on_alive. Errors
 * are on_message's and those of the folder itself; the next call goes on where this one has
 * stopped. */
MUST_CHECK enum err recover_segments(struct recover *recover);

/* A record may name any body file: the caller refuses a second message that names the same one, and
 * one that it did not give to that gate. Live: the gate states that everything before `upto` is
 * good (the doorbell: absolute, repeatable; a smaller one than before is no news). Reads what is
 * new. The segment need not have been seen before. ERR_PROTOCOL: upto lies outside the segment, the
 * gate is lying. */
MUST_CHECK enum err recover_stated(struct recover *recover, uint64_t generation, uint64_t upto);

/* The gate of the segment is gone or done with it: syncs it, reads to the last sound record and
 * calls on_owned. ERR_BUSY while the lock is still held. */
MUST_CHECK enum err recover_gone(struct recover *recover, uint64_t generation);

/* The caller itself has written the records of this segment up to there, and holds them: they are
 * never handed over. upto: an end of a record. A smaller one than before is no news. */
MUST_CHECK enum err recover_passed(struct recover *recover, uint64_t generation, uint64_t upto);

/* A cut is in the synced journal: nothing from the offset on counts. */
MUST_CHECK enum err recover_cut(struct recover *recover, uint64_t generation, uint64_t offset);
/* Where a segment is cut as far as the journal says or recover_cut said, 0 for not at all: for the
 * next checkpoint. */
uint64_t recover_cut_of(const struct recover *recover, uint64_t generation);

/* Segments that were alive at start and have not been heard of since, or could not be read so far.
 * 0: recovery is complete; then recover_finish, and what no message names may be removed. */
size_t recover_waiting(const struct recover *recover);
/* Reports what is missing and forgets everything that only start-up needed. */
void recover_finish(struct recover *recover);

/* The segment is unlinked, or will be: forget its reader. */
void recover_forget(struct recover *recover, uint64_t generation);
/* A read handle of a segment for segment_load, borrowed until recover_forget; -1 when it cannot be
 * opened. */
int recover_handle(struct recover *recover, uint64_t generation);
/* How far a segment has been read or need not be: 0 when not at all. */
uint64_t recover_offset(const struct recover *recover, uint64_t generation);

#endif
