/* net/tls_server.c: the rules and certificates of our listeners. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "net/tls_internal.h"

/* TLS-11: for TLS 1.2 only ECDHE with AEAD; TLS 1.3 has nothing else. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char groups[] = "X25519:P-256:P-384";
static const char algorithms[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

enum { RSA_BITS_LEAST = 2048, CHAIN_MOST = 10, CHAIN_OCTETS_MOST = 1 << 20 };

void tls_explain(char *out_why, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    snprintf(out_why, size, "%s", reason ? reason : "unknown TLS error");
    ERR_clear_error();
}

static enum err complain(char out_why[TLS_WHY], const char *what)
{
    char reason[128];

    tls_explain(reason, sizeof reason);
    snprintf(out_why, TLS_WHY, "%s: %s", what, reason);
    return ERR_INVALID;
}

/* Which of the certificates goes with the name that the client gave (TLS-14). */
static int choose(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < server->count; i++)
        if (X509_check_host(server->choices[i].leaf, name, strlen(name), 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, server->choices[i].context);
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK;
}

static int set_ticket_ciphers(const struct tls_server *server, const struct tls_ticket_key *key,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof key->hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex2(cipher, server->ticket_cipher, key->aes, iv, encrypts, NULL) == 1;
}

/* OpenSSL's answers: -1 failure, 0 no ticket (a full handshake), 1 good, 2 good and to be renewed.
 */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypts)
{
    const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls_ticket_key *key = &server->current;

    if (encrypts) {
        if (RAND_bytes_ex(server->signer->library, iv, 16, 0) != 1)
            return -1;
        memcpy(name, key->name, sizeof key->name);
        return set_ticket_ciphers(server, key, iv, cipher, mac, 1) ? 1 : -1;
    }
    if (memcmp(name, key->name, sizeof key->name) != 0) {
        key = &server->previous;
        if (!server->has_previous || memcmp(name, key->name, sizeof key->name) != 0)
            return 0;
    }
    if (!set_ticket_ciphers(server, key, iv, cipher, mac, 0))
        return -1;
    /* A client of TLS 1.3 uses a ticket once, so it needs a new one each time (RFC 8446 appendix
     * C.4). */
    return key == &server->current && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

static SSL_CTX *context_new(struct tls_server *server)
{
    /* Ours comes only where the standard provider must give up: for a key that it cannot have. */
    SSL_CTX *context =
        SSL_CTX_new_ex(server->signer->library, "?provider=default", TLS_server_method());

    if (!context)
        return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* A whole flight with one read; what is left over counts as pending (stream_io.c). */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_tlsext_servername_callback(context, choose);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1 ||
        SSL_CTX_set1_groups_list(context, groups) != 1 ||
        SSL_CTX_set1_sigalgs_list(context, algorithms) != 1 ||
        SSL_CTX_set_max_early_data(context, 0) != 1 || SSL_CTX_set_num_tickets(context, 0) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) != 1 ||
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"submitd", 7) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static X509 *read_certificate(struct tls_server *server, BIO *pem)
{
    X509 *certificate = X509_new_ex(server->signer->library, NULL);

    if (certificate && !PEM_read_bio_X509(pem, &certificate, NULL, NULL)) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* What follows the leaf, to the end of the text. */
static bool add_issuers(struct tls_server *server, SSL_CTX *context, BIO *pem)
{
    X509 *issuer;

    for (int i = 0; (issuer = read_certificate(server, pem)); i++) {
        if (i == CHAIN_MOST || SSL_CTX_add0_chain_cert(context, issuer) != 1) {
            X509_free(issuer);
            return false;
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

static enum err use_key(
    struct tls_server *server, struct tls_choice *choice, uint32_t number, char out_why[TLS_WHY])
{
    EVP_PKEY *public_half = X509_get0_pubkey(choice->leaf);
    EVP_PKEY *key;
    enum err err = ERR_OK;

    if (!public_half)
        return complain(out_why, "the certificate's key");
    if (EVP_PKEY_is_a(public_half, "RSA") && EVP_PKEY_get_bits(public_half) < RSA_BITS_LEAST) {
        snprintf(out_why, TLS_WHY, "the certificate's RSA key has %d bits; at least %d are needed",
            EVP_PKEY_get_bits(public_half), RSA_BITS_LEAST);
        return ERR_INVALID;
    }
    key = tls_provider_key(server->signer, public_half, number);
    if (!key)
        return complain(out_why, "the certificate's kind of key is not served");
    if (SSL_CTX_use_certificate(choice->context, choice->leaf) != 1 ||
        SSL_CTX_use_PrivateKey(choice->context, key) != 1 ||
        SSL_CTX_check_private_key(choice->context) != 1)
        err = complain(out_why, "the certificate");
    EVP_PKEY_free(key);
    return err;
}

static void note_expiry(struct tls_server *server, const X509 *leaf)
{
    int days;
    int seconds;
    int64_t expiry;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) != 1)
        return;
    expiry = clock_wall() + (int64_t)days * 86400 + seconds;
    if (server->expiry == 0 || expiry < server->expiry)
        server->expiry = expiry;
}

static enum err add_identity(
    struct tls_server *server, const struct tls_identity *identity, char out_why[TLS_WHY])
{
    struct tls_choice *choice = &server->choices[server->count];
    BIO *pem;
    enum err err;

    if (identity->chain_pem.len == 0 || identity->chain_pem.len > CHAIN_OCTETS_MOST) {
        snprintf(out_why, TLS_WHY, "the certificate file is empty or too long");
        return ERR_INVALID;
    }
    pem = BIO_new_mem_buf(identity->chain_pem.data, (int)identity->chain_pem.len);
    choice->context = context_new(server);
    if (!choice->context || !pem) {
        BIO_free(pem);
        return ERR_NOMEM;
    }
    server->count++;
    choice->leaf = read_certificate(server, pem);
    if (!choice->leaf)
        err = complain(out_why, "no certificate");
    else
        err = use_key(server, choice, identity->key, out_why);
    if (err == ERR_OK && !add_issuers(server, choice->context, pem))
        err = complain(out_why, "the chain behind the certificate");
    if (err == ERR_OK)
        note_expiry(server, choice->leaf);
    BIO_free(pem);
    return err;
}

enum err tls_server_new(struct tls_signer *signer, const struct tls_identity *identities,
    size_t count, struct tls_server **out_server, char out_why[TLS_WHY])
{
    struct tls_server *server = calloc(1, sizeof *server + count * sizeof server->choices[0]);
    enum err err = ERR_OK;

    assert(count > 0);
    snprintf(out_why, TLS_WHY, "%s", err_text(ERR_NOMEM));
    if (!server)
        return ERR_NOMEM;
    server->signer = signer;
    server->holds = 1;
    signer->servers++;
    server->ticket_cipher = EVP_CIPHER_fetch(signer->library, "AES-256-CBC", NULL);
    if (!server->ticket_cipher)
        err = ERR_NOMEM;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = add_identity(server, &identities[i], out_why);
    ERR_clear_error();
    if (err != ERR_OK) {
        tls_server_drop(server);
        return err;
    }
    *out_server = server;
    return ERR_OK;
}

void tls_server_hold(struct tls_server *server)
{
    server->holds++;
}

void tls_server_drop(struct tls_server *server)
{
    if (--server->holds > 0)
        return;
    for (size_t i = 0; i < server->count; i++) {
        X509_free(server->choices[i].leaf);
        SSL_CTX_free(server->choices[i].context);
    }
    EVP_CIPHER_free(server->ticket_cipher);
    server->signer->servers--;
    OPENSSL_cleanse(server, sizeof *server);
    free(server);
}

void tls_server_free(struct tls_server **server)
{
    if (*server)
        tls_server_drop(*server);
    *server = NULL;
}

void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_key *current,
    const struct tls_ticket_key *previous)
{
    server->current = *current;
    server->has_previous = previous != NULL;
    if (previous)
        server->previous = *previous;
    for (size_t i = 0; i < server->count; i++) {
        SSL_CTX_clear_options(server->choices[i].context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(server->choices[i].context, 1);
    }
}

int64_t tls_server_expiry(const struct tls_server *server)
{
    return server->expiry;
}
