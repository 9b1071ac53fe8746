/* vault/jwt: key sets, and tokens whose signature is good: what their header and claims decide.
 * SASL-11. */
#include "../check.h"

#include <openssl/evp.h>

#include "base/base64.h"
#include "vault/jwt.h"

enum { NOW = 1000, LEEWAY = 60, SIGNATURE = 64 };

static const struct claim_rules rules = { .issuer = SLICE_LITERAL("i"),
    .audience = SLICE_LITERAL("a"),
    .claim = SLICE_LITERAL("email"),
    .leeway = LEEWAY,
    .must_end = true };

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

static int make_key(void **state)
{
    unsigned char open[32];
    size_t len = sizeof open;
    struct buffer set;

    (void)state;
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!key || EVP_PKEY_get_raw_public_key(key, open, &len) != 1)
        return -1;
    buffer_init(&set, 4096);
    buffer_put_text(&set, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    put_url(&set, slice_of(open, len));
    buffer_put_text(&set, "\"}]}");
    if (jwks_parse(buffer_slice(&set), &jwks) != ERR_OK)
        return -1;
    buffer_clear(&set);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    jwks_free(&jwks);
    EVP_PKEY_free(key);
    return 0;
}

/* The token of that header and those claims, with a good signature. */
static void make_token(struct buffer *token, const char *header, const char *claims)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE];
    size_t len = sizeof signature;

    buffer_init(token, JWT_MAX);
    put_url(token, slice_text(header));
    buffer_put_char(token, '.');
    put_url(token, slice_text(claims));
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(context, signature, &len, (const unsigned char *)token->data, token->len),
        1);
    EVP_MD_CTX_free(context);
    buffer_put_char(token, '.');
    put_url(token, slice_of(signature, len));
    assert_int_equal(token->error, ERR_OK);
}

#define EDDSA         "{\"alg\":\"EdDSA\"}"
#define WHO           "\"iss\":\"i\",\"aud\":\"a\",\"email\":\"alice@example.org\""
#define CLAIMS(words) "{" WHO "," words "}"

static const struct {
    const char *header;
    const char *claims;
    const char *why; /* NULL: it is good */
} rows[] = {
    { EDDSA, CLAIMS("\"exp\":2000"), NULL },
    { "{\"alg\":\"EdDSA\",\"kid\":\"k\"}", CLAIMS("\"exp\":2000"), NULL },
    { EDDSA, CLAIMS("\"exp\":941"), NULL },
    { EDDSA, CLAIMS("\"exp\":940"), "expired" },
    { EDDSA, CLAIMS("\"exp\":2e3"), NULL },
    { EDDSA, CLAIMS("\"exp\":\"2000\""), "expired" },
    { EDDSA, CLAIMS("\"exp\":null"), "expired" },
    { EDDSA, "{" WHO "}", "expired" },
    { EDDSA, CLAIMS("\"exp\":2000,\"nbf\":1060,\"iat\":1060"), NULL },
    { EDDSA, CLAIMS("\"exp\":2000,\"nbf\":1061"), "not valid yet" },
    { EDDSA, CLAIMS("\"exp\":2000,\"iat\":1061"), "not valid yet" },
    /* RFC 7519 section 4.1.5: a number; what cannot be read is not passed over. */
    { EDDSA, CLAIMS("\"exp\":2000,\"nbf\":\"1061\""), "not valid yet" },
    { EDDSA, CLAIMS("\"exp\":2000,\"nbf\":null"), "not valid yet" },
    { EDDSA, CLAIMS("\"exp\":2000,\"iat\":[]"), "not valid yet" },
    { EDDSA, CLAIMS("\"exp\":2000,\"email_verified\":true"), NULL },
    { EDDSA, CLAIMS("\"exp\":2000,\"email_verified\":false"), "its address is not verified" },
    { EDDSA, CLAIMS("\"exp\":2000,\"email_verified\":\"true\""), "its address is not verified" },
    { EDDSA, CLAIMS("\"exp\":2000,\"exp\":3000"), "malformed" },
    { EDDSA, "{\"iss\":\"i\",\"aud\":[\"x\",\"a\"],\"exp\":2000,\"email\":\"a@b.example\"}", NULL },
    { EDDSA, "{\"iss\":\"i\",\"aud\":[\"x\"],\"exp\":2000,\"email\":\"a@b.example\"}",
        "for another audience" },
    { EDDSA, "{\"iss\":\"i\",\"aud\":{\"a\":1},\"exp\":2000,\"email\":\"a@b.example\"}",
        "for another audience" },
    { EDDSA, "{\"iss\":[\"i\"],\"aud\":\"a\",\"exp\":2000,\"email\":\"a@b.example\"}",
        "another issuer" },
    { EDDSA, "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":2000,\"email\":\"alice\"}", "names no user" },
    { EDDSA, "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":2000,\"email\":1}", "names no user" },
    { EDDSA, "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":2000}", "names no user" },
    { EDDSA, "[]", "malformed" },
    { EDDSA, "{", "malformed" },
    { "[]", CLAIMS("\"exp\":2000"), "malformed" },
    { "{\"alg\":\"EdDSA\",\"kid\":\"other\"}", CLAIMS("\"exp\":2000"),
        "signed by a key that we do not know" },
    { "{\"alg\":\"EdDSA\",\"kid\":1}", CLAIMS("\"exp\":2000"), "signed by no key of ours" },
    { "{\"alg\":\"none\"}", CLAIMS("\"exp\":2000"), "signed by no key of ours" },
    { "{\"alg\":\"RS256\"}", CLAIMS("\"exp\":2000"), "signed by no key of ours" },
    { "{}", CLAIMS("\"exp\":2000"), "signed by no key of ours" },
    { "{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}", CLAIMS("\"exp\":2000"),
        "with critical extensions" },
};

static void test_claims(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer token;
        struct login login;
        const char *why;

        make_token(&token, rows[i].header, rows[i].claims);
        why = jwt_check(jwks, &rules, buffer_slice(&token), NOW, &login);
        if ((why == NULL) != (rows[i].why == NULL) || (why && strcmp(why, rows[i].why) != 0))
            fail_msg("%s: %s, not %s", rows[i].claims, why ? why : "good",
                rows[i].why ? rows[i].why : "good");
        buffer_clear(&token);
    }
}

/* A token cut anywhere, one octet more, or with any octet changed is refused. */
static void test_every_octet(void **state)
{
    struct buffer token;
    struct login login;

    (void)state;
    make_token(&token, EDDSA, CLAIMS("\"exp\":2000"));
    assert_null(jwt_check(jwks, &rules, buffer_slice(&token), NOW, &login));
    assert_true(slice_is(login_slice(&login), "alice@example.org"));
    for (size_t len = 0; len < token.len; len++)
        assert_non_null(
            jwt_check(jwks, &rules, slice_first(buffer_slice(&token), len), NOW, &login));
    for (size_t i = 0; i < token.len; i++) {
        token.data[i] ^= 1;
        assert_non_null(jwt_check(jwks, &rules, buffer_slice(&token), NOW, &login));
        token.data[i] ^= 1;
    }
    for (const char *c = ".=A\n"; *c; c++) {
        buffer_put_char(&token, *c);
        assert_non_null(jwt_check(jwks, &rules, buffer_slice(&token), NOW, &login));
        buffer_truncate(&token, token.len - 1);
    }
    buffer_clear(&token);
}

#define OKP                                                                                        \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static const struct {
    const char *text;
    bool is_set;
} sets[] = {
    { "{\"keys\":[]}", true },
    { "{\"keys\":[{" OKP "}]}", true },
    { "{\"keys\":[{" OKP ",\"use\":\"enc\"}]}", true }, /* left out */
    { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{" OKP "}],\"more\":1}", true },
    { "{\"keys\":[{}]}", true },
    { "", false },
    { "{", false },
    { "[]", false },
    { "{}", false },
    { "{\"keys\":1}", false },
    { "{\"keys\":[1]}", false },
    { "{\"keys\":[{" OKP ",\"kid\":1}]}", false },
    { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}]}", false },
    { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", false },
    { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", false }, /* too weak */
    { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{" OKP "}]}", true },
    { "{\"keys\":[{" OKP ",\"kid\":1},{" OKP ",\"kid\":\"1\"}]}", true },
    { "{\"keys\":[],\"keys\":[]}", false },
};

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(sets); i++) {
        struct jwks *set = NULL;
        enum err code = jwks_parse(slice_text(sets[i].text), &set);

        if ((code == ERR_OK) != sets[i].is_set || (set != NULL) != sets[i].is_set)
            fail_msg("%s", sets[i].text);
        jwks_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_sets),
    };

    return cmocka_run_group_tests_name("vault/jwt", tests, make_key, free_key);
}
