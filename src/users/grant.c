/* users/grant.c: from a user's record to a grant. */
#include "users/grant.h"

#include "users/file.h"

struct grant grant_of(const struct user *user)
{
    bool truncated = user->sender_count > GRANT_SENDERS_MAX;

    return (struct grant){
        .user = user->login,
        .may_submit = user->may_submit,
        .truncated = truncated,
        .senders = user->senders,
        .sender_count = truncated ? GRANT_SENDERS_MAX : user->sender_count,
    };
}
