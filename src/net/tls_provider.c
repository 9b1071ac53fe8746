/* net/tls_provider.c: an OpenSSL provider of keys without a private half. It serves what a TLS
 * server asks of its key and nothing else; the one act, to sign, waits for the vault
 * (tls_signer_wait). */
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "base/macros.h"
#include "net/tls_internal.h"

/* Our own parameter of a key, by which tls_provider_key says where the private half is. */
#define PARAM_WHERE "submitd-where"
#define PROPERTIES  "provider=submitd"

struct where {
    struct tls_signer *signer;
    uint32_t key;
};

struct remote_key {
    struct where where; /* signer NULL: a public key that was only imported to be compared */
    EVP_PKEY *public_half;
    const char *kind; /* "EC", "RSA", "ED25519" */
};

static void *key_new(const char *kind)
{
    struct remote_key *key = OPENSSL_zalloc(sizeof *key);

    if (key)
        key->kind = kind;
    return key;
}

static void *key_new_ec(void *provider UNUSED)
{
    return key_new("EC");
}

static void *key_new_rsa(void *provider UNUSED)
{
    return key_new("RSA");
}

static void *key_new_ed25519(void *provider UNUSED)
{
    return key_new("ED25519");
}

static void key_free(void *data)
{
    struct remote_key *key = data;

    if (!key)
        return;
    EVP_PKEY_free(key->public_half);
    OPENSSL_free(key);
}

/* The private half counts as present: it is, elsewhere. */
static int key_has(const void *data, int selection)
{
    const struct remote_key *key = data;

    if (!key || !key->public_half)
        return 0;
    return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || key->where.signer;
}

static int key_match(const void *a, const void *b, int selection UNUSED)
{
    const struct remote_key *one = a;
    const struct remote_key *other = b;

    return one->public_half && other->public_half &&
           EVP_PKEY_eq(one->public_half, other->public_half) == 1;
}

static int key_import(void *data, int selection UNUSED, const OSSL_PARAM params[])
{
    struct remote_key *key = data;
    const OSSL_PARAM *where = OSSL_PARAM_locate_const(params, PARAM_WHERE);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, key->kind, NULL);
    int ok = context && EVP_PKEY_fromdata_init(context) == 1 &&
             EVP_PKEY_fromdata(
                 context, &key->public_half, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) == 1;

    if (ok && where) {
        ok = where->data_type == OSSL_PARAM_OCTET_STRING && where->data_size == sizeof key->where;
        if (ok)
            memcpy(&key->where, where->data, sizeof key->where);
    }
    EVP_PKEY_CTX_free(context);
    return ok;
}

/* Only the public half can be given out; a wish for the private one fails, so OpenSSL comes to us
 * for signing. */
static int key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg)
{
    struct remote_key *key = data;
    OSSL_PARAM *params = NULL;
    int ok;

    if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !key->public_half ||
        EVP_PKEY_todata(key->public_half, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return 0;
    ok = callback(params, arg);
    OSSL_PARAM_free(params);
    return ok;
}

static const OSSL_PARAM *key_types(int selection UNUSED)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_octet_string(PARAM_WHERE, NULL, 0),
        OSSL_PARAM_END,
    };

    return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    struct remote_key *key = data;

    return key->public_half && EVP_PKEY_get_params(key->public_half, params) == 1;
}

static const OSSL_PARAM *key_gettable(void *provider UNUSED)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };

    return params;
}

static const char *operation_of_ec(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* One signing under way. */
struct signing {
    struct remote_key *key; /* OpenSSL keeps it while the signing lives */
    int hash;               /* 256, 384, 512; 0 for Ed25519 */
    bool is_pss;
};

static void *signing_new(void *provider UNUSED, const char *properties UNUSED)
{
    return OPENSSL_zalloc(sizeof(struct signing));
}

static void signing_free(void *data)
{
    OPENSSL_free(data);
}

static int hash_of_name(const char *name)
{
    static const struct {
        const char *name;
        int hash;
    } hashes[] = {
        { "SHA256", 256 },
        { "SHA2-256", 256 },
        { "SHA384", 384 },
        { "SHA2-384", 384 },
        { "SHA512", 512 },
        { "SHA2-512", 512 },
    };

    for (size_t i = 0; i < LENGTH_OF(hashes); i++)
        if (OPENSSL_strcasecmp(hashes[i].name, name) == 0)
            return hashes[i].hash;
    return -1;
}

/* "pss" and "pkcs1" come as text or as OpenSSL's numbers. */
static int set_padding(struct signing *signing, const OSSL_PARAM *param)
{
    int number = 0;

    if (param->data_type == OSSL_PARAM_UTF8_STRING)
        number = strcmp(param->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0       ? RSA_PKCS1_PSS_PADDING
                 : strcmp(param->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                                                                            : 0;
    else if (!OSSL_PARAM_get_int(param, &number))
        return 0;
    signing->is_pss = number == RSA_PKCS1_PSS_PADDING;
    return number == RSA_PKCS1_PSS_PADDING || number == RSA_PKCS1_PADDING;
}

/* TLS asks for a salt as long as the hash; nothing else is offered. */
static bool is_digest_salt(const OSSL_PARAM *param)
{
    int number;

    if (param->data_type == OSSL_PARAM_UTF8_STRING)
        return strcmp(param->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
    return OSSL_PARAM_get_int(param, &number) && number == RSA_PSS_SALTLEN_DIGEST;
}

static int signing_set_params(void *data, const OSSL_PARAM params[])
{
    const OSSL_PARAM *padding;
    const OSSL_PARAM *salt;

    if (!params)
        return 1;
    padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (padding && !set_padding(data, padding))
        return 0;
    return !salt || is_digest_salt(salt);
}

static const OSSL_PARAM *signing_settable(void *data UNUSED, void *provider UNUSED)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_END,
    };

    return params;
}

static int signing_init(void *data, const char *hash, void *key, const OSSL_PARAM params[])
{
    struct signing *signing = data;

    if (key)
        signing->key = key;
    if (!signing->key || !signing->key->where.signer)
        return 0;
    signing->hash = hash && hash[0] ? hash_of_name(hash) : 0;
    return signing->hash >= 0 && signing_set_params(data, params);
}

static bool algorithm_of(const struct signing *signing, enum tls_sign_algorithm *out_algorithm)
{
    static const struct {
        const char *kind;
        int hash;
        bool is_pss;
        enum tls_sign_algorithm algorithm;
    } algorithms[] = {
        { "EC", 256, false, TLS_SIGN_ECDSA_SHA256 },
        { "EC", 384, false, TLS_SIGN_ECDSA_SHA384 },
        { "EC", 512, false, TLS_SIGN_ECDSA_SHA512 },
        { "RSA", 256, false, TLS_SIGN_RSA_PKCS1_SHA256 },
        { "RSA", 384, false, TLS_SIGN_RSA_PKCS1_SHA384 },
        { "RSA", 512, false, TLS_SIGN_RSA_PKCS1_SHA512 },
        { "RSA", 256, true, TLS_SIGN_RSA_PSS_SHA256 },
        { "RSA", 384, true, TLS_SIGN_RSA_PSS_SHA384 },
        { "RSA", 512, true, TLS_SIGN_RSA_PSS_SHA512 },
        { "ED25519", 0, false, TLS_SIGN_ED25519 },
    };

    for (size_t i = 0; i < LENGTH_OF(algorithms); i++)
        if (strcmp(algorithms[i].kind, signing->key->kind) == 0 &&
            algorithms[i].hash == signing->hash && algorithms[i].is_pss == signing->is_pss) {
            *out_algorithm = algorithms[i].algorithm;
            return true;
        }
    return false;
}

/* The whole text at once: TLS has it in one piece, so the vault can look at it. */
static int signing_sign(void *data, unsigned char *signature, size_t *len, size_t size,
    const unsigned char *text, size_t text_len)
{
    struct signing *signing = data;
    const struct where *where = &signing->key->where;
    enum tls_sign_algorithm algorithm;

    if (!signature) {
        *len = (size_t)EVP_PKEY_get_size(signing->key->public_half);
        return 1;
    }
    return algorithm_of(signing, &algorithm) &&
           tls_signer_wait(
               where->signer, where->key, algorithm, text, text_len, signature, size, len);
}

#define FUNCTION(id, function)                                                                     \
    {                                                                                              \
        id, (void (*)(void))(function)                                                             \
    }
#define KEY_FUNCTIONS(new_key)                                                                     \
    FUNCTION(OSSL_FUNC_KEYMGMT_NEW, new_key), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),          \
        FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has), FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),    \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                            \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                            \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                    \
        FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable)

static const OSSL_DISPATCH ec_functions[] = {
    KEY_FUNCTIONS(key_new_ec),
    FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation_of_ec),
    { 0, NULL },
};
static const OSSL_DISPATCH rsa_functions[] = { KEY_FUNCTIONS(key_new_rsa), { 0, NULL } };
static const OSSL_DISPATCH ed25519_functions[] = { KEY_FUNCTIONS(key_new_ed25519), { 0, NULL } };

static const OSSL_DISPATCH signing_functions[] = {
    FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
    FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign),
    FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
    FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
    { 0, NULL },
};

static const OSSL_ALGORITHM key_kinds[] = {
    { "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, ec_functions, "EC key in the vault" },
    { "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, rsa_functions, "RSA key in the vault" },
    { "ED25519:1.3.101.112", PROPERTIES, ed25519_functions, "Ed25519 key in the vault" },
    { NULL, NULL, NULL, NULL },
};
static const OSSL_ALGORITHM signatures[] = {
    { "ECDSA", PROPERTIES, signing_functions, "ECDSA in the vault" },
    { "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, signing_functions, "RSA in the vault" },
    { "ED25519:1.3.101.112", PROPERTIES, signing_functions, "Ed25519 in the vault" },
    { NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *provider UNUSED, int operation, int *out_no_cache)
{
    *out_no_cache = 0;
    return operation == OSSL_OP_KEYMGMT     ? key_kinds
           : operation == OSSL_OP_SIGNATURE ? signatures
                                            : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    { 0, NULL },
};

int tls_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in UNUSED,
    const OSSL_DISPATCH **out, void **out_context)
{
    *out = provider_functions;
    *out_context = (void *)handle;
    return 1;
}

static const char *kind_of(const EVP_PKEY *key)
{
    static const char *const kinds[] = { "EC", "RSA", "ED25519" };

    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        if (EVP_PKEY_is_a(key, kinds[i]))
            return kinds[i];
    return NULL;
}

EVP_PKEY *tls_provider_key(struct tls_signer *signer, EVP_PKEY *public_half, uint32_t key)
{
    struct where where = { .signer = signer, .key = key };
    OSSL_PARAM ours[] = {
        OSSL_PARAM_construct_octet_string(PARAM_WHERE, &where, sizeof where),
        OSSL_PARAM_construct_end(),
    };
    const char *kind = kind_of(public_half);
    EVP_PKEY_CTX *context =
        kind ? EVP_PKEY_CTX_new_from_name(signer->library, kind, PROPERTIES) : NULL;
    OSSL_PARAM *theirs = NULL;
    OSSL_PARAM *both = NULL;
    EVP_PKEY *remote = NULL;

    if (context && EVP_PKEY_todata(public_half, EVP_PKEY_PUBLIC_KEY, &theirs) == 1)
        both = OSSL_PARAM_merge(theirs, ours);
    if (both && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &remote, EVP_PKEY_KEYPAIR, both) != 1)
        remote = NULL;
    OPENSSL_free(both); /* merged without copying: the values are in theirs and ours */
    OSSL_PARAM_free(theirs);
    EVP_PKEY_CTX_free(context);
    return remote;
}
