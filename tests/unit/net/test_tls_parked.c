/* tests/unit/net/test_tls_parked.c: connections that go while their handshake waits for the vault,
 * and everything else that ends at a bad moment. What counts is that the sanitizers find nothing
 * and that the number of parked requests returns to zero. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ends.h"
#include "net/stream_internal.h"
#include "tls_fixture.h"

enum { MOST = 540 };

struct rig {
    struct loop *loop;
    struct vault vault;
    struct tls_server *server;
    struct tls_client *client;
    struct end us[MOST];
    struct end them[MOST];
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct tls_identity identity;
    char why[TLS_WHY];

    assert_non_null(rig);
    rig->loop = loop_new();
    vault_init(&rig->vault, rig->loop);
    rig->vault.holds = true;
    certificate_make(&rig->vault.keys[0], KEY_EC, "DNS:mail.example.org", NULL);
    identity = (struct tls_identity){ certificate_pem(&rig->vault.keys[0]), 0 };
    assert_int_equal(tls_server_new(rig->vault.signer, &identity, 1, &rig->server, why), ERR_OK);
    assert_int_equal(tls_client_new(-1, &rig->client, why), ERR_OK);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    for (int i = 0; i < MOST; i++) {
        end_clear(&rig->us[i]);
        end_clear(&rig->them[i]);
    }
    loop_turn(rig->loop, 0);
    vault_answer(&rig->vault);
    assert_int_equal(tls_signer_parked(rig->vault.signer), 0);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 0);
    tls_server_free(&rig->server);
    tls_client_free(&rig->client);
    vault_clear(&rig->vault);
    loop_free(&rig->loop);
    free(rig);
    return 0;
}

static void open_streams(struct rig *rig, int i)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    end_open(&rig->us[i], rig->loop, pair[0], NULL);
    end_open(&rig->them[i], rig->loop, pair[1], NULL);
    assert_int_equal(stream_start_tls_server(rig->us[i].stream, rig->server), ERR_OK);
    assert_int_equal(stream_start_tls_client(rig->them[i].stream, rig->client,
                         slice_text("mail.example.org"), TLS_VERIFY_ANY),
        ERR_OK);
}

/* Each closes in one of the ways that a gate has, all of them while the signature is waited for. */
static void closed_while_waiting_is_parked_until_answered(void **state)
{
    enum { COUNT = 60 };
    struct rig *rig = *state;

    for (int i = 0; i < COUNT; i++)
        open_streams(rig, i);
    turn_until(rig->loop, &rig->vault.asked, COUNT);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), COUNT);
    for (int i = 0; i < COUNT; i++) {
        if (i % 4 == 0)
            stream_abort(rig->us[i].stream);
        if (i % 4 == 1)
            stream_close_after_flush(rig->us[i].stream, 100);
        if (i % 4 == 2)
            end_clear(&rig->them[i]);
    }
    turn_for(rig->loop, 20);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rig->us[i].secured, 0);
        assert_int_equal(rig->us[i].closed, i % 4 < 2);
        end_clear(&rig->us[i]);
    }
    assert_int_equal(tls_signer_parked(rig->vault.signer), COUNT);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), COUNT);
    assert_int_equal(vault_answer(&rig->vault), COUNT);
    assert_int_equal(tls_signer_parked(rig->vault.signer), 0);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 0);
}

/* The answer is there but the handshake has not gone on yet. */
static void closed_between_answer_and_resumption(void **state)
{
    enum { COUNT = 50 };
    struct rig *rig = *state;

    for (int i = 0; i < COUNT; i++)
        open_streams(rig, i);
    turn_until(rig->loop, &rig->vault.asked, COUNT);
    assert_int_equal(vault_answer(&rig->vault), COUNT);
    for (int i = 0; i < COUNT; i++)
        end_clear(&rig->us[i]);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 0);
    assert_int_equal(tls_signer_parked(rig->vault.signer), 0);
}

/* The descriptor of a closed connection soon is another's: what the ended handshake still writes
 * must not land there. */
static void ended_handshake_writes_to_nobody(void **state)
{
    struct rig *rig = *state;
    int pair[2];
    int fd;

    open_streams(rig, 0);
    turn_until(rig->loop, &rig->vault.asked, 1);
    fd = rig->us[0].stream->fd;
    end_clear(&rig->us[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(pair[0] == fd || pair[1] == fd);
    vault_answer(&rig->vault);
    turn_for(rig->loop, 10);
    assert_int_equal(recv(pair[0], (char[1]){ 0 }, 1, 0), -1);
    assert_int_equal(recv(pair[1], (char[1]){ 0 }, 1, 0), -1);
    close(pair[0]);
    close(pair[1]);
}

/* The wait is cancelled as a whole: the parked are forgotten, the living ask again. */
static void resend_forgets_the_parked(void **state)
{
    enum { COUNT = 40 };
    struct rig *rig = *state;

    for (int i = 0; i < COUNT; i++)
        open_streams(rig, i);
    turn_until(rig->loop, &rig->vault.asked, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        end_clear(&rig->us[i]);
    assert_int_equal(tls_signer_parked(rig->vault.signer), COUNT / 2);
    rig->vault.held_count = 0; /* lost with the channel */
    tls_signer_resend(rig->vault.signer);
    assert_int_equal(tls_signer_parked(rig->vault.signer), 0);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), COUNT / 2);
    assert_int_equal(vault_answer(&rig->vault), COUNT / 2);
    for (int i = 1; i < COUNT; i += 2)
        turn_until(rig->loop, &rig->us[i].secured, 1);
}

/* SEC-3: each waiting handshake costs a stack, so their number has an end; those above it wait in
 * line and lose nothing. */
static void more_than_there_are_places_wait_in_line(void **state)
{
    struct rig *rig = *state;
    struct rlimit files;
    int secured = 0;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2 * MOST + 50)
        skip();
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (int i = 0; i < MOST; i++)
        open_streams(rig, i);
    for (int round = 0; round < 400 && tls_signer_waiting(rig->vault.signer) < 512; round++)
        turn_for(rig->loop, 50);
    assert_int_equal(rig->vault.asked, 64);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 512);
    /* Some of those in line go, some of those that wait go. */
    for (int i = 0; i < MOST; i += 5)
        end_clear(&rig->us[i]);
    for (int round = 0; round < 50; round++) {
        turn_for(rig->loop, 10);
        vault_answer(&rig->vault);
    }
    for (int i = 0; i < MOST; i++)
        secured += rig->us[i].secured;
    assert_int_equal(secured, MOST - (MOST + 4) / 5);
}

/* SEC-3: who leaves while in line is not signed for. */
static void gone_in_line_costs_no_signature(void **state)
{
    enum { COUNT = 100, ASKED = 64 };
    struct rig *rig = *state;

    for (int i = 0; i < COUNT; i++)
        open_streams(rig, i);
    turn_until(rig->loop, &rig->vault.asked, ASKED);
    turn_for(rig->loop, 50);
    for (int i = 0; i < COUNT; i++)
        if (rig->us[i].closed == 0 && i >= ASKED)
            end_clear(&rig->them[i]);
    for (int round = 0; round < 10; round++) {
        vault_answer(&rig->vault);
        turn_for(rig->loop, 10);
    }
    assert_int_equal(rig->vault.asked, ASKED);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rig->us[i].secured, i < ASKED);
        assert_int_equal(rig->us[i].closed, i >= ASKED);
    }
}

static void freed_inside_its_callbacks(void **state)
{
    struct rig *rig = *state;

    rig->vault.holds = false;
    for (int i = 0; i < 4; i++) {
        open_streams(rig, i);
        rig->us[i].frees_on_secured = i % 2;
        rig->us[i].frees_on_closed = true;
        rig->them[i].frees_on_secured = i / 2;
        rig->them[i].frees_on_closed = true;
    }
    turn_for(rig->loop, 100);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rig->us[i].secured, 1);
    assert_non_null(rig->us[0].stream);
    assert_null(rig->us[1].stream);
}

static uint32_t noise;

static uint32_t next_noise(uint32_t below)
{
    noise = noise * 1664525u + 1013904223u;
    return (noise >> 8) % below;
}

static void act_on(struct end *end)
{
    static const char block[40000];

    if (!end->stream)
        return;
    switch (next_noise(12)) {
    case 0:
        stream_free(&end->stream);
        break;
    case 1:
        stream_abort(end->stream);
        break;
    case 2:
        stream_close_after_flush(end->stream, next_noise(20));
        break;
    case 3:
        stream_pause(end->stream);
        break;
    case 4:
        stream_ask_drained(end->stream);
        break;
    case 5:
        stream_push(end->stream);
        break;
    case 6:
    case 7:
        stream_resume(end->stream);
        break;
    default:
        if (!stream_is_full(end->stream))
            stream_write(end->stream, slice_of(block, next_noise(sizeof block)));
        break;
    }
}

static void init_randomly(struct end *end)
{
    end->echoes = next_noise(3) == 0;
    end->pauses = next_noise(4) == 0;
    end->keep = next_noise(3) == 0 ? next_noise(100) : 0;
    end->frees_on_input = next_noise(10) == 0;
    end->frees_on_drained = next_noise(10) == 0;
    end->frees_on_secured = next_noise(10) == 0;
    end->frees_on_closed = next_noise(2) == 0;
    end->closes_on_input = next_noise(10) == 0;
}

/* design.md section 9 number 7: random closes at random moments. Reproducible; the seed is the
 * round. */
static void random_ends_at_random_moments(void **state)
{
    enum { ROUNDS = 60, PAIRS = 4 };
    struct rig *rig = *state;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        noise = round;
        for (int i = 0; i < PAIRS; i++) {
            open_streams(rig, i);
            init_randomly(&rig->us[i]);
            init_randomly(&rig->them[i]);
        }
        for (int step = 0; step < 25; step++) {
            act_on(&rig->us[next_noise(PAIRS)]);
            act_on(&rig->them[next_noise(PAIRS)]);
            if (next_noise(3) == 0)
                vault_answer(&rig->vault);
            loop_turn(rig->loop, 0);
        }
        for (int i = 0; i < PAIRS; i++) {
            end_clear(&rig->us[i]);
            end_clear(&rig->them[i]);
            rig->us[i] = (struct end){ 0 };
            rig->them[i] = (struct end){ 0 };
        }
        loop_turn(rig->loop, 0);
        vault_answer(&rig->vault);
        assert_int_equal(tls_signer_waiting(rig->vault.signer), 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(closed_while_waiting_is_parked_until_answered),
        CASE(closed_between_answer_and_resumption),
        CASE(ended_handshake_writes_to_nobody),
        CASE(resend_forgets_the_parked),
        CASE(more_than_there_are_places_wait_in_line),
        CASE(gone_in_line_costs_no_signature),
        CASE(freed_inside_its_callbacks),
        CASE(random_ends_at_random_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
