/* supervisor/links.h: the channels between rooms, pair by pair: made when both run, and made again
 * when one breaks while both live. Reasons: docs/decisions/0008-broken-channels.md. */
#ifndef SUPERVISOR_LINKS_H
#define SUPERVISOR_LINKS_H

#include "base/map.h"
#include "supervisor/process.h"

struct link;

struct links {
    struct loop *loop;
    struct link *all;       /* one for each pair that ever had a channel */
    struct link *by_number; /* those whose channel is whole, as far as anybody said */
    uint64_t made;          /* channels so far: the number of the last */
};

void links_init(struct links *links, struct loop *loop);
void links_clear(struct links *links);

/* A fresh channel between two rooms that run, when the plan lets them talk; replaces the one they
 * had. It is tried again later without a socket or memory, and while one of the two has not read of
 * the last. */
void links_make(struct links *links, struct process *a, struct process *b);

/* `by` says that the channel of this number is lost to it. It is made again: at once, and after
 * growing pauses when that does not help; in the end the plan's `ends` is killed, and so started
 * anew. A number that is not that of its own channel means nothing: the channel was replaced
 * already, or the room lies. */
void links_lost(struct links *links, const struct process *by, uint64_t number);

/* The room has died: its next life is introduced to everybody with a clean slate. */
void links_forget(struct links *links, const struct process *dead);

#endif
