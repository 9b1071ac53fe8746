/* tests/unit/spool/support.h: a spool in a temporary directory, a disk that fails on demand, and
 * messages to put there. */
#ifndef TESTS_SPOOL_SUPPORT_H
#define TESTS_SPOOL_SUPPORT_H

#include "../check.h"

#include "spool/disk.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/store.h"

enum act {
    ACT_OPEN_DIR,
    ACT_MAKE_DIR,
    ACT_CREATE,
    ACT_OPEN_READ,
    ACT_OPEN_WRITE,
    ACT_READ,
    ACT_WRITE,
    ACT_SYNC,
    ACT_SYNC_DIR,
    ACT_ALLOCATE,
    ACT_TRUNCATE,
    ACT_SIZE,
    ACT_RENAME,
    ACT_UNLINK,
    ACT_LIST,
    ACT_LOCK,
    ACT_SPACE,
    ACTS,
};

/* Stands in front of the real disk and fails the n-th act from now on, of one kind or of any. */
struct faulty_disk {
    struct disk disk;
    int done[ACTS];
    int all;        /* acts of any kind */
    int fail_act;   /* kind to fail; ACTS: any; -1: none */
    int fail_in;    /* 1: the next one of that kind */
    int fail_times; /* how many in a row; 0: that one only */
    enum err fail_with;
    size_t write_most;         /* octets that one write takes; 0: all */
    uint64_t bad_from, bad_to; /* a read that touches these octets fails */
    bool spoiled[4096];        /* descriptors whose sync has failed */
    int synced_again;          /* syncs of such a descriptor: must stay 0 */
    struct disk_space space;
    bool is_lazy; /* syncs are not passed on: for many files that no crash will meet */
};
void faulty_init(struct faulty_disk *faulty);
void faulty_plan(struct faulty_disk *faulty, int act, int in, enum err with);

/* A new empty directory; removed with all that is in it by temp_remove. */
struct temp {
    char path[64];
    int root; /* descriptor */
};
void temp_make(struct temp *temp);
void temp_remove(struct temp *temp);
int temp_root(const struct temp *temp); /* a copy of the descriptor */

/* Files by path below the directory. */
size_t temp_read(const struct temp *temp, const char *path, char *into, size_t most, off_t offset);
void temp_write(
    const struct temp *temp, const char *path, const void *data, size_t len, off_t offset);
/* Changes one octet of the file, whatever it was. */
void temp_spoil(const struct temp *temp, const char *path, off_t at);
long temp_size(const struct temp *temp, const char *path); /* -1: not there */
size_t temp_count(const struct temp *temp, const char *folder);
/* Where a segment lies, till the next call. */
const char *segment_path(uint64_t generation);

/* The store with segments of STORE_SEGMENT_MIN. */
void open_store(struct store *store, struct disk *disk, const struct temp *temp);

/* The header block of a file as a later version of the program would write it. */
void newer_head(
    const struct frame_format *format, uint64_t generation, unsigned char out_block[FILE_HEAD]);

/* A message of our own making: the number decides everything in it. */
struct sample {
    struct queue_id id;
    struct buffer envelope;
    struct slice header[2];
    struct slice body;
    char text[512];
    struct record_draft draft;
};
struct queue_id sample_id(unsigned number);
void sample_make(struct sample *sample, unsigned number, size_t recipients, struct slice body);
void sample_make_with_file(
    struct sample *sample, unsigned number, uint64_t file, uint64_t size, uint64_t sum);
void sample_clear(struct sample *sample);

/* Appends messages number first .. first + count - 1 in one batch each. */
void append_samples(struct segment_writer *writer, unsigned first, unsigned count);

#endif
