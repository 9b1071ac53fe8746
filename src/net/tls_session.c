/* net/tls_session.c: OpenSSL's SSL on a stream's descriptor, through a BIO of ours that can be cut
 * off: a handshake that is resumed only to be ended must not write to a descriptor that is somebody
 * else's by now. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_internal.h"

static int bio_read(BIO *bio, char *data, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    do
        got = recv(session->fd, data, (size_t)size, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        return (int)got;
    session->at_eof = got == 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    else if (got < 0)
        session->error_number = errno;
    return (int)got;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t sent;

    BIO_clear_retry_flags(bio);
    do
        sent = send(session->fd, data, (size_t)len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    else if (sent < 0)
        session->error_number = errno;
    return (int)sent;
}

static long bio_control(BIO *bio, int command, long number UNUSED, void *pointer UNUSED)
{
    const struct tls_session *session = BIO_get_data(bio);

    if (command == BIO_CTRL_EOF)
        return session->at_eof;
    return command == BIO_CTRL_FLUSH;
}

/* Made once; lives as long as the process. */
static const BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;

    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (method &&
            (!BIO_meth_set_read(method, bio_read) || !BIO_meth_set_write(method, bio_write) ||
                !BIO_meth_set_ctrl(method, bio_control))) {
            BIO_meth_free(method);
            method = NULL;
        }
    }
    return method;
}

static bool attach(struct tls_session *session, SSL_CTX *context)
{
    const BIO_METHOD *method = bio_method();
    BIO *bio = method ? BIO_new(method) : NULL;

    session->ssl = SSL_new(context);
    if (!session->ssl || !bio) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    return true;
}

static struct tls_session *session_new(int fd, void (*wake)(void *), void *owner)
{
    struct tls_session *session = calloc(1, sizeof *session);

    if (session) {
        session->fd = fd;
        session->wake = wake;
        session->owner = owner;
    }
    return session;
}

struct tls_session *tls_session_new_server(
    struct tls_server *server, int fd, void (*wake)(void *), void *owner)
{
    struct tls_session *session = session_new(fd, wake, owner);

    if (!session)
        return NULL;
    session->server = server;
    tls_server_hold(server);
    if (!attach(session, server->choices[0].context)) {
        tls_session_free(&session);
        return NULL;
    }
    SSL_set_mode(session->ssl, SSL_MODE_ASYNC);
    SSL_set_accept_state(session->ssl);
    return session;
}

static bool is_numeric(const char *host)
{
    unsigned char octets[16];

    return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

static bool set_host(struct tls_session *session, const char *host)
{
    if (is_numeric(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session->ssl), host) == 1;
    SSL_set_hostflags(session->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session->ssl, host) == 1 &&
           SSL_set_tlsext_host_name(session->ssl, host) == 1;
}

struct tls_session *tls_session_new_client(struct tls_client *client, int fd, const char *host,
    enum tls_verify verify, void (*wake)(void *), void *owner)
{
    struct tls_session *session = session_new(fd, wake, owner);

    if (!session)
        return NULL;
    session->client = client;
    tls_client_hold(client);
    if (!attach(session, client->context) || !set_host(session, host)) {
        tls_session_free(&session);
        return NULL;
    }
    SSL_set_verify(
        session->ssl, verify == TLS_VERIFY_PKIX ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_connect_state(session->ssl);
    return session;
}

static struct tls_signer *signer_of(const struct tls_session *session)
{
    return session->server ? session->server->signer : NULL;
}

/* One step on the job's or our own stack. */
static int shake(struct tls_session *session)
{
    struct tls_signer *signer = signer_of(session);
    int result;

    ERR_clear_error();
    session->error_number = 0;
    if (signer)
        signer->current = session;
    result = SSL_do_handshake(session->ssl);
    if (signer)
        signer->current = NULL;
    return result;
}

/* Freeing a session whose job is paused would lose the job's stack; resumed with nobody waiting, it
 * ends by itself. */
static void end_waiting(struct tls_session *session)
{
    struct tls_signer *signer = signer_of(session);

    if (session->pending) {
        tls_signer_park(signer, session);
        shake(session);
        assert(!SSL_waiting_for_async(session->ssl));
    }
    if (session->is_starved)
        DL_DELETE2(signer->starved, session, previous, next);
    tls_signer_feed(signer);
}

void tls_session_free(struct tls_session **session)
{
    struct tls_session *it = *session;

    if (!it)
        return;
    it->fd = -1;
    if (it->server)
        end_waiting(it);
    SSL_free(it->ssl);
    ERR_clear_error();
    if (it->server)
        tls_server_drop(it->server);
    if (it->client)
        tls_client_drop(it->client);
    free(it);
    *session = NULL;
}

static bool is_cut(struct tls_session *session, int error)
{
    return error == SSL_ERROR_SYSCALL ||
                   ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
               ? session->at_eof
               : false;
}

static enum tls_result fail(struct tls_session *session, int error)
{
    if (is_cut(session, error)) {
        ERR_clear_error();
        snprintf(
            session->why, sizeof session->why, "the peer ended the connection without ending TLS");
        return TLS_CUT;
    }
    if (session->error_number != 0) {
        ERR_clear_error();
        snprintf(session->why, sizeof session->why, "%s", strerrordesc_np(session->error_number));
        return TLS_LOST;
    }
    tls_explain(session->why, sizeof session->why);
    return TLS_FAILED;
}

static enum tls_result classify(struct tls_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);

    switch (error) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_WANT_ASYNC:
        return TLS_WANT_SIGNATURE;
    case SSL_ERROR_WANT_ASYNC_JOB:
        tls_signer_starve(signer_of(session), session);
        return TLS_WANT_SIGNATURE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return fail(session, error);
    }
}

/* For TLS 1.2 OpenSSL tells the group only of a full handshake. */
static const char *group_name(SSL *ssl)
{
    int group = (int)SSL_get_negotiated_group(ssl);
    const char *name = group > 0 ? SSL_group_to_name(ssl, group) : NULL;

    return name ? name : "";
}

static void fill_info(struct tls_session *session)
{
    SSL *ssl = session->ssl;
    const char *cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    long verify = SSL_get_verify_result(ssl);
    bool has_certificate = session->client && SSL_get0_peer_certificate(ssl);

    session->info = (struct tls_info){
        .version = SSL_get_version(ssl),
        .cipher = cipher ? cipher : SSL_get_cipher_name(ssl),
        .group = group_name(ssl),
        .is_resumed = SSL_session_reused(ssl) == 1,
        .has_extended_master_secret =
            SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1,
        .is_verified = has_certificate && verify == X509_V_OK,
        .verify_text = session->verify_text,
    };
    if (session->client)
        snprintf(session->verify_text, sizeof session->verify_text, "%s",
            has_certificate ? X509_verify_cert_error_string(verify) : "no certificate");
}

/* The peer sees only an alert; our side wants to know what was wrong with the certificate or with
 * the key. */
static void explain_failure(struct tls_session *session)
{
    long verify = SSL_get_verify_result(session->ssl);

    if (session->is_unsigned)
        snprintf(session->why, sizeof session->why, "the key gave no signature");
    if (session->client && verify != X509_V_OK &&
        SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE)
        snprintf(session->why, sizeof session->why, "certificate: %s",
            X509_verify_cert_error_string(verify));
}

enum tls_result tls_session_handshake(struct tls_session *session)
{
    struct tls_signer *signer = signer_of(session);
    enum tls_result result;

    if (session->is_starved)
        return TLS_WANT_SIGNATURE;
    result = classify(session, shake(session));
    if (signer)
        tls_signer_ask(signer, session);
    if (signer && !session->is_starved)
        tls_signer_feed(signer);
    if (result == TLS_FAILED)
        explain_failure(session);
    if (result == TLS_DONE) {
        SSL_clear_mode(session->ssl, SSL_MODE_ASYNC);
        fill_info(session);
    }
    return result;
}

enum tls_result tls_session_read(
    struct tls_session *session, char *data, size_t size, size_t *out_len)
{
    ERR_clear_error();
    session->error_number = 0;
    return classify(session, SSL_read_ex(session->ssl, data, size, out_len));
}

enum tls_result tls_session_write(
    struct tls_session *session, const char *data, size_t len, size_t *out_len)
{
    ERR_clear_error();
    session->error_number = 0;
    return classify(session, SSL_write_ex(session->ssl, data, len, out_len));
}

/* 0: sent, and the peer's has not come yet; we do not wait for it. */
enum tls_result tls_session_shutdown(struct tls_session *session)
{
    int result;

    ERR_clear_error();
    session->error_number = 0;
    result = SSL_shutdown(session->ssl);
    return result >= 0 ? TLS_DONE : classify(session, result);
}

bool tls_session_has_pending(const struct tls_session *session)
{
    return SSL_has_pending(session->ssl) == 1;
}

bool tls_session_export(struct tls_session *session, uint8_t out_binding[32])
{
    static const char label[] = "EXPORTER-Channel-Binding";

    if (!session->info.has_extended_master_secret)
        return false;
    return SSL_export_keying_material(session->ssl, out_binding, 32, label, sizeof label - 1,
               (const unsigned char *)"", 0, 1) == 1;
}

/* RFC 5929 section 3.1: the Finished message that was sent first, the client's in a full handshake,
 * the server's when a session is resumed. */
bool tls_session_unique(
    struct tls_session *session, uint8_t *out_binding, size_t size, size_t *out_len)
{
    bool is_ours = SSL_is_server(session->ssl) == SSL_session_reused(session->ssl);
    size_t len;

    if (!session->info.has_extended_master_secret || SSL_version(session->ssl) != TLS1_2_VERSION)
        return false;
    len = is_ours ? SSL_get_finished(session->ssl, out_binding, size)
                  : SSL_get_peer_finished(session->ssl, out_binding, size);
    if (len == 0 || len > size)
        return false;
    *out_len = len;
    return true;
}
