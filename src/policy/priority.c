/* policy/priority.c: the least priority, and the size of urgent mail. */
#include "policy/priority.h"

/* The levels are -4, 0 and 4, and what lies between counts as the next above (EXT-MTPRI-4). */
static const int least_of[] = {
    [CONF_PRIORITY_ANY] = -9,
    [CONF_PRIORITY_NORMAL] = -3,
    [CONF_PRIORITY_URGENT] = 1,
};

enum priority_verdict priority_judge(
    const struct conf_extensions *extensions, int priority, uint64_t size)
{
    uint64_t most = priority > 0 ? extensions->mt_priority_urgent_size : 0;

    if (!extensions->mt_priority)
        return PRIORITY_TAKEN;
    if (priority < least_of[extensions->mt_priority_least])
        return extensions->mt_priority_later ? PRIORITY_LATER : PRIORITY_TOO_LOW;
    return most > 0 && size > most ? PRIORITY_TOO_BIG : PRIORITY_TAKEN;
}
