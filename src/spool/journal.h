/* spool/journal.h: what became of messages: facts appended by the queue alone, in files of their
 * own, group-committed, and read back at start-up. */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H

#include "spool/entry.h"
#include "spool/store.h"

enum {
    JOURNAL_FILE_SIZE = 16 << 20, /* default for rotation */
};

/* How the entries of the journal stand to its checkpoints: when the next is due, and from where it
 * is read. The octets are those of frames. */
struct journal_tally {
    uint64_t from;  /* the file in which the last good checkpoint begins, 0 for none */
    uint64_t size;  /* octets of that checkpoint's own entries */
    uint64_t since; /* octets of other entries behind its BEGIN (of all when there is none) */
    /* Of a checkpoint that has begun and not ended. */
    uint64_t begun; /* its file, 0 for none */
    uint64_t begun_size;
    uint64_t begun_since;
};

/* One thread at a time. */
struct journal {
    struct store *store;
    int file; /* the current file; -1 before the first commit and after a failure */
    uint64_t number;
    uint64_t end;    /* octets of it that are synced */
    uint64_t zeroed; /* zeros were written up to here */
    uint64_t size;
    uint64_t file_size; /* for new files */
    uint64_t previous;  /* what a new file names as its predecessor */
    uint64_t previous_end;
    struct journal_tally tally; /* of what is synced */
    uint64_t floor; /* no file below this number is read at start any more: a synced header block
                       says so. 0: all are. Those below are history, and may go */
};

struct journal_replayed;

/* replayed: what journal_replay has found; NULL for an empty journal. A new file is begun at the
 * first commit, never an old one continued. file_size: octets, 0 for the default. */
void journal_init(struct journal *journal, struct store *store,
    const struct journal_replayed *replayed, uint64_t file_size);
void journal_clear(struct journal *journal);

/* Appends the batch and syncs once. On failure the file is abandoned, its description never synced
 * again, and the batch is written to a new file; if that fails too the error is returned, and the
 * next commit begins another file. Nothing of the batch counts as recorded then; it is committed
 * again until it is, and what of it was synced (see below) is not written again. An empty batch is
 * ERR_OK without a sync. The batch keeps its content. Begins a new file when the current one is
 * full. Blocks.
 *
 * A checkpoint is written by putting its entries into batches like any others. What lies in a batch
 * before a BEGIN is synced first, then a new file is begun with it. The numbers in BEGIN and END
 * are filled in here. When a batch with an END is synced the next file is begun at once, which
 * names the checkpoint's first file as the one to read from; that this fails is no failure of the
 * batch. Whoever writes a checkpoint must have read all that lay on the disk when he started:
 * records that were not read yet count as closed only before the `upto` of their segment. A
 * checkpoint that cannot be ended is left as it is; a BEGIN makes it void. */
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

/* Nothing says whom it concerns. */
bool journal_damage_is_nameless(const struct journal_damage *damage);

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
    uint64_t first; /* number of the file that reading began at, 0 for none */
    struct journal_tally tally;
};

/* Reads the files in order, from the one that the newest sound header block names. A torn tail of
 * the last file is cut off (it was never synced, so nobody acted on it), and that file is synced:
 * what is acted on from now on cannot vanish. Nothing else is changed. A checkpoint is good when
 * its END was read and nothing nameless is damaged between BEGIN and END. */
MUST_CHECK enum err journal_replay(struct store *store, const struct journal_events *events,
    struct journal_replayed *out_replayed);
/* All files there are, without changing anything, also while a journal is written: for `trace`. A
 * torn tail is passed over. */
MUST_CHECK enum err journal_scan(struct store *store, const struct journal_events *events,
    struct journal_replayed *out_replayed);

/* One entry more of a journal that is written or read. checkpoint: what a CHECKPOINT says. */
void journal_tally_add(struct journal_tally *tally, uint16_t kind,
    const struct journal_checkpoint *checkpoint, uint64_t octets);

#endif
