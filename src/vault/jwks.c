/* vault/jwks.c: key sets: jansson reads the JSON, OpenSSL makes the keys and checks signatures. No
 * library for tokens: that of Debian 12 (cjose) knows no EdDSA, and what it would save is base64
 * and three calls. */
#include "vault/jwks.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "base/base64.h"
#include "vault/json.h"

enum { COORDINATE = 32, RSA_BITS_LEAST = 2048, RSA_BITS_MOST = JWKS_SIGNATURE_MAX * 8 };

enum algorithm { RS256, ES256, EDDSA, ALGORITHMS };

struct jwk {
    enum algorithm algorithm;
    char *kid; /* NULL: none */
    EVP_PKEY *key;
};

struct jwks {
    size_t count;
    struct jwk keys[JWKS_KEYS_MAX];
};

bool jwks_decode(struct slice text, struct buffer *out)
{
    struct buffer plain;
    bool good;

    buffer_init(&plain, text.len + 4);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        buffer_put_char(&plain, c == '-' ? '+' : c == '_' ? '/' : c == '+' || c == '/' ? '!' : c);
    }
    while (plain.len % 4 != 0 && text.len % 4 != 1)
        buffer_put_char(&plain, '=');
    good = slice_find(text, '=') == text.len && base64_decode(out, buffer_slice(&plain)) &&
           out->error == ERR_OK;
    buffer_clear(&plain);
    return good;
}

/* A member that is base64url. False: missing or none. */
static bool decode_member(const json_t *object, const char *name, struct buffer *out)
{
    const json_t *member = json_object_get(object, name);

    return json_is_string(member) &&
           jwks_decode(slice_of(json_string_value(member), json_string_length(member)), out);
}

static EVP_PKEY *key_from(const char *kind, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *json)
{
    struct buffer n, e;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = NULL, *exponent = NULL;
    EVP_PKEY *key = NULL;

    buffer_init(&n, RSA_BITS_MOST / 8 + 1);
    buffer_init(&e, 8);
    if (build && decode_member(json, "n", &n) && decode_member(json, "e", &e)) {
        modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
        exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
        if (modulus && exponent && BN_num_bits(modulus) >= RSA_BITS_LEAST && BN_is_odd(exponent) &&
            BN_num_bits(exponent) >= 2 && OSSL_PARAM_BLD_push_BN(build, "n", modulus) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, "e", exponent) == 1)
            key = key_from("RSA", build);
    }
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(build);
    buffer_clear(&n);
    buffer_clear(&e);
    return key;
}

static EVP_PKEY *ec_key(const json_t *json)
{
    struct buffer x, y;
    unsigned char point[1 + 2 * COORDINATE] = { 4 };
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    buffer_init(&x, COORDINATE + 3);
    buffer_init(&y, COORDINATE + 3);
    if (build && decode_member(json, "x", &x) && decode_member(json, "y", &y) &&
        x.len == COORDINATE && y.len == COORDINATE) {
        memcpy(point + 1, x.data, COORDINATE);
        memcpy(point + 1 + COORDINATE, y.data, COORDINATE);
        if (OSSL_PARAM_BLD_push_utf8_string(build, "group", "P-256", 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(build, "pub", point, sizeof point) == 1)
            key = key_from("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    buffer_clear(&x);
    buffer_clear(&y);
    return key;
}

static EVP_PKEY *ed_key(const json_t *json)
{
    struct buffer x;
    EVP_PKEY *key = NULL;

    buffer_init(&x, COORDINATE + 3);
    if (decode_member(json, "x", &x) && x.len == COORDINATE)
        key = EVP_PKEY_new_raw_public_key(
            EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data, x.len);
    buffer_clear(&x);
    return key;
}

static const struct kind {
    const char *name; /* alg */
    const char *kty;
    const char *crv; /* NULL: has none */
    EVP_PKEY *(*make)(const json_t *json);
} kinds[ALGORITHMS] = {
    [RS256] = { "RS256", "RSA", NULL, rsa_key },
    [ES256] = { "ES256", "EC", "P-256", ec_key },
    [EDDSA] = { "EdDSA", "OKP", "Ed25519", ed_key },
};

/* RFC 7517 sections 4.2 and 4.3. */
static bool may_verify(const json_t *json)
{
    const json_t *operations = json_object_get(json, "key_ops");
    bool is_named = !operations;

    for (size_t i = 0; i < json_array_size(operations); i++)
        is_named = is_named || json_is_slice(json_array_get(operations, i), slice_text("verify"));
    return is_named && (!json_object_get(json, "use") || json_has_text(json, "use", "sig"));
}

/* The row for a key of a set; ALGORITHMS: not for us. */
static enum algorithm kind_of(const json_t *json)
{
    enum algorithm a = 0;

    if (!may_verify(json))
        return ALGORITHMS;
    while (a < ALGORITHMS &&
           (!json_has_text(json, "kty", kinds[a].kty) ||
               (kinds[a].crv && !json_has_text(json, "crv", kinds[a].crv)) ||
               (json_object_get(json, "alg") && !json_has_text(json, "alg", kinds[a].name))))
        a++;
    return a;
}

/* One that is broken or too weak is left out and counted. False: the set is none, or too large. */
static bool add_key(struct jwks *jwks, const json_t *json, size_t *broken)
{
    enum algorithm algorithm = kind_of(json);
    const json_t *kid = json_object_get(json, "kid");
    struct jwk *jwk = &jwks->keys[jwks->count];

    if (algorithm == ALGORITHMS)
        return json_is_object(json);
    if (jwks->count == JWKS_KEYS_MAX)
        return false;
    *jwk = (struct jwk){ .algorithm = algorithm };
    if (!kid || json_is_string(kid))
        jwk->key = kinds[algorithm].make(json);
    if (!jwk->key) {
        ++*broken;
        return true;
    }
    jwks->count++;
    if (kid)
        jwk->kid = strdup(json_string_value(kid));
    return !kid || jwk->kid;
}

enum err jwks_parse(struct slice text, struct jwks **out_jwks)
{
    json_t *json = text.len <= JWKS_TEXT_MAX ? json_load(text) : NULL;
    const json_t *keys = json_object_get(json, "keys");
    struct jwks *jwks = calloc(1, sizeof *jwks);
    bool good = json_is_array(keys);
    size_t broken = 0;

    for (size_t i = 0; jwks && good && i < json_array_size(keys); i++)
        good = add_key(jwks, json_array_get(keys, i), &broken);
    if (jwks && jwks->count == 0 && broken > 0)
        good = false;
    json_decref(json);
    ERR_clear_error();
    if (jwks && good)
        *out_jwks = jwks;
    else
        jwks_free(&jwks);
    return !good ? ERR_INVALID : jwks ? ERR_OK : ERR_NOMEM;
}

void jwks_free(struct jwks **jwks)
{
    for (size_t i = 0; *jwks && i < (*jwks)->count; i++) {
        free((*jwks)->keys[i].kid);
        EVP_PKEY_free((*jwks)->keys[i].key);
    }
    free(*jwks);
    *jwks = NULL;
}

bool jwks_is_empty(const struct jwks *jwks)
{
    return jwks->count == 0;
}

/* RFC 7518 section 3.4: R and S side by side; OpenSSL wants them in DER. NULL: it is none. */
static unsigned char *der_of(struct slice raw, size_t *out_len)
{
    const unsigned char *octets = (const unsigned char *)raw.data;
    ECDSA_SIG *pair = raw.len == 2 * COORDINATE ? ECDSA_SIG_new() : NULL;
    BIGNUM *r, *s;
    unsigned char *der = NULL;
    int len;

    if (!pair)
        return NULL;
    r = BN_bin2bn(octets, COORDINATE, NULL);
    s = BN_bin2bn(octets + COORDINATE, COORDINATE, NULL);
    if (!r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return NULL;
    }
    len = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
    *out_len = len > 0 ? (size_t)len : 0;
    return der;
}

static bool verify(const struct jwk *jwk, struct slice text, struct slice signature)
{
    const unsigned char *octets = (const unsigned char *)signature.data;
    size_t len = signature.len;
    unsigned char *der = jwk->algorithm == ES256 ? der_of(signature, &len) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && (jwk->algorithm != ES256 || der);

    good = good &&
           EVP_DigestVerifyInit(
               context, NULL, jwk->algorithm == EDDSA ? NULL : EVP_sha256(), NULL, jwk->key) == 1 &&
           EVP_DigestVerify(
               context, der ? der : octets, len, (const unsigned char *)text.data, text.len) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

enum jwks_verdict jwks_check(
    const struct jwks *jwks, const json_t *header, struct slice text, struct slice signature)
{
    const json_t *kid = json_object_get(header, "kid");
    enum jwks_verdict verdict = kid ? JWKS_UNKNOWN : JWKS_WRONG;

    if (kid && !json_is_string(kid))
        return JWKS_WRONG;
    for (size_t i = 0; i < jwks->count; i++) {
        const struct jwk *jwk = &jwks->keys[i];

        if (kid && (!jwk->kid || strcmp(jwk->kid, json_string_value(kid)) != 0))
            continue;
        verdict = JWKS_WRONG;
        if (json_has_text(header, "alg", kinds[jwk->algorithm].name) &&
            verify(jwk, text, signature))
            return JWKS_GOOD;
    }
    return verdict;
}
