/* net/tls_client.c: the rules for connections that we open. */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/log.h"
#include "net/tls_internal.h"

static const char *system_store(void)
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

static enum err load_roots(SSL_CTX *context, const char *ca_file, char out_why[TLS_WHY])
{
    const char *file = ca_file ? ca_file : system_store();
    char reason[128];

    if (!file) {
        log_event(
            LOG_WARNING, NULL, "no-trust-store", log_text("effect", "no certificate will verify"));
        return ERR_OK;
    }
    if (access(file, R_OK) != 0) {
        snprintf(out_why, TLS_WHY, "%s cannot be read", file);
        return ERR_NOTFOUND;
    }
    if (SSL_CTX_load_verify_file(context, file) == 1)
        return ERR_OK;
    tls_explain(reason, sizeof reason);
    snprintf(out_why, TLS_WHY, "%s: %s", file, reason);
    return ERR_INVALID;
}

enum err tls_client_new(const char *ca_file, struct tls_client **out_client, char out_why[TLS_WHY])
{
    struct tls_client *client = calloc(1, sizeof *client);
    enum err err = ERR_NOMEM;

    snprintf(out_why, TLS_WHY, "%s", err_text(ERR_NOMEM));
    if (!client)
        return ERR_NOMEM;
    client->holds = 1;
    client->context = context_new();
    if (client->context)
        err = load_roots(client->context, ca_file, out_why);
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
