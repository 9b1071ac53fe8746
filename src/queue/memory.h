/* queue/memory.h: memory without which the room's picture of the queue would not be true. When
 * there is none the room ends: the supervisor starts it again, and it reads everything from the
 * spool. */
#ifndef QUEUE_MEMORY_H
#define QUEUE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed; never NULL. */
void *need_memory(size_t size);
/* Ends the room unless the condition holds: there is no memory for what it must remember. */
void need(bool condition);

#endif
