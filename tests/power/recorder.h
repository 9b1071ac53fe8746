/* tests/power/recorder.h: stands in front of a memory disk and writes down everything that changes
 * it, in one order over all threads, when it began and when it returned, together with what was
 * promised to whom. Can make operations fail. */
#ifndef TESTS_POWER_RECORDER_H
#define TESTS_POWER_RECORDER_H

#include "base/queue_id.h"
#include "memory_disk.h"

enum event_kind {
    EVENT_RETURN, /* of the operation begun at `begin` */
    EVENT_CREATE,
    EVENT_MAKE_DIR,
    EVENT_WRITE,
    EVENT_ALLOCATE,
    EVENT_TRUNCATE,
    EVENT_SYNC,
    EVENT_SYNC_DIR,
    EVENT_RENAME,
    EVENT_UNLINK,
    EVENT_NOTE, /* a promise: only a place in the order, what it means is in the oracle */
};

/* Its place in the log is the time: everything before a cut at n has an index below n. */
struct event {
    enum event_kind kind;
    enum err result; /* RETURN */
    size_t begin;    /* RETURN: index of the operation */
    unsigned node;   /* the file, or the folder in which a name changes */
    unsigned child;  /* CREATE, MAKE_DIR: what was made. RENAME: the folder of the new name */
    uint64_t offset; /* WRITE; ALLOCATE and TRUNCATE: the size */
    size_t len;
    unsigned char *data; /* WRITE */
    char name[DISK_NAME];
    char to[DISK_NAME]; /* RENAME */
};

struct recorder {
    struct disk disk; /* first */
    struct memory_disk *under;
    pthread_mutex_t mutex;
    struct event *events;
    size_t count, room;
    /* What becomes of an operation: ERR_OK lets it happen. Called under the mutex; NULL: all
     * succeed. */
    enum err (*judge)(void *context, enum event_kind kind);
    void *context;
    uint64_t octets; /* written */
};

/* Borrows the disk. */
struct recorder *recorder_new(struct memory_disk *under);
void recorder_free(struct recorder **recorder);
/* A place in the order. */
size_t recorder_note(struct recorder *recorder);
size_t recorder_now(struct recorder *recorder);

#endif
