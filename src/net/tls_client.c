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

/* The descriptor's position is not its own: others read the same file at the same time. NULL: it
 * cannot be read; else the caller's. */
static char *read_file(int file, size_t *out_len)
{
    struct stat st;
    char *text = fstat(file, &st) == 0 && st.st_size <= ROOTS_MAX
                     ? OPENSSL_malloc((size_t)st.st_size + 1)
                     : NULL;
    ssize_t got = text ? pread(file, text, (size_t)st.st_size, 0) : -1;

    if (got < 0) {
        OPENSSL_free(text);
        return NULL;
    }
    *out_len = (size_t)got;
    return text;
}

static size_t count_lines(struct slice text)
{
    size_t lines = 0;

    for (; text.len > 0; lines++)
        text = slice_from(text, slice_find(text, '\n') + 1);
    return lines;
}

static size_t count_certificates(const STACK_OF(X509_INFO) * infos)
{
    size_t count = 0;

    for (int i = 0; i < sk_X509_INFO_num(infos); i++)
        count += sk_X509_INFO_value(infos, i)->x509 != NULL;
    return count;
}

/* At least one certificate, or NULL and why. */
static STACK_OF(X509_INFO) * parse_roots(struct slice pem, char out_why[TLS_WHY])
{
    BIO *bio = pem.len > 0 ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    STACK_OF(X509_INFO) *infos = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;

    if (bio && !infos)
        snprintf(out_why, TLS_WHY, "line %zu: here ends a PEM block that is broken",
            count_lines(slice_first(pem, pem.len - BIO_ctrl_pending(bio))));
    else if (count_certificates(infos) == 0)
        snprintf(out_why, TLS_WHY, "line %zu: here it ends, and no PEM certificate was in it",
            count_lines(pem));
    BIO_free(bio);
    if (count_certificates(infos) > 0)
        return infos;
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    return NULL;
}

bool tls_roots_check(int roots, char out_why[TLS_WHY])
{
    size_t len = 0;
    char *text = read_file(roots, &len);
    STACK_OF(X509_INFO) * infos;

    snprintf(out_why, TLS_WHY, "cannot be read");
    infos = text ? parse_roots(slice_of(text, len), out_why) : NULL;
    OPENSSL_free(text);
    ERR_clear_error();
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    return infos != NULL;
}

static void add_all(X509_STORE *store, const STACK_OF(X509_INFO) * infos)
{
    for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
        const X509_INFO *info = sk_X509_INFO_value(infos, i);

        if (info->x509)
            X509_STORE_add_cert(store, info->x509);
        if (info->crl)
            X509_STORE_add_crl(store, info->crl);
    }
}

static enum err load_roots(SSL_CTX *context, int roots, char out_why[TLS_WHY])
{
    size_t len;
    char *text;
    STACK_OF(X509_INFO) * infos;

    if (roots < 0) {
        log_event(
            LOG_WARNING, NULL, "no-trust-store", log_text("effect", "no certificate will verify"));
        return ERR_OK;
    }
    text = read_file(roots, &len);
    if (!text) {
        snprintf(out_why, TLS_WHY, "cannot be read");
        return ERR_IO;
    }
    infos = parse_roots(slice_of(text, len), out_why);
    OPENSSL_free(text);
    if (!infos)
        return ERR_INVALID;
    add_all(SSL_CTX_get_cert_store(context), infos);
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    return ERR_OK;
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
