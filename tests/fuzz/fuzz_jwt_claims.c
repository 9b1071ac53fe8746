/* tests/fuzz/fuzz_jwt_claims.c: the first line is the header of a token, the rest its claims, and
 * the signature is good: so everything depends on what they say. What is let in has what it needs,
 * judged here a second time. */
#include <jansson.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "fuzz.h"
#include "vault/jwt.h"

enum { NOW = 1000, LEEWAY = 60, SIGNATURE = 64 };

static EVP_PKEY *key;
static struct jwks *jwks;

static void put_url(struct buffer *out, struct slice octets)
{
    size_t from = out->len;

    base64_encode(out, octets);
    while (out->len > from && out->data[out->len - 1] == '=')
        buffer_truncate(out, out->len - 1);
    for (size_t i = from; i < out->len; i++)
        out->data[i] = (char)(out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i]);
}

static void make_key(void)
{
    static const unsigned char seed[32] = "a key that is no secret at all.";
    unsigned char open[32];
    size_t len = sizeof open;
    struct buffer set;

    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    REQUIRE(key && EVP_PKEY_get_raw_public_key(key, open, &len) == 1);
    buffer_init(&set, 4096);
    buffer_put_text(&set, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    put_url(&set, slice_of(open, len));
    buffer_put_text(&set, "\"}]}");
    REQUIRE(jwks_parse(buffer_slice(&set), &jwks) == ERR_OK);
    buffer_clear(&set);
}

static void sign(struct buffer *token)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE];
    size_t len = sizeof signature;

    REQUIRE(context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1);
    REQUIRE(EVP_DigestSign(
                context, signature, &len, (const unsigned char *)token->data, token->len) == 1);
    EVP_MD_CTX_free(context);
    buffer_put_char(token, '.');
    put_url(token, slice_of(signature, len));
}

static bool is_string(const json_t *value, const char *text)
{
    return json_is_string(value) && json_string_length(value) == strlen(text) &&
           strcmp(json_string_value(value), text) == 0;
}

static bool is_audience(const json_t *aud)
{
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (is_string(json_array_get(aud, i), "a"))
            return true;
    return is_string(aud, "a");
}

/* A claim that is there has to be a number. */
static bool is_number_or_absent(const json_t *value)
{
    return !value || json_is_number(value);
}

static void check_good(struct slice header_text, struct slice text, const struct login *login)
{
    json_t *header = json_loadb(header_text.data, header_text.len, 0, NULL);
    json_t *claims = json_loadb(text.data, text.len, 0, NULL);
    const json_t *email = json_object_get(claims, "email");
    struct login wanted;

    REQUIRE(is_string(json_object_get(header, "alg"), "EdDSA") && !json_object_get(header, "crit"));
    REQUIRE(!json_object_get(header, "kid") || is_string(json_object_get(header, "kid"), "k"));
    REQUIRE(is_string(json_object_get(claims, "iss"), "i"));
    REQUIRE(is_audience(json_object_get(claims, "aud")));
    REQUIRE(json_is_number(json_object_get(claims, "exp")));
    REQUIRE(json_number_value(json_object_get(claims, "exp")) > NOW - LEEWAY);
    REQUIRE(is_number_or_absent(json_object_get(claims, "nbf")));
    REQUIRE(is_number_or_absent(json_object_get(claims, "iat")));
    REQUIRE(json_number_value(json_object_get(claims, "nbf")) <= NOW + LEEWAY);
    REQUIRE(json_number_value(json_object_get(claims, "iat")) <= NOW + LEEWAY);
    REQUIRE(!json_object_get(claims, "email_verified") ||
            json_is_true(json_object_get(claims, "email_verified")));
    REQUIRE(json_is_string(email) &&
            login_prepare(
                slice_of(json_string_value(email), json_string_length(email)), false, &wanted) &&
            slice_equals(login_slice(&wanted), login_slice(login)));
    json_decref(header);
    json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct claim_rules rules = { .issuer = SLICE_LITERAL("i"),
        .audience = SLICE_LITERAL("a"),
        .claim = SLICE_LITERAL("email"),
        .leeway = LEEWAY,
        .must_end = true };
    struct slice claims = slice_of(data, size);
    struct slice header = take_until(&claims, '\n');
    struct buffer token;
    struct login login;

    if (!key)
        make_key();
    if (size > JWT_MAX)
        return 0;
    buffer_init(&token, 4 * JWT_MAX);
    put_url(&token, header);
    buffer_put_char(&token, '.');
    put_url(&token, claims);
    sign(&token);
    if (!jwt_check(jwks, &rules, buffer_slice(&token), NOW, &login))
        check_good(header, claims, &login);
    buffer_clear(&token);
    return 0;
}
