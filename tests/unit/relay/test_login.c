/* Logging in at a smarthost: OUT-18, OUT-19, AUTH-22, D-30. The vault is played. */
#include "../check.h"

#include "rows.h"
#include "scene_tls.h"

#define SECURE                                                                                     \
    HELLO("> 250 STARTTLS\n")                                                                      \
    "< STARTTLS\n> 220 go\n@\n< EHLO msa.example.net\n> 250-hop.example\n"
#define AUTH_MAIL "< MAIL FROM:<alice@example.net> AUTH=<>\n"
#define SEND      AUTH_MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n"
#define BYE       "< QUIT\n> 221 bye\n"

/* 372 octets are 496 in base64, which with "AUTH PLAIN " makes 507; one more makes 511. */
#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define E8   "eHh4eHh4"
#define E40  E8 E8 E8 E8 E8
#define E200 E40 E40 E40 E40 E40

static const char *const plain[] = { "PLAIN:|u|secret", NULL };
static const char *const empty[] = { "ODD:", NULL };
static const char *const login[] = { "LOGIN", ":u", ":secret", NULL };
static const char *const scram[] = { "SCRAM-SHA-256:n,,n=u,r=abc", ":c=biws,r=abcdef,p=proof", ":",
    NULL };
static const char *const scram_begun[] = { "SCRAM-SHA-256:n,,n=u,r=abc", NULL };
static const char *const none[] = { "!no mechanism", NULL };
static const char *const breaks_off[] = { "SCRAM-SHA-256:n,,n=u,r=abc", "!the proof is wrong",
    NULL };
static const char *const fits[] = { "PLAIN:" X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 "xx",
    NULL };
static const char *const too_long[] = { "PLAIN:" X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 "xxx",
    NULL };

static const struct row rows[] = {
    { .name = "OUT-18, OUT-19, AUTH-22: PLAIN with an initial response, AUTH=<> at MAIL",
        .mail = { .route = ROUTE_LOGIN },
        .says = plain,
        .script = SECURE "> 250 AUTH PLAIN LOGIN\n< AUTH PLAIN AHUAc2VjcmV0\n> 235 2.7.0 "
                         "welcome\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-18: LOGIN, the peer first",
        .mail = { .route = ROUTE_LOGIN },
        .says = login,
        .script = SECURE "> 250 AUTH LOGIN\n< AUTH LOGIN\n> 334 VXNlcm5hbWU6\n< dQ==\n> 334 "
                         "UGFzc3dvcmQ6\n< c2VjcmV0\n> 235 ok\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-18: SCRAM, the peer's proof in a 334 of its own",
        .mail = { .route = ROUTE_LOGIN },
        .says = scram,
        .script = SECURE "> 250 AUTH SCRAM-SHA-256\n< AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\n"
                         "> 334 cj1hYmNkZWY=\n< Yz1iaXdzLHI9YWJjZGVmLHA9cHJvb2Y=\n> 334 dj1vaw==\n"
                         "< \n> 235 ok\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "D-30: an empty initial response",
        .mail = { .route = ROUTE_LOGIN },
        .says = empty,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH ODD =\n> 235 ok\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "D-30: an initial response as long as the line allows",
        .mail = { .route = ROUTE_LOGIN },
        .says = fits,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH PLAIN " E200 E200 E40 E40 E8 E8
                         "\n> 235 ok\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "D-30: a longer one waits for the empty challenge",
        .mail = { .route = ROUTE_LOGIN },
        .says = too_long,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH PLAIN\n> 334 \n< " E200 E200 E40 E40 E8 E8
                         "eA==\n> 235 ok\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-18: no mechanism that we know: the operator is to mend it, the mail waits",
        .mail = { .route = ROUTE_LOGIN },
        .says = none,
        .script = SECURE "> 250 AUTH GSSAPI\n" BYE,
        .outcome = "deferred 0 4.7.8",
        .text = "no mechanism" },
    { .name = "OUT-18: a wrong password",
        .mail = { .route = ROUTE_LOGIN },
        .says = plain,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH PLAIN AHUAc2VjcmV0\n> 535 5.7.8 no\n" BYE,
        .outcome = "deferred 535 4.7.8" },
    { .name = "OUT-18: AUTH is not known after all",
        .mail = { .route = ROUTE_LOGIN },
        .says = plain,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH PLAIN AHUAc2VjcmV0\n> 502 what\n" BYE,
        .outcome = "deferred 502 4.5.1" },
    { .name = "OUT-18: a challenge that is no base64 is answered by the end",
        .mail = { .route = ROUTE_LOGIN },
        .says = scram,
        .script = SECURE "> 250 AUTH SCRAM-SHA-256\n< AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\n"
                         "> 334 ?\n< *\n> 501 cancelled\n%6\n",
        .outcome = "deferred 0 4.5.0",
        .is_uncut = true },
    { .name = "OUT-18: a challenge of two lines is none",
        .mail = { .route = ROUTE_LOGIN },
        .says = scram,
        .script = SECURE "> 250 AUTH SCRAM-SHA-256\n< AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\n"
                         "> 334-cj1h\n> 334 YmNkZWY=\n%9\n> 501 cancelled\n",
        .outcome = "deferred 0 4.5.0",
        .is_uncut = true },
    { .name = "OUT-18: the peer's proof is wrong: cancelled, and the peer hears it",
        .mail = { .route = ROUTE_LOGIN },
        .says = breaks_off,
        .script = SECURE "> 250 AUTH SCRAM-SHA-256\n< AUTH SCRAM-SHA-256 biwsbj11LHI9YWJj\n"
                         "> 334 cj1hYmNkZWY=\n< *\n< QUIT\n> 501 cancelled\n> 221 bye\n",
        .outcome = "deferred 0 4.7.8",
        .text = "the proof is wrong" },
    { .name = "OUT-18: 421 in the middle",
        .mail = { .route = ROUTE_LOGIN },
        .says = plain,
        .script = SECURE "> 250 AUTH PLAIN\n< AUTH PLAIN AHUAc2VjcmV0\n> 421 4.3.2 bye\n%6\n!\n",
        .outcome = "deferred 421 4.3.2",
        .is_uncut = true },
};

static void test_rows(void **state)
{
    rows_play(*state, rows, LENGTH_OF(rows));
}

static const struct mail mail = { .route = ROUTE_LOGIN };

static void begin(struct scene *s, struct play *play, const char *name, const char *script)
{
    scene_turn(s, 20); /* the last words about the one before */
    scene_forget(s);
    s->says = plain;
    play_open(play, s, name, script, &mail, PLAY_WHOLE, SIZE_MAX);
}

static void end(struct scene *s, struct play *play, uint64_t job, const char *outcome)
{
    const struct told *told = scene_outcome(s, job, 10000);

    assert_non_null(told);
    assert_string_equal(told->summary, outcome);
    play_require_over(play);
    play_close(play);
}

/* OUT-19: what the vault decides by. */
static void test_what_the_vault_is_told(void **state)
{
    struct scene *s = *state;
    struct play play;

    begin(s, &play, "OUT-19", SECURE "> 250 AUTH PLAIN LOGIN CRAM-MD5\n%25\n> 235 ok\n" SEND BYE);
    end(s, &play, scene_send(s, &mail), "done 250 2.0.0");
    assert_true(s->login.verified);
    assert_int_equal(s->login.route, ROUTE_LOGIN);
    assert_int_equal(s->login.snapshot, s->room.snapshot);
    assert_string_equal(s->mechanisms, "PLAIN LOGIN CRAM-MD5");
    assert_int_equal(s->login_ends, 1);
    begin(s, &play, "SCRAM",
        SECURE "> 250 AUTH SCRAM-SHA-256\n%37\n> 334 cj1hYmNkZWY=\n%34\n"
               "> 334 dj1vaw==\n< \n> 235 ok\n" SEND BYE);
    s->says = scram;
    end(s, &play, scene_send(s, &mail), "done 250 2.0.0");
    assert_int_equal(s->challenges.len, strlen("r=abcdef\nv=ok\n"));
    assert_memory_equal(buffer_slice(&s->challenges).data, "r=abcdef\nv=ok\n", 14);
}

/* A vault that restarts is waited for; a login in its middle has failed. */
static void test_vault_restarts(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t job;

    begin(s, &play, "a vault that comes back", SECURE "> 250 AUTH PLAIN\n%25\n> 235 ok\n" SEND BYE);
    scene_detach_vault(s);
    job = scene_send(s, &mail);
    assert_null(scene_outcome(s, job, 200));
    scene_attach_vault(s);
    end(s, &play, job, "done 250 2.0.0");

    begin(s, &play, "a vault that is replaced before it spoke",
        SECURE "> 250 AUTH PLAIN\n%25\n> 235 ok\n" SEND BYE);
    s->is_vault_mute = true;
    s->says = NULL;
    job = scene_send(s, &mail);
    assert_null(scene_outcome(s, job, 200));
    s->is_vault_mute = false;
    s->says = plain;
    scene_attach_vault(s);
    end(s, &play, job, "done 250 2.0.0");

    begin(s, &play, "a vault that dies in the middle",
        SECURE "> 250 AUTH SCRAM-SHA-256\n%37\n> 334 cj1hYmNkZWY=\n< *\n%6\n> 501 no\n");
    s->says = scram_begun;
    s->is_vault_mute = true;
    job = scene_send(s, &mail);
    assert_null(scene_outcome(s, job, 200));
    scene_detach_vault(s);
    end(s, &play, job, "deferred 0 4.3.0");
    s->is_vault_mute = false;
    scene_attach_vault(s);
}

static void test_vault_is_silent(void **state)
{
    struct scene *s = *state;
    struct play play;

    begin(s, &play, "a vault that never answers", SECURE "> 250 AUTH PLAIN\n");
    scene_conf(s)->timeouts.auth = 1;
    s->is_vault_mute = true;
    s->says = NULL;
    end(s, &play, scene_send(s, &mail), "deferred 0 4.4.2");
    s->is_vault_mute = false;
    scene_conf(s)->timeouts.auth = 60;
}

static void test_unasked(void **state)
{
    struct scene *s = *state;
    struct play play;

    begin(s, &play, "a 250 while the vault thinks is no delivery",
        SECURE "> 250 AUTH PLAIN\n~100\n> 250 2.0.0 delivered\n");
    s->is_vault_mute = true;
    s->says = NULL;
    end(s, &play, scene_send(s, &mail), "deferred 250 4.5.0");
    s->is_vault_mute = false;
}

static int open_scene(void **state)
{
    return scene_begin_with(state, NULL, scene_tls_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
        cmocka_unit_test(test_what_the_vault_is_told), cmocka_unit_test(test_vault_restarts),
        cmocka_unit_test(test_vault_is_silent), cmocka_unit_test(test_unasked) };

    return cmocka_run_group_tests_name("relay/login", tests, open_scene, scene_end);
}
