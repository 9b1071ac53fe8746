/* vault/key.c: keys through EVP. */
#include "vault/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { KEY_FILE_MAX = 64 << 10, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

struct key {
    EVP_PKEY *pkey;
    unsigned holds;
    bool is_quick;
};

static int no_passphrase(
    char *buffer UNUSED, int size UNUSED, int writing UNUSED, void *owner UNUSED)
{
    return -1;
}

static enum err read_pem(int fd, char *text, size_t *out_len)
{
    size_t len = 0;
    ssize_t got;

    do {
        got = pread(fd, text + len, KEY_FILE_MAX - len, (off_t)len);
        if (got > 0)
            len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    *out_len = len;
    return got < 0 ? err_from_errno(errno) : ERR_OK;
}

static enum err read_key(int fd, EVP_PKEY **out_pkey)
{
    char *text = OPENSSL_malloc(KEY_FILE_MAX);
    size_t len = 0;
    BIO *bio = NULL;
    enum err rc = text ? read_pem(fd, text, &len) : ERR_NOMEM;

    if (rc == ERR_OK)
        bio = BIO_new_mem_buf(text, (int)len);
    *out_pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    OPENSSL_clear_free(text, KEY_FILE_MAX);
    return rc;
}

static bool belongs_to(EVP_PKEY *pkey, struct slice chain_pem)
{
    BIO *bio = BIO_new_mem_buf(chain_pem.data, (int)chain_pem.len);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    bool same = leaf && X509_check_private_key(leaf, pkey) == 1;

    X509_free(leaf);
    BIO_free(bio);
    return same;
}

/* The curve's number in OpenSSL, NID_undef for what is no EC key. */
static int curve_of(const EVP_PKEY *pkey)
{
    char name[64];

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC ||
        !EVP_PKEY_get_group_name(pkey, name, sizeof name, NULL))
        return NID_undef;
    return OBJ_sn2nid(name);
}

/* What is wrong with this kind of key, or NULL. */
static const char *kind_fault(const EVP_PKEY *pkey)
{
    int curve = curve_of(pkey);

    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_ED25519:
        return NULL;
    case EVP_PKEY_EC:
        return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1
                   ? NULL
                   : "the key's curve is not one of P-256, P-384, P-521";
    case EVP_PKEY_RSA:
        if (EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)
            return "the RSA key is shorter than 2048 bits";
        return EVP_PKEY_get_bits(pkey) > RSA_BITS_MAX ? "the RSA key is longer than 8192 bits"
                                                      : NULL;
    default:
        return "the key is not EC, RSA or Ed25519";
    }
}

enum err key_load(int key_fd, struct slice chain_pem, struct key **out_key, char out_why[KEY_WHY])
{
    struct key *key = calloc(1, sizeof *key);
    const char *why = "the file cannot be read";
    enum err rc = key ? read_key(key_fd, &key->pkey) : ERR_NOMEM;

    if (rc == ERR_OK) {
        rc = ERR_INVALID;
        if (!key->pkey)
            why = "the file holds no PEM private key, or one with a passphrase";
        else if (!belongs_to(key->pkey, chain_pem))
            why = "the key does not belong to the certificate";
        else
            why = kind_fault(key->pkey);
        if (!why)
            rc = ERR_OK;
    }
    ERR_clear_error();
    if (rc != ERR_OK) {
        snprintf(out_why, KEY_WHY, "%s", why);
        if (key)
            EVP_PKEY_free(key->pkey);
        free(key);
        return rc;
    }
    key->holds = 1;
    key->is_quick = EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_ED25519 ||
                    curve_of(key->pkey) == NID_X9_62_prime256v1;
    *out_key = key;
    return ERR_OK;
}

struct key *key_hold(struct key *key)
{
    key->holds++;
    return key;
}

void key_free(struct key **key)
{
    struct key *gone = *key;

    *key = NULL;
    if (!gone || --gone->holds > 0)
        return;
    EVP_PKEY_free(gone->pkey);
    free(gone);
}

bool key_is_quick(const struct key *key)
{
    return key->is_quick;
}

enum padding { PADDING_NONE, PADDING_PKCS1, PADDING_PSS };

static const struct {
    int kind;
    const EVP_MD *(*hash)(void); /* NULL: the algorithm hashes by itself */
    enum padding padding;
} algorithms[] = {
    [TLS_SIGN_ECDSA_SHA256] = { EVP_PKEY_EC, EVP_sha256, PADDING_NONE },
    [TLS_SIGN_ECDSA_SHA384] = { EVP_PKEY_EC, EVP_sha384, PADDING_NONE },
    [TLS_SIGN_ECDSA_SHA512] = { EVP_PKEY_EC, EVP_sha512, PADDING_NONE },
    [TLS_SIGN_RSA_PKCS1_SHA256] = { EVP_PKEY_RSA, EVP_sha256, PADDING_PKCS1 },
    [TLS_SIGN_RSA_PKCS1_SHA384] = { EVP_PKEY_RSA, EVP_sha384, PADDING_PKCS1 },
    [TLS_SIGN_RSA_PKCS1_SHA512] = { EVP_PKEY_RSA, EVP_sha512, PADDING_PKCS1 },
    [TLS_SIGN_RSA_PSS_SHA256] = { EVP_PKEY_RSA, EVP_sha256, PADDING_PSS },
    [TLS_SIGN_RSA_PSS_SHA384] = { EVP_PKEY_RSA, EVP_sha384, PADDING_PSS },
    [TLS_SIGN_RSA_PSS_SHA512] = { EVP_PKEY_RSA, EVP_sha512, PADDING_PSS },
    [TLS_SIGN_ED25519] = { EVP_PKEY_ED25519, NULL, PADDING_NONE },
};

static bool set_padding(EVP_PKEY_CTX *context, enum padding padding)
{
    if (padding == PADDING_NONE)
        return true;
    if (padding == PADDING_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool key_sign(struct key *key, enum tls_sign_algorithm algorithm, struct slice input,
    unsigned char out_signature[TLS_SIGN_SIGNATURE_MAX], size_t *out_len)
{
    EVP_MD_CTX *context;
    EVP_PKEY_CTX *settings = NULL; /* the context's own */
    size_t len = TLS_SIGN_SIGNATURE_MAX;
    const EVP_MD *hash;
    bool good;

    if ((unsigned)algorithm > TLS_SIGN_LAST ||
        algorithms[algorithm].kind != EVP_PKEY_get_base_id(key->pkey) ||
        input.len > TLS_SIGN_INPUT_MAX || !tls_sign_input_is_handshake(input))
        return false;
    hash = algorithms[algorithm].hash ? algorithms[algorithm].hash() : NULL;
    context = EVP_MD_CTX_new();
    good = context && EVP_DigestSignInit(context, &settings, hash, NULL, key->pkey) == 1 &&
           set_padding(settings, algorithms[algorithm].padding) &&
           EVP_DigestSign(
               context, out_signature, &len, (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (good)
        *out_len = len;
    return good;
}
