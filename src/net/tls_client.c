/* net/tls_client.c: the rules for connections that we open. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "base/log.h"
#include "net/tls_internal.h"

enum { ROOTS_MAX = 64 << 20 };

enum err tls_warm(void)
{
    SSL_CTX *context;
    unsigned char octet;

    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
                             OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
            NULL) != 1 ||
        RAND_bytes(&octet, sizeof octet) != 1)
        return ERR_TLS;
    context = SSL_CTX_new(TLS_method());
    SSL_CTX_free(context);
    return context ? ERR_OK : ERR_TLS;
}

const char *tls_system_roots(void)
{
    const char *const files[] = {
        getenv(X509_get_default_cert_file_env()),
        "/etc/ssl/certs/ca-certificates.crt",
        X509_get_default_cert_file(),
    };

    for (size_t i = 0; i < LENGTH_OF(files); i++)
        if (files[i] && access(files[i], R_OK) == 0)
            return files[i];
    return NULL;
}

static SSL_CTX *context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (!context)
        return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

/* The descriptor's position is not its own: others read the same file at the same time. */
static BIO *read_file(int file)
{
    struct stat st;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = fstat(file, &st) == 0 && st.st_size <= ROOTS_MAX
                     ? OPENSSL_malloc((size_t)st.st_size + 1)
                     : NULL;
    ssize_t got = text ? pread(file, text, (size_t)st.st_size, 0) : -1;

    if (!bio || got < 0 || (got > 0 && BIO_write(bio, text, (int)got) != got)) {
        BIO_free(bio);
        bio = NULL;
    }
    OPENSSL_free(text);
    return bio;
}

/* Returns the number of certificates. */
static int add_all(X509_STORE *store, const STACK_OF(X509_INFO) * infos)
{
    int count = 0;

    for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
        const X509_INFO *info = sk_X509_INFO_value(infos, i);

        if (info->x509 && X509_STORE_add_cert(store, info->x509) == 1)
            count++;
        if (info->crl)
            X509_STORE_add_crl(store, info->crl);
    }
    return count;
}

static enum err load_roots(SSL_CTX *context, int roots, char out_why[TLS_WHY])
{
    BIO *bio;
    STACK_OF(X509_INFO) * infos;
    int count;

    if (roots < 0) {
        log_event(
            LOG_WARNING, NULL, "no-trust-store", log_text("effect", "no certificate will verify"));
        return ERR_OK;
    }
    bio = read_file(roots);
    if (!bio) {
        snprintf(out_why, TLS_WHY, "cannot be read");
        return ERR_IO;
    }
    infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
    count = add_all(SSL_CTX_get_cert_store(context), infos);
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    BIO_free(bio);
    if (count == 0)
        snprintf(out_why, TLS_WHY, "holds no PEM certificate");
    return count > 0 ? ERR_OK : ERR_INVALID;
}

enum err tls_client_new(int roots, struct tls_client **out_client, char out_why[TLS_WHY])
{
    struct tls_client *client = calloc(1, sizeof *client);
    enum err err = ERR_NOMEM;

    snprintf(out_why, TLS_WHY, "%s", err_text(ERR_NOMEM));
    if (!client)
        return ERR_NOMEM;
    client->holds = 1;
    client->context = context_new();
    if (client->context)
        err = load_roots(client->context, roots, out_why);
    ERR_clear_error();
    if (err != ERR_OK) {
        tls_client_drop(client);
        return err;
    }
    *out_client = client;
    return ERR_OK;
}

void tls_client_hold(struct tls_client *client)
{
    client->holds++;
}

void tls_client_drop(struct tls_client *client)
{
    if (--client->holds > 0)
        return;
    SSL_CTX_free(client->context);
    free(client);
}

void tls_client_free(struct tls_client **client)
{
    if (*client)
        tls_client_drop(*client);
    *client = NULL;
}
