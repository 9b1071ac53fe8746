/* policy/notify.c: who is told what. */
#include "policy/notify.h"

/* Is there somebody to tell, and does he want to hear of this? */
static enum notify_verdict judge(const struct notify_case *notify, enum notify_flag wanted)
{
    if (notify->flags != 0 && !(notify->flags & wanted))
        return NOTIFY_UNWANTED;
    return notify->null_sender || notify->is_notice ? NOTIFY_NOBODY : NOTIFY_DUE;
}

enum notify_verdict notify_on_failure(const struct notify_case *notify)
{
    return judge(notify, NOTIFY_FAILURE);
}

int64_t notify_delay_time(
    const struct notify_case *notify, int64_t since, uint64_t notice, bool told)
{
    if (notice == 0 || told || judge(notify, NOTIFY_DELAY) != NOTIFY_DUE)
        return INT64_MAX;
    return since + (int64_t)notice;
}
