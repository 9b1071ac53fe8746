/* net/hands.h: worker threads that take a job by ownership and give it back to the loop: for disk,
 * hashes, databases and keys. Not for anything that touches a session: between hands_give and done
 * the job belongs to the hands. */
#ifndef NET_HANDS_H
#define NET_HANDS_H

#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"

struct loop;
struct hands;

/* Embedded at any place in the caller's job struct. */
struct hand_job {
    void (*work)(struct hand_job *job); /* in the thread; not used by batch hands. May block */
    void (*done)(struct hand_job
            *job); /* in the loop; the job is the caller's again and may be freed or given again */
    struct hand_job *next; /* the hands' own */
};

/* In the one thread of batch hands: all jobs that waited, in the order of giving. May block. The
 * array is the hands'. */
typedef void hands_batch_fn(void *owner, struct hand_job **jobs, size_t count);

/* threads: 1 and more, all started here with every signal blocked, named `name` (at most 15
 * characters, a literal). Each takes one job at a time, in the order of giving. NULL without
 * memory, threads or descriptors. */
MUST_CHECK struct hands *hands_new(struct loop *loop, const char *name, unsigned threads);
/* One thread that takes ALL waiting jobs at once (group commit): what is given while a batch is in
 * work forms the next batch; so does what is given within one turn of the loop, at whose end it is
 * handed over. Their done functions run in one turn of the loop, in the order of giving. */
MUST_CHECK struct hands *hands_new_batch(
    struct loop *loop, const char *name, hands_batch_fn *fn, void *owner);
/* Hands that are made from now on have no thread until hands_release: Landlock's rules hold for the
 * thread that takes them and for those it makes later, so a room makes its threads behind the wall.
 * Jobs may be given before; they wait. */
void hands_hold(void);
/* Starts the threads of all hands that were held; what is made later starts at once. ERR_NOMEM when
 * one does not start. */
MUST_CHECK enum err hands_release(void);
/* Never blocks, never fails. From the loop's thread, also from a done function. */
void hands_give(struct hands *hands, struct hand_job *job);
/* Jobs given and not yet returned to their done function. */
size_t hands_busy(const struct hands *hands);
/* Orderly stop: waits until all jobs given are worked, calls their done functions (which may give
 * further jobs: these are worked too), ends the threads. Blocks as long as that takes. Not from
 * inside a done function. */
void hands_free(struct hands **hands);

#endif
