/* net/tls_sign.h: what passes between a handshake in the gate and the key in the vault. No OpenSSL
 * types: a channel carries it. The vault gets the bytes to be signed, not a digest, so it can see
 * that they are a handshake's and nothing else. */
#ifndef NET_TLS_SIGN_H
#define NET_TLS_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* RSA-PSS: MGF1 with the same hash, salt as long as the hash (RFC 8446 section 4.2.3). ECDSA
 * signatures are DER. */
enum tls_sign_algorithm {
    TLS_SIGN_ECDSA_SHA256,
    TLS_SIGN_ECDSA_SHA384,
    TLS_SIGN_ECDSA_SHA512,
    TLS_SIGN_RSA_PKCS1_SHA256,
    TLS_SIGN_RSA_PKCS1_SHA384,
    TLS_SIGN_RSA_PKCS1_SHA512,
    TLS_SIGN_RSA_PSS_SHA256,
    TLS_SIGN_RSA_PSS_SHA384,
    TLS_SIGN_RSA_PSS_SHA512,
    TLS_SIGN_ED25519,
    TLS_SIGN_LAST = TLS_SIGN_ED25519,
};

enum {
    TLS_SIGN_INPUT_MAX = 512,      /* octets to be signed */
    TLS_SIGN_SIGNATURE_MAX = 1024, /* RSA up to 8192 bits */
};

struct tls_sign_request {
    uint64_t number; /* never 0, never given twice by one signer */
    uint32_t key;    /* index of the key, as in struct tls_identity */
    enum tls_sign_algorithm algorithm;
    struct slice
        input; /* to be hashed and signed; 1 to TLS_SIGN_INPUT_MAX octets; lives until the answer */
};

/* True when the bytes have the form that a TLS server signs: the padded text of RFC 8446
 * section 4.4.3 with a hash behind it, or RFC 8422 section 5.4 (two randoms and an ECDHE point on a
 * named curve). The vault signs nothing else. */
bool tls_sign_input_is_handshake(struct slice input);

/* Session ticket keys: made and rotated by the vault, shared by the gates (TLS-20). */
struct tls_ticket_key {
    uint8_t name[16];
    uint8_t hmac[32]; /* HMAC-SHA-256 */
    uint8_t aes[32];  /* AES-256-CBC */
};

#endif
