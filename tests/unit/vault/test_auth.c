/* tests/unit/vault/test_auth.c: logins through a channel, against a user file that submitctl's
 * functions made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gsasl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "desk.h"
#include "net/loop.h"
#include "vault/auth.h"
#include "vault/senders.h"
#include "vault/store.h"

static struct loop *loop;
static struct store *store;
static struct auth *auth;
static struct senders *senders;
static struct desk desk;
static char folder[64];
static char path[128];
static uint64_t session;

static void on_start(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    auth_start(auth, owner, message);
}

static void on_step(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    auth_step(auth, owner, message);
}

static void on_cancel(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    auth_cancel(auth, owner, message);
}

static void on_rights(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    senders_ask(senders, owner, message);
}

static const struct channel_handler handlers[] = {
    { MSG_AUTH_START, on_start },
    { MSG_AUTH_STEP, on_step },
    { MSG_AUTH_CANCEL, on_cancel },
    { MSG_RIGHTS, on_rights },
};

static void load_users(struct users **users)
{
    struct users_report report;

    assert_int_equal(users_load(AT_FDCWD, path, &report, users), ERR_OK);
    assert_int_equal(report.count, 0);
}

static void save_users(struct users **users)
{
    assert_int_equal(users_save(*users, path, (uid_t)-1, (gid_t)-1), ERR_OK);
    users_free(users);
}

static void set_state(const char *login, enum user_state state)
{
    struct users *users;

    load_users(&users);
    assert_int_equal(users_set_state(users, slice_text(login), state), USER_OK);
    save_users(&users);
}

/* alice and bob with passwords; carol may not submit; dave has many senders. */
static void make_users(void)
{
    struct users *users = NULL;
    struct user *carol;
    struct slice info = slice_text("info@example.org");
    static char names[40][32];
    struct slice many[40];

    assert_int_equal(users_new(&users), ERR_OK);
    assert_int_equal(
        users_add(users, slice_text("alice@example.org"), slice_text("alice's"), &info, 1),
        USER_OK);
    assert_int_equal(
        users_add(users, slice_text("bob@example.org"), slice_text("bob's"), NULL, 0), USER_OK);
    assert_int_equal(
        users_add(users, slice_text("carol@example.org"), slice_text("carol's"), NULL, 0), USER_OK);
    carol = (struct user *)(uintptr_t)users_find(users, slice_text("carol@example.org"));
    carol->rights.may_submit = false; /* what an operator writes into the file by hand */
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        snprintf(names[i], sizeof names[i], "%zu@lists.example.org", i);
        many[i] = slice_text(names[i]);
    }
    assert_int_equal(users_add(users, slice_text("dave@example.org"), slice_text("dave's"), many,
                         LENGTH_OF(many)),
        USER_OK);
    save_users(&users);
}

static int open_vault(const struct auth_settings *settings)
{
    int dir;

    strcpy(folder, "/tmp/submitd-auth-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/users", folder);
    make_users();
    loop = loop_new();
    store = store_new(loop);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    if (!store_set_place(store, dir, slice_text("users")))
        return -1;
    auth = auth_new(loop, store, NULL, settings);
    senders = senders_new(store);
    desk_open(&desk, loop, ROLE_GATE, handlers, LENGTH_OF(handlers));
    return auth && senders ? 0 : -1;
}

static int set_up(void **state)
{
    struct auth_settings settings = auth_defaults();

    (void)state;
    return open_vault(&settings);
}

static int tear_down(void **state)
{
    (void)state;
    auth_forget_asker(auth, &desk.asker);
    senders_forget_asker(senders, &desk.asker);
    assert_int_equal(desk.asker.conversations, 0);
    desk_close(&desk);
    auth_free(&auth);
    senders_free(&senders);
    store_free(&store);
    loop_free(&loop);
    unlink(path);
    return rmdir(folder);
}

static void send_start(
    const char *mechanism, bool has_initial, struct slice initial, const char *client)
{
    struct msg_auth_start start = { .session = ++session,
        .mechanism = slice_text(mechanism),
        .has_initial = has_initial,
        .initial = initial,
        .client = slice_text(client),
        .tls = true };

    desk_send(&desk, MSG_AUTH_START, &start);
}

static void send_step(struct slice data)
{
    struct msg_auth_step step = { .session = session, .data = data };

    desk_send(&desk, MSG_AUTH_STEP, &step);
}

static size_t plain_text(char to[512], const char *name, const char *password)
{
    return (size_t)snprintf(to, 512, "%c%s%c%s", 0, name, 0, password);
}

static const struct answer *plain_from(const char *client, const char *name, const char *password)
{
    char text[512];
    size_t len = plain_text(text, name, password);

    send_start("PLAIN", true, slice_of(text, len), client);
    return desk_answer(&desk, desk.count);
}

static enum auth_result plain(const char *name, const char *password)
{
    return plain_from("192.0.2.1", name, password)->result;
}

/* AUTH-4, SUB-3.3-4: the grant says who it is and what they may do. */
static void test_plain(void **state)
{
    const struct answer *answer;

    (void)state;
    answer = plain_from("192.0.2.1", "alice@EXAMPLE.org", "alice's");
    assert_int_equal(answer->type, MSG_AUTH_DONE);
    assert_int_equal(answer->result, AUTH_OK);
    assert_string_equal(answer->user, "alice@example.org");
    assert_true(answer->yes);
    assert_int_equal(answer->senders, 1);
    assert_string_equal(answer->first_sender, "info@example.org");
    answer = plain_from("192.0.2.1", "carol@example.org", "carol's");
    assert_int_equal(answer->result, AUTH_OK);
    assert_false(answer->yes);
    assert_int_equal(auth_busy(auth), 0);
}

/* AUTH-14, SEC-6: a wrong password, an unknown user and a name that no user can have get the same
 * answer. */
static void test_refused(void **state)
{
    static const char *const names[] = { "alice@example.org", "nobody@example.org", "nobody",
        "Alice@example.org" };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        const struct answer *answer = plain_from("192.0.2.1", names[i], "wrong");

        assert_int_equal(answer->type, MSG_AUTH_DONE);
        assert_int_equal(answer->result, AUTH_REFUSED);
        assert_string_equal(answer->user, "");
        assert_false(answer->yes);
        assert_int_equal(answer->senders, 0);
    }
}

static int64_t time_of(const char *name, const char *password)
{
    int64_t begin = clock_wall_us();

    plain(name, password);
    return clock_wall_us() - begin;
}

/* AUTH-14: an unknown user costs a hash as well; the bound is wide because the machine may be busy.
 */
static void test_same_cost(void **state)
{
    int64_t known = INT64_MAX, unknown = INT64_MAX;

    (void)state;
    for (int i = 0; i < 4; i++) {
        int64_t one = time_of("alice@example.org", "wrong");
        int64_t other = time_of("nobody@example.org", "wrong");

        known = one < known ? one : known;
        unknown = other < unknown ? other : unknown;
    }
    assert_true(unknown > known / 3 && unknown < known * 3);
}

/* AUTH-16: only who knows the password is told that the user is disabled, or that the mechanism is
 * too weak. */
static void test_disabled(void **state)
{
    struct users *users;

    (void)state;
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_OK);
    set_state("alice@example.org", USER_DISABLED);
    assert_int_equal(plain("alice@example.org", "alice's"),
        AUTH_DISABLED); /* at once, though the proof is remembered */
    assert_int_equal(plain("alice@example.org", "wrong"), AUTH_REFUSED);
    set_state("alice@example.org", USER_ACTIVE);
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_OK);
    load_users(&users);
    assert_int_equal(
        users_set_password(users, slice_text("alice@example.org"), slice_text("new one")), USER_OK);
    save_users(&users);
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_REFUSED);
    assert_int_equal(plain("alice@example.org", "new one"), AUTH_OK);
    load_users(&users);
    assert_int_equal(users_remove(users, slice_text("alice@example.org")), USER_OK);
    save_users(&users);
    assert_int_equal(plain("alice@example.org", "new one"), AUTH_REFUSED);
}

/* The second login of the same user pays no hash. */
static void test_remembered(void **state)
{
    int64_t first = time_of("alice@example.org", "alice's");
    int64_t second = INT64_MAX;

    (void)state;
    for (int i = 0; i < 5; i++) {
        int64_t one = time_of("alice@example.org", "alice's");
        second = one < second ? one : second;
    }
    assert_true(second < first / 2);
}

/* A program that logs in fifty times at once pays for few hashes. */
static void test_burst(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "alice's");
    int64_t one = time_of("bob@example.org", "bob's");
    int64_t begin = clock_wall_us();

    (void)state;
    for (int i = 0; i < 50; i++)
        send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
    desk_answer(&desk, 50);
    for (size_t i = 1; i <= 50; i++)
        assert_int_equal(desk.answers[i].result, AUTH_OK);
    assert_true(clock_wall_us() - begin < 25 * one);
}

/* AUTH-15 */
static void test_unreadable(void **state)
{
    (void)state;
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_TEMPORARY);
    assert_int_equal(plain("alice@example.org", "wrong"), AUTH_TEMPORARY);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_OK);
}

/* AUTH-18: after ten failures of an account, or twenty of a client, nothing is looked at any more.
 */
static void test_limits(void **state)
{
    char client[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(client, sizeof client, "198.51.100.%d", i);
        assert_int_equal(plain_from(client, "alice@example.org", "wrong")->result, AUTH_REFUSED);
    }
    assert_int_equal(
        plain_from("192.0.2.9", "alice@example.org", "alice's")->result, AUTH_TEMPORARY);
    assert_int_equal(
        plain_from("192.0.2.9", "al\xc2\xadice@EXAMPLE.org", "alice's")->result, AUTH_TEMPORARY);
    assert_int_equal(plain_from("192.0.2.9", "bob@example.org", "bob's")->result, AUTH_OK);
    for (int i = 0; i < 20; i++) {
        snprintf(client, sizeof client, "u%d@example.org", i);
        assert_int_equal(plain_from("203.0.113.1", client, "wrong")->result, AUTH_REFUSED);
    }
    assert_int_equal(plain_from("203.0.113.1", "bob@example.org", "bob's")->result, AUTH_TEMPORARY);
    assert_int_equal(plain_from("203.0.113.2", "bob@example.org", "bob's")->result, AUTH_OK);
}

/* AUTH-18: many attempts at once do not slip through before the first has failed. */
static void test_limits_hold_in_parallel(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "wrong");
    size_t refused = 0;

    (void)state;
    for (int i = 0; i < 60; i++)
        send_start("PLAIN", true, slice_of(text, len), "203.0.113.7");
    desk_answer(&desk, 59);
    for (size_t i = 0; i < 60; i++)
        refused += desk.answers[i].result == AUTH_REFUSED;
    assert_true(refused >= 10 && refused <= 10 + 16); /* at most one more for each worker */
}

/* SASL-9 */
static void test_login(void **state)
{
    (void)state;
    send_start("LOGIN", false, slice_text(""), "192.0.2.1");
    assert_true(slice_is(answer_data(desk_answer(&desk, 0)), "Username:"));
    send_step(slice_text("alice@example.org"));
    assert_true(slice_is(answer_data(desk_answer(&desk, 1)), "Password:"));
    send_step(slice_text("alice's"));
    assert_int_equal(desk_answer(&desk, 2)->result, AUTH_OK);
}

/* AUTH-3: in the clear nothing is looked at. */
static void test_no_tls(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "alice's");
    struct msg_auth_start start = { .session = ++session,
        .mechanism = slice_text("PLAIN"),
        .has_initial = true,
        .initial = slice_of(text, len),
        .client = slice_text("192.0.2.1") };

    (void)state;
    desk_send(&desk, MSG_AUTH_START, &start);
    assert_int_equal(desk_answer(&desk, 0)->result, AUTH_REFUSED);
}

/* AUTH-5 */
static void test_unknown_mechanism(void **state)
{
    (void)state;
    send_start("FOO", false, slice_text(""), "192.0.2.1");
    assert_int_equal(desk_answer(&desk, 0)->result, AUTH_UNKNOWN);
    send_start("SCRAM-SHA-256-PLUS", false, slice_text(""), "192.0.2.1");
    assert_int_equal(desk_answer(&desk, 1)->result, AUTH_UNKNOWN);
}

/* A whole SCRAM login with the library's client; the client's own result is checked, so the server
 * has proved itself. */
static enum auth_result scram(const char *name, const char *password, bool *out_server_proved)
{
    Gsasl *library;
    Gsasl_session *client;
    struct slice data = slice_text("");
    const struct answer *answer;
    bool is_first = true;
    int rc;

    *out_server_proved = false;
    assert_int_equal(gsasl_init(&library), GSASL_OK);
    assert_int_equal(gsasl_client_start(library, "SCRAM-SHA-256", &client), GSASL_OK);
    gsasl_property_set(client, GSASL_AUTHID, name);
    gsasl_property_set(client, GSASL_PASSWORD, password);
    do {
        char *output = NULL;
        size_t len = 0;

        rc = gsasl_step(client, data.data, data.len, &output, &len);
        assert_true(rc == GSASL_OK || rc == GSASL_NEEDS_MORE);
        *out_server_proved = rc == GSASL_OK;
        if (is_first)
            send_start("SCRAM-SHA-256", true, slice_of(output, len), "192.0.2.1");
        else
            send_step(slice_of(output, len));
        gsasl_free(output);
        is_first = false;
        answer = desk_answer(&desk, desk.count);
        data = answer_data(answer);
    } while (answer->type == MSG_AUTH_SAY);
    gsasl_finish(client);
    gsasl_done(library);
    return answer->result;
}

/* SASL-2, SASL-5, AUTH-26: after a failure with one mechanism another succeeds. */
static void test_scram(void **state)
{
    bool proved;

    (void)state;
    assert_int_equal(plain("alice@example.org", "wrong"), AUTH_REFUSED);
    assert_int_equal(scram("alice@example.org", "alice's", &proved), AUTH_OK);
    assert_true(proved);
    assert_string_equal(desk.answers[desk.count - 1].user, "alice@example.org");
    assert_int_equal(scram("alice@example.org", "wrong", &proved), AUTH_REFUSED);
    assert_false(proved);
    assert_int_equal(scram("nobody@example.org", "wrong", &proved), AUTH_REFUSED);
    set_state("alice@example.org", USER_DISABLED);
    assert_int_equal(scram("alice@example.org", "alice's", &proved), AUTH_DISABLED);
    assert_false(proved);
}

/* Makes an app password of alice's. */
static void add_app(const char *name, int64_t until, const struct rights_change *change,
    char out_secret[APP_SECRET + 1])
{
    static const struct rights_change none;
    struct users *users;

    load_users(&users);
    assert_int_equal(users_add_app(users, slice_text("alice@example.org"), slice_text(name), until,
                         change ? change : &none, out_secret),
        USER_OK);
    save_users(&users);
}

static void remove_app(const char *name)
{
    struct users *users;
    size_t muted;

    load_users(&users);
    assert_int_equal(
        users_remove_app(users, slice_text("alice@example.org"), slice_text(name), &muted),
        USER_OK);
    save_users(&users);
}

/* SASL-15: app passwords by PLAIN and by SCRAM, beside the user's own; one that is revoked or over
 * is refused from then on, whatever was remembered, and the others go on. */
static void test_apps(void **state)
{
    static const char alice[] = "alice@example.org";
    char phone[APP_SECRET + 1], tablet[APP_SECRET + 1], old[APP_SECRET + 1];
    bool proved;

    (void)state;
    add_app("phone", 0, NULL, phone);
    add_app("tablet", clock_wall() + 1000, NULL, tablet);
    add_app("old", clock_wall() - 1, NULL, old);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(plain(alice, phone), AUTH_OK);
        assert_true(desk.answers[desk.count - 1].is_narrowed);
        assert_int_equal(plain(alice, tablet), AUTH_OK);
        assert_int_equal(plain(alice, "alice's"), AUTH_OK);
        assert_false(desk.answers[desk.count - 1].is_narrowed);
        assert_int_equal(plain(alice, old), AUTH_REFUSED);
        assert_int_equal(plain("bob@example.org", phone), AUTH_REFUSED);
        assert_int_equal(scram(alice, phone, &proved), AUTH_OK);
        assert_true(proved && desk.answers[desk.count - 1].is_narrowed);
        assert_int_equal(scram(alice, "alice's", &proved), AUTH_OK);
        assert_true(proved && !desk.answers[desk.count - 1].is_narrowed);
    }
    assert_int_equal(scram(alice, old, &proved), AUTH_REFUSED);
    remove_app("phone");
    assert_int_equal(plain(alice, phone), AUTH_REFUSED);
    assert_int_equal(scram(alice, phone, &proved), AUTH_REFUSED);
    assert_int_equal(plain(alice, tablet), AUTH_OK);
    set_state(alice, USER_DISABLED);
    assert_int_equal(plain(alice, tablet), AUTH_DISABLED);
}

/* A new password of the user's leaves the app passwords as they are, also with SCRAM. */
static void test_apps_outlive_a_password(void **state)
{
    static const char alice[] = "alice@example.org";
    char phone[APP_SECRET + 1];
    struct users *users;
    bool proved;

    (void)state;
    add_app("phone", 0, NULL, phone);
    load_users(&users);
    assert_int_equal(users_set_password(users, slice_text(alice), slice_text("new one")), USER_OK);
    save_users(&users);
    assert_int_equal(scram(alice, phone, &proved), AUTH_OK);
    assert_int_equal(plain(alice, phone), AUTH_OK);
    assert_int_equal(scram(alice, "new one", &proved), AUTH_OK);
    assert_int_equal(scram(alice, "alice's", &proved), AUTH_REFUSED);
}

/* What it may do travels with the login. */
static void test_app_scope(void **state)
{
    struct slice sender = slice_text("*@Lists.example.org");
    const struct rights_change change = {
        .has_submit = true, .may_submit = true, .senders = { true, &sender, 1 }
    };
    const struct rights_change read_only = { .has_submit = true };
    char lists[APP_SECRET + 1], reader[APP_SECRET + 1];
    const struct answer *answer;

    (void)state;
    add_app("lists", 0, &change, lists);
    add_app("reader", 0, &read_only, reader);
    answer = plain_from("192.0.2.1", "alice@example.org", lists);
    assert_int_equal(answer->result, AUTH_OK);
    assert_true(answer->yes && answer->is_narrowed && answer->scope_submit);
    assert_int_equal(answer->scope_senders, 1);
    assert_string_equal(answer->first_scope_sender, "*@lists.example.org");
    answer = plain_from("192.0.2.1", "alice@example.org", reader);
    assert_true(answer->yes && answer->is_narrowed && !answer->scope_submit);
    assert_string_equal(answer->first_scope_sender, "*");
}

/* AUTH-16: min_mech=scram. */
static void test_too_weak(void **state)
{
    char text[4096] = "", changed[4096];
    FILE *file = fopen(path, "r");
    bool proved;
    char *at;

    (void)state;
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    at = strstr(text, "state=active");
    snprintf(changed, sizeof changed, "%.*smin_mech=scram %s", (int)(at - text), text, at);
    file = fopen(path, "w");
    fputs(changed, file);
    fclose(file);
    assert_int_equal(plain("alice@example.org", "alice's"), AUTH_TOO_WEAK);
    assert_int_equal(plain("alice@example.org", "wrong"), AUTH_REFUSED);
    assert_int_equal(scram("alice@example.org", "alice's", &proved), AUTH_OK);
}

/* The salt and count of a SCRAM server's first answer. */
static void probe(const char *name, char out_salt[128])
{
    char first[256];
    struct slice data;
    const struct answer *answer;

    snprintf(first, sizeof first, "n,,n=%s,r=abcdefgh", name);
    send_start("SCRAM-SHA-256", true, slice_text(first), "192.0.2.1");
    answer = desk_answer(&desk, desk.count);
    assert_int_equal(answer->type, MSG_AUTH_SAY);
    data = answer_data(answer);
    data = slice_from(data, slice_find(data, ','));
    snprintf(out_salt, 128, "%.*s", SLICE_ARGS(data));
}

/* SASL-8, SEC-6: two probes for nouser give the same salt, of the same form as a real one. */
static void test_stable_fake(void **state)
{
    char one[128], again[128], other[128], real[128];

    (void)state;
    probe("nouser", one);
    probe("nouser", again);
    probe("nobody@example.org", other);
    probe("alice@example.org", real);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), strlen(real));
    assert_string_equal(strrchr(one, ','), strrchr(real, ','));
    assert_string_equal(strrchr(real, ','), ",i=32768"); /* SASL-3 */
}

static void test_cancel(void **state)
{
    struct msg_session cancel;
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "wrong");

    (void)state;
    send_start("LOGIN", false, slice_text(""), "192.0.2.1");
    desk_answer(&desk, 0);
    cancel.session = session;
    desk_send(&desk, MSG_AUTH_CANCEL, &cancel);
    send_step(slice_text("alice@example.org"));
    assert_int_equal(desk_answer(&desk, 1)->result, AUTH_TEMPORARY); /* the number is free again */
    send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
    cancel.session = session;
    desk_send(&desk, MSG_AUTH_CANCEL, &cancel);
    desk_send(&desk, MSG_AUTH_CANCEL, &cancel);
    desk_turn(&desk, 300);
    assert_int_equal(desk.count, 2);
    assert_int_equal(desk.asker.conversations, 0);
}

/* AUTH-18: who hangs up before the answer is counted all the same, once his password is being
 * hashed: how soon that is, is the machine's to say, so he does it more often than it takes. */
static void test_cancel_is_no_way_out(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "wrong");
    enum auth_result last = AUTH_OK;

    (void)state;
    for (int i = 0; i < 60 && last != AUTH_TEMPORARY; i++) {
        struct msg_session cancel;

        send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
        cancel.session = session;
        desk_turn(&desk, 50);
        desk_send(&desk, MSG_AUTH_CANCEL, &cancel);
        desk_turn(&desk, 50);
        if (i % 20 == 19)
            last = plain_from("198.51.100.1", "alice@example.org", "alice's")->result;
    }
    assert_int_equal(last, AUTH_TEMPORARY);
}

static void test_short_life(void **state)
{
    (void)state;
    send_start("LOGIN", false, slice_text(""), "192.0.2.1");
    desk_answer(&desk, 0);
    desk_turn(&desk, 150);
    assert_int_equal(desk.asker.conversations, 0);
    send_step(slice_text("alice@example.org"));
    assert_int_equal(desk_answer(&desk, 1)->result, AUTH_TEMPORARY);
}

static int set_up_short_life(void **state)
{
    struct auth_settings settings = auth_defaults();

    (void)state;
    settings.life_ms = 50;
    return open_vault(&settings);
}

static void test_out_of_turn(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "alice's");

    (void)state;
    send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
    send_step(slice_text("more"));
    assert_int_equal(desk_answer(&desk, 0)->result, AUTH_TEMPORARY);
    desk_turn(&desk, 200);
    assert_int_equal(desk.count, 1);
}

/* A gate that goes away leaves nothing behind, whatever its sessions waited for. */
static void test_gate_goes(void **state)
{
    char text[512];
    size_t len = plain_text(text, "alice@example.org", "wrong");

    (void)state;
    for (int i = 0; i < 20; i++) {
        send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
        send_start("LOGIN", false, slice_text(""), "192.0.2.1");
        send_start("SCRAM-SHA-256", true, slice_text("n,,n=alice@example.org,r=x"), "192.0.2.1");
    }
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    loop_turn(loop, 50);
}

static void ask_rights(const char *user, const char *address)
{
    struct msg_rights rights = {
        .session = ++session, .user = slice_text(user), .address = slice_text(address)
    };

    desk_send(&desk, MSG_RIGHTS, &rights);
}

/* SUB-6.1-2: what a grant was too short for. */
static void test_rights(void **state)
{
    const struct answer *answer = plain_from("192.0.2.1", "dave@example.org", "dave's");

    (void)state;
    assert_true(answer->more_senders);
    assert_int_equal(answer->senders, GRANT_SENDERS_MAX);
    ask_rights("dave@example.org", "39@lists.example.org");
    assert_true(desk_answer(&desk, 1)->yes);
    ask_rights("dave@example.org", "40@lists.example.org");
    assert_false(desk_answer(&desk, 2)->yes);
    ask_rights("dave@example.org", "dave+tag@example.org");
    assert_true(desk_answer(&desk, 3)->yes);
    ask_rights("nobody@example.org", "nobody@example.org");
    assert_false(desk_answer(&desk, 4)->yes);
    set_state("dave@example.org", USER_DISABLED);
    ask_rights("dave@example.org", "39@lists.example.org");
    assert_false(desk_answer(&desk, 5)->yes);
    ask_rights("alice@example.org", "info@example.org"); /* its asker goes before the answer */
    loop_turn(loop, 0);
}

/* One client floods the queue, another waits for two hashes at most; a full queue is 454, for the
 * one who filled it. */
static void test_flood(void **state)
{
    char text[512];
    size_t len, place;
    uint64_t bob;

    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[32];

        snprintf(name, sizeof name, "x%d@example.org", i);
        len = plain_text(text, name, "wrong");
        send_start("PLAIN", true, slice_of(text, len), "203.0.113.1");
    }
    len = plain_text(text, "bob@example.org", "bob's");
    send_start("PLAIN", true, slice_of(text, len), "192.0.2.1");
    bob = session;
    for (place = 0; desk_answer(&desk, place)->number != bob; place++)
        ;
    assert_int_equal(desk.answers[place].result, AUTH_OK);
    desk_answer(&desk, 40);
    assert_true(place < 38); /* 31 were turned away at once, bob overtook most of the others */
}

static int set_up_small_queue(void **state)
{
    struct auth_settings settings = auth_defaults();

    (void)state;
    settings.threads = 1;
    settings.waiting = 8;
    settings.limits = (struct failure_limits){ 0, 0 };
    return open_vault(&settings);
}

/* AUTH-27: whatever happens, the log has no credential. */
static void test_log(void **state)
{
    char log_name[160], text[65536];
    bool proved;
    int saved = dup(2), fd;
    ssize_t len;

    (void)state;
    snprintf(log_name, sizeof log_name, "%s/log", folder);
    fd = open(log_name, O_RDWR | O_CREAT, 0600);
    dup2(fd, 2);
    plain("alice@example.org", "alice's");
    plain("alice@example.org", "wrong-secret");
    plain("evil\r\nname=\"x", "wrong-secret");
    scram("alice@example.org", "alice's", &proved);
    scram("alice@example.org", "wrong-secret", &proved);
    send_start("PLAIN", true, slice_text("no NUL but wrong-secret"), "192.0.2.1");
    desk_answer(&desk, desk.count);
    dup2(saved, 2);
    close(saved);
    len = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    unlink(log_name);
    assert_true(len > 0);
    text[len] = '\0';
    assert_null(strstr(text, "alice's"));
    assert_null(strstr(text, "wrong-secret"));
    assert_null(strstr(text, "\nname"));
    assert_non_null(
        strstr(text, "user=alice@example.org mechanism=PLAIN client=192.0.2.1 result=ok"));
    assert_non_null(strstr(text, "mechanism=SCRAM-SHA-256 client=192.0.2.1 result=refused"));
}

#define WITH_VAULT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VAULT(test_plain),
        WITH_VAULT(test_refused),
        WITH_VAULT(test_same_cost),
        WITH_VAULT(test_disabled),
        WITH_VAULT(test_remembered),
        WITH_VAULT(test_burst),
        WITH_VAULT(test_unreadable),
        WITH_VAULT(test_limits),
        WITH_VAULT(test_limits_hold_in_parallel),
        WITH_VAULT(test_login),
        WITH_VAULT(test_no_tls),
        WITH_VAULT(test_unknown_mechanism),
        WITH_VAULT(test_scram),
        WITH_VAULT(test_apps),
        WITH_VAULT(test_apps_outlive_a_password),
        WITH_VAULT(test_app_scope),
        WITH_VAULT(test_too_weak),
        WITH_VAULT(test_stable_fake),
        WITH_VAULT(test_cancel),
        WITH_VAULT(test_cancel_is_no_way_out),
        cmocka_unit_test_setup_teardown(test_short_life, set_up_short_life, tear_down),
        WITH_VAULT(test_out_of_turn),
        WITH_VAULT(test_gate_goes),
        WITH_VAULT(test_rights),
        cmocka_unit_test_setup_teardown(test_flood, set_up_small_queue, tear_down),
        WITH_VAULT(test_log),
    };

    return cmocka_run_group_tests_name("vault/auth", tests, NULL, NULL);
}
