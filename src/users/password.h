/* users/password.h: what is kept of a password: a crypt(3) hash and SCRAM verifiers. They
 * are made here and checked here; they cost milliseconds on purpose, so in a room they run on a
 * hand. Safe to call from any thread. */
#ifndef USERS_PASSWORD_H
#define USERS_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/slice.h"

enum {
    PASSWORD_MAX = 255,      /* octets, as it came and prepared (SASL-1) */
    PASSWORD_HASH_MAX = 383, /* characters of a crypt(3) string */
    SCRAM_KEY = 32,          /* octets of a key of SCRAM-SHA-256, the longest */
    SCRAM_KEY_SHA_1 = 20,
    SCRAM_SALT = 16,     /* octets of a new salt */
    SCRAM_SALT_MAX = 64, /* octets of a salt that is read */
    SCRAM_ITERATIONS = 32768,
    SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 section 4 (SASL-3) */
    SCRAM_ITERATIONS_MAX = 10000000,
};

/* The hashes of the SCRAM family that are served. */
enum scram_hash { SCRAM_SHA_256, SCRAM_SHA_1, SCRAM_HASHES };

static inline size_t scram_key_size(enum scram_hash hash)
{
    return hash == SCRAM_SHA_1 ? SCRAM_KEY_SHA_1 : SCRAM_KEY;
}

/* RFC 5803's fields. iterations 0: there is none. A key of a shorter hash has zeros behind it. */
struct scram_verifier {
    enum scram_hash hash;
    uint32_t iterations;
    size_t salt_len;
    unsigned char salt[SCRAM_SALT_MAX];
    unsigned char stored_key[SCRAM_KEY];
    unsigned char server_key[SCRAM_KEY];
};

/* SASLprep and bounds (AUTH-19, SASL-1). stored: the password is about to be kept, so unassigned
 * code points are refused. False when it is empty, too long, holds NUL, or cannot be prepared;
 * *out_password untouched. The caller clears it. */
MUST_CHECK bool password_prepare(struct slice raw, bool stored, struct secret *out_password);

/* A yescrypt hash of a prepared password, with a random salt, NUL-ended. About 25 ms. ERR_IO
 * without randomness. */
MUST_CHECK enum err password_hash(struct slice password, char out_hash[PASSWORD_HASH_MAX + 1]);
/* Is it the password of this hash, any method that crypt(3) knows? About 25 ms for yescrypt
 * whatever the answer. False for a hash that crypt(3) refuses and a password that holds NUL. */
bool password_verify(struct slice password, struct slice hash);
/* Has the text the form of a hash that password_verify can check: "$", then printable ASCII without
 * blanks and without the characters that crypt(5) excludes, of a method that this system's crypt(3)
 * offers? The methods without a "$" (DES) are refused: they cut passwords to eight characters. */
bool password_hash_is_valid(struct slice hash);

/* The verifier for a prepared password (RFC 5802 section 3). salt: 1 .. SCRAM_SALT_MAX octets;
 * iterations at least 1. */
MUST_CHECK enum err scram_derive(enum scram_hash hash, struct slice password, struct slice salt,
    uint32_t iterations, struct scram_verifier *out_verifier);
/* The same with a random salt and SCRAM_ITERATIONS. About 15 ms. */
MUST_CHECK enum err scram_make(
    enum scram_hash hash, struct slice password, struct scram_verifier *out_verifier);
/* Was the proof (decoded) of a client's final message made with the password of this verifier? (RFC
 * 5802 section 3.) */
bool scram_proves(
    const struct scram_verifier *verifier, struct slice auth_message, struct slice proof);

#endif
