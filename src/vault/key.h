/* vault/key.h: one TLS private key: read once, never told, asked to sign handshakes and nothing
 * else. */
#ifndef VAULT_KEY_H
#define VAULT_KEY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/tls_sign.h"

struct key;

enum { KEY_WHY = 160 };

/* key_fd: a file with the PEM key, without passphrase, read from its start; stays the caller's.
 * chain_pem: leaf first; the key must belong to the leaf. Accepted: EC on P-256, P-384 and P-521,
 * RSA from 2048 bits, Ed25519. ERR_INVALID with a phrase in out_why, or ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err key_load(
    int key_fd, struct slice chain_pem, struct key **out_key, char out_why[KEY_WHY]);
/* Counted: each hold is let go by key_free. From the loop only; a holder may sign from any thread.
 */
struct key *key_hold(struct key *key);
void key_free(struct key **key);

/* Is a signature quick enough for the loop (EC P-256, Ed25519: below 0.1 ms), or is it a matter for
 * a hand? */
bool key_is_quick(const struct key *key);
/* Signs input with the algorithm. False when the key is not of its kind, or when the input is not
 * what a TLS server signs (tls_sign_input_is_handshake): a gate that was broken into must not get
 * signatures for anything else. */
MUST_CHECK bool key_sign(struct key *key, enum tls_sign_algorithm algorithm, struct slice input,
    unsigned char out_signature[TLS_SIGN_SIGNATURE_MAX], size_t *out_len);

#endif
