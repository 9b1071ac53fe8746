/* tests/unit/net/test_tls.c: our rules of TLS, both directions, against our own streams and against
 * a raw OpenSSL client that may do what ours never would. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "ends.h"
#include "tls_fixture.h"

/* One server with its vault; `us` is its stream of the case, `them` a client stream of ours, `raw`
 * an OpenSSL client. */
struct rig {
    struct loop *loop;
    struct vault vault;
    struct tls_server *server;
    struct tls_client *client;
    struct certificate root;
    struct certificate issuer;
    int roots;
    struct end us;
    struct end them;
    int peer; /* the raw client's descriptor */
    SSL_CTX *raw_context;
    SSL *raw;
};

/* Key 0: EC, the default, with a chain of two. Key 1: RSA. Key 2: Ed25519. */
static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct tls_identity identities[VAULT_KEYS];
    char why[TLS_WHY] = "";

    assert_non_null(rig);
    rig->peer = -1;
    rig->loop = loop_new();
    vault_init(&rig->vault, rig->loop);
    certificate_make(&rig->root, KEY_EC, "CA", NULL);
    certificate_make(&rig->issuer, KEY_EC, "CA", &rig->root);
    certificate_make(
        &rig->vault.keys[0], KEY_EC, "DNS:mail.example.org,IP:127.0.0.1", &rig->issuer);
    certificate_make(&rig->vault.keys[1], KEY_RSA, "DNS:rsa.example.org", &rig->issuer);
    certificate_make(&rig->vault.keys[2], KEY_ED25519, "DNS:ed.example.org,DNS:*.wild.example.org",
        &rig->issuer);
    for (unsigned i = 0; i < VAULT_KEYS; i++)
        identities[i] = (struct tls_identity){ certificate_pem(&rig->vault.keys[i]), i };
    assert_int_equal(
        tls_server_new(rig->vault.signer, identities, VAULT_KEYS, &rig->server, why), ERR_OK);
    rig->roots = certificate_open(&rig->root);
    assert_int_equal(tls_client_new(rig->roots, &rig->client, why), ERR_OK);
    *state = rig;
    return 0;
}

/* Both ends go, the rig stays: for cases with several connections. */
static void hang_up(struct rig *rig)
{
    end_clear(&rig->us);
    end_clear(&rig->them);
    rig->us = (struct end){ 0 };
    rig->them = (struct end){ 0 };
    SSL_free(rig->raw);
    rig->raw = NULL;
    if (rig->peer >= 0)
        close(rig->peer);
    rig->peer = -1;
    loop_turn(rig->loop, 0);
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    hang_up(rig);
    SSL_CTX_free(rig->raw_context);
    tls_client_free(&rig->client);
    tls_server_free(&rig->server);
    loop_turn(rig->loop, 0);
    assert_int_equal(tls_signer_parked(rig->vault.signer), 0);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 0);
    vault_clear(&rig->vault);
    certificate_clear(&rig->root);
    certificate_clear(&rig->issuer);
    close(rig->roots);
    loop_free(&rig->loop);
    free(rig);
    return 0;
}

static void open_pair(struct rig *rig, int out_pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out_pair), 0);
    end_open(&rig->us, rig->loop, out_pair[0], NULL);
}

/* Our client stream against our server stream, both shaking hands. */
static void open_streams(struct rig *rig, const char *host, enum tls_verify verify)
{
    int pair[2];

    open_pair(rig, pair);
    end_open(&rig->them, rig->loop, pair[1], NULL);
    assert_int_equal(stream_start_tls_server(rig->us.stream, rig->server), ERR_OK);
    assert_int_equal(
        stream_start_tls_client(rig->them.stream, rig->client, slice_text(host), verify), ERR_OK);
}

static void secure_streams(struct rig *rig, const char *host)
{
    open_streams(rig, host, TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->us.secured, 1);
    turn_until(rig->loop, &rig->them.secured, 1);
}

/* A raw client with all that old OpenSSL could do; version 0: any. */
static void open_raw(struct rig *rig, int version, const char *ciphers, const char *host)
{
    int pair[2];

    open_pair(rig, pair);
    rig->peer = pair[1];
    assert_int_equal(stream_start_tls_server(rig->us.stream, rig->server), ERR_OK);
    if (!rig->raw_context)
        rig->raw_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(
        rig->raw_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_min_proto_version(rig->raw_context, version);
    SSL_CTX_set_max_proto_version(rig->raw_context, version);
    assert_int_equal(
        SSL_CTX_set_cipher_list(rig->raw_context, ciphers ? ciphers : "ALL:@SECLEVEL=0"), 1);
    rig->raw = SSL_new(rig->raw_context);
    SSL_set_fd(rig->raw, rig->peer);
    SSL_set_connect_state(rig->raw);
    if (host)
        SSL_set_tlsext_host_name(rig->raw, host);
}

/* The raw client's handshake to its end; true when it is good. */
static bool shake_raw(struct rig *rig)
{
    for (int i = 0; i < 200; i++) {
        int result = SSL_do_handshake(rig->raw);
        int error = SSL_get_error(rig->raw, result);

        if (result == 1)
            return true;
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return false;
        loop_turn(rig->loop, 5);
    }
    return false;
}

static int raw_failure(void)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());

    ERR_clear_error();
    return reason;
}

/* Reads once something is there; the result of SSL_get_error otherwise. */
static int read_raw(struct rig *rig, char *out_text, size_t size)
{
    for (int i = 0; i < 100; i++) {
        int got = SSL_read(rig->raw, out_text, (int)size - 1);
        int error = SSL_get_error(rig->raw, got);

        out_text[got > 0 ? got : 0] = '\0';
        if (got > 0)
            return SSL_ERROR_NONE;
        if (error != SSL_ERROR_WANT_READ)
            return error;
        loop_turn(rig->loop, 5);
    }
    return SSL_ERROR_WANT_READ;
}

/* TLS-1, TLS-10, TLS-11: 1.2 and 1.3 with each kind of key; every signature is the vault's, for a
 * handshake and nothing else. */
static void each_version_with_each_key(void **state)
{
    static const struct {
        int version;
        const char *host;
        const char *name;
        const char *cipher;
    } cases[] = {
        { TLS1_3_VERSION, "mail.example.org", "TLSv1.3", "TLS_AES_256_GCM_SHA384" },
        { TLS1_2_VERSION, "mail.example.org", "TLSv1.2",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
        { TLS1_3_VERSION, "rsa.example.org", "TLSv1.3", "TLS_AES_256_GCM_SHA384" },
        { TLS1_2_VERSION, "rsa.example.org", "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
        { TLS1_3_VERSION, "ed.example.org", "TLSv1.3", "TLS_AES_256_GCM_SHA384" },
        { TLS1_2_VERSION, "ed.example.org", "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
    };
    struct rig *rig = *state;
    char text[64];

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct tls_info *info;

        open_raw(rig, cases[i].version, NULL, cases[i].host);
        rig->us.echoes = true;
        assert_true(shake_raw(rig));
        turn_until(rig->loop, &rig->us.secured, 1);
        info = stream_tls_info(rig->us.stream);
        assert_string_equal(info->version, cases[i].name);
        assert_string_equal(info->cipher, cases[i].cipher);
        assert_string_equal(info->group, "x25519");
        assert_true(info->has_extended_master_secret);
        assert_false(info->is_resumed);
        assert_int_equal(SSL_write(rig->raw, "EHLO x\r\n", 8), 8);
        assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_NONE);
        assert_string_equal(text, "EHLO x\r\n");
        assert_null(SSL_get_current_compression(rig->raw));
        hang_up(rig);
    }
    assert_int_equal(rig->vault.asked, LENGTH_OF(cases));
    assert_false(rig->vault.was_strange);
}

/* RSA with PKCS #1 v1.5 is what some TLS 1.2 clients know. */
static void rsa_with_each_padding_and_hash(void **state)
{
    static const char *const algorithms[] = { "RSA+SHA256", "RSA+SHA384", "RSA+SHA512",
        "RSA-PSS+SHA256", "RSA-PSS+SHA384", "RSA-PSS+SHA512" };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(algorithms); i++) {
        open_raw(rig, TLS1_2_VERSION, NULL, "rsa.example.org");
        assert_int_equal(SSL_set1_sigalgs_list(rig->raw, algorithms[i]), 1);
        assert_true(shake_raw(rig));
        hang_up(rig);
    }
}

/* TLS-10. */
static void older_versions_get_an_alert(void **state)
{
    static const int versions[] = { TLS1_1_VERSION, TLS1_VERSION };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(versions); i++) {
        open_raw(rig, versions[i], NULL, NULL);
        assert_false(shake_raw(rig));
        assert_int_equal(raw_failure(), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
        turn_until(rig->loop, &rig->us.closed, 1);
        assert_int_equal(rig->us.end, STREAM_TLS_FAILED);
        assert_string_equal(rig->us.why, "unsupported protocol");
        hang_up(rig);
    }
}

/* TLS-11: nothing but ECDHE with AEAD for TLS 1.2. */
static void weak_suites_are_refused(void **state)
{
    static const char *const suites[] = {
        "AES128-GCM-SHA256:@SECLEVEL=0",               /* no forward secrecy */
        "DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0",       /* finite-field */
        "ECDHE-RSA-AES256-SHA384:@SECLEVEL=0",         /* CBC */
        "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",          /* CBC with SHA-1 */
        "AECDH-AES256-SHA:ADH-AES256-SHA:@SECLEVEL=0", /* anonymous */
        "ECDHE-ECDSA-AES128-CCM:@SECLEVEL=0",
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(suites); i++) {
        open_raw(rig, TLS1_2_VERSION, suites[i], "rsa.example.org");
        assert_false(shake_raw(rig));
        assert_int_equal(raw_failure(), SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
        hang_up(rig);
        open_raw(rig, TLS1_2_VERSION, suites[i], NULL);
        assert_false(shake_raw(rig));
        ERR_clear_error();
        hang_up(rig);
    }
    assert_int_equal(rig->vault.asked, 0);
}

/* TLS-11. */
static void client_cannot_renegotiate(void **state)
{
    struct rig *rig = *state;
    char text[16];

    open_raw(rig, TLS1_2_VERSION, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    assert_int_equal(SSL_renegotiate(rig->raw), 1);
    assert_false(shake_raw(rig) && SSL_session_reused(rig->raw));
    read_raw(rig, text, sizeof text);
    ERR_clear_error();
    assert_int_equal(rig->vault.asked, 1);
    assert_int_equal(rig->us.secured, 1);
}

/* TLS-14: the certificate of the name, with its chain; without a name or with an unknown one the
 * default. */
static void names_choose_the_certificate(void **state)
{
    static const struct {
        const char *host;
        unsigned key;
    } cases[] = { { "mail.example.org", 0 }, { "rsa.example.org", 1 }, { "RSA.Example.ORG", 1 },
        { "ed.example.org", 2 }, { "a.wild.example.org", 2 }, { "a.b.wild.example.org", 0 },
        { "wild.example.org", 0 }, { "unknown.example", 0 }, { NULL, 0 } };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        open_raw(rig, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL, cases[i].host);
        assert_true(shake_raw(rig));
        assert_int_equal(
            X509_cmp(SSL_get0_peer_certificate(rig->raw), rig->vault.keys[cases[i].key].x509), 0);
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(rig->raw)), 2);
        hang_up(rig);
    }
}

/* SASL-7: tls-unique is the first Finished message of the handshake, the client's in a full one,
 * the server's in a resumed one; and there is none in TLS 1.3. */
static void check_unique(struct rig *rig, int version, bool is_resumed)
{
    uint8_t ours[STREAM_UNIQUE_MAX], theirs[STREAM_UNIQUE_MAX];
    size_t len = 0, their_len;

    assert_int_equal(stream_export_unique(rig->us.stream, ours, &len), version == TLS1_2_VERSION);
    if (version != TLS1_2_VERSION)
        return;
    their_len = is_resumed ? SSL_get_peer_finished(rig->raw, theirs, sizeof theirs)
                           : SSL_get_finished(rig->raw, theirs, sizeof theirs);
    assert_int_equal(len, 12); /* RFC 5246 section 7.4.9 */
    assert_int_equal(their_len, len);
    assert_memory_equal(ours, theirs, len);
}

/* One connection that offers *kept and keeps what it gets. True when it was resumed. */
static bool resume(struct rig *rig, int version, SSL_SESSION **kept)
{
    char text[16];
    bool resumed;

    open_raw(rig, version, NULL, "mail.example.org");
    if (*kept)
        SSL_set_session(rig->raw, *kept);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    stream_write(rig->us.stream, slice_text("220 x"));
    assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_NONE);
    resumed = SSL_session_reused(rig->raw) == 1;
    assert_int_equal(stream_tls_info(rig->us.stream)->is_resumed, resumed);
    check_unique(rig, version, resumed);
    SSL_SESSION_free(*kept);
    *kept = SSL_get1_session(rig->raw);
    assert_int_equal(SSL_SESSION_get_max_early_data(*kept), 0); /* TLS-20: no early data */
    SSL_shutdown(rig->raw); /* else OpenSSL takes the session for spoiled */
    hang_up(rig);
    return resumed;
}

static struct tls_ticket_key ticket_key(unsigned char seed)
{
    struct tls_ticket_key key;

    memset(&key, seed, sizeof key);
    return key;
}

/* TLS-20: tickets follow the keys that are set: none, current, previous (taken and renewed),
 * forgotten. */
static void tickets_follow_their_keys(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    const struct tls_ticket_key keys[] = { ticket_key(1), ticket_key(2), ticket_key(3) };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(versions); i++) {
        struct tls_identity identity = { certificate_pem(&rig->vault.keys[0]), 0 };
        SSL_SESSION *kept = NULL;
        char why[TLS_WHY];
        int asked;

        tls_server_free(&rig->server);
        assert_int_equal(
            tls_server_new(rig->vault.signer, &identity, 1, &rig->server, why), ERR_OK);
        assert_false(resume(rig, versions[i], &kept));
        assert_false(resume(rig, versions[i], &kept)); /* no keys, no tickets */
        tls_server_set_ticket_keys(rig->server, &keys[0], NULL);
        assert_false(resume(rig, versions[i], &kept));
        asked = rig->vault.asked;
        assert_true(resume(rig, versions[i], &kept));
        assert_int_equal(rig->vault.asked, asked); /* a resumed handshake needs no signature */
        tls_server_set_ticket_keys(rig->server, &keys[1], &keys[0]);
        assert_true(
            resume(rig, versions[i], &kept)); /* the previous key's, renewed with the current */
        tls_server_set_ticket_keys(rig->server, &keys[2], &keys[1]);
        assert_true(resume(rig, versions[i], &kept));
        tls_server_set_ticket_keys(rig->server, &keys[0], NULL);
        assert_false(resume(rig, versions[i], &kept)); /* forgotten: a full handshake */
        SSL_SESSION_free(kept);
    }
}

/* A reload: open streams keep what they have. */
static void server_lives_while_streams_use_it(void **state)
{
    struct rig *rig = *state;

    rig->vault.holds = true;
    open_streams(rig, "mail.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->vault.asked, 1);
    tls_server_free(&rig->server);
    tls_client_free(&rig->client);
    assert_int_equal(vault_answer(&rig->vault), 1);
    turn_until(rig->loop, &rig->them.secured, 1);
    turn_until(rig->loop, &rig->us.secured, 1);
}

/* The loop does not wait for the vault: while one handshake does, others come and go. */
static void waiting_for_a_signature_stops_nobody(void **state)
{
    struct rig *rig = *state;
    struct end first = { 0 };
    struct end first_peer = { 0 };

    rig->vault.holds = true;
    open_streams(rig, "mail.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->vault.asked, 1);
    first = rig->us;
    first_peer = rig->them;
    stream_set_owner(first.stream, &end_events, &first);
    stream_set_owner(first_peer.stream, &end_events, &first_peer);
    rig->us = (struct end){ 0 };
    rig->them = (struct end){ 0 };
    open_streams(rig, "rsa.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->vault.asked, 2);
    turn_for(rig->loop, 10);
    assert_int_equal(tls_signer_waiting(rig->vault.signer), 2);
    /* The second is answered first. */
    rig->vault.held[0] = rig->vault.held[1];
    rig->vault.held_count = 1;
    memcpy(rig->vault.inputs[0], rig->vault.inputs[1], TLS_SIGN_INPUT_MAX);
    rig->vault.held[0].input.data = (const char *)rig->vault.inputs[0];
    assert_int_equal(vault_answer(&rig->vault), 1);
    turn_until(rig->loop, &rig->us.secured, 1);
    turn_until(rig->loop, &rig->them.secured, 1);
    assert_int_equal(first.secured, 0);
    /* The way to the vault broke: what was asked is asked again. */
    tls_signer_resend(rig->vault.signer);
    assert_int_equal(rig->vault.asked, 3);
    assert_int_equal(vault_answer(&rig->vault), 1);
    turn_until(rig->loop, &first.secured, 1);
    turn_until(rig->loop, &first_peer.secured, 1);
    end_clear(&first);
    end_clear(&first_peer);
}

static void refused_signature_ends_the_handshake(void **state)
{
    struct rig *rig = *state;

    rig->vault.refuses = true;
    open_streams(rig, "mail.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->us.closed, 1);
    turn_until(rig->loop, &rig->them.closed, 1);
    assert_int_equal(rig->us.end, STREAM_TLS_FAILED);
    assert_string_equal(rig->us.why, "the key gave no signature");
    assert_int_equal(rig->them.end, STREAM_TLS_FAILED);
}

static void wrong_signature_is_seen_by_the_client(void **state)
{
    struct rig *rig = *state;

    rig->vault.spoils = true;
    open_streams(rig, "rsa.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->us.closed, 1);
    turn_until(rig->loop, &rig->them.closed, 1);
    assert_int_equal(rig->them.end, STREAM_TLS_FAILED);
}

static void answers_nobody_asked_for_are_told(void **state)
{
    struct rig *rig = *state;
    uint64_t number;

    assert_false(tls_sign_done(rig->vault.signer, 1, slice_text("x")));
    rig->vault.holds = true;
    open_streams(rig, "mail.example.org", TLS_VERIFY_ANY);
    turn_until(rig->loop, &rig->vault.asked, 1);
    number = rig->vault.held[0].number;
    assert_false(tls_sign_done(rig->vault.signer, number + 1, slice_text("x")));
    assert_int_equal(vault_answer(&rig->vault), 1);
    assert_false(tls_sign_done(rig->vault.signer, number, slice_text("x")));
    turn_until(rig->loop, &rig->us.secured, 1);
    assert_false(tls_sign_done(rig->vault.signer, number, slice_text("x")));
}

/* TLS-1, TLS-5: the 220 goes out in clear, then everything is new and secured. */
static void starttls(void **state)
{
    struct rig *rig = *state;
    char text[64];
    int pair[2];

    open_pair(rig, pair);
    rig->peer = pair[1];
    assert_int_equal(send(rig->peer, "STARTTLS\r\n", 10, 0), 10);
    turn_until(rig->loop, &rig->us.inputs, 1);
    assert_int_equal(stream_input_pending(rig->us.stream), 0);
    stream_write(rig->us.stream, slice_text("220 2.0.0 Ready to start TLS\r\n"));
    assert_int_equal(stream_start_tls_server(rig->us.stream, rig->server), ERR_OK);
    assert_null(stream_tls_info(rig->us.stream));
    loop_turn(rig->loop, 0);
    text[recv(rig->peer, text, sizeof text - 1, 0)] = '\0';
    assert_string_equal(text, "220 2.0.0 Ready to start TLS\r\n");
    buffer_reset(&rig->us.received);
    rig->raw_context = SSL_CTX_new(TLS_client_method());
    rig->raw = SSL_new(rig->raw_context);
    SSL_set_fd(rig->raw, rig->peer);
    SSL_set_connect_state(rig->raw);
    assert_true(shake_raw(rig));
    assert_int_equal(SSL_write(rig->raw, "EHLO x\r\n", 8), 8);
    turn_until(rig->loop, &rig->us.inputs, 2);
    assert_true(slice_is(buffer_slice(&rig->us.received), "EHLO x\r\n"));
}

/* TLS-6: what came in the same segment is there to be seen, before any handshake. */
static void starttls_with_more_behind_it_is_seen(void **state)
{
    struct rig *rig = *state;
    int pair[2];

    open_pair(rig, pair);
    rig->peer = pair[1];
    rig->us.keep = 6; /* the owner consumes the line STARTTLS and stops */
    assert_int_equal(send(rig->peer, "STARTTLS\r\nRSET\r\n", 16, 0), 16);
    turn_until(rig->loop, &rig->us.inputs, 1);
    assert_int_equal(stream_input_pending(rig->us.stream), 6);
}

/* TLS-6: what comes later in clear is no TLS record: the handshake fails and nobody ever sees it as
 * input. */
static void clear_text_before_the_handshake_is_never_input(void **state)
{
    struct rig *rig = *state;
    int pair[2];

    open_pair(rig, pair);
    rig->peer = pair[1];
    stream_write(rig->us.stream, slice_text("220 go\r\n"));
    assert_int_equal(stream_start_tls_server(rig->us.stream, rig->server), ERR_OK);
    assert_int_equal(send(rig->peer, "RSET\r\nMAIL FROM:<>\r\n", 20, 0), 20);
    turn_until(rig->loop, &rig->us.closed, 1);
    assert_int_equal(rig->us.end, STREAM_TLS_FAILED);
    assert_int_equal(rig->us.inputs, 0);
    assert_int_equal(rig->us.secured, 0);
}

/* Losing TLS ends the connection: clear text after the handshake is never input either. */
static void clear_text_after_the_handshake_ends_it(void **state)
{
    struct rig *rig = *state;

    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    assert_int_equal(send(rig->peer, "MAIL FROM:<>\r\n", 14, 0), 14);
    turn_until(rig->loop, &rig->us.closed, 1);
    assert_int_equal(rig->us.end, STREAM_TLS_FAILED);
    assert_int_equal(rig->us.inputs, 0);
}

static void close_notify_by_the_peer_is_its_orderly_end(void **state)
{
    struct rig *rig = *state;

    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    SSL_write(rig->raw, "QUIT", 4);
    SSL_shutdown(rig->raw);
    assert_int_equal(send(rig->peer, "MAIL", 4, 0), 4); /* in clear: nobody reads it */
    turn_until(rig->loop, &rig->us.closed, 1);
    assert_int_equal(rig->us.end, STREAM_PEER_CLOSED);
    assert_true(slice_is(buffer_slice(&rig->us.received), "QUIT"));
}

static void fin_without_close_notify_is_a_cut(void **state)
{
    struct rig *rig = *state;

    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    SSL_write(rig->raw, "DATA", 4);
    shutdown(rig->peer, SHUT_WR);
    turn_until(rig->loop, &rig->us.closed, 1);
    assert_int_equal(rig->us.end, STREAM_PEER_CUT);
    assert_true(slice_is(buffer_slice(&rig->us.received), "DATA"));
}

/* LSN-10: the last reply, then close_notify, then FIN. */
static void close_notify_follows_the_last_reply(void **state)
{
    struct rig *rig = *state;
    char text[64];

    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    stream_write(rig->us.stream, slice_text("221 2.0.0 bye\r\n"));
    stream_close_after_flush(rig->us.stream, 1000);
    assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_NONE);
    assert_string_equal(text, "221 2.0.0 bye\r\n");
    assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(recv(rig->peer, text, 1, 0), 0);
    SSL_shutdown(rig->raw);
    close(rig->peer);
    rig->peer = -1;
    turn_until(rig->loop, &rig->us.closed, 1);
    assert_int_equal(rig->us.end, STREAM_FLUSHED);
}

/* LSN-10 where the owner just lets go; not where it aborts. */
static void close_notify_on_free_and_not_on_abort(void **state)
{
    struct rig *rig = *state;
    char text[8];

    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    end_clear(&rig->us);
    assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_ZERO_RETURN);
    hang_up(rig);
    open_raw(rig, 0, NULL, NULL);
    assert_true(shake_raw(rig));
    turn_until(rig->loop, &rig->us.secured, 1);
    stream_abort(rig->us.stream);
    end_clear(&rig->us);
    assert_int_equal(read_raw(rig, text, sizeof text), SSL_ERROR_SSL);
    ERR_clear_error();
}

static void certificates_are_verified(void **state)
{
    static const struct {
        const char *host;
        enum tls_verify verify;
        bool is_secured;
        bool is_verified;
        const char *text;
    } cases[] = {
        { "mail.example.org", TLS_VERIFY_PKIX, true, true, "ok" },
        { "rsa.example.org", TLS_VERIFY_PKIX, true, true, "ok" },
        { "127.0.0.1", TLS_VERIFY_PKIX, true, true, "ok" },
        { "other.example.org", TLS_VERIFY_PKIX, false, false, "certificate: hostname mismatch" },
        { "127.0.0.2", TLS_VERIFY_PKIX, false, false, "certificate: IP address mismatch" },
        { "other.example.org", TLS_VERIFY_ANY, true, false, "hostname mismatch" },
        { "mail.example.org", TLS_VERIFY_ANY, true, true, "ok" },
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        open_streams(rig, cases[i].host, cases[i].verify);
        if (!cases[i].is_secured) {
            turn_until(rig->loop, &rig->them.closed, 1);
            assert_int_equal(rig->them.end, STREAM_TLS_FAILED);
            assert_string_equal(rig->them.why, cases[i].text);
            assert_int_equal(rig->them.secured, 0);
        } else {
            turn_until(rig->loop, &rig->them.secured, 1);
            assert_int_equal(stream_tls_info(rig->them.stream)->is_verified, cases[i].is_verified);
            assert_string_equal(stream_tls_info(rig->them.stream)->verify_text, cases[i].text);
        }
        hang_up(rig);
    }
}

static void unknown_root_fails_only_where_it_matters(void **state)
{
    struct rig *rig = *state;
    struct certificate stranger = { 0 };
    char why[TLS_WHY];
    int roots;

    certificate_make(&stranger, KEY_EC, "CA", NULL);
    roots = certificate_open(&stranger);
    tls_client_free(&rig->client);
    assert_int_equal(tls_client_new(roots, &rig->client, why), ERR_OK);
    close(roots);
    certificate_clear(&stranger);
    open_streams(rig, "mail.example.org", TLS_VERIFY_PKIX);
    turn_until(rig->loop, &rig->them.closed, 1);
    assert_int_equal(rig->them.end, STREAM_TLS_FAILED);
    hang_up(rig);
    secure_streams(rig, "mail.example.org");
    assert_false(stream_tls_info(rig->them.stream)->is_verified);
}

static void client_names_are_bounded(void **state)
{
    struct rig *rig = *state;
    char name[256];
    int pair[2];

    memset(name, 'a', sizeof name);
    open_pair(rig, pair);
    rig->peer = pair[1];
    assert_int_equal(
        stream_start_tls_client(rig->us.stream, rig->client, slice_of(name, 256), TLS_VERIFY_ANY),
        ERR_INVALID);
    assert_int_equal(
        stream_start_tls_client(rig->us.stream, rig->client, slice_of("a\0b", 3), TLS_VERIFY_ANY),
        ERR_INVALID);
    assert_int_equal(
        stream_start_tls_client(rig->us.stream, rig->client, slice_of(name, 0), TLS_VERIFY_ANY),
        ERR_INVALID);
}

static void both_ends_export_the_same_binding(void **state)
{
    struct rig *rig = *state;
    uint8_t ours[32] = { 0 };
    uint8_t theirs[32] = { 1 };

    open_streams(rig, "mail.example.org", TLS_VERIFY_ANY);
    assert_false(stream_export_channel_binding(rig->us.stream, ours));
    turn_until(rig->loop, &rig->us.secured, 1);
    turn_until(rig->loop, &rig->them.secured, 1);
    assert_true(stream_export_channel_binding(rig->us.stream, ours));
    assert_true(stream_export_channel_binding(rig->them.stream, theirs));
    assert_memory_equal(ours, theirs, 32);
}

static void large_transfers_survive_pauses(void **state)
{
    enum { TOTAL = 2 << 20, BLOCK = 50000 };
    struct rig *rig = *state;
    static char block[BLOCK];
    size_t sent = 0;
    uint32_t noise = 1;

    secure_streams(rig, "mail.example.org");
    for (int i = 0; i < 20000 && rig->us.received.len < TOTAL; i++) {
        if (sent < TOTAL && !stream_is_full(rig->them.stream)) {
            size_t len = TOTAL - sent < BLOCK ? TOTAL - sent : BLOCK;

            for (size_t j = 0; j < len; j++)
                block[j] = (char)((sent + j) * 2654435761u >> 24);
            stream_write(rig->them.stream, slice_of(block, len));
            sent += len;
        }
        noise = noise * 1103515245u + 12345u;
        if (noise >> 29 == 0)
            stream_pause(rig->us.stream);
        else
            stream_resume(rig->us.stream);
        rig->us.keep = noise >> 16 & 511;
        loop_turn(rig->loop, 0);
    }
    rig->us.keep = 0;
    stream_resume(rig->us.stream);
    turn_for(rig->loop, 20);
    stream_pause(rig->us.stream);
    stream_resume(rig->us.stream);
    turn_for(rig->loop, 20);
    assert_int_equal(rig->us.received.len, TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        if (rig->us.received.data[rig->us.received.start + i] != (char)(i * 2654435761u >> 24))
            fail_msg("octet %zu is wrong", i);
    assert_true(rig->them.drained > 0);
}

static void bad_certificates_are_refused(void **state)
{
    struct rig *rig = *state;
    struct tls_identity identity = { 0 };
    struct tls_server *server = NULL;
    char why[TLS_WHY];
    char *spoiled;
    int null;

    assert_int_equal(tls_server_new(rig->vault.signer, &identity, 1, &server, why), ERR_INVALID);
    identity.chain_pem = slice_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
    assert_int_equal(tls_server_new(rig->vault.signer, &identity, 1, &server, why), ERR_INVALID);
    identity.chain_pem = slice_text("not PEM at all");
    assert_int_equal(tls_server_new(rig->vault.signer, &identity, 1, &server, why), ERR_INVALID);
    assert_non_null(strstr(why, "no certificate"));
    /* A good leaf and a bad issuer. */
    spoiled = malloc(rig->vault.keys[0].pem_len);
    assert_non_null(spoiled);
    memcpy(spoiled, rig->vault.keys[0].pem, rig->vault.keys[0].pem_len);
    spoiled[rig->vault.keys[0].pem_len - 60] = '!';
    identity.chain_pem = slice_of(spoiled, rig->vault.keys[0].pem_len);
    assert_int_equal(tls_server_new(rig->vault.signer, &identity, 1, &server, why), ERR_INVALID);
    assert_null(server);
    free(spoiled);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(tls_client_new(null, &rig->client, why), ERR_INVALID);
    assert_non_null(strstr(why, "no PEM certificate"));
    close(null);
}

static void expiry_is_that_of_the_first_to_go(void **state)
{
    struct rig *rig = *state;
    int64_t left = tls_server_expiry(rig->server) - clock_wall();

    assert_true(left > 3500 && left <= 3600);
}

/* The vault's check of what it is asked to sign. */
static void only_handshakes_look_like_handshakes(void **state)
{
    char tls13[64 + 34 + 48];
    char tls12[64 + 4 + 133] = { 0 };
    static const struct {
        unsigned char curve;
        unsigned char point;
    } curves[] = { { 0x17, 65 }, { 0x18, 97 }, { 0x19, 133 }, { 0x1d, 32 }, { 0x1e, 56 } };

    (void)state;
    memset(tls13, ' ', 64);
    memcpy(tls13 + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(tls13 + 98, 'h', 48);
    for (size_t len = 0; len <= sizeof tls13; len++)
        assert_int_equal(tls_sign_input_is_handshake(slice_of(tls13, len)),
            len == 64 + 34 + 32 || len == 64 + 34 + 48);
    for (size_t i = 0; i < 98; i++) {
        tls13[i] ^= 1;
        assert_false(tls_sign_input_is_handshake(slice_of(tls13, 64 + 34 + 32)));
        tls13[i] ^= 1;
    }
    for (size_t i = 0; i < LENGTH_OF(curves); i++) {
        tls12[64] = 3;
        tls12[66] = (char)curves[i].curve;
        tls12[67] = (char)curves[i].point;
        for (size_t len = 0; len <= sizeof tls12; len++)
            assert_int_equal(
                tls_sign_input_is_handshake(slice_of(tls12, len)), len == 68u + curves[i].point);
        for (size_t at = 64; at < 68; at++) {
            tls12[at] ^= 0x40;
            assert_false(tls_sign_input_is_handshake(slice_of(tls12, 68u + curves[i].point)));
            tls12[at] ^= 0x40;
        }
    }
    assert_false(tls_sign_input_is_handshake(slice_of(NULL, 0)));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_version_with_each_key),
        CASE(rsa_with_each_padding_and_hash),
        CASE(older_versions_get_an_alert),
        CASE(weak_suites_are_refused),
        CASE(client_cannot_renegotiate),
        CASE(names_choose_the_certificate),
        CASE(tickets_follow_their_keys),
        CASE(server_lives_while_streams_use_it),
        CASE(waiting_for_a_signature_stops_nobody),
        CASE(refused_signature_ends_the_handshake),
        CASE(wrong_signature_is_seen_by_the_client),
        CASE(answers_nobody_asked_for_are_told),
        CASE(starttls),
        CASE(starttls_with_more_behind_it_is_seen),
        CASE(clear_text_before_the_handshake_is_never_input),
        CASE(clear_text_after_the_handshake_ends_it),
        CASE(close_notify_by_the_peer_is_its_orderly_end),
        CASE(fin_without_close_notify_is_a_cut),
        CASE(close_notify_follows_the_last_reply),
        CASE(close_notify_on_free_and_not_on_abort),
        CASE(certificates_are_verified),
        CASE(unknown_root_fails_only_where_it_matters),
        CASE(client_names_are_bounded),
        CASE(both_ends_export_the_same_binding),
        CASE(large_transfers_survive_pauses),
        CASE(bad_certificates_are_refused),
        CASE(expiry_is_that_of_the_first_to_go),
        cmocka_unit_test(only_handshakes_look_like_handshakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
