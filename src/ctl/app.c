/* ctl/app.c: app passwords: made, shown without their secrets, revoked. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/work.h"

enum { DAYS_MAX = 36500, DAY = 86400 };

/* --days: from now on. *out_until 0: for ever. */
static int take_days(struct invocation *call, int64_t *out_until)
{
    uint64_t days;

    *out_until = 0;
    if (!call->days)
        return 0;
    if (!slice_number(slice_text(call->days), DAYS_MAX, &days) || days == 0)
        return call_fail(
            call, EX_USAGE, "--days takes a number from 1 to %d, not %s", DAYS_MAX, call->days);
    *out_until = clock_wall() + (int64_t)days * DAY;
    return 0;
}

/* The one time that it is seen. */
static int tell_secret(struct invocation *call, const char *secret)
{
    if (call->json)
        return call_json(call, json_pack("{s:b, s:s}", "ok", 1, "password", secret));
    fprintf(call->out, "%s\n", secret);
    return 0;
}

int command_password_add(struct invocation *call)
{
    char secret[APP_SECRET + 1] = "";
    struct change change;
    struct work work;
    int64_t until;
    bool is_json = call->json;
    int status = change_take(call, &change);

    if (status == 0)
        status = take_days(call, &until);
    if (status == 0)
        status = work_open(call, &work);
    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0) {
        enum user_fault fault = users_add_app(work.users, slice_text(call->words[0]),
            slice_text(call->words[1]), until, &change.rights, secret);

        call->json = is_json && fault != USER_OK; /* the answer is ours */
        status = work_finish(call, &work, fault);
        call->json = is_json;
    }
    if (status == 0)
        status = tell_secret(call, secret);
    explicit_bzero(secret, sizeof secret);
    return status;
}

int command_password_remove(struct invocation *call)
{
    struct work work;
    size_t muted = 0;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_begin(call, &work, false);
    if (status == 0)
        status = work_finish(call, &work,
            users_remove_app(
                work.users, slice_text(call->words[0]), slice_text(call->words[1]), &muted));
    if (status == 0 && muted > 0)
        fprintf(call->err,
            "submitctl: %s: lines for app passwords of %s that were not read, and might be without "
            "this one, are comments from now on: %zu\n",
            work.path, call->words[0], muted);
    return status;
}

static void put_app(FILE *to, const struct app *app)
{
    time_t until = (time_t)app->until;
    struct tm day;
    char text[32];

    fprintf(to, "%.*s", SLICE_ARGS(app->name));
    if (app->until > 0 && gmtime_r(&until, &day) &&
        strftime(text, sizeof text, "%Y-%m-%d", &day) > 0)
        fprintf(to, "  %s %s", app->until <= clock_wall() ? "ended" : "until", text);
    rights_put(to, &app->rights);
    fputc('\n', to);
}

static json_t *app_json(const struct app *app)
{
    json_t *json = json_pack("{s:s%, s:o, s:b}", "name", app->name.data, app->name.len, "until",
        app->until > 0 ? json_integer(app->until) : json_null(), "works",
        (int)(app->until == 0 || clock_wall() < app->until));

    if (json)
        rights_json(&app->rights, json);
    return json;
}

static int list_json(struct invocation *call, const struct user *user)
{
    json_t *list = json_array();

    for (const struct app *app = user->apps; app; app = app->next)
        json_array_append_new(list, app_json(app));
    return call_json(call, json_pack("{s:o}", "passwords", list));
}

int command_password_list(struct invocation *call)
{
    struct work work;
    const struct user *user;
    int status = work_open(call, &work);

    if (status == 0)
        status = work_read(call, &work, false);
    if (status != 0)
        return status;
    user = users_find_typed(work.users, slice_text(call->words[0]));
    if (!user) {
        status =
            call_fail(call, EX_NOUSER, "%s: %s", call->words[0], user_fault_text(USER_UNKNOWN));
    } else if (call->json) {
        status = list_json(call, user);
    } else {
        for (const struct app *app = user->apps; app; app = app->next)
            put_app(call->out, app);
    }
    users_free(&work.users);
    return status;
}
