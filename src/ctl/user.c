/* ctl/user.c: the user commands: each reads the user file, changes it in memory and replaces it as
 * a whole. */
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/account.h"
#include "ctl/command.h"
#include "ctl/password.h"
#include "ctl/show.h"
#include "ctl/work.h"
#include "users/file.h"

static int fail_on_file(struct invocation *call, const char *path, const char *act, enum err rc)
{
    int status = rc == ERR_NOTFOUND  ? EX_NOINPUT
                 : rc == ERR_DENIED  ? EX_NOPERM
                 : rc == ERR_BUSY    ? EX_TEMPFAIL
                 : rc == ERR_INVALID ? EX_DATAERR
                                     : EX_IOERR;

    return call_fail(call, status, "cannot %s %s: %s", act, path, err_text(rc));
}

static void tell_problems(
    struct invocation *call, const char *path, const struct users_report *report)
{
    size_t shown = report->count < USERS_PROBLEMS_MAX ? report->count : USERS_PROBLEMS_MAX;

    for (size_t i = 0; i < shown; i++)
        fprintf(call->err, "submitctl: %s:%zu: %s\n", path, report->problems[i].line,
            report->problems[i].text);
    if (report->count > shown)
        fprintf(call->err, "submitctl: %s: %zu further problems\n", path, report->count - shown);
}

int work_read(struct invocation *call, struct work *work, bool may_be_missing)
{
    struct users_report report = { 0 };
    enum err rc = users_load(AT_FDCWD, work->path, &report, &work->users);

    if (rc == ERR_NOTFOUND && may_be_missing)
        rc = users_new(&work->users);
    if (rc == ERR_OK)
        users_make_sha1(work->users, call->conf->auth.scram_sha_1);
    tell_problems(call, work->path, &report);
    return rc == ERR_OK ? 0 : fail_on_file(call, work->path, "read", rc);
}

int work_begin(struct invocation *call, struct work *work, bool may_be_missing)
{
    enum err rc;
    int status;

    rc = users_lock(work->path, &work->lock);
    if (rc != ERR_OK)
        return fail_on_file(call, work->path, "lock the folder of", rc);
    status = work_read(call, work, may_be_missing);
    if (status != 0)
        users_unlock(&work->lock);
    return status;
}

/* As root a new file belongs to the vault's user, who is the one to read it. Where there is no such
 * user yet the file stays root's; submitd says so when it starts. */
static struct account find_owner(const struct conf *conf)
{
    struct account owner;

    if (geteuid() != 0 || account_find(conf->accounts.vault, &owner) != ERR_OK)
        owner = (struct account){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    return owner;
}

static int fault_status(enum user_fault fault)
{
    return fault == USER_UNKNOWN || fault == USER_NO_GROUP ? EX_NOUSER
           : fault == USER_FAILED                          ? EX_OSERR
                                                           : EX_DATAERR;
}

int work_finish(struct invocation *call, struct work *work, enum user_fault fault)
{
    int status = 0;

    if (fault != USER_OK) {
        status =
            call_fail(call, fault_status(fault), "%s: %s", call->words[0], user_fault_text(fault));
    } else {
        struct account owner = find_owner(call->conf);
        enum err rc = users_save(work->users, work->path, owner.uid, owner.gid);
        if (rc == ERR_LIMIT)
            status = call_fail(call, EX_DATAERR,
                "%s: too much for one line of the user file, which holds %d octets", call->words[0],
                USERS_LINE_MAX);
        else if (rc != ERR_OK)
            status = fail_on_file(call, work->path, "write", rc);
    }
    users_free(&work->users);
    users_unlock(&work->lock);
    if (status == 0 && call->json)
        return call_json(call, json_pack("{s:b}", "ok", 1));
    return status;
}

int work_open(struct invocation *call, struct work *work)
{
    *work = (struct work){ .lock = -1 };
    if (call->conf->users.path.len == 0)
        return call_fail(call, EX_CONFIG, "%s has no section users \"file\"", call->conf_path);
    snprintf(work->path, sizeof work->path, "%.*s", SLICE_ARGS(call->conf->users.path));
    return 0;
}

int command_user_add(struct invocation *call)
{
    struct slice senders[CTL_LIST_MAX];
    struct secret password = { 0 };
    struct work work;
    int status = work_open(call, &work);

    for (size_t i = 0; i < call->senders.count; i++)
        senders[i] = slice_text(call->senders.values[i]);
    if (status == 0)
        status = password_ask(call, &password);
    if (status == 0)
        status = work_begin(call, &work, true);
    if (status == 0)
        status = work_finish(call, &work,
            users_add(work.users, slice_text(call->words[0]), secret_slice(&password), senders,
                call->senders.count));
    secret_clear(&password);
    return status;
}

int command_user_passwd(struct invocation *call)
{
    struct secret password = { 0 };
    struct work work;
    int status = work_open(call, &work);

    if (status == 0)
        status = password_ask(call, &password);
    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(call, &work,
            users_set_password(work.users, slice_text(call->words[0]), secret_slice(&password)));
    secret_clear(&password);
    return status;
}

static int set_state(struct invocation *call, enum user_state state)
{
    struct work work;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(
            call, &work, users_set_state(work.users, slice_text(call->words[0]), state));
    return status;
}

int command_user_disable(struct invocation *call)
{
    return set_state(call, USER_DISABLED);
}

int command_user_enable(struct invocation *call)
{
    return set_state(call, USER_ACTIVE);
}

int command_user_remove(struct invocation *call)
{
    struct work work;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(call, &work, users_remove(work.users, slice_text(call->words[0])));
    return status;
}

static json_t *user_json(const struct user *user)
{
    json_t *groups = json_array();
    json_t *json = json_pack("{s:s%, s:s, s:b, s:b, s:s, s:o}", "login", user->login.data,
        user->login.len, "state", user->state == USER_ACTIVE ? "active" : "disabled", "password",
        (int)(user->hash.len > 0), "scram", (int)(user->scram.iterations > 0), "min_mech",
        user->min_mech == USER_MECH_SCRAM ? "scram" : "any", "groups", groups);

    for (size_t i = 0; i < user->group_count; i++)
        json_array_append_new(
            groups, json_stringn(user->groups[i].name.data, user->groups[i].name.len));
    if (json)
        rights_json(&user->rights, json);
    return json;
}

static void put_user(FILE *to, const struct user *user, int width)
{
    fprintf(to, "%-*.*s  %-8s", width, SLICE_ARGS(user->login),
        user->state == USER_ACTIVE ? "active" : "disabled");
    if (user->min_mech == USER_MECH_SCRAM)
        fputs("  SCRAM only", to);
    for (size_t i = 0; i < user->group_count; i++)
        fprintf(to, "%s%.*s", i == 0 ? "  in " : ", ", SLICE_ARGS(user->groups[i].name));
    rights_put(to, &user->rights);
    fputc('\n', to);
}

static int list_json(struct invocation *call, const struct users *users)
{
    json_t *list = json_array();

    for (const struct user *user = users_first(users); user; user = users_next(user))
        json_array_append_new(list, user_json(user));
    return call_json(call, json_pack("{s:o}", "users", list));
}

int command_user_list(struct invocation *call)
{
    struct work work;
    int status = work_open(call, &work);
    int width = 0;

    if (status == 0)
        status = work_read(call, &work, false);
    if (status != 0)
        return status;
    if (call->json) {
        status = list_json(call, work.users);
    } else {
        for (const struct user *user = users_first(work.users); user; user = users_next(user))
            width = (int)user->login.len > width ? (int)user->login.len : width;
        for (const struct user *user = users_first(work.users); user; user = users_next(user))
            put_user(call->out, user, width);
    }
    users_free(&work.users);
    return status;
}
