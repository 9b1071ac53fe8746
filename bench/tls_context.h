/* bench/tls_context.h: the rules of TLS for the tools: as few system calls as OpenSSL allows, any
 * certificate, TLS 1.2 or later. */
#ifndef BENCH_TLS_CONTEXT_H
#define BENCH_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/macros.h"

/* on_session: called for each ticket that a server sends, returns 1 when it keeps the session;
 * NULL: tickets are not looked at. NULL without memory. */
SSL_CTX *tls_client_context(int (*on_session)(SSL *ssl, SSL_SESSION *session));
/* From PEM files. tickets: how many to send after a handshake. NULL: told on standard error. */
SSL_CTX *tls_server_context(const char *certificate, const char *key, size_t tickets);

#endif
