/* gate/spares.h: the body files that the queue made in advance, and a large body on its way into
 * one of them. The disk is touched by a hand only; the loop fills one buffer while the hand writes
 * the other, so the memory for a body does not depend on its size. */
#ifndef GATE_SPARES_H
#define GATE_SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "net/hands.h"
#include "spool/body.h"

struct spares;

enum {
    BODY_FILE_CHUNK = 64 << 10, /* octets worth a write */
    BODY_FILE_FILL = 128 << 10, /* octets that may wait while another write is under way */
    SPARES_MIN = 4,             /* to hold while nobody asks for more */
    SPARES_MAX = 32,            /* the queue gives no more ahead */
};

enum body_file_state {
    BODY_FILE_SPARE, /* in the pool, empty */
    BODY_FILE_TAKEN, /* a body's; no hand is at it */
    BODY_FILE_WRITING,
    BODY_FILE_SYNCING,
    BODY_FILE_EMPTYING, /* nobody's any more, on its way back to the pool */
};

/* Called from the loop when the hand is done with what body_file_write or body_file_sync asked. */
typedef void body_file_fn(void *owner);

struct body_file {
    struct hand_job job;
    struct body_file *prev, *next; /* in the pool */
    struct spares *spares;
    enum body_file_state state;
    struct body_writer writer; /* the hand's while WRITING, SYNCING, EMPTYING */
    struct buffer writing;     /* likewise */
    struct buffer filling;     /* what comes next: append to it */
    uint64_t number;
    uint64_t checksum; /* after a sync */
    enum err error;    /* sticky */
    body_file_fn *moved;
    void *owner; /* NULL: nobody's, to be emptied when the hand is done */
};

/* Embedded in who waits for a file. */
struct spare_wish {
    struct spare_wish *prev, *next;
    bool is_waiting;
    void (*granted)(struct spare_wish *wish, struct body_file *file);
};

struct spares {
    struct disk *disk;
    struct hands *hands;
    struct body_file *pool;
    size_t count; /* in the pool */
    struct spare_wish *wishes;
    size_t wish_count;
    size_t busy;                 /* hands' jobs */
    void (*wanted)(void *owner); /* there are too few: ask the queue */
    void *owner;
};

/* ERR_NOMEM. */
MUST_CHECK enum err spares_init(struct spares *spares, struct loop *loop, struct disk *disk,
    void (*wanted)(void *owner), void *owner);
/* Waits for the hands. Files that bodies still have are lost to the pool. */
void spares_clear(struct spares *spares);
/* The queue sent one; the handle is the pool's. */
void spares_add(struct spares *spares, int handle, uint64_t number);
/* How many the pool would like to get. */
size_t spares_shortage(const struct spares *spares);

/* A file for a body, or NULL when there is none now. moved: see body_file_fn. */
struct body_file *spares_take(struct spares *spares, body_file_fn *moved, void *owner);
/* Have `granted` called with a file as soon as there is one (set moved and owner then). */
void spares_wish(struct spares *spares, struct spare_wish *wish);
void spares_unwish(struct spares *spares, struct spare_wish *wish);

/* Gives `filling` to the hand. State TAKEN. */
void body_file_write(struct body_file *file);
/* Gives the rest to the hand and has the file synced; then checksum, or error, is set. State TAKEN.
 */
void body_file_sync(struct body_file *file);
/* Nobody names it: empties it for another body, or closes it when it failed. In any state but
 * SPARE; nulls the pointer, NULL is harmless. */
void body_file_drop(struct body_file **file);
/* A record that names it is on the disk, or may be: closes it as it is. State TAKEN. */
void body_file_keep(struct body_file **file);

#endif
