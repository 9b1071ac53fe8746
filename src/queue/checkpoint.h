/* queue/checkpoint.h: states everything that the queue remembers in the journal while mail goes on,
 * so that a start need not read what came before
 * (docs/decisions/0006-checkpoint-and-compaction.md). */
#ifndef QUEUE_CHECKPOINT_H
#define QUEUE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/commit.h"

struct queue;

enum checkpoint_stage {
    CHECKPOINT_IDLE,
    CHECKPOINT_DUE,     /* waits for records on the move */
    CHECKPOINT_STATING, /* begun; messages are stated portion by portion */
    CHECKPOINT_ENDING,  /* all is stated and the end not yet synced */
};

struct checkpoint {
    enum checkpoint_stage stage;
    bool is_void; /* the disk has failed in between */
    struct commit_wait wait;
    size_t left; /* messages to visit at most */
    size_t stated;
    int64_t began_us;
    int64_t ended_us; /* of the last one in this life; 0: none */
};

/* Begins one when enough has been written since the last one. Each second. */
void checkpoint_tick(struct queue *queue);
/* Nothing is on the move any more: a checkpoint that waited begins. */
void checkpoint_step(struct queue *queue);

#endif
