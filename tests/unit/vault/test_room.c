/* tests/unit/vault/test_room.c: the room as the supervisor runs it: snapshots, keys, peers,
 * signatures, ticket keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "desk.h"
#include "net/loop.h"
#include "pem.h"
#include "vault/secrets.h"
#include "vault/sign.h"
#include "vault/tickets.h"
#include "vault/vault.h"

/* The room's memory goes with its process, so there is one for all tests, and a static variable
 * that leads to it. */
static struct room room;
static EVP_PKEY *pkeys[3];
static char folder[64];

static void give_pair(uint32_t index, EVP_PKEY *pkey, EVP_PKEY *certified)
{
    char pem[8192];
    struct msg_give gift = { .gift = GIFT_KEY, .index = index, .name = slice_text("key.pem") };
    struct msg_certificate certificate = { .index = index };

    pem_certificate(certified, pem);
    certificate.chain = slice_text(pem);
    vault_room.certificate(&room, &certificate);
    vault_room.give(&room, &gift, pem_key_fd(pkey));
}

static void give_users(void)
{
    struct msg_give gift = { .gift = GIFT_USERS, .name = slice_text("users") };

    vault_room.give(&room, &gift, open(folder, O_RDONLY | O_DIRECTORY));
}

static enum err apply(uint64_t number)
{
    static struct conf_route routes[1];
    struct conf conf = { .number = number,
        .hostname = slice_text("mail.example.org"),
        .routes = routes,
        .route_count = 1,
        .limits = { .auth_failures_per_client = 20, .auth_failures_per_account = 10 } };
    struct buffer bytes;
    enum err rc;

    buffer_init(&bytes, 1 << 20);
    conf_pack(&conf, &bytes);
    assert_int_equal(bytes.error, ERR_OK);
    rc = vault_room.apply(&room, buffer_slice(&bytes));
    buffer_clear(&bytes);
    return rc;
}

static void attach(struct desk *desk, enum role role, uint32_t index)
{
    struct msg_peer who = { .role = role, .index = index };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    desk_attach(desk, room.loop, role, pair[0]);
    vault_room.peer(&room, &who, pair[1]);
}

static struct msg_sign request_for(uint64_t number, uint32_t key, enum tls_sign_algorithm algorithm)
{
    return (struct msg_sign){
        .request = number, .key = key, .algorithm = algorithm, .input = pem_handshake()
    };
}

static bool verifies(EVP_PKEY *pkey, bool pss, struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings = NULL;
    struct slice input = pem_handshake();
    bool good = EVP_DigestVerifyInit(context, &settings, EVP_sha256(), NULL, pkey) == 1;

    if (good && pss) {
        EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST);
    }
    good = good && EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                       (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static const struct answer *sign(struct desk *desk, uint32_t key, enum tls_sign_algorithm algorithm)
{
    struct msg_sign request = request_for(desk->count, key, algorithm);

    desk_send(desk, MSG_SIGN, &request);
    return desk_answer(desk, desk->count);
}

/* What a gate asks before the first snapshot is in force waits for it; then come the ticket keys
 * (TLS-20). */
static void test_start(void **state)
{
    static struct desk gate;
    struct msg_sign request = request_for(1, key_number(1, 0), TLS_SIGN_ECDSA_SHA256);

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_send(&gate, MSG_SIGN, &request);
    desk_turn(&gate, 50);
    assert_int_equal(gate.count, 0);
    give_pair(0, pkeys[0], pkeys[0]);
    give_pair(1, pkeys[1], pkeys[1]);
    give_users();
    assert_int_equal(apply(1), ERR_OK);
    assert_int_equal(desk_answer(&gate, 0)->type, MSG_TICKET_KEYS);
    assert_int_equal(gate.answers[0].number, 1);
    assert_int_equal(gate.answers[0].len, 80);
    assert_int_equal(desk_answer(&gate, 1)->type, MSG_SIGNED);
    assert_true(gate.answers[1].yes);
    assert_true(verifies(pkeys[0], false, answer_data(&gate.answers[1])));
    desk_close(&gate);
}

static void test_signatures(void **state)
{
    static struct desk gate;
    const struct answer *answer;

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_answer(&gate, 0);
    answer = sign(&gate, key_number(1, 1), TLS_SIGN_RSA_PSS_SHA256);
    assert_true(answer->yes);
    assert_true(verifies(pkeys[1], true, answer_data(answer)));
    answer = sign(&gate, 0, TLS_SIGN_ECDSA_SHA256); /* no snapshot named: the newest */
    assert_true(verifies(pkeys[0], false, answer_data(answer)));
    assert_false(sign(&gate, key_number(1, 0), TLS_SIGN_RSA_PSS_SHA256)->yes);
    assert_false(sign(&gate, key_number(1, 1), TLS_SIGN_ECDSA_SHA256)->yes);
    assert_false(sign(&gate, key_number(1, 2), TLS_SIGN_ECDSA_SHA256)->yes);
    assert_false(sign(&gate, key_number(1, 0), (enum tls_sign_algorithm)77)->yes);
    assert_false(sign(&gate, key_number(0xfffff, 0), TLS_SIGN_ECDSA_SHA256)->yes); /* long gone */
    desk_close(&gate);
}

/* Old keys serve handshakes that began under them; new ones those of a gate that is ahead of us. A
 * bad key changes nothing. */
static void test_reload(void **state)
{
    static struct desk gate;
    const struct answer *answer;
    struct msg_sign early = request_for(9, key_number(2, 0), TLS_SIGN_ECDSA_SHA256);
    struct msg_sign early_rsa = request_for(10, key_number(2, 1), TLS_SIGN_RSA_PSS_SHA256);

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_answer(&gate, 0);
    give_pair(0, pkeys[2], pkeys[0]);
    assert_int_equal(apply(2), ERR_INVALID);
    assert_true(sign(&gate, key_number(1, 0), TLS_SIGN_ECDSA_SHA256)->yes);
    desk_send(&gate, MSG_SIGN, &early);
    desk_send(&gate, MSG_SIGN, &early_rsa);
    desk_turn(&gate, 50);
    assert_int_equal(gate.count, 2);
    give_pair(0, pkeys[2], pkeys[2]);
    give_pair(1, pkeys[1], pkeys[1]);
    give_users();
    assert_int_equal(apply(2), ERR_OK);
    desk_answer(&gate, 3);
    for (size_t i = 2; i < 4; i++)
        assert_true(gate.answers[i].number == 9
                        ? verifies(pkeys[2], false, answer_data(&gate.answers[i]))
                        : verifies(pkeys[1], true, answer_data(&gate.answers[i])));
    answer = sign(&gate, key_number(1, 0), TLS_SIGN_ECDSA_SHA256);
    assert_true(verifies(pkeys[0], false, answer_data(answer)));
    answer = sign(&gate, key_number(2, 0), TLS_SIGN_ECDSA_SHA256);
    assert_true(verifies(pkeys[2], false, answer_data(answer)));
    desk_close(&gate);
}

/* A gate that says what a gate may not say loses its channel, and nobody else does. */
static void test_bad_peer(void **state)
{
    static const char garbage[] =
        "\x04\0\0\0\x01\0\0\0spam"; /* a frame of a type that no gate sends */
    static struct desk gate, queue;
    struct msg_peer who = { .role = ROLE_GATE, .index = 1 };
    char octet;
    int pair[2];

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_answer(&gate, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    vault_room.peer(&room, &who, pair[1]);
    assert_int_equal(write(pair[0], garbage, sizeof garbage - 1), sizeof garbage - 1);
    desk_turn(&gate, 50);
    while (read(pair[0], &octet, 1) == 1)
        ; /* the ticket keys */
    assert_int_equal(read(pair[0], &octet, 1), 0);
    close(pair[0]);
    attach(&queue, ROLE_QUEUE, 0); /* has no business here */
    desk_turn(&queue, 50);
    assert_true(queue.is_closed);
    assert_true(sign(&gate, key_number(2, 0), TLS_SIGN_ECDSA_SHA256)->yes);
    desk_close(&gate);
    desk_close(&queue);
}

/* Signatures for a gate that has gone, and one that waits for a snapshot that never comes. */
static void test_gate_goes(void **state)
{
    static struct desk gate;
    struct msg_sign rsa = request_for(1, key_number(2, 1), TLS_SIGN_RSA_PSS_SHA256);
    struct msg_sign never = request_for(2, key_number(3, 0), TLS_SIGN_ECDSA_SHA256);

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_answer(&gate, 0);
    for (int i = 0; i < 20; i++) {
        desk_send(&gate, MSG_SIGN, &rsa);
        desk_send(&gate, MSG_SIGN, &never);
    }
    loop_turn(room.loop, 0);
    loop_turn(room.loop, 0);
    desk_close(&gate);
    for (int i = 0; i < 20; i++)
        loop_turn(room.loop, 20);
}

/* A whole login through the room: unknown, because there is no user file. */
static void test_login_without_file(void **state)
{
    static struct desk gate;
    struct msg_auth_start start = { .session = 1,
        .mechanism = slice_text("PLAIN"),
        .has_initial = true,
        .initial = slice_of("\0a@example.org\0b", 16),
        .client = slice_text("192.0.2.1"),
        .tls = true };

    (void)state;
    attach(&gate, ROLE_GATE, 0);
    desk_send(&gate, MSG_AUTH_START, &start);
    assert_int_equal(desk_answer(&gate, 1)->result, AUTH_TEMPORARY);
    desk_close(&gate);
}

static size_t changes;

static void on_changed(void *owner UNUSED)
{
    changes++;
}

/* TLS-20: the key before still decrypts. */
static void test_ticket_rotation(void **state)
{
    struct tickets *tickets = tickets_new(room.loop, 30, on_changed, NULL);
    struct msg_ticket_keys message = tickets_message(tickets);
    char first[80];

    (void)state;
    assert_int_equal(message.key_count, 1);
    memcpy(first, message.keys[0].octets.data, 80);
    for (int i = 0; i < 100 && changes == 0; i++)
        loop_turn(room.loop, 10);
    message = tickets_message(tickets);
    assert_int_equal(changes, 1);
    assert_int_equal(message.key_count, 2);
    assert_memory_not_equal(message.keys[0].octets.data, first, 80);
    assert_memory_equal(message.keys[1].octets.data, first, 80);
    tickets_free(&tickets);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/submitd-room-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    pkeys[0] = EVP_EC_gen("P-256");
    pkeys[1] = EVP_RSA_gen(2048);
    pkeys[2] = EVP_EC_gen("P-256");
    room = (struct room){ .type = &vault_room, .loop = loop_new() };
    return room.loop && vault_room.init(&room) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(pkeys); i++)
        EVP_PKEY_free(pkeys[i]);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_bad_peer),
        cmocka_unit_test(test_gate_goes),
        cmocka_unit_test(test_login_without_file),
        cmocka_unit_test(test_ticket_rotation),
    };

    return cmocka_run_group_tests_name("vault/room", tests, set_up, tear_down);
}
