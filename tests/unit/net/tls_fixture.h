/* tests/unit/net/tls_fixture.h: short-lived certificates, and a vault that answers as each case
 * wants. */
#ifndef TEST_NET_TLS_FIXTURE_H
#define TEST_NET_TLS_FIXTURE_H

#include <openssl/ssl.h>

#include "net/loop.h"
#include "net/tls.h"

enum { VAULT_KEYS = 3, VAULT_REQUESTS = 1024 };

enum key_kind { KEY_EC, KEY_RSA, KEY_ED25519 };

struct certificate {
    EVP_PKEY *key;
    X509 *x509;
    char *pem; /* the chain file: leaf first */
    size_t pem_len;
};

/* names: "DNS:a.example,DNS:*.b.example,IP:127.0.0.1". issuer NULL: signed by itself. The issuer's
 * certificate is put into the chain when it is not a root itself. */
void certificate_make(struct certificate *certificate, enum key_kind kind, const char *names,
    const struct certificate *issuer);
void certificate_clear(struct certificate *certificate);
struct slice certificate_pem(const struct certificate *certificate);
/* A file with the PEM text; the caller unlinks it. */
void certificate_save(const struct certificate *certificate, char out_path[32]);
/* An open, nameless file with the PEM text. */
int certificate_open(const struct certificate *certificate);

/* Plays the vault for one signer. */
struct vault {
    struct loop *loop;
    struct tls_signer *signer;
    struct certificate keys[VAULT_KEYS]; /* by the index in the requests */
    bool holds; /* collects requests instead of answering at the end of the turn */
    bool refuses;
    bool spoils; /* a signature that is none */
    int asked;
    size_t held_count;
    struct tls_sign_request held[VAULT_REQUESTS];
    unsigned char inputs[VAULT_REQUESTS][TLS_SIGN_INPUT_MAX];
    struct deferred answering;
    bool was_strange; /* a request that is no handshake's */
};

void vault_init(struct vault *vault, struct loop *loop);
void vault_clear(struct vault *vault);
/* Answers what is held, in the order of asking; gives the number of requests that the signer still
 * knew. */
size_t vault_answer(struct vault *vault);
/* What the vault's side does: hash and sign. */
size_t vault_sign(const struct certificate *key, const struct tls_sign_request *request,
    unsigned char out_signature[TLS_SIGN_SIGNATURE_MAX]);

#endif
