/* tests/unit/vault/test_key.c: which keys are taken, and that what they sign verifies and is a
 * handshake's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <string.h>

#include <cmocka.h>

#include "pem.h"
#include "vault/key.h"

static EVP_PKEY *make(const char *kind)
{
    if (strncmp(kind, "RSA", 3) == 0)
        return EVP_RSA_gen((unsigned)atoi(kind + 3));
    if (strcmp(kind, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_EC_gen(kind);
}

static enum err load(EVP_PKEY *pkey, EVP_PKEY *certified, struct key **out_key, char why[KEY_WHY])
{
    char pem[8192];
    int fd = pem_key_fd(pkey);
    enum err rc;

    pem_certificate(certified, pem);
    rc = key_load(fd, slice_text(pem), out_key, why);
    close(fd);
    return rc;
}

static bool verifies(EVP_PKEY *pkey, const EVP_MD *hash, bool pss, struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings = NULL;
    struct slice input = pem_handshake();
    bool good = EVP_DigestVerifyInit(context, &settings, hash, NULL, pkey) == 1;

    if (good && pss) {
        EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST);
    }
    good = good && EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                       (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static const struct {
    const char *kind;
    bool quick;
    struct {
        enum tls_sign_algorithm algorithm;
        const EVP_MD *(*hash)(void);
        bool pss;
    } good[3];
    enum tls_sign_algorithm bad;
} keys[] = {
    { "P-256", true,
        { { TLS_SIGN_ECDSA_SHA256, EVP_sha256, false },
            { TLS_SIGN_ECDSA_SHA384, EVP_sha384, false },
            { TLS_SIGN_ECDSA_SHA512, EVP_sha512, false } },
        TLS_SIGN_RSA_PSS_SHA256 },
    { "P-384", false,
        { { TLS_SIGN_ECDSA_SHA384, EVP_sha384, false },
            { TLS_SIGN_ECDSA_SHA256, EVP_sha256, false },
            { TLS_SIGN_ECDSA_SHA512, EVP_sha512, false } },
        TLS_SIGN_ED25519 },
    { "RSA2048", false,
        { { TLS_SIGN_RSA_PSS_SHA256, EVP_sha256, true },
            { TLS_SIGN_RSA_PKCS1_SHA384, EVP_sha384, false },
            { TLS_SIGN_RSA_PSS_SHA512, EVP_sha512, true } },
        TLS_SIGN_ECDSA_SHA256 },
};

static void test_signatures(void **state)
{
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    char why[KEY_WHY];
    size_t len;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(keys); i++) {
        EVP_PKEY *pkey = make(keys[i].kind);
        struct key *key = NULL;

        assert_int_equal(load(pkey, pkey, &key, why), ERR_OK);
        assert_int_equal(key_is_quick(key), keys[i].quick);
        for (size_t j = 0; j < 3; j++) {
            assert_true(key_sign(key, keys[i].good[j].algorithm, pem_handshake(), signature, &len));
            assert_true(verifies(
                pkey, keys[i].good[j].hash(), keys[i].good[j].pss, slice_of(signature, len)));
        }
        assert_false(key_sign(key, keys[i].bad, pem_handshake(), signature, &len));
        assert_false(key_sign(key, (enum tls_sign_algorithm)99, pem_handshake(), signature, &len));
        key_free(&key);
        EVP_PKEY_free(pkey);
    }
}

static void test_ed25519(void **state)
{
    EVP_PKEY *pkey = make("ED25519");
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    struct key *key = NULL;
    struct key *other;
    char why[KEY_WHY];
    size_t len;

    (void)state;
    assert_int_equal(load(pkey, pkey, &key, why), ERR_OK);
    assert_true(key_is_quick(key));
    assert_true(key_sign(key, TLS_SIGN_ED25519, pem_handshake(), signature, &len));
    assert_true(verifies(pkey, NULL, false, slice_of(signature, len)));
    other = key_hold(key);
    key_free(&key);
    assert_true(key_sign(other, TLS_SIGN_ED25519, pem_handshake(), signature, &len));
    key_free(&other);
    EVP_PKEY_free(pkey);
}

/* A gate that was broken into gets no signature under anything else. */
static void test_only_handshakes(void **state)
{
    EVP_PKEY *pkey = make("P-256");
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    char text[TLS_SIGN_INPUT_MAX + 1];
    struct key *key = NULL;
    struct slice input = pem_handshake();
    char why[KEY_WHY];
    size_t len;

    (void)state;
    assert_int_equal(load(pkey, pkey, &key, why), ERR_OK);
    memset(text, 'x', sizeof text);
    assert_false(key_sign(key, TLS_SIGN_ECDSA_SHA256, slice_of(text, 130), signature, &len));
    assert_false(
        key_sign(key, TLS_SIGN_ECDSA_SHA256, slice_of(text, sizeof text), signature, &len));
    assert_false(
        key_sign(key, TLS_SIGN_ECDSA_SHA256, slice_first(input, input.len - 1), signature, &len));
    assert_false(key_sign(key, TLS_SIGN_ECDSA_SHA256, slice_first(input, 0), signature, &len));
    key_free(&key);
    EVP_PKEY_free(pkey);
}

static const struct {
    const char *kind, *certified;
    const char *why; /* NULL: taken */
} refusals[] = {
    { "P-521", NULL, NULL },
    { "P-256", "P-256", "does not belong" }, /* another key of the same kind */
    { "P-256", "RSA2048", "does not belong" },
    { "RSA1024", NULL, "shorter than 2048" },
    { "secp256k1", NULL, "curve" },
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
        EVP_PKEY *pkey = make(refusals[i].kind);
        EVP_PKEY *certified = refusals[i].certified ? make(refusals[i].certified) : pkey;
        struct key *key = NULL;
        char why[KEY_WHY] = "";
        enum err rc = load(pkey, certified, &key, why);

        if (rc != (refusals[i].why ? ERR_INVALID : ERR_OK) ||
            (refusals[i].why && !strstr(why, refusals[i].why)))
            fail_msg("row %zu: %d %s", i, rc, why);
        key_free(&key);
        if (certified != pkey)
            EVP_PKEY_free(certified);
        EVP_PKEY_free(pkey);
    }
}

static void test_no_key(void **state)
{
    struct key *key = NULL;
    char why[KEY_WHY];
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(key_load(fd, slice_text("x"), &key, why), ERR_INVALID);
    assert_non_null(strstr(why, "no PEM private key"));
    close(fd);
    assert_int_equal(key_load(fd, slice_text("x"), &key, why), ERR_IO);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_only_handshakes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_key),
    };

    return cmocka_run_group_tests_name("vault/key", tests, NULL, NULL);
}
