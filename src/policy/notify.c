/* policy/notify.c: who is told what. */
#include "policy/notify.h"

/* Is there somebody to tell, and does he want to hear of this? */
static enum notify_verdict judge(const struct notify_case *notify, enum notify_flag wanted)
{
    /* A notice of ours asks next hops for none (DSN-1), which is no reason to be silent here. */
    if (notify->is_notice)
        return NOTIFY_NOBODY;
    if (notify->flags != 0 && !(notify->flags & wanted))
        return NOTIFY_UNWANTED;
    return notify->null_sender ? NOTIFY_NOBODY : NOTIFY_DUE;
}

enum notify_verdict notify_on_failure(const struct notify_case *notify)
{
    return judge(notify, NOTIFY_FAILURE);
}

enum notify_verdict notify_on_success(const struct notify_case *notify, bool is_reported)
{
    bool is_due = (notify->flags & NOTIFY_SUCCESS) && !is_reported && !notify->null_sender &&
                  !notify->is_notice;

    return is_due ? NOTIFY_DUE : NOTIFY_UNWANTED;
}

int64_t notify_delay_time(
    const struct notify_case *notify, int64_t since, uint64_t notice, bool told)
{
    if (notice == 0 || told || judge(notify, NOTIFY_DELAY) != NOTIFY_DUE)
        return INT64_MAX;
    return since + (int64_t)notice;
}
