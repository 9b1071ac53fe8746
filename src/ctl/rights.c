/* ctl/rights.c: what users may do: their own rights, and those of groups. */
#include <sysexits.h>

#include "ctl/show.h"
#include "ctl/work.h"

static void put_patterns(FILE *to, const char *words, const struct sender *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? words : ", ", to);
        show_text(to, patterns[i].pattern);
    }
}

void rights_put(FILE *to, const struct user_rights *rights)
{
    if (!rights->may_submit)
        fputs("  may not submit", to);
    put_patterns(to, "  also as ", rights->senders, rights->sender_count);
    put_patterns(to, "  only to ", rights->recipients, rights->recipient_count);
    if (rights->max_recipients > 0)
        fprintf(to, "  at most %llu recipients", (unsigned long long)rights->max_recipients);
    if (rights->max_size > 0)
        fprintf(to, "  at most %llu octets", (unsigned long long)rights->max_size);
}

static json_t *patterns_json(const struct sender *patterns, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_stringn(patterns[i].pattern.data, patterns[i].pattern.len));
    return list;
}

static json_t *limit_json(uint64_t limit)
{
    return limit > 0 ? json_integer((json_int_t)limit) : json_null();
}

void rights_json(const struct user_rights *rights, json_t *object)
{
    json_object_set_new(object, "submit", json_boolean(rights->may_submit));
    json_object_set_new(object, "senders", patterns_json(rights->senders, rights->sender_count));
    json_object_set_new(
        object, "recipients", patterns_json(rights->recipients, rights->recipient_count));
    json_object_set_new(object, "max_recipients", limit_json(rights->max_recipients));
    json_object_set_new(object, "max_size", limit_json(rights->max_size));
}

/* "none" alone empties the list. */
static struct rights_list take_list(const struct invocation *call, enum ctl_option option,
    const struct ctl_list *list, struct slice *words)
{
    struct rights_list taken = { .is_given = call->given & option, .words = words };

    if (list->count == 1 && slice_is(slice_text(list->values[0]), "none"))
        return taken;
    for (size_t i = 0; i < list->count; i++)
        words[taken.count++] = slice_text(list->values[i]);
    return taken;
}

static int take_number(struct invocation *call, const char *name, const char *value, uint64_t most,
    bool *out_has, uint64_t *out_number)
{
    if (!value)
        return 0;
    *out_has = true;
    *out_number = 0;
    if (slice_is(slice_text(value), "none") ||
        (slice_number(slice_text(value), most, out_number) && *out_number > 0))
        return 0;
    return call_fail(call, EX_USAGE, "--%s takes a number from 1 to %llu, or none, not %s", name,
        (unsigned long long)most, value);
}

int change_take(struct invocation *call, struct change *change)
{
    struct rights_change *rights = &change->rights;
    int status;

    *rights = (struct rights_change){
        .has_submit = call->submit,
        .senders = take_list(call, CTL_SENDER, &call->senders, change->senders),
        .recipients = take_list(call, CTL_RECIPIENT, &call->recipients, change->recipients),
        .groups = take_list(call, CTL_GROUP, &call->groups, change->groups),
    };
    if (call->submit) {
        rights->may_submit = slice_is(slice_text(call->submit), "yes");
        if (!rights->may_submit && !slice_is(slice_text(call->submit), "no"))
            return call_fail(call, EX_USAGE, "--submit takes yes or no, not %s", call->submit);
    }
    status = take_number(call, "max-recipients", call->max_recipients, USER_MOST_RECIPIENTS,
        &rights->has_max_recipients, &rights->max_recipients);
    if (status != 0)
        return status;
    return take_number(
        call, "max-size", call->max_size, INT64_MAX, &rights->has_max_size, &rights->max_size);
}

int command_user_set(struct invocation *call)
{
    struct change change;
    struct work work;
    int status = change_take(call, &change);

    if (status == 0 && call->given == 0)
        status = call_fail(call, EX_USAGE, "user set takes at least one right to change");
    if (status == 0)
        status = work_open(call, &work);
    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(
            call, &work, users_set_rights(work.users, slice_text(call->words[0]), &change.rights));
    return status;
}

/* With the @ that the file has before it, or without. */
static struct slice group_name(const struct invocation *call)
{
    struct slice name = slice_text(call->words[0]);

    return name.len > 0 && name.data[0] == '@' ? slice_from(name, 1) : name;
}

int command_group_set(struct invocation *call)
{
    struct change change;
    struct work work;
    int status = change_take(call, &change);

    if (status == 0)
        status = work_open(call, &work);
    if (status == 0)
        status = work_begin(call, &work, true);
    if (status == 0)
        status =
            work_finish(call, &work, users_set_group(work.users, group_name(call), &change.rights));
    return status;
}

int command_group_remove(struct invocation *call)
{
    struct work work;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(call, &work, users_remove_group(work.users, group_name(call)));
    return status;
}

static json_t *group_json(const struct user_group *group)
{
    json_t *json = json_pack("{s:s%}", "name", group->name.data, group->name.len);

    if (json)
        rights_json(&group->rights, json);
    return json;
}

static int list_json(struct invocation *call, const struct users *users)
{
    json_t *list = json_array();

    for (const struct user_group *group = users_first_group(users); group;
         group = users_next_group(group))
        json_array_append_new(list, group_json(group));
    return call_json(call, json_pack("{s:o}", "groups", list));
}

int command_group_list(struct invocation *call)
{
    struct work work;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_read(call, &work, false);
    if (status != 0)
        return status;
    if (call->json)
        status = list_json(call, work.users);
    else
        for (const struct user_group *group = users_first_group(work.users); group;
             group = users_next_group(group)) {
            fprintf(call->out, "%.*s", SLICE_ARGS(group->name));
            rights_put(call->out, &group->rights);
            fputc('\n', call->out);
        }
    users_free(&work.users);
    return status;
}
