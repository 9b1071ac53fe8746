/* queue/control.c: answers the operator (docs/control.md). */
#include <stdlib.h>
#include <unistd.h>

#include "queue/state.h"

enum err control_new(struct queue *queue, int listener, struct control **out_control)
{
    (void)queue, (void)out_control;
    close(listener);
    return ERR_OK;
}

void control_free(struct control **control)
{
    (void)control;
}
