/* tests/unit/vault/test_login.c: logging in to a smarthost, with our own server side as the next
 * hop (OUT-18, OUT-19). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "counter.h"
#include "vault/sasl.h"

static struct Gsasl *library;

static int file_with(const char *text)
{
    char name[] = "/tmp/submitd-password-XXXXXX";
    int fd = mkstemp(name);

    unlink(name);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static enum err apply(uint64_t number, const char *password)
{
    struct conf_route routes[] = {
        { .pattern = SLICE_LITERAL("example.net") },
        { .pattern = SLICE_LITERAL("*"),
            .username = SLICE_LITERAL("relay@example.org"),
            .password_file = SLICE_LITERAL("/etc/pw") },
    };
    struct conf conf = { .number = number, .routes = routes, .route_count = LENGTH_OF(routes) };

    if (password)
        secrets_give_password(secrets, 1, file_with(password));
    return secrets_apply(secrets, &conf);
}

static int set_up(void **state)
{
    (void)state;
    library = sasl_library_new();
    return counter_open() && library && apply(7, "relay's secret\n") == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    logins_forget_asker(logins, &desk.asker);
    assert_int_equal(desk.asker.conversations, 0);
    desk_close(&desk);
    logins_free(&logins);
    secrets_free(&secrets);
    sasl_library_free(&library);
    loop_free(&loop);
    return 0;
}

static const struct answer *start(
    uint64_t snapshot, uint32_t route, bool verified, const char *mechanisms)
{
    struct msg_login_start message = { .login = 5,
        .snapshot = snapshot,
        .route = route,
        .verified = verified,
        .host = slice_text("smtp.example.com"),
        .mechanisms = slice_text(mechanisms) };

    desk_send(&desk, MSG_LOGIN_START, &message);
    return desk_answer(&desk, desk.count);
}

static const struct answer *step(struct slice data)
{
    struct msg_login_step message = { .login = 5, .data = data };

    desk_send(&desk, MSG_LOGIN_STEP, &message);
    return desk_answer(&desk, desk.count);
}

static void test_plain(void **state)
{
    const struct answer *answer = start(7, 1, true, "LOGIN PLAIN XOAUTH2");

    (void)state;
    assert_true(answer->yes);
    assert_string_equal(answer->mechanism, "PLAIN");
    assert_true(answer->has_data);
    assert_int_equal(answer->len, 33);
    assert_memory_equal(answer->data, "\0relay@example.org\0relay's secret", 33);
    answer = step(slice_text("what else?"));
    assert_false(answer->yes);
}

static void test_login(void **state)
{
    const struct answer *answer = start(7, 1, true, "login");

    (void)state;
    assert_string_equal(answer->mechanism, "LOGIN");
    assert_false(answer->has_data);
    answer = step(slice_text("Username:"));
    assert_true(slice_is(answer_data(answer), "relay@example.org"));
    assert_string_equal(answer->mechanism, "");
    answer = step(slice_text("Password:"));
    assert_true(slice_is(answer_data(answer), "relay's secret"));
}

/* The server's side of SCRAM, with the password that the next hop knows. iterations: what it asks
 * for. */
static enum sasl_result scram(
    const char *password, uint32_t iterations, const struct answer **out_answer)
{
    struct sasl_opening opening = { .mechanism = slice_text("SCRAM-SHA-256"), .has_initial = true };
    struct scram_verifier verifier;
    struct sasl server;
    enum sasl_result result;

    assert_int_equal(scram_derive(SCRAM_SHA_256, slice_text(password), slice_text("salt"),
                         iterations, &verifier),
        ERR_OK);
    *out_answer = start(7, 1, true, "PLAIN SCRAM-SHA-256 LOGIN");
    assert_string_equal((*out_answer)->mechanism, "SCRAM-SHA-256");
    opening.initial = answer_data(*out_answer);
    result = sasl_start(&server, library, &opening);
    assert_int_equal(result, SASL_LOOKUP);
    result = sasl_supply(&server, &verifier, 1);
    while ((result == SASL_CHALLENGE || result == SASL_PROVED) && (*out_answer)->yes) {
        *out_answer = step(buffer_slice(&server.challenge));
        if ((*out_answer)->yes)
            result = sasl_step(&server, answer_data(*out_answer));
    }
    sasl_clear(&server);
    return result;
}

static void test_scram(void **state)
{
    const struct answer *answer;

    (void)state;
    assert_int_equal(scram("relay's secret", 4096, &answer), SASL_DONE);
    assert_true(answer->yes);
    assert_int_equal(answer->len, 0);
    assert_int_equal(scram("another", 4096, &answer), SASL_REFUSED);
}

/* A next hop may not make the vault work for minutes, nor get a proof that is cheap to break. */
static void test_iterations(void **state)
{
    const struct answer *answer;

    (void)state;
    scram("relay's secret", 4095, &answer);
    assert_false(answer->yes);
    assert_non_null(strstr(answer->text, "iteration count"));
    scram("relay's secret", LOGIN_ITERATIONS_MAX + 1, &answer);
    assert_false(answer->yes);
    start(7, 1, true, "SCRAM-SHA-256");
    answer = step(slice_text("r=x,s=AAAA,i=99999999999999999999"));
    assert_false(answer->yes);
}

/* A server that does not know the password cannot play along. */
static void test_false_server(void **state)
{
    const struct answer *answer;

    (void)state;
    start(7, 1, true, "SCRAM-SHA-256");
    answer = step(slice_text("r=other,s=AAAA,i=4096"));
    assert_false(answer->yes);
    start(7, 1, true, "SCRAM-SHA-256");
    answer = step(slice_text("garbage"));
    assert_false(answer->yes);
}

/* OUT-19 and the rest of what keeps a login from beginning. */
static const struct {
    uint64_t snapshot;
    uint32_t route;
    bool verified;
    const char *mechanisms;
    const char *why;
} faults[] = {
    { 7, 1, false, "PLAIN", "not verified" },
    { 7, 0, true, "PLAIN", "no password for this route" },
    { 7, 99, true, "PLAIN", "no password for this route" },
    { 6, 1, true, "PLAIN", "no longer in force" },
    { 7, 1, true, "CRAM-MD5 XOAUTH2 PLAINER", "offers none" },
    { 7, 1, true, "", "offers none" },
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(faults); i++) {
        const struct answer *answer =
            start(faults[i].snapshot, faults[i].route, faults[i].verified, faults[i].mechanisms);

        assert_false(answer->yes);
        assert_false(answer->has_data);
        assert_int_equal(answer->len, 0);
        if (!strstr(answer->text, faults[i].why))
            fail_msg("row %zu: %s", i, answer->text);
    }
}

/* A reload keeps the old passwords for what began under them, for a while. */
static void test_snapshots(void **state)
{
    (void)state;
    assert_int_equal(apply(8, "new\r\n"), ERR_OK);
    assert_int_equal(start(7, 1, true, "PLAIN")->len, 33);
    assert_memory_equal(start(8, 1, true, "PLAIN")->data + 19, "new", 3);
    for (uint64_t number = 9; number < 8 + SECRETS_KEPT; number++)
        assert_int_equal(apply(number, "x"), ERR_OK);
    assert_false(start(7, 1, true, "PLAIN")->yes);
    assert_true(start(8, 1, true, "PLAIN")->yes);
}

static void test_bad_password_files(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'x', sizeof text);
    text[256] = '\0';
    assert_int_equal(apply(8, text), ERR_INVALID);
    assert_int_equal(apply(8, ""), ERR_INVALID);
    assert_int_equal(apply(8, "\nsecond line"), ERR_INVALID);
    assert_int_equal(apply(8, NULL), ERR_NOTFOUND);
    assert_int_equal(start(7, 1, true, "PLAIN")->len, 33); /* as before */
    text[255] = '\n';
    assert_int_equal(apply(8, text), ERR_OK);
}

static void test_end(void **state)
{
    struct msg_login end = { .login = 5 };

    (void)state;
    start(7, 1, true, "SCRAM-SHA-256");
    desk_send(&desk, MSG_LOGIN_END, &end);
    desk_send(&desk, MSG_LOGIN_END, &end);
    assert_false(step(slice_text("r=x,s=AAAA,i=4096"))->yes);
    start(7, 1, true, "PLAIN"); /* and the same number again, twice, with the hand still at work */
    start(7, 1, true, "PLAIN");
    assert_int_equal(desk.asker.conversations, 1);
}

#define WITH_VAULT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VAULT(test_plain),
        WITH_VAULT(test_login),
        WITH_VAULT(test_scram),
        WITH_VAULT(test_iterations),
        WITH_VAULT(test_false_server),
        WITH_VAULT(test_faults),
        WITH_VAULT(test_snapshots),
        WITH_VAULT(test_bad_password_files),
        WITH_VAULT(test_end),
    };

    return cmocka_run_group_tests_name("vault/login", tests, NULL, NULL);
}
