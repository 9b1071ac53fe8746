/* users/password.c: crypt(3) hashes and SCRAM verifiers. */
#include "users/password.h"

#include <assert.h>
#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "users/login.h"

bool password_prepare(struct slice raw, bool stored, struct secret *out_password)
{
    struct secret password = { 0 };
    char *prepared = saslprep(raw, stored);
    bool good;

    if (!prepared)
        return false;
    good = strlen(prepared) <= PASSWORD_MAX && secret_set(&password, slice_text(prepared));
    explicit_bzero(prepared, strlen(prepared));
    free(prepared);
    if (good) {
        secret_clear(out_password);
        *out_password = password;
    }
    return good;
}

static bool fill_random(void *to, size_t len)
{
    return getrandom(to, len, 0) == (ssize_t)len;
}

/* crypt(3) of the password; NULL when it is refused. The result lies in *data, which the caller
 * wipes. */
static const char *run_crypt(struct slice password, const char *setting, struct crypt_data *data)
{
    char phrase[PASSWORD_MAX + 1];
    const char *result;

    if (password.len > PASSWORD_MAX || slice_find(password, '\0') < password.len)
        return NULL;
    if (password.len > 0)
        memcpy(phrase, password.data, password.len);
    phrase[password.len] = '\0';
    memset(data, 0, sizeof *data);
    result = crypt_rn(phrase, setting, data, sizeof *data);
    explicit_bzero(phrase, sizeof phrase);
    return result;
}

/* 32 KiB is too much for a thread's stack to be sure of. */
static struct crypt_data *crypt_data_new(void)
{
    return malloc(sizeof(struct crypt_data));
}

static void crypt_data_free(struct crypt_data *data)
{
    if (data)
        explicit_bzero(data, sizeof *data);
    free(data);
}

enum err password_hash(struct slice password, char out_hash[PASSWORD_HASH_MAX + 1])
{
    struct crypt_data *data = crypt_data_new();
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char salt[16];
    enum err rc = data ? ERR_OK : ERR_NOMEM;
    const char *hash;

    if (rc == ERR_OK &&
        (!fill_random(salt, sizeof salt) ||
            !crypt_gensalt_rn("$y$", 0, salt, sizeof salt, setting, sizeof setting)))
        rc = ERR_IO;
    if (rc == ERR_OK) {
        hash = run_crypt(password, setting, data);
        if (hash && strlen(hash) <= PASSWORD_HASH_MAX)
            strcpy(out_hash, hash);
        else
            rc = ERR_INVALID;
    }
    crypt_data_free(data);
    return rc;
}

bool password_verify(struct slice password, struct slice hash)
{
    char setting[PASSWORD_HASH_MAX + 1];
    struct crypt_data *data;
    const char *result;
    bool same = false;

    if (hash.len == 0 || hash.len > PASSWORD_HASH_MAX)
        return false;
    memcpy(setting, hash.data, hash.len);
    setting[hash.len] = '\0';
    data = crypt_data_new();
    if (!data)
        return false;
    result = run_crypt(password, setting, data);
    if (result)
        same = secret_equals(slice_text(result), hash);
    crypt_data_free(data);
    explicit_bzero(setting, sizeof setting);
    return same;
}

bool password_hash_is_valid(struct slice hash)
{
    char setting[PASSWORD_HASH_MAX + 1];
    int verdict;

    /* Without the $ it would be one of the oldest methods, which look at eight characters of a
     * password and for which almost any word is a valid setting. */
    if (hash.len == 0 || hash.len > PASSWORD_HASH_MAX || hash.data[0] != '$')
        return false;
    for (size_t i = 0; i < hash.len; i++) {
        char c = hash.data[i];

        if (c <= ' ' || c > 126 || strchr(":;*!\\", c))
            return false;
        setting[i] = c;
    }
    setting[hash.len] = '\0';
    verdict = crypt_checksalt(setting);
    return verdict != CRYPT_SALT_INVALID && verdict != CRYPT_SALT_METHOD_DISABLED;
}

static const EVP_MD *digest_of(enum scram_hash hash)
{
    return hash == SCRAM_SHA_1 ? EVP_sha1() : EVP_sha256();
}

static bool hmac(enum scram_hash hash, const unsigned char key[SCRAM_KEY], struct slice text,
    unsigned char out[SCRAM_KEY])
{
    unsigned int len = SCRAM_KEY;

    return HMAC(digest_of(hash), key, (int)scram_key_size(hash), (const unsigned char *)text.data,
        text.len, out, &len);
}

enum err scram_derive(enum scram_hash hash, struct slice password, struct slice salt,
    uint32_t iterations, struct scram_verifier *out_verifier)
{
    struct scram_verifier verifier = {
        .hash = hash, .iterations = iterations, .salt_len = salt.len
    };
    const EVP_MD *digest = digest_of(hash);
    size_t size = scram_key_size(hash);
    unsigned char salted[SCRAM_KEY];
    unsigned char client_key[SCRAM_KEY];
    bool good;

    assert(salt.len >= 1 && salt.len <= SCRAM_SALT_MAX && iterations >= 1 &&
           iterations <= SCRAM_ITERATIONS_MAX);
    assert(password.len <= PASSWORD_MAX);
    memcpy(verifier.salt, salt.data, salt.len);
    good = PKCS5_PBKDF2_HMAC(password.data, (int)password.len, verifier.salt, (int)salt.len,
               (int)iterations, digest, (int)size, salted) == 1 &&
           hmac(hash, salted, slice_text("Client Key"), client_key) &&
           EVP_Digest(client_key, size, verifier.stored_key, NULL, digest, NULL) == 1 &&
           hmac(hash, salted, slice_text("Server Key"), verifier.server_key);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client_key, sizeof client_key);
    if (good)
        *out_verifier = verifier;
    explicit_bzero(&verifier, sizeof verifier);
    return good ? ERR_OK : ERR_NOMEM;
}

enum err scram_make(
    enum scram_hash hash, struct slice password, struct scram_verifier *out_verifier)
{
    char salt[SCRAM_SALT];

    if (!fill_random(salt, sizeof salt))
        return ERR_IO;
    return scram_derive(
        hash, password, slice_of(salt, sizeof salt), SCRAM_ITERATIONS, out_verifier);
}

bool scram_proves(
    const struct scram_verifier *verifier, struct slice auth_message, struct slice proof)
{
    size_t size = scram_key_size(verifier->hash);
    unsigned char key[SCRAM_KEY], again[SCRAM_KEY];
    bool same;

    if (proof.len != size || !hmac(verifier->hash, verifier->stored_key, auth_message, key))
        return false;
    for (size_t i = 0; i < size; i++)
        key[i] ^= (unsigned char)proof.data[i];
    same = EVP_Digest(key, size, again, NULL, digest_of(verifier->hash), NULL) == 1 &&
           secret_equals(slice_of(again, size), slice_of(verifier->stored_key, size));
    explicit_bzero(key, sizeof key);
    return same;
}
