/* tests/unit/net/tls_fixture.c */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "tls_fixture.h"

/* Made once: finding primes takes longer than a case. */
static EVP_PKEY *rsa_key(void)
{
    static EVP_PKEY *key;

    if (!key)
        key = EVP_RSA_gen(2048);
    assert_int_equal(EVP_PKEY_up_ref(key), 1);
    return key;
}

static EVP_PKEY *make_key(enum key_kind kind)
{
    return kind == KEY_EC    ? EVP_EC_gen("P-256")
           : kind == KEY_RSA ? rsa_key()
                             : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void write_chain(struct certificate *certificate, const struct certificate *issuer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_X509(bio, certificate->x509), 1);
    if (issuer && X509_self_signed(issuer->x509, 0) != 1)
        assert_int_equal(PEM_write_bio_X509(bio, issuer->x509), 1);
    len = BIO_get_mem_data(bio, &text);
    certificate->pem = malloc((size_t)len);
    assert_non_null(certificate->pem);
    memcpy(certificate->pem, text, (size_t)len);
    certificate->pem_len = (size_t)len;
    BIO_free(bio);
}

void certificate_make(struct certificate *certificate, enum key_kind kind, const char *names,
    const struct certificate *issuer)
{
    static long serial;
    const struct certificate *signer = issuer ? issuer : certificate;
    X509 *x509 = X509_new();
    char name[32];

    assert_non_null(x509);
    certificate->key = make_key(kind);
    certificate->x509 = x509;
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, certificate->key);
    snprintf(name, sizeof name, "test %ld", serial);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(signer->x509));
    if (strcmp(names, "CA") == 0)
        add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(x509, NID_subject_alt_name, names);
    assert_true(X509_sign(x509, signer->key,
                    EVP_PKEY_is_a(signer->key, "ED25519") ? NULL : EVP_sha256()) > 0);
    write_chain(certificate, issuer);
}

void certificate_clear(struct certificate *certificate)
{
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
    free(certificate->pem);
    *certificate = (struct certificate){ 0 };
}

struct slice certificate_pem(const struct certificate *certificate)
{
    return slice_of(certificate->pem, certificate->pem_len);
}

void certificate_save(const struct certificate *certificate, char out_path[32])
{
    int fd;

    strcpy(out_path, "/tmp/submitd-ca-XXXXXX");
    fd = mkstemp(out_path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, certificate->pem, certificate->pem_len), certificate->pem_len);
    close(fd);
}

int certificate_open(const struct certificate *certificate)
{
    char path[32];
    int fd;

    certificate_save(certificate, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static const struct {
    const char *hash;
    bool is_pss;
} algorithms[] = {
    [TLS_SIGN_ECDSA_SHA256] = { "SHA256", false },
    [TLS_SIGN_ECDSA_SHA384] = { "SHA384", false },
    [TLS_SIGN_ECDSA_SHA512] = { "SHA512", false },
    [TLS_SIGN_RSA_PKCS1_SHA256] = { "SHA256", false },
    [TLS_SIGN_RSA_PKCS1_SHA384] = { "SHA384", false },
    [TLS_SIGN_RSA_PKCS1_SHA512] = { "SHA512", false },
    [TLS_SIGN_RSA_PSS_SHA256] = { "SHA256", true },
    [TLS_SIGN_RSA_PSS_SHA384] = { "SHA384", true },
    [TLS_SIGN_RSA_PSS_SHA512] = { "SHA512", true },
    [TLS_SIGN_ED25519] = { NULL, false },
};

size_t vault_sign(const struct certificate *key, const struct tls_sign_request *request,
    unsigned char out_signature[TLS_SIGN_SIGNATURE_MAX])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details;
    size_t len = TLS_SIGN_SIGNATURE_MAX;

    assert_int_equal(EVP_DigestSignInit_ex(context, &details, algorithms[request->algorithm].hash,
                         NULL, NULL, key->key, NULL),
        1);
    if (algorithms[request->algorithm].is_pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(context, out_signature, &len,
                         (const unsigned char *)request->input.data, request->input.len),
        1);
    EVP_MD_CTX_free(context);
    return len;
}

size_t vault_answer(struct vault *vault)
{
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    size_t known = 0;

    for (size_t i = 0; i < vault->held_count; i++) {
        const struct tls_sign_request *request = &vault->held[i];
        size_t len =
            vault->refuses ? 0 : vault_sign(&vault->keys[request->key], request, signature);

        if (vault->spoils)
            memset(signature, 0x30, len);
        known += tls_sign_done(vault->signer, request->number, slice_of(signature, len));
    }
    vault->held_count = 0;
    return known;
}

static void on_answering(void *owner)
{
    vault_answer(owner);
}

static void on_sign(void *owner, const struct tls_sign_request *request)
{
    struct vault *vault = owner;

    assert_true(vault->held_count < VAULT_REQUESTS);
    vault->asked++;
    vault->was_strange |= !tls_sign_input_is_handshake(request->input);
    vault->held[vault->held_count] = *request;
    memcpy(vault->inputs[vault->held_count], request->input.data, request->input.len);
    vault->held[vault->held_count].input =
        slice_of(vault->inputs[vault->held_count], request->input.len);
    vault->held_count++;
    if (!vault->holds)
        deferred_ask(&vault->answering);
}

void vault_init(struct vault *vault, struct loop *loop)
{
    vault->loop = loop;
    deferred_init(&vault->answering, loop, on_answering, vault);
    assert_int_equal(tls_signer_new(on_sign, vault, &vault->signer), ERR_OK);
}

void vault_clear(struct vault *vault)
{
    deferred_cancel(&vault->answering);
    tls_signer_free(&vault->signer);
    for (size_t i = 0; i < VAULT_KEYS; i++)
        certificate_clear(&vault->keys[i]);
}
