/* users/rights.c: groups, and the changes that submitctl makes to rights. */
#include "users/lines.h"
#include "users/login.h"

const struct user_group *users_find_group(const struct users *users, struct slice name)
{
    struct user_group *group;

    HASH_FIND(hh, users->by_group, name.data, (unsigned)name.len, group);
    return group;
}

const struct user_group *users_first_group(const struct users *users)
{
    return users->by_group;
}

const struct user_group *users_next_group(const struct user_group *group)
{
    return group->hh.next;
}

bool users_append_group(struct users *users, struct slice raw, struct user_group *group)
{
    struct slice login = slice_of(group->name.data - 1, group->name.len + 1);

    if (!users_append(users, raw, login, NULL))
        return false;
    users->lines->prev->group = group;
    HASH_ADD_KEYPTR(hh, users->by_group, group->name.data, (unsigned)group->name.len, group);
    return true;
}

/* The first group that no line describes; NULL when there is none. */
static const struct membership *join(const struct users *users, struct user *user)
{
    for (size_t i = 0; i < user->group_count; i++) {
        user->groups[i].group = users_find_group(users, user->groups[i].name);
        if (!user->groups[i].group)
            return &user->groups[i];
    }
    return NULL;
}

void users_join_groups(struct users *users,
    void (*tell)(void *owner, size_t line, struct slice word, const char *complaint), void *owner)
{
    struct users_line *line;

    DL_FOREACH (users->lines, line) {
        const struct membership *missing = line->user ? join(users, line->user) : NULL;

        if (!missing)
            continue;
        tell(owner, line->user->line, missing->name, "no line describes this group");
        HASH_DELETE(hh, users->by_login, line->user);
        line->user = NULL;
    }
}

static enum user_fault copy_patterns(
    struct users *users, const struct rights_list *list, struct sender **out_patterns)
{
    struct sender *patterns = NULL;
    struct login pattern;

    if (list->count > USER_SENDERS_MAX)
        return USER_MANY_SENDERS;
    if (list->count > 0) {
        patterns = arena_array(&users->arena, list->count, sizeof *patterns);
        if (!patterns)
            return USER_FAILED;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!sender_prepare(list->words[i], &pattern))
            return USER_BAD_SENDER;
        if (!arena_copy(&users->arena, login_slice(&pattern), &patterns[i].pattern))
            return USER_FAILED;
    }
    *out_patterns = patterns;
    return USER_OK;
}

enum user_fault users_change_rights(
    struct users *users, const struct rights_change *change, struct user_rights *rights)
{
    struct user_rights fresh = *rights;
    enum user_fault fault = USER_OK;

    if (change->has_submit)
        fresh.may_submit = change->may_submit;
    if (change->has_max_recipients)
        fresh.max_recipients = change->max_recipients;
    if (change->has_max_size)
        fresh.max_size = change->max_size;
    if (change->senders.is_given) {
        fresh.sender_count = change->senders.count;
        fault = copy_patterns(users, &change->senders, &fresh.senders);
    }
    if (fault == USER_OK && change->recipients.is_given) {
        fresh.recipient_count = change->recipients.count;
        fault = copy_patterns(users, &change->recipients, &fresh.recipients);
    }
    if (fault == USER_OK)
        *rights = fresh;
    return fault;
}

static enum user_fault change_groups(
    struct users *users, const struct rights_list *list, struct user *user)
{
    struct membership *groups = NULL;

    if (list->count > USER_GROUPS_MAX)
        return USER_MANY_SENDERS;
    if (list->count > 0) {
        groups = arena_array(&users->arena, list->count, sizeof *groups);
        if (!groups)
            return USER_FAILED;
    }
    for (size_t i = 0; i < list->count; i++) {
        groups[i].group = users_find_group(users, list->words[i]);
        if (!groups[i].group)
            return USER_NO_GROUP;
        groups[i].name = groups[i].group->name;
    }
    user->groups = groups;
    user->group_count = list->count;
    return USER_OK;
}

enum user_fault users_set_rights(
    struct users *users, struct slice login, const struct rights_change *change)
{
    struct login prepared;
    struct user *user = NULL;
    struct user fresh;
    enum user_fault fault = USER_OK;

    if (login_prepare(login, true, &prepared))
        HASH_FIND(hh, users->by_login, prepared.text, (unsigned)prepared.len, user);
    if (!user)
        return USER_UNKNOWN;
    fresh = *user;
    if (change->groups.is_given)
        fault = change_groups(users, &change->groups, &fresh);
    if (fault == USER_OK)
        fault = users_change_rights(users, change, &fresh.rights);
    if (fault == USER_OK) {
        user->groups = fresh.groups;
        user->group_count = fresh.group_count;
        user->rights = fresh.rights;
    }
    explicit_bzero(&fresh.scram, sizeof fresh.scram);
    return fault;
}

/* A new one without rights, in the file's lines. NULL without memory. */
static struct user_group *make_group(struct users *users, struct slice name)
{
    struct user_group *group = arena_alloc(&users->arena, sizeof *group);
    char text[GROUP_NAME_MAX + 1] = "@";
    struct slice kept;

    memcpy(text + 1, name.data, name.len);
    if (!group || !arena_copy(&users->arena, slice_of(text, name.len + 1), &kept))
        return NULL;
    *group = (struct user_group){ .name = slice_from(kept, 1), .rights = { .may_submit = true } };
    return users_append_group(users, slice_text(NULL), group) ? group : NULL;
}

enum user_fault users_set_group(
    struct users *users, struct slice name, const struct rights_change *change)
{
    struct user_rights rights = { .may_submit = true };
    struct user_group *group;
    enum user_fault fault;

    if (!group_is_valid(name))
        return USER_BAD_GROUP;
    HASH_FIND(hh, users->by_group, name.data, (unsigned)name.len, group);
    if (group)
        rights = group->rights;
    fault = users_change_rights(users, change, &rights);
    if (fault == USER_OK && !group)
        group = make_group(users, name);
    if (fault == USER_OK && group)
        group->rights = rights;
    return fault == USER_OK && !group ? USER_FAILED : fault;
}

/* Does the line, read as a user or set aside, name the group? */
static bool names_group(const struct users_line *line, struct slice name)
{
    struct slice rest = line->raw;

    for (size_t i = 0; line->user && i < line->user->group_count; i++)
        if (slice_equals(line->user->groups[i].name, name))
            return true;
    while (!line->user && line->login.len > 0 && rest.len > 0) {
        struct slice word = slice_first(rest, slice_find(rest, ' '));

        if (word.len > 6 && slice_is(slice_first(word, 6), "group=") &&
            slice_equals(slice_from(word, 6), name))
            return true;
        rest = slice_from(rest, word.len + 1);
    }
    return false;
}

enum user_fault users_remove_group(struct users *users, struct slice name)
{
    struct users_line *line, *next;
    struct user_group *group;

    HASH_FIND(hh, users->by_group, name.data, (unsigned)name.len, group);
    if (!group)
        return USER_NO_GROUP;
    DL_FOREACH (users->lines, line)
        if (names_group(line, name))
            return USER_HAS_GROUP;
    /* A second line for it, which was set aside, would come to life. */
    DL_FOREACH_SAFE (users->lines, line, next)
        if (line->group == group || (line->login.len > 0 && line->login.data[0] == '@' &&
                                        slice_equals(slice_from(line->login, 1), group->name)))
            DL_DELETE(users->lines, line);
    HASH_DELETE(hh, users->by_group, group);
    return USER_OK;
}
