/* spool/journal.h: what became of messages: facts appended by the queue alone, in files of their
 * own, group-committed, and read back at start-up. */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H

#include "spool/entry.h"
#include "spool/store.h"

enum {
    JOURNAL_FILE_SIZE = 16 << 20, /* default for rotation */
};

/* One thread at a time. */
struct journal {
    struct store *store;
    int file; /* the current file; -1 before the first commit and after a failure */
    uint64_t number;
    uint64_t end; /* octets of it that are synced */
    uint64_t size;
    uint64_t file_size; /* for new files */
    uint64_t previous;  /* what a new file names as its predecessor */
    uint64_t previous_end;
};

/* previous, previous_end: the last file that journal_replay found and its good end; 0, 0 for none.
 * A new file is begun at the first commit, never an old one continued. file_size: octets, 0 for the
 * default. */
void journal_init(struct journal *journal, struct store *store, uint64_t previous,
    uint64_t previous_end, uint64_t file_size);
void journal_clear(struct journal *journal);

/* Appends the batch and syncs once. On failure the file is abandoned, its description never synced
 * again, and the batch is written to a new file; if that fails too the error is returned, nothing
 * of the batch counts as recorded, and the next commit begins another file. An empty batch is
 * ERR_OK without a sync. The batch keeps its content. Begins a new file when the current one is
 * full. Blocks. */
MUST_CHECK enum err journal_commit(struct journal *journal, struct journal_batch *batch);

struct journal_damage {
    uint64_t file;
    uint64_t offset;
    uint64_t length;
    bool has_id; /* the entry's head was sound: only this message is concerned. Otherwise every
                    message that was open */
    struct queue_id id;
    const char *why; /* "corrupt entry", "unknown entry", "header block", … */
};

struct journal_events {
    void *context;
    /* Every sound entry in the order of writing; valid during the call. An error stops the replay
     * and is returned. May be NULL. */
    enum err (*on_entry)(void *context, const struct journal_entry *entry);
    /* Something before sound entries, or before an end that a later file states, does not read
     * back. */
    void (*on_damage)(void *context, const struct journal_damage *damage);
};

struct journal_replayed {
    uint64_t last; /* number of the last file, 0 for none or when it could not be read: nobody may
                      then state its end */
    uint64_t last_end;   /* its good end */
    uint64_t cut_octets; /* torn tail that was cut off the last file */
    size_t entries;
    size_t damaged;
};

/* Reads all files in order. A torn tail of the last file is cut off (it was never synced, so nobody
 * acted on it); nothing else is changed. */
MUST_CHECK enum err journal_replay(struct store *store, const struct journal_events *events,
    struct journal_replayed *out_replayed);
/* The same without changing anything, also while a journal is written: for `trace`. A torn tail is
 * passed over. */
MUST_CHECK enum err journal_scan(struct store *store, const struct journal_events *events,
    struct journal_replayed *out_replayed);

/* Which files may go is the queue's decision: store_list(STORE_JOURNAL) and store_unlink. A file is
 * needed while it has the only entry about a message whose record still lies in a segment, or a cut
 * of a segment that still exists. Place for the checkpoint: a file that begins with the whole state
 * makes all before it needless. */

#endif
