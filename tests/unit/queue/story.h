/* tests/unit/queue/story.h: mail that goes through a room which dies now and then, and what of it
 * was acknowledged: the judge of every restart. */
#ifndef TESTS_QUEUE_STORY_H
#define TESTS_QUEUE_STORY_H

#include "rig.h"

/* What the test knows of a message. */
enum fate { ABSENT, ACCEPTED, DEFERRED, DELIVERED };

enum { STORY_MOST = 400 };

struct story {
    struct rig rig;
    struct rig_relay *relay;
    enum fate fates[STORY_MOST]; /* as acknowledged */
    enum fate told[STORY_MOST];  /* as answered, perhaps not acknowledged */
    uint32_t next_s[STORY_MOST];
    unsigned used;
    size_t answered;
};
extern struct story story;

/* Setup and teardown of a test: a running room with a gate; no relay. */
int story_make(void **state);
int story_end(void **state);
/* The room dies, its gate and relay too; begins again, and has read everything. */
void story_restart(void);
/* So many messages with the next numbers, from 1. */
void story_submit(unsigned count);
/* Answers the next job: delivered where the number is a multiple of three, deferred where one is
 * left, and where two are left it stays in hand. */
void story_answer_next(void);
void story_note_acks(void);
/* Until all have been answered and all answers are acknowledged. */
void story_settle(void);
/* After a restart: what was acknowledged is so, and what was accepted is there. */
void story_check(void);

/* A checkpoint begins, or is made. */
void story_begin_checkpoint(void);
bool story_has_checkpoint(void);
void story_checkpoint(void);
/* And what it makes needless goes. */
void story_checkpoint_and_trim(void);

#endif
