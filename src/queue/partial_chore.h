/* queue/partial_chore.h: a partial message as partials.c (which decides), partial_room.c (how much
 * there may be) and partial_chore.c (which has a thread touch its files) know it. For these alone.
 */
#ifndef QUEUE_PARTIAL_CHORE_H
#define QUEUE_PARTIAL_CHORE_H

#include "queue/partials.h"
#include "queue/state.h"
#include "spool/partial.h"

/* User, EHLO name and TRANSID with their lengths. */
enum { PARTIAL_KEY_MAX = 2 * 3 + 512 + 512 + 80 };

struct partial_text {
    char *octets;
    size_t len;
};

/* A transaction with a TRANSID: on the disk, in a gate's work, or both. */
struct partial {
    UT_hash_handle hh;
    struct queue *queue;
    struct partial_text key;
    size_t user_len;
    struct partial_text proof;
    struct partial_text mail;

    uint64_t number; /* of its file; 0: nothing is on the disk */
    uint64_t body_file;
    uint64_t octets;            /* of content */
    uint64_t given;             /* of content given back, in this life of the queue */
    uint64_t weight;            /* octets on the disk, about */
    struct partial_cost coming; /* of what is being written */
    uint64_t coming_body;
    bool is_early;   /* it waits until all is known: its body may be a message's */
    int64_t kept_us; /* in memory's time */
    bool is_complete;
    struct queue_id id;

    struct gate *gate; /* whose session has it; NULL: nobody's */
    uint64_t request;
    bool is_told; /* that gate is to let go */

    struct gate *asker; /* who waits for an answer; NULL: nobody */
    uint64_t asked;
    int64_t asked_ms;
    struct partial_text wanted; /* its MAIL */

    bool is_busy; /* a chore of it is under way */
};

/* partial_chore.c */

/* Reads its file and all of its body; partial_checked follows. Sets is_busy. */
void partial_chore_check(struct partial *partial);
/* Writes the state (copied) to a new file, once all that lies in the spool is known where nobody
 * knows yet whose its body is; partial_written follows. Sets is_busy and coming_body. */
void partial_chore_write(
    struct partial *partial, struct gate *gate, const struct partial_state *state);
/* Removes two files. Nobody is told. */
void partial_chore_remove(struct queue *queue, uint64_t number, uint64_t body_file);
/* Puts what a gate says of the content into the state; false when it cannot be. The recipients are
 * to be freed by partial_chore_unfill. */
MUST_CHECK bool partial_chore_fill(
    struct partial_state *state, const struct msg_partial_content *content);
void partial_chore_unfill(struct partial_state *state);
/* All is known. */
void partial_chores_release(struct queue *queue);
/* Waits for the thread. */
void partial_chores_clear(struct queue *queue);

/* partial_room.c */

struct partial_cost partial_cost_of(const struct partial_state *state);
/* Before it is written: counts it among what the user, and all, may have; the user's oldest may go
 * for it. False when there is no room. */
MUST_CHECK bool partial_reserve(struct partial *partial, struct partial_cost cost);
void partial_unreserve(struct partial *partial);
/* Its files are there, or gone. */
void partial_count_in(struct partial *partial);
void partial_count_out(struct partial *partial);

/* partials.c */

/* Goes when nobody has it, nobody wants it and nothing of it is on the disk. */
void partial_settle(struct partial *partial);
/* Its files go; who has it in work may go on. */
void partial_drop_files(struct partial *partial);
/* On the disk, and nobody is at it. */
bool partial_is_idle(const struct partial *partial);
/* A gate keeps only what it was given; what was given in an earlier life of the queue is not known,
 * and believed where nothing else has it. */
MUST_CHECK bool partial_may_keep_body(struct gate *gate, uint64_t number);

/* What came of a chore. */

/* content is valid during the call; fd: the body, or -1; taken over. */
void partial_checked(
    struct partial *partial, enum err result, struct msg_partial_content *content, int fd);
void partial_written(struct partial *partial, struct gate *gate, enum err result, uint64_t number,
    const struct partial_state *state);
/* At the start: one that is sound and not too old. */
void partial_found(struct queue *queue, uint64_t number, const struct partial_state *state);

#endif
