/* net/tls_internal.h: what the TLS files and the stream share. The only header of ours that shows
 * OpenSSL types. */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "base/map.h"
#include "net/tls.h"

/* How an act on a TLS session ended. */
enum tls_result {
    TLS_DONE,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_WANT_SIGNATURE, /* nothing to do until the session's wake function is called */
    TLS_CLOSED,         /* the peer's close_notify */
    TLS_CUT,            /* FIN without close_notify */
    TLS_LOST,           /* an error of the socket */
    TLS_FAILED,         /* TLS itself */
};

/* The TLS of one stream. */
struct tls_session {
    SSL *ssl;
    int fd; /* the stream's; -1 once the stream has let go */
    bool at_eof;
    bool is_starved;           /* waits for the right to wait: see tls_signer.starved */
    bool is_unsigned;          /* the vault refused */
    int error_number;          /* of the last failed read or write */
    struct tls_server *server; /* one of the two */
    struct tls_client *client;
    struct tls_pending *pending; /* the signature that the handshake waits for */
    struct tls_session *previous;
    struct tls_session *next;
    void (*wake)(void *owner); /* the handshake can go on; may be called from inside a handshake of
                                  another session */
    void *owner;
    struct tls_info info;
    char verify_text[96];
    char why[128];
};

/* A request for a signature, from the pause of the handshake to the answer. */
struct tls_pending {
    struct tls_sign_request request;
    UT_hash_handle hh;
    struct tls_pending *previous; /* in line, PENDING_NEW only */
    struct tls_pending *next;
    bool is_in_line;
    struct tls_session *session; /* NULL: parked, its stream has gone */
    enum { PENDING_NEW, PENDING_ASKED, PENDING_SIGNED, PENDING_FAILED, PENDING_GONE } state;
    size_t signature_len;
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    unsigned char input[TLS_SIGN_INPUT_MAX];
};

struct tls_signer {
    tls_sign_fn *fn;
    void *owner;
    OSSL_LIB_CTX *library; /* ours alone: the remote keys are seen by nobody else */
    OSSL_PROVIDER *standard;
    OSSL_PROVIDER *remote;
    struct tls_session *current; /* whose handshake runs just now */
    struct tls_session
        *starved; /* handshakes that found every waiting place taken, first come first served */
    struct tls_pending *pending; /* by number */
    struct tls_pending *line;    /* those that the vault was not asked for yet, oldest first */
    size_t asked;                /* how many it was asked for */
    uint64_t last_number;
    size_t parked;
    size_t servers;
};

struct tls_server {
    struct tls_signer *signer;
    unsigned holds;
    size_t count;
    int64_t expiry;
    EVP_CIPHER *ticket_cipher;
    bool has_previous;
    struct tls_ticket_key current;
    struct tls_ticket_key previous;
    struct tls_choice {
        SSL_CTX *context;
        X509 *leaf;
    } choices[]; /* the first is the default */
};

struct tls_client {
    unsigned holds;
    SSL_CTX *context;
};

/* net/tls_provider.c */
OSSL_provider_init_fn tls_provider_init;
/* A key object whose public half is that of the certificate and whose private half is the vault's.
 * NULL on failure, also for kinds of keys that are not served. */
EVP_PKEY *tls_provider_key(struct tls_signer *signer, EVP_PKEY *public_half, uint32_t key);

/* net/tls_signer.c. Inside a handshake's job: asks for the signature and pauses until it is there.
 * False when it failed or the stream has gone; otherwise the signature is in out_signature (of size
 * octets) and out_len. */
bool tls_signer_wait(struct tls_signer *signer, uint32_t key, enum tls_sign_algorithm algorithm,
    const unsigned char *input, size_t input_len, unsigned char *out_signature, size_t size,
    size_t *out_len);
/* The stream goes while its handshake waits: the request stays behind, parked, until it is
 * answered. The handshake must be resumed once right after, and fails. */
void tls_signer_park(struct tls_signer *signer, struct tls_session *session);
/* There was no place for one more handshake that waits; it is woken when there may be. */
void tls_signer_starve(struct tls_signer *signer, struct tls_session *session);
/* A place may be free: wakes the first that starves. */
void tls_signer_feed(struct tls_signer *signer);
/* After each step of a handshake, on the ordinary stack: a new wish gets in line, and what may go
 * out goes. */
void tls_signer_ask(struct tls_signer *signer, struct tls_session *session);

void tls_server_hold(struct tls_server *server);
void tls_server_drop(struct tls_server *server);
void tls_client_hold(struct tls_client *client);
void tls_client_drop(struct tls_client *client);

/* net/tls_session.c. NULL without memory. fd stays the caller's. */
struct tls_session *tls_session_new_server(
    struct tls_server *server, int fd, void (*wake)(void *), void *owner);
struct tls_session *tls_session_new_client(struct tls_client *client, int fd, const char *host,
    enum tls_verify verify, void (*wake)(void *), void *owner);
/* Ends a waiting handshake in order. Touches the descriptor no more: close_notify is
 * tls_session_shutdown's. */
void tls_session_free(struct tls_session **session);
enum tls_result tls_session_handshake(struct tls_session *session);
/* TLS_DONE: *out_len is 1 to size. */
enum tls_result tls_session_read(
    struct tls_session *session, char *data, size_t size, size_t *out_len);
/* TLS_DONE: *out_len is 1 to len. After TLS_WANT_WRITE the next call must begin with the same
 * bytes. */
enum tls_result tls_session_write(
    struct tls_session *session, const char *data, size_t len, size_t *out_len);
/* Sends close_notify. TLS_DONE, TLS_WANT_WRITE, or any failure. */
enum tls_result tls_session_shutdown(struct tls_session *session);
/* Octets were received that tls_session_read has not given yet, though the descriptor may not be
 * readable. */
bool tls_session_has_pending(const struct tls_session *session);
bool tls_session_export(struct tls_session *session, uint8_t out_binding[32]);
bool tls_session_peer(
    const struct tls_session *session, struct tls_peer_certificate *out_certificate);
bool tls_session_unique(
    struct tls_session *session, uint8_t *out_binding, size_t size, size_t *out_len);

/* The topmost error of OpenSSL's queue as a phrase; the queue is emptied. */
void tls_explain(char *out_why, size_t size);

#endif
