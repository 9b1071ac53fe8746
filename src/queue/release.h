/* queue/release.h: mail that its sender had held (RFC 4865): until when it is not sent, and how
 * much of it each user has waiting. Owns the counts in struct user and queue->dated. */
#ifndef QUEUE_RELEASE_H
#define QUEUE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

struct message;
struct queue;

/* A new message is known: it waits for its release, or not (EXT-FUTURE-3). One that was tried
 * already does not. */
void release_begin(struct queue *queue, struct message *message);
/* No attempt before this, in the queue's own time; in the past for what does not wait. A date is
 * one of the wall clock, also when that has jumped or the queue was away; a while counts as it
 * passes. A message of which this is found to be over waits no more, whatever the clock does. */
int64_t release_time(struct queue *queue, struct message *message, int64_t now_us);
/* For whoever looks on: until when it waits; in the past for what does not. */
int64_t release_due(struct queue *queue, const struct message *message);
/* When its life begins, by which lifetime and notices are counted (EXT-FUTURE-7). */
int64_t release_base(struct queue *queue, const struct message *message);
/* It waits no more: it was sent, ended, or goes. */
void release_end(struct queue *queue, struct message *message);

/* May the user have one more message held, of that size (0: not known)? (EXT-FUTURE-6.) */
MUST_CHECK bool release_has_room(struct queue *queue, struct slice user, uint64_t size);

#endif
