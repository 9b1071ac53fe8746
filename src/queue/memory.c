/* queue/memory.c: the end of a room that cannot remember. */
#include "queue/memory.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

enum { EXIT_TRY_AGAIN = 75 };

void need(bool condition)
{
    if (condition)
        return;
    log_event(LOG_ERROR, NULL, "the queue ends and reads the spool again", log_reason(ERR_NOMEM));
    _exit(EXIT_TRY_AGAIN);
}

void *need_memory(size_t size)
{
    void *memory = calloc(1, size);

    need(memory != NULL);
    return memory;
}
