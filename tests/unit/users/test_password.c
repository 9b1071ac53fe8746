/* tests/unit/users/test_password.c: crypt(3) hashes and SCRAM verifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "users/password.h"

/* SASL-15: what is kept is a hash, and a new one each time. */
static void test_hash(void **state)
{
    char hash[PASSWORD_HASH_MAX + 1], again[PASSWORD_HASH_MAX + 1];
    struct slice secret = slice_text("correct horse");

    (void)state;
    assert_int_equal(password_hash(secret, hash), ERR_OK);
    assert_int_equal(password_hash(secret, again), ERR_OK);
    assert_memory_equal(hash, "$y$", 3);
    assert_string_not_equal(hash, again);
    assert_true(password_hash_is_valid(slice_text(hash)));
    assert_true(password_verify(secret, slice_text(hash)));
    assert_false(password_verify(slice_text("correct horsf"), slice_text(hash)));
    assert_false(password_verify(slice_text("correct hors"), slice_text(hash)));
    assert_false(password_verify(slice_of("correct horse\0", 14), slice_text(hash)));
    assert_false(password_verify(slice_text(""), slice_text(hash)));
    hash[strlen(hash) - 1] ^= 1;
    assert_false(password_verify(secret, slice_text(hash)));
}

static const struct {
    const char *hash;
    bool valid;
} hashes[] = {
    { "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"
      "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
        true },
    { "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true },
    { "$y$j9T$", true },
    { "", false },
    { "*", false },
    { "!", false },
    { "plain", false },
    { "$9$nothing$", false },
    { "$6$salt salt$x", false },
    { "$6$salt:salt$x", false },
    { "$6$salt\nsalt$x", false },
};

static void test_hash_forms(void **state)
{
    char longest[PASSWORD_HASH_MAX + 2];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(hashes); i++)
        if (password_hash_is_valid(slice_text(hashes[i].hash)) != hashes[i].valid)
            fail_msg("row %zu: %s", i, hashes[i].hash);
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "$6$", 3);
    assert_false(password_hash_is_valid(slice_of(longest, sizeof longest)));
    assert_false(password_verify(slice_text("x"), slice_of(longest, sizeof longest)));
    /* bcrypt's published test vector: the methods of other systems are read (SASL-15). */
    assert_true(password_verify(slice_text("U*U"), slice_text(hashes[1].hash)));
}

static void test_preparation(void **state)
{
    char text[PASSWORD_MAX + 1];
    struct secret secret = { 0 };

    (void)state;
    memset(text, 'x', sizeof text);
    assert_true(
        password_prepare(slice_of(text, PASSWORD_MAX), true, &secret)); /* SASL-1: 255 octets */
    assert_int_equal(secret.len, PASSWORD_MAX);
    assert_false(password_prepare(slice_of(text, PASSWORD_MAX + 1), true, &secret));
    assert_false(password_prepare(slice_of("a\0b", 3), true, &secret));
    assert_false(password_prepare(slice_text(""), true, &secret));
    assert_false(password_prepare(slice_text("a\xff"), true, &secret));
    assert_int_equal(secret.len, PASSWORD_MAX);
    assert_true(password_prepare(
        slice_text("I\xc2\xadX\xc2\xa0\xe2\x85\xa3"), true, &secret)); /* RFC 4013 section 3 */
    assert_true(slice_is(secret_slice(&secret), "IX IV"));
    secret_clear(&secret);
}

static void from_base64(const char *text, unsigned char *out, size_t len)
{
    struct buffer octets;

    buffer_init(&octets, 1024);
    assert_true(base64_decode(&octets, slice_text(text)));
    assert_int_equal(octets.len, len);
    memcpy(out, buffer_slice(&octets).data, len);
    buffer_clear(&octets);
}

static void hmac(const unsigned char *key, const char *text, unsigned char out[SCRAM_KEY])
{
    assert_non_null(
        HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)text, strlen(text), out, NULL));
}

/* SASL-2: the exchange of RFC 7677 section 3: our StoredKey accepts its proof, our ServerKey makes
 * its signature. */
static void test_rfc7677_vector(void **state)
{
    static const char exchange[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
                                   "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                   "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
                                   "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    unsigned char salt[16], proof[SCRAM_KEY], signature[SCRAM_KEY], key[SCRAM_KEY], want[SCRAM_KEY];
    struct scram_verifier scram;

    (void)state;
    from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", salt, sizeof salt);
    from_base64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof, sizeof proof);
    from_base64("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", want, sizeof want);
    assert_int_equal(scram_derive(SCRAM_SHA_256, slice_text("pencil"), slice_of(salt, sizeof salt),
                         4096, &scram),
        ERR_OK);
    hmac(scram.server_key, exchange, signature);
    assert_memory_equal(signature, want, SCRAM_KEY);
    hmac(scram.stored_key, exchange, signature);
    for (size_t i = 0; i < SCRAM_KEY; i++)
        signature[i] ^= proof[i];
    assert_int_equal(EVP_Digest(signature, SCRAM_KEY, key, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(key, scram.stored_key, SCRAM_KEY);
}

/* SASL-2: the exchange of RFC 5802 section 5, for SCRAM-SHA-1. */
static void test_rfc5802_vector(void **state)
{
    static const char exchange[] =
        "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
        "s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
    unsigned char salt[12], proof[SCRAM_KEY_SHA_1], want[SCRAM_KEY_SHA_1];
    unsigned char signature[SCRAM_KEY_SHA_1], key[SCRAM_KEY_SHA_1];
    struct scram_verifier scram;

    (void)state;
    from_base64("QSXCR+Q6sek8bf92", salt, sizeof salt);
    from_base64("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", proof, sizeof proof);
    from_base64("rmF9pqV8S7suAoZWja4dJRkFsKQ=", want, sizeof want);
    assert_int_equal(
        scram_derive(SCRAM_SHA_1, slice_text("pencil"), slice_of(salt, sizeof salt), 4096, &scram),
        ERR_OK);
    assert_non_null(HMAC(EVP_sha1(), scram.server_key, SCRAM_KEY_SHA_1,
        (const unsigned char *)exchange, strlen(exchange), signature, NULL));
    assert_memory_equal(signature, want, sizeof want);
    assert_non_null(HMAC(EVP_sha1(), scram.stored_key, SCRAM_KEY_SHA_1,
        (const unsigned char *)exchange, strlen(exchange), signature, NULL));
    for (size_t i = 0; i < sizeof signature; i++)
        signature[i] ^= proof[i];
    assert_int_equal(EVP_Digest(signature, sizeof signature, key, NULL, EVP_sha1(), NULL), 1);
    assert_memory_equal(key, scram.stored_key, sizeof key);
    for (size_t i = SCRAM_KEY_SHA_1; i < SCRAM_KEY; i++)
        assert_int_equal(scram.stored_key[i] | scram.server_key[i], 0);
}

/* SASL-3: what is new is made with 32768 rounds and a salt of its own. */
static void test_scram_make(void **state)
{
    struct scram_verifier a, b;

    (void)state;
    assert_int_equal(scram_make(SCRAM_SHA_256, slice_text("pencil"), &a), ERR_OK);
    assert_int_equal(scram_make(SCRAM_SHA_256, slice_text("pencil"), &b), ERR_OK);
    assert_int_equal(a.iterations, 32768);
    assert_int_equal(a.salt_len, SCRAM_SALT);
    assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT);
    assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_forms),
        cmocka_unit_test(test_preparation),
        cmocka_unit_test(test_rfc7677_vector),
        cmocka_unit_test(test_rfc5802_vector),
        cmocka_unit_test(test_scram_make),
    };

    return cmocka_run_group_tests_name("users/password", tests, NULL, NULL);
}
