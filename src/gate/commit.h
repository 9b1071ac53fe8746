/* gate/commit.h: from a finished message to "it is on the disk": the segments in hand, group commit
 * without a timer, the doorbell, the cut. The argument for safety is written here.
 *
 * A segment belongs to this gate as long as the gate holds its descriptor: the queue reads it only
 * up to what the gate stated. Records are appended by one thread, in batches: all that came while a
 * batch was being synced is the next one. Only after the sync a message is kept; the doorbell
 * follows it and may be lost, since it is stated again, or the queue finds the lock free and reads
 * for itself.
 *
 * When a write or a sync fails, nobody knows which octets are on the disk, and no second sync would
 * say. So the segment is never written again and all of the batch is refused, but the refusal is
 * told only when the queue has "cut at X" in its synced journal: a restart could otherwise deliver
 * what was refused. Until then the descriptor is kept. If the queue cannot do that within CUT_MS,
 * the clients learn nothing: their connections end, and they send again. */
#ifndef GATE_COMMIT_H
#define GATE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/queue_id.h"
#include "gate/spares.h"
#include "ipc/messages.h"
#include "net/hands.h"
#include "net/loop.h"
#include "spool/record.h"

struct channel;
struct held_segment;

enum {
    BLANK_MS = 30000, /* how long a message waits for a segment to be written in */
    CUT_MS = 30000,   /* how long a refusal waits for the queue's journal */
    BLANKS_AHEAD = 1, /* besides the segment in use */
};

enum commit_result {
    COMMIT_KEPT,     /* on stable storage: 250 */
    COMMIT_NO_BLANK, /* nothing was written: 451 4.3.0 */
    COMMIT_NO_ROOM,  /* the disk is full, it will never be sent: 452 4.3.1 (DATA-16) */
    COMMIT_FAILED,   /* it will never be sent: 451 4.3.0 */
    COMMIT_UNKNOWN,  /* nobody knows: no reply */
};

/* One message on its way. The record borrows the buffers; all is freed with the entry. */
struct entry {
    struct hand_job job;
    struct commit *commit;
    struct entry *prev, *next; /* in the list that says where it stands */
    struct queue_id id;
    uint64_t session; /* whose it is; the session may be gone when the answer comes */
    struct buffer envelope, header, body;
    struct body_file *file; /* synced; NULL: the body is in the record */
    struct record_draft draft;
    struct slice header_piece, body_piece;

    struct held_segment *segment; /* where it is being written */
    int64_t since_ms;
    uint64_t end;    /* of its batch in the segment, when it is kept */
    enum err result; /* of the write */
    bool is_touched; /* its octets may lie in the segment */
    bool is_8bit_header;
    uint64_t partial; /* request of its gate/partial.h; 0: it has none */
    unsigned fixups;  /* what completion did, for the log (MSG-20) */
    bool is_told;
};

struct msg_held_answer;
struct msg_held_ask;

/* Zeroed, buffers ready, with the caps a record allows. NULL without memory. */
struct entry *entry_new(void);
void entry_free(struct entry **entry);
/* The buffers are filled: measures the record. ERR_LIMIT when a part is above its bound, ERR_NOMEM.
 */
MUST_CHECK enum err entry_seal(struct entry *entry);

/* Called from the loop, once for each entry; the entry is the commit's and goes right after (or
 * later, for COMMIT_UNKNOWN). */
typedef void commit_told_fn(void *owner, const struct entry *entry, enum commit_result result);

struct commit {
    struct partials
        *partials; /* who is told what the queue says of cut transactions; may be NULL */
    struct loop *loop;
    struct disk *disk;
    struct hands *sync;
    struct channel *queue; /* NULL while it is away */
    commit_told_fn *told;
    void (*held_known)(void *owner, const struct msg_held_answer *answer); /* NULL: nobody asks */
    void *owner;
    int64_t blank_ms; /* BLANK_MS and CUT_MS; shorter in tests */
    int64_t cut_ms;

    struct held_segment *blanks;
    struct held_segment *current; /* at most one */
    struct held_segment *full;    /* their last batches are in work */
    struct held_segment *cut;     /* failed; the queue has to know */
    struct entry *waiting;        /* for a segment, in the order of coming */
    size_t busy;                  /* entries not told yet */
    struct spares spares;

    uint32_t blanks_asked; /* of this queue, and not come */
    uint32_t spares_asked;
    bool is_disk_full;    /* as the queue says (DATA-16) */
    struct deferred ring; /* doorbells and wishes leave at the end of the turn */
    struct timer tick;
};

/* Starts the threads. disk is borrowed. ERR_NOMEM. */
MUST_CHECK enum err commit_init(
    struct commit *commit, struct loop *loop, struct disk *disk, commit_told_fn *told, void *owner);
/* Waits for the threads; nothing is told any more. */
void commit_clear(struct commit *commit);
/* The socket of a (new) channel to the queue. All that is held is stated again. */
void commit_attach(struct commit *commit, int fd);

/* A question for the queue. Without a queue it is not asked. */
void commit_ask_held(struct commit *commit, const struct msg_held_ask *ask);
/* Says something to the queue. False when it does not hear it. */
bool commit_tell(struct commit *commit, enum message_type type, const void *message);

/* Takes a sealed entry. Never blocks. */
void commit_give(struct commit *commit, struct entry *entry);

#endif
