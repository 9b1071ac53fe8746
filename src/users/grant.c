/* users/grant.c: from a user's record to a grant. */
#include "users/grant.h"

#include "users/file.h"
#include "users/login.h"

static const struct field sender_fields[] = { PACK_BYTES(struct sender, pattern, LOGIN_MAX) };
static const struct shape sender_shape = SHAPE(struct sender, sender_fields);

static const struct field grant_fields[] = {
    PACK_BYTES(struct grant, user, LOGIN_MAX),
    PACK_NUMBER(BOOL, struct grant, may_submit),
    PACK_NUMBER(BOOL, struct grant, truncated),
    PACK_LIST(struct grant, senders, sender_count, &sender_shape, GRANT_SENDERS_MAX),
};
const struct shape grant_shape = SHAPE(struct grant, grant_fields);

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

bool grant_copy(struct arena *arena, const struct grant *grant, struct grant *out_copy)
{
    struct grant copy = *grant;

    if (!arena_copy(arena, grant->user, &copy.user))
        return false;
    copy.senders = NULL;
    if (grant->sender_count > 0) {
        copy.senders = arena_array(arena, grant->sender_count, sizeof *copy.senders);
        if (!copy.senders)
            return false;
    }
    for (size_t i = 0; i < grant->sender_count; i++)
        if (!arena_copy(arena, grant->senders[i].pattern, &copy.senders[i].pattern))
            return false;
    *out_copy = copy;
    return true;
}
