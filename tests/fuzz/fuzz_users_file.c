/* tests/fuzz/fuzz_users_file.c: any bytes as a user file: read, asked, and read again the same from
 * what was read. */
#include "fuzz.h"

#include "users/file.h"
#include "users/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct users_report report;
    struct users *users = NULL;

    if (users_parse(copy_of(slice_of(data, size)), size, &report, &users) != ERR_OK) {
        if (report.count == 0)
            abort(); /* a refusal without a reason */
        return 0;
    }
    for (const struct user *user = users_first(users); user; user = users_next(user)) {
        struct arena arena;
        struct grant grant;

        arena_init(&arena, 1 << 20);
        if (!grant_of(user, GRANT_SENDERS_MAX, &arena, &grant))
            abort();
        arena_clear(&arena);
        for (size_t i = 0; i < user->group_count; i++)
            if (user->groups[i].group != users_find_group(users, user->groups[i].name))
                abort();
        if (!login_is_valid(user->login) || users_find(users, user->login) != user ||
            grant.sender_count > GRANT_SENDERS_MAX || grant.recipient_count > GRANT_SENDERS_MAX)
            abort();
        if (user->app_count > USER_APPS_MAX || (user->apps != NULL) != (user->app_count > 0))
            abort();
        for (const struct app *app = user->apps; app; app = app->next)
            if (!slice_equals(app->login, user->login) || !group_is_valid(app->name) ||
                app->scram.iterations != user->apps->scram.iterations ||
                app_grant(app).sender_count == 0 || app->rights.sender_count > APP_PATTERNS_MAX)
                abort();
        for (size_t i = 0; i < user->rights.sender_count; i++)
            if (!sender_is_valid(user->rights.senders[i].pattern))
                abort();
    }
    for (size_t i = 0; i < report.count && i < USERS_PROBLEMS_MAX; i++)
        for (const char *c = report.problems[i].text; *c; c++)
            if (*c < ' ' || *c > 126)
                abort();
    users_free(&users);
    return 0;
}
