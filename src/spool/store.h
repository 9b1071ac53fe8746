/* spool/store.h: the spool directory as the queue sees it: makes blanks, spares and journal files,
 * opens, claims and unlinks. Knows names and numbers, not messages. */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "spool/disk.h"
#include "spool/frame.h"

/* segments/<16 hex>.seg  bodies/<16 hex>.body  journal/<16 hex>.jnl  partials/<16 hex>.part
 * aside/<16 hex>-<16 hex>.rec  lock */
enum store_kind { STORE_SEGMENT, STORE_BODY, STORE_JOURNAL, STORE_PARTIAL };
enum { STORE_KINDS = STORE_PARTIAL + 1 };

enum {
    STORE_SEGMENT_SIZE = 64 << 20, /* default */
    STORE_SEGMENT_MIN = 8 << 20,   /* the largest record fits */
    STORE_SEGMENT_MAX = 1 << 30,   /* what is said to be larger is not read further */
    STORE_FILES_LEAST = 64,        /* blanks, spares, journal and copies set aside, with some air */
};

/* Every number (generation, body, journal file) is a count in its upper 32 bits and 32
 * unforeseeable bits below, above every number seen in this spool. 0 is none. */

/* The highest one seen or given: one for all stores of a spool, on whatever threads they are. So
 * the newest journal file, which is never removed, is above all that was given before it, and
 * whatever was given since is in a folder or named in the journal. Zero at first. */
struct store_numbers {
    _Atomic uint64_t highest;
};

struct store_settings {
    uint64_t
        segment_size; /* octets; 0: the default. A multiple of 4096, STORE_SEGMENT_MIN to _MAX */
    int lock; /* a handle whose description already holds the instance lock (store_lock), borrowed;
                 -1: take it here */
    struct store_numbers *numbers; /* shared by the stores of this spool, outlives them; NULL: this
                                      is the only one */
    uint64_t reserve;              /* octets of the disk that copies aside leave free */
};

/* One thread at a time. */
struct store {
    struct disk *disk;
    int root; /* owned */
    int dirs[STORE_KINDS];
    int aside;
    int lock; /* -1 when borrowed */
    uint64_t segment_size;
    uint64_t reserve;
    struct store_numbers *numbers;
    struct store_numbers own;
};

/* The instance lock of a spool: a second instance gets ERR_BUSY. The file `lock` is made if
 * missing. The lock lives as long as a copy of the handle. */
MUST_CHECK enum err store_lock(struct disk *disk, int root, int *out_lock);

/* Takes the directory handle `root` (also when it fails), makes what is missing and syncs it, takes
 * the lock. ERR_BUSY: another instance. ERR_INVALID: impossible settings. */
MUST_CHECK enum err store_open(
    struct store *store, struct disk *disk, int root, const struct store_settings *settings);
void store_close(struct store *store);

/* Numbers given from now on, by whatever store shares them, are above this one (a generation found
 * in a journal). */
void store_note_number(struct store *store, uint64_t number);

struct store_blank {
    uint64_t generation;
    uint64_t size;
    uint64_t start; /* where records begin */
    int write; /* write-only, locked on its description: for the gate; the queue then closes its
                  copy */
};

/* A new empty segment: preallocated, header block synced, name synced. ERR_NOSPACE and others leave
 * nothing behind. */
MUST_CHECK enum err store_blank(struct store *store, struct store_blank *out_blank);

struct store_spare {
    uint64_t number;
    int write; /* write-only, locked: for the gate; the queue then closes its copy */
};

/* A new empty body file, its name synced. */
MUST_CHECK enum err store_spare(struct store *store, struct store_spare *out_spare);

/* A read-only handle. ERR_NOTFOUND. */
MUST_CHECK enum err store_open_read(
    struct store *store, enum store_kind kind, uint64_t number, int *out_file);
/* The writer is gone? Then a locked write handle; while it lives ERR_BUSY. */
MUST_CHECK enum err store_claim(
    struct store *store, enum store_kind kind, uint64_t number, int *out_file);
/* Removes the file and syncs the directory. Only for what the synced journal no longer needs.
 * ERR_BUSY while a writer of a segment or body lives, ERR_NOTFOUND when it is gone already; then
 * too the directory is synced, so that the name is gone for good. */
MUST_CHECK enum err store_unlink(struct store *store, enum store_kind kind, uint64_t number);

/* store_unlink without the sync, for several at once; a name that comes back after a power cut does
 * no harm. */
MUST_CHECK enum err store_remove(struct store *store, enum store_kind kind, uint64_t number);
/* Writes octets of a file over themselves and syncs them. A sync that failed in an earlier life has
 * left them in the page cache and perhaps not on the disk, and no further sync alone would write
 * them: whoever acts on what he reads there makes sure of it with this. */
MUST_CHECK enum err store_renew(
    struct store *store, enum store_kind kind, uint64_t number, uint64_t from, uint64_t to);
/* Cuts a file to a size and syncs it. */
MUST_CHECK enum err store_truncate(
    struct store *store, enum store_kind kind, uint64_t number, uint64_t size);

/* A new journal file with this header block, of which the generation is chosen here: preallocated,
 * header synced, name synced, locked so that it is not unlinked while it is written. */
MUST_CHECK enum err store_new_journal(
    struct store *store, const struct file_head *head, uint64_t *out_number, int *out_file);

/* A new empty file under a number of its own, not locked; its name is not synced. */
MUST_CHECK enum err store_new_file(
    struct store *store, enum store_kind kind, uint64_t *out_number, int *out_file);

struct store_file {
    uint64_t number;
};
/* By number, for qsort and bsearch. */
int store_compare_files(const void *a, const void *b);

/* What is there, by ascending number; *out_files is the caller's to free(). Names that are not ours
 * are left alone. */
MUST_CHECK enum err store_list(
    struct store *store, enum store_kind kind, struct store_file **out_files, size_t *out_count);
/* Octets of a file, as the file system says. */
MUST_CHECK enum err store_file_size(
    struct store *store, enum store_kind kind, uint64_t number, uint64_t *out_size);

/* Copies octets of a segment to aside/<generation>-<offset>.rec and syncs (QUE-14). ERR_EXISTS when
 * that was done before. ERR_NOSPACE also when the copy would not leave what is reserved. A folder
 * that was removed is made again. What cannot be read is copied as it reads, see tail.h. */
MUST_CHECK enum err store_copy_aside(
    struct store *store, int file, uint64_t generation, uint64_t offset, uint64_t length);

/* Body files that no record names (CMD-29, QUE-1): first store_sweep_begin notes the files that
 * nobody holds, then, once every record written before is known, store_sweep_finish removes those
 * of them that is_named does not know. With no living gate the two follow each other after the last
 * segment has been read. With living gates each of them must have stated the end of its segments
 * after begin, and that far must have been read: a gate lets go of a body only after its record is
 * synced, so a file that was free at begin and has no record by then has none for ever. */
struct store_sweep {
    uint64_t *numbers;
    size_t count;
};
MUST_CHECK enum err store_sweep_begin(struct store *store, struct store_sweep *out_sweep);
MUST_CHECK enum err store_sweep_finish(struct store *store, struct store_sweep *sweep,
    bool (*is_named)(void *context, uint64_t number), void *context, size_t *out_removed);
void store_sweep_clear(struct store_sweep *sweep);

/* Room for new mail? (DATA-16: the gate refuses below 5 % or 256 MiB.) */
MUST_CHECK enum err store_space(struct store *store, struct disk_space *out_space);
bool store_is_low(const struct disk_space *space);
/* Fewer files can be made than the mail under way may need, however many octets are free. */
bool store_lacks_files(const struct disk_space *space);

/* The name of a file inside its folder. */
enum { STORE_NAME = 40 };
void store_name(enum store_kind kind, uint64_t number, char out_name[STORE_NAME]);
MUST_CHECK bool store_parse_name(enum store_kind kind, const char *name, uint64_t *out_number);

#endif
