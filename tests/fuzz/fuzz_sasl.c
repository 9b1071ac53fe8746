/* tests/fuzz/fuzz_sasl.c: a client's messages into the server's side of a conversation. The first
 * octet chooses the mechanism, the connection's channel bindings, whether there is an initial
 * response, and what the server knows: one verifier or three, and whether an access token is good.
 * Messages end with LF; octet 1 stands for the server's nonce, octet 2 for a proof with the right
 * key. Nobody gets in without that: no password fits. */
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base64.h"
#include "fuzz.h"
#include "vault/sasl.h"

enum {
    HAS_INITIAL = 4,
    HAS_EXPORTER = 8, /* or of EXTERNAL: OAUTHBEARER */
    TOKEN_IS_GOOD = 16,
    HAS_MANY = 32,
    HAS_UNIQUE = 128, /* or of EXTERNAL: XOAUTH2 */
    VERIFIERS = 3,
};

static const char *const names[] = { "SCRAM-SHA-256", "PLAIN", "LOGIN", "FOO", "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "EXTERNAL" };

static struct Gsasl *library;
static struct slice nonce;
static struct buffer first, challenge; /* what a proof is about */
static unsigned how;
static bool has_proof;

static const EVP_MD *digest_of(enum scram_hash hash)
{
    return hash == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha1();
}

/* The last of the verifiers is the one whose client key is known: octets of 7. */
static void make_verifiers(enum scram_hash hash, struct scram_verifier verifiers[VERIFIERS])
{
    unsigned char client_key[EVP_MAX_MD_SIZE];

    memset(client_key, 7, sizeof client_key);
    for (size_t i = 0; i < VERIFIERS; i++)
        verifiers[i] = (struct scram_verifier){ .hash = hash,
            .iterations = 4096,
            .salt_len = 4,
            .salt = "salt",
            .stored_key = "x",
            .server_key = "y" };
    REQUIRE(EVP_Digest(client_key, scram_key_size(hash), verifiers[VERIFIERS - 1].stored_key, NULL,
                digest_of(hash), NULL) == 1);
}

static void put_proof(const struct sasl *sasl, struct buffer *out)
{
    const EVP_MD *digest = digest_of(sasl_hash(sasl));
    struct scram_verifier verifiers[VERIFIERS];
    unsigned char signature[EVP_MAX_MD_SIZE];
    size_t size = scram_key_size(sasl_hash(sasl));
    struct slice bare = buffer_slice(&first);
    struct buffer message;

    make_verifiers(sasl_hash(sasl), verifiers);
    buffer_init(&message, 1 << 17);
    for (int i = 0; i < 2; i++)
        bare = slice_from(bare, slice_find(bare, ',') + 1);
    buffer_put_slice(&message, bare);
    buffer_put_char(&message, ',');
    buffer_put_slice(&message, buffer_slice(&challenge));
    buffer_put_char(&message, ',');
    /* Without ",p=". */
    buffer_put_slice(&message, slice_first(buffer_slice(out), out->len < 3 ? 0 : out->len - 3));
    REQUIRE(message.error == ERR_OK);
    HMAC(digest, verifiers[VERIFIERS - 1].stored_key, (int)size,
        (const unsigned char *)message.data, message.len, signature, NULL);
    for (size_t i = 0; i < size; i++)
        signature[i] ^= 7;
    base64_encode(out, slice_of(signature, size));
    buffer_clear(&message);
    has_proof = true;
}

static void put_message(const struct sasl *sasl, struct buffer *out, struct slice text)
{
    buffer_reset(out);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == 1)
            buffer_put_slice(out, nonce);
        else if (text.data[i] == 2 && sasl->session)
            put_proof(sasl, out);
        else
            buffer_put_char(out, text.data[i]);
}

/* Out of "r=NONCE,s=…". */
static void keep_challenge(const struct sasl *sasl)
{
    struct slice said;

    buffer_reset(&challenge);
    buffer_put_slice(&challenge, buffer_slice(&sasl->challenge));
    said = buffer_slice(&challenge);
    if (said.len > 2)
        nonce = slice_from(slice_first(said, slice_find(said, ',')), 2);
}

static enum sasl_result supply(struct sasl *sasl)
{
    struct scram_verifier verifiers[VERIFIERS];
    bool has_many = how & HAS_MANY;
    enum sasl_result result;

    make_verifiers(sasl_hash(sasl), verifiers);
    buffer_reset(&first);
    buffer_put_slice(&first, buffer_slice(&sasl->first));
    result = sasl_supply(
        sasl, has_many ? verifiers : verifiers + VERIFIERS - 1, has_many ? VERIFIERS : 1);
    keep_challenge(sasl);
    return result;
}

static enum sasl_result judge_token(struct sasl *sasl)
{
    struct login alice;

    REQUIRE(login_prepare(slice_text("alice@example.org"), false, &alice));
    REQUIRE(sasl->password.len > 0);
    return sasl_token(sasl, how & TOKEN_IS_GOOD ? &alice : NULL);
}

static enum sasl_result converse(struct sasl *sasl, enum sasl_result result, struct slice rest)
{
    struct buffer message;

    buffer_init(&message, 1 << 20);
    while (result == SASL_CHALLENGE || result == SASL_LOOKUP || result == SASL_TOKEN ||
           result == SASL_PROVED) {
        if (result == SASL_TOKEN) {
            result = judge_token(sasl);
            continue;
        }
        if (result == SASL_LOOKUP) {
            result = supply(sasl);
            continue;
        }
        if (result == SASL_PROVED)
            REQUIRE(has_proof && sasl_proved(sasl).len == scram_key_size(sasl_hash(sasl)));
        if (rest.len == 0)
            break;
        put_message(sasl, &message, take_until(&rest, '\n'));
        result = sasl_step(sasl, buffer_slice(&message));
    }
    buffer_clear(&message);
    return result;
}

static void prepare(void)
{
    if (!library) {
        library = sasl_library_new();
        buffer_init(&first, 1 << 16);
        buffer_init(&challenge, 1 << 16);
    }
    nonce = slice_of(NULL, 0);
    has_proof = false;
}

static struct sasl_opening opening_of(struct slice *rest)
{
    struct sasl_opening opening = { .has_initial = how & HAS_INITIAL,
        .mechanism = slice_text(names[(how & 3) | (how & 64) >> 4]),
        .external = SLICE_LITERAL("alice@example.org") };

    if (slice_is(opening.mechanism, "EXTERNAL") && (how & (HAS_EXPORTER | HAS_UNIQUE)))
        opening.mechanism = slice_text(how & HAS_EXPORTER ? "OAUTHBEARER" : "XOAUTH2");
    if (opening.has_initial)
        opening.initial = take_until(rest, '\n');
    if (how & HAS_EXPORTER)
        opening.exporter = slice_text("exporter");
    if (how & HAS_UNIQUE)
        opening.unique = slice_text("unique");
    return opening;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct sasl_opening opening;
    struct sasl sasl;
    enum sasl_result result;

    prepare();
    how = size > 0 ? take_octet(&rest) : 3;
    opening = opening_of(&rest);
    result = sasl_start(&sasl, library, &opening);
    result = converse(&sasl, result, rest);
    if (result == SASL_KNOWN) {
        REQUIRE(slice_is(opening.mechanism, "EXTERNAL") || (how & TOKEN_IS_GOOD));
        REQUIRE(sasl.has_login && slice_is(login_slice(&sasl.login), "alice@example.org"));
    }
    REQUIRE(result != SASL_FAILED && (result != SASL_DONE || has_proof));
    REQUIRE(result != SASL_CHECK || (sasl.password.len > 0 && sasl.password.len <= PASSWORD_MAX));
    sasl_clear(&sasl);
    return 0;
}
