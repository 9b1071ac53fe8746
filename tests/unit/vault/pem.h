/* tests/unit/vault/pem.h: keys and certificates for the tests, made on the spot. */
#ifndef TESTS_VAULT_PEM_H
#define TESTS_VAULT_PEM_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/slice.h"

/* An open file without a name. */
static inline int pem_key_fd(EVP_PKEY *pkey)
{
    char name[] = "/tmp/submitd-key-XXXXXX";
    int fd = mkstemp(name);
    FILE *file = fdopen(dup(fd), "w");

    unlink(name);
    PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    return fd;
}

/* A self-signed certificate; out: NUL-ended PEM. */
static inline void pem_certificate(EVP_PKEY *pkey, char out[8192])
{
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    int len;

    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pkey);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
        (const unsigned char *)"mail.example.org", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_sign(x, pkey, EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 ? NULL : EVP_sha256());
    PEM_write_bio_X509(bio, x);
    len = BIO_read(bio, out, 8191);
    out[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
    X509_free(x);
}

/* What a TLS 1.3 server signs: 64 blanks, the context, a zero, a hash. */
static inline struct slice pem_handshake(void)
{
    static char text[64 + 34 + 32];

    memset(text, ' ', 64);
    memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(text + 98, 'h', 32);
    return slice_of(text, sizeof text);
}

#endif
