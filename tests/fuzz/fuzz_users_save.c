/* tests/fuzz/fuzz_users_save.c: any bytes as a user file that submitctl changes and writes: what it
 * reads afterwards is what it wrote, users that were not touched are as they were, and lines that
 * say nothing or were set aside are still there. */
#include "fuzz.h"

#include <unistd.h>

#include "users/file.h"

static char folder[64], path[80];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%s/submitd-fuzz-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/users", folder);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static void check_patterns(
    const struct sender *was, size_t was_count, const struct sender *is, size_t is_count)
{
    REQUIRE(was_count == is_count);
    for (size_t i = 0; i < was_count; i++)
        REQUIRE(slice_equals(was[i].pattern, is[i].pattern));
}

static void check_rights(const struct user_rights *was, const struct user_rights *is)
{
    REQUIRE(was->may_submit == is->may_submit && was->max_size == is->max_size &&
            was->max_recipients == is->max_recipients);
    check_patterns(was->senders, was->sender_count, is->senders, is->sender_count);
    check_patterns(was->recipients, was->recipient_count, is->recipients, is->recipient_count);
}

/* Also once one is gone: a line that was set aside because of it (its salt, or the sixteen) is not
 * read the next time. */
static void check_apps(const struct user *was, const struct user *is)
{
    const struct app *there = is->apps;

    REQUIRE(was->app_count == is->app_count);
    for (const struct app *app = was->apps; app; app = app->next) {
        REQUIRE(there && slice_equals(app->name, there->name) && app->until == there->until);
        REQUIRE(memcmp(app->scram.stored_key, there->scram.stored_key, SCRAM_KEY) == 0);
        check_rights(&app->rights, &there->rights);
        there = there->next;
    }
}

static void check_user(const struct user *was, const struct user *is)
{
    REQUIRE(is && slice_equals(was->login, is->login) && was->state == is->state);
    REQUIRE(was->min_mech == is->min_mech);
    REQUIRE(slice_equals(was->hash, is->hash));
    REQUIRE(was->scram.iterations == is->scram.iterations);
    REQUIRE(was->scram.salt_len == is->scram.salt_len &&
            memcmp(was->scram.salt, is->scram.salt, was->scram.salt_len) == 0);
    REQUIRE(!was->scram_sha1 == !is->scram_sha1);
    check_apps(was, is);
    REQUIRE(was->group_count == is->group_count);
    for (size_t i = 0; i < was->group_count; i++)
        REQUIRE(slice_equals(was->groups[i].group->name, is->groups[i].group->name));
    check_rights(&was->rights, &is->rights);
}

static void check_groups(const struct users *users, const struct users *again)
{
    const struct user_group *is = users_first_group(again);

    for (const struct user_group *was = users_first_group(users); was;
         was = users_next_group(was)) {
        REQUIRE(is && slice_equals(was->name, is->name));
        check_rights(&was->rights, &is->rights);
        is = users_next_group(is);
    }
    REQUIRE(!is);
}

/* The same users in the same order, and as many problems. */
static void check_file(const struct users *users, size_t problems)
{
    struct users_report report;
    struct users *again = NULL;
    const struct user *is;

    REQUIRE(users_save(users, path, (uid_t)-1, (gid_t)-1) == ERR_OK);
    REQUIRE(users_load(-100, path, &report, &again) == ERR_OK); /* AT_FDCWD */
    REQUIRE(users_count(users) == users_count(again) && report.count <= problems);
    REQUIRE(slice_equals(users_key(users), users_key(again)));
    is = users_first(again);
    for (const struct user *was = users_first(users); was; was = users_next(was)) {
        check_user(was, is);
        is = users_next(is);
    }
    check_groups(users, again);
    users_free(&again);
}

/* Takes from the file what a change may hit: the users of even places. */
static void change(struct users *users, unsigned choice)
{
    const struct user *user = users_first(users);
    char login[512];

    for (unsigned i = 0; user && i < 8; i++) {
        const struct user *next = users_next(user);
        struct slice name = slice_of(login, user->login.len);

        memcpy(login, user->login.data, user->login.len);
        if (choice >> i & 1) {
            if (user->apps && choice & 1) {
                char app[512];
                struct slice app_name = slice_of(app, user->apps->name.len);
                size_t muted;

                memcpy(app, user->apps->name.data, app_name.len);
                REQUIRE(users_remove_app(users, name, app_name, &muted) == USER_OK);
            }
            if (i % 3 == 0)
                REQUIRE(users_remove(users, name) == USER_OK && !users_find(users, name));
            else
                REQUIRE(users_set_state(users, name,
                            user->state == USER_ACTIVE ? USER_DISABLED : USER_ACTIVE) == USER_OK);
        }
        user = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    unsigned choice = take_octet(&bytes);
    struct users_report report;
    struct users *users = NULL;

    if (folder[0] == '\0') {
        make_folder();
        atexit(remove_folder);
    }
    if (users_parse(copy_of(bytes), bytes.len, &report, &users) != ERR_OK)
        return 0;
    check_file(users, report.count);
    change(users, choice);
    check_file(users, report.count);
    users_free(&users);
    return 0;
}
