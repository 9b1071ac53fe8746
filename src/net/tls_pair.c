/* net/tls_pair.c: the check of a certificate against its key. */
#include "net/tls_pair.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { KEY_MAX = 64 << 10, CHAIN_MAX = 256 << 10 };

static int no_passphrase(char *buffer, int size, int writing, void *owner)
{
    (void)buffer, (void)size, (void)writing, (void)owner;
    return -1;
}

static EVP_PKEY *read_key(int fd)
{
    char *text = OPENSSL_malloc(KEY_MAX);
    ssize_t got = text ? pread(fd, text, KEY_MAX, 0) : -1;
    BIO *bio = got > 0 ? BIO_new_mem_buf(text, (int)got) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    OPENSSL_clear_free(text, KEY_MAX);
    return key;
}

bool tls_pair_check(struct slice chain_pem, int key_fd, char out_why[256])
{
    BIO *bio = BIO_new_mem_buf(chain_pem.data, (int)chain_pem.len);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *key = read_key(key_fd);
    const char *why = NULL;

    if (!leaf)
        why = "the certificate file holds no PEM certificate";
    else if (!key)
        why = "the key file holds no PEM private key, or one with a passphrase (which a server "
              "cannot type)";
    else if (X509_check_private_key(leaf, key) != 1)
        why = "the key does not belong to the certificate";
    if (why)
        snprintf(out_why, 256, "%s", why);
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(leaf);
    BIO_free(bio);
    return !why;
}

static int open_path(struct slice path)
{
    char text[4096];

    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(path));
    return open(text, O_RDONLY | O_CLOEXEC);
}

bool tls_pair_check_files(struct slice certificate, struct slice key, char out_why[256])
{
    int certificate_fd = open_path(certificate), key_fd = open_path(key);
    char *chain = OPENSSL_malloc(CHAIN_MAX);
    ssize_t got = chain && certificate_fd >= 0 ? pread(certificate_fd, chain, CHAIN_MAX, 0) : -1;
    bool good = false;

    if (got < 0 || key_fd < 0)
        snprintf(out_why, 256, "the files cannot be read");
    else
        good = tls_pair_check(slice_of(chain, (size_t)got), key_fd, out_why);
    OPENSSL_free(chain);
    if (certificate_fd >= 0)
        close(certificate_fd);
    if (key_fd >= 0)
        close(key_fd);
    return good;
}
