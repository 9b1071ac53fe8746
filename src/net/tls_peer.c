/* net/tls_peer.c: certificates of clients: asking for them, and what is told of one that came. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/tls_internal.h"

enum { AUTHORITIES_MAX = 256, AUTHORITIES_OCTETS = 256 << 10 };

/* The handshake goes on whatever is shown: SSL_get_verify_result says how it was, and a certificate
 * that no authority knows may be known by its fingerprint. */
static int accept_any(int is_good, X509_STORE_CTX *store)
{
    (void)is_good, (void)store;
    return 1;
}

static bool add_authority(struct tls_server *server, X509 *authority)
{
    for (size_t i = 0; i < server->count; i++) {
        SSL_CTX *context = server->choices[i].context;

        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) != 1 ||
            SSL_CTX_add_client_CA(context, authority) != 1)
            return false;
    }
    return true;
}

/* All certificates of the text. *out_count: how many. */
static bool add_authorities(struct tls_server *server, struct slice pem, size_t *out_count)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    bool is_good = bio != NULL;

    for (*out_count = 0; is_good; ++*out_count) {
        X509 *authority = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (!authority)
            break;
        is_good = *out_count < AUTHORITIES_MAX && add_authority(server, authority);
        X509_free(authority);
    }
    BIO_free(bio);
    is_good =
        is_good && *out_count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return is_good;
}

/* A ticket says of its holder what was verified when it was made, so it is good only where the same
 * authorities are asked for. */
static bool set_context(struct tls_server *server, struct slice pem)
{
    unsigned char name[SSL_MAX_SID_CTX_LENGTH] = "submitd client";
    unsigned char digest[TLS_FINGERPRINT];

    if (EVP_Digest(pem.data, pem.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(name + 14, digest, sizeof name - 14);
    for (size_t i = 0; i < server->count; i++) {
        if (SSL_CTX_set_session_id_context(server->choices[i].context, name, sizeof name) != 1)
            return false;
        SSL_CTX_set_verify(server->choices[i].context, SSL_VERIFY_PEER, accept_any);
    }
    return true;
}

enum err tls_server_ask_clients(
    struct tls_server *server, struct slice ca_pem, char out_why[TLS_WHY])
{
    size_t count;

    if (ca_pem.len > AUTHORITIES_OCTETS ||
        (ca_pem.len > 0 && !add_authorities(server, ca_pem, &count))) {
        snprintf(out_why, TLS_WHY, "client_ca is no file of PEM certificates, 256 at most");
        return ERR_INVALID;
    }
    return set_context(server, ca_pem) ? ERR_OK : ERR_NOMEM;
}

/* An address that holds a NUL is somebody's trick. */
static void take_mail(const GENERAL_NAME *name, struct tls_peer_certificate *out)
{
    const unsigned char *text;
    int len;

    if (name->type != GEN_EMAIL || out->mail_count == TLS_MAILS_MAX)
        return;
    text = ASN1_STRING_get0_data(name->d.rfc822Name);
    len = ASN1_STRING_length(name->d.rfc822Name);
    if (len <= 0 || len > TLS_MAIL_MAX || memchr(text, 0, (size_t)len))
        return;
    memcpy(out->mails[out->mail_count], text, (size_t)len);
    out->mails[out->mail_count++][len] = '\0';
}

static void take_mails(X509 *certificate, struct tls_peer_certificate *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        take_mail(sk_GENERAL_NAME_value(names, i), out);
    GENERAL_NAMES_free(names);
}

/* A ticket tells what was verified when it was made, and each use of it brings another: without a
 * look at the clock a certificate would never end. */
static bool is_in_force(const X509 *certificate)
{
    return X509_cmp_timeframe(
               NULL, X509_get0_notBefore(certificate), X509_get0_notAfter(certificate)) == 0;
}

bool tls_session_peer(
    const struct tls_session *session, struct tls_peer_certificate *out_certificate)
{
    X509 *certificate = session->server ? SSL_get0_peer_certificate(session->ssl) : NULL;
    struct tls_peer_certificate shown = { .mail_count = 0 };
    unsigned int len = 0;

    if (!certificate || X509_digest(certificate, EVP_sha256(), shown.sha256, &len) != 1)
        return false;
    shown.is_verified =
        SSL_get_verify_result(session->ssl) == X509_V_OK && is_in_force(certificate);
    take_mails(certificate, &shown);
    ERR_clear_error();
    *out_certificate = shown;
    return true;
}
