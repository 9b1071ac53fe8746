/* users/grant.c: from a user's record, and its groups', to a grant. */
#include "users/grant.h"

#include "users/file.h"

/* The rights of the user's own line (0), then of each group. NULL: there are no more. */
static const struct user_rights *source(const struct user *user, size_t index)
{
    if (index == 0)
        return &user->rights;
    return index <= user->group_count ? &user->groups[index - 1].group->rights : NULL;
}

static size_t count_of(const struct user_rights *rights, bool recipients)
{
    return recipients ? rights->recipient_count : rights->sender_count;
}

/* One list from all lines. */
struct collection {
    struct sender *patterns;
    size_t count;
    bool is_cut;
};

static bool collect(const struct user *user, bool recipients, size_t most, struct arena *arena,
    struct collection *out)
{
    const struct user_rights *rights;
    size_t all = 0;

    for (size_t i = 0; (rights = source(user, i)); i++)
        all += count_of(rights, recipients);
    *out = (struct collection){ .is_cut = all > most };
    all = all > most ? most : all;
    if (all == 0)
        return true;
    out->patterns = arena_array(arena, all, sizeof *out->patterns);
    if (!out->patterns)
        return false;
    for (size_t i = 0; (rights = source(user, i)); i++) {
        const struct sender *list = recipients ? rights->recipients : rights->senders;

        for (size_t k = 0; k < count_of(rights, recipients) && out->count < all; k++)
            out->patterns[out->count++] = list[k];
    }
    return true;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool grant_of(const struct user *user, size_t most, struct arena *arena, struct grant *out_grant)
{
    struct grant grant = { .user = user->login, .may_submit = true };
    struct collection senders, recipients;
    const struct user_rights *rights;

    if (!collect(user, false, most, arena, &senders) ||
        !collect(user, true, most, arena, &recipients))
        return false;
    for (size_t i = 0; (rights = source(user, i)); i++) {
        grant.may_submit = grant.may_submit && rights->may_submit;
        if (i > 0 && user->rights.max_recipients == 0)
            grant.max_recipients = larger(grant.max_recipients, rights->max_recipients);
        if (i > 0 && user->rights.max_size == 0)
            grant.max_size = larger(grant.max_size, rights->max_size);
    }
    if (user->rights.max_recipients > 0)
        grant.max_recipients = user->rights.max_recipients;
    if (user->rights.max_size > 0)
        grant.max_size = user->rights.max_size;
    grant.senders = senders.patterns;
    grant.sender_count = senders.count;
    grant.truncated = senders.is_cut;
    grant.recipients = recipients.patterns;
    grant.recipient_count = recipients.count;
    grant.recipients_truncated = recipients.is_cut;
    *out_grant = grant;
    return true;
}

size_t grant_origin(const struct user *user, bool recipients, size_t index)
{
    const struct user_rights *rights;

    for (size_t i = 0; (rights = source(user, i)); i++) {
        if (index < count_of(rights, recipients))
            return i == 0 ? user->group_count : i - 1;
        index -= count_of(rights, recipients);
    }
    return user->group_count;
}
