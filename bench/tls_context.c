/* bench/tls_context.c: sets OpenSSL up. */
#include "bench/tls_context.h"

#include <stdio.h>

#include <openssl/err.h>

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (!context)
        return NULL;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    return context;
}

SSL_CTX *tls_client_context(int (*on_session)(SSL *ssl, SSL_SESSION *session))
{
    SSL_CTX *context = context_new(TLS_client_method());

    if (!context || !on_session)
        return context;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    return context;
}

SSL_CTX *tls_server_context(const char *certificate, const char *key, size_t tickets)
{
    SSL_CTX *context = context_new(TLS_server_method());

    if (context && SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(context, tickets);
        return context;
    }
    ERR_print_errors_fp(stderr);
    SSL_CTX_free(context);
    return NULL;
}
