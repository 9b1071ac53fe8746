/* relay/job.h: one transaction's worth of work from the queue, and the outcome that goes back. A
 * job lives until the queue has said that its outcome is in the synced journal. */
#ifndef RELAY_JOB_H
#define RELAY_JOB_H

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "relay/verdict.h"

struct job_recipient {
    uint32_t index; /* in the envelope */
    struct slice address;
    struct msg_recipient wishes; /* what was asked for at RCPT */
    bool decided;
    bool is_unfit; /* some hop cannot take the copy: the verdict says why, while undecided */
    struct verdict verdict; /* set when decided */
};

struct job {
    UT_hash_handle hh; /* of the room, by the queue's number */
    struct arena arena;
    struct msg_job message; /* slices live in the arena */
    int body;               /* descriptor of a large body, or -1 */
    struct job_recipient *recipients;
    size_t recipient_count;
    int64_t started_us;
    int64_t finished_us;
    char remote_host[256];
    char remote_address[64];
    char tls_version[32];
    char tls_cipher[64];
    char id[QUEUE_ID_TEXT + 1]; /* for the log */
    bool finished;              /* the outcome has been made; waits for the queue's word */
};

/* Copies the message; takes the descriptor (-1 for none) whatever the result. NULL without memory.
 */
MUST_CHECK struct job *job_new(const struct msg_job *message, int body);
void job_free(struct job **job);

/* Decides one recipient, unless it is decided already. */
void job_decide(struct job_recipient *recipient, const struct verdict *verdict);
/* Notes that a hop lacks what the recipient's copy needs, unless it is decided already. */
void job_note_unfit(struct job_recipient *recipient, const struct verdict *why);
/* Decides every recipient that is open still. */
void job_decide_rest(struct job *job, const struct verdict *verdict);
bool job_is_decided(const struct job *job);
/* Octets of header block and body. */
uint64_t job_content_size(const struct job *job);

/* Fills the message; slices point into the job, the list lives in the arena. False without memory.
 */
MUST_CHECK bool job_outcome(
    const struct job *job, struct arena *arena, struct msg_outcome *out_outcome);

#endif
