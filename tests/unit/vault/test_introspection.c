/* tests/unit/vault/test_introspection.c: what is said of a token, and what a key set may hold. */
#include "../check.h"

#include "vault/introspection.h"
#include "vault/jwks.h"

enum { NOW = 1000 };

static const struct claim_rules strict = { .issuer = SLICE_LITERAL("i"),
    .audience = SLICE_LITERAL("a"),
    .scope = SLICE_LITERAL("mail"),
    .claim = SLICE_LITERAL("username"),
    .leeway = 10 };
static const struct claim_rules lax = { .claim = SLICE_LITERAL("email"), .leeway = 10 };

#define GOOD                                                                                       \
    "{\"active\":true,\"iss\":\"i\",\"aud\":\"a\",\"scope\":\"x mail\",\"username\":\"u@x.y\""

static const struct {
    const char *name;
    const struct claim_rules *rules;
    const char *document;
    enum err rc;
    const char *why; /* NULL: good */
    int64_t until;
} cases[] = {
    { "SASL-11 good", &strict, GOOD ",\"exp\":2000}", ERR_OK, NULL, 2010 },
    { "SASL-11 without an end", &strict, GOOD "}", ERR_OK, NULL, CLAIMS_FOREVER },
    { "SASL-11 last second", &strict, GOOD ",\"exp\":991}", ERR_OK, NULL, 1001 },
    { "SASL-11 over", &strict, GOOD ",\"exp\":990}", ERR_OK, "expired", 0 },
    { "SASL-11 an end that is none", &strict, GOOD ",\"exp\":\"2000\"}", ERR_OK, "expired", 0 },
    { "SASL-11 an end far away", &strict, GOOD ",\"exp\":1e300}", ERR_OK, NULL, CLAIMS_FOREVER },
    { "SASL-11 not yet", &strict, GOOD ",\"nbf\":1011}", ERR_OK, "not valid yet", 0 },
    { "SASL-11 a beginning that is none", &strict, GOOD ",\"nbf\":\"1\"}", ERR_OK, "not valid yet",
        0 },
    { "SASL-11 issued later", &strict, GOOD ",\"iat\":1011}", ERR_OK, "not valid yet", 0 },
    { "SASL-11 issued now", &strict, GOOD ",\"iat\":1010}", ERR_OK, NULL, CLAIMS_FOREVER },
    { "SASL-11 not active", &lax, "{\"active\":false}", ERR_OK, "not active", 0 },
    { "SASL-11 not active, whatever else", &lax, "{\"active\":false,\"email\":\"u@x.y\"}", ERR_OK,
        "not active", 0 },
    { "SASL-11 lax", &lax, "{\"active\":true,\"email\":\"u@x.y\"}", ERR_OK, NULL, CLAIMS_FOREVER },
    { "SASL-11 unverified", &lax, "{\"active\":true,\"email\":\"u@x.y\",\"email_verified\":false}",
        ERR_OK, "its address is not verified", 0 },
    { "SASL-11 nobody", &lax, "{\"active\":true}", ERR_OK, "names no user", 0 },
    { "SASL-11 no login", &lax, "{\"active\":true,\"email\":\"u\"}", ERR_OK, "names no user", 0 },
    { "SASL-11 a number", &lax, "{\"active\":true,\"email\":5}", ERR_OK, "names no user", 0 },
    { "SASL-11 NUL", &lax, "{\"active\":true,\"email\":\"u@x.y\\u0000\"}", ERR_INVALID, NULL, 0 },
    { "SASL-11 issuer", &strict,
        "{\"active\":true,\"aud\":\"a\",\"scope\":\"mail\",\"username\":\"u@x.y\"}", ERR_OK,
        "another issuer", 0 },
    { "SASL-11 audience", &strict,
        "{\"active\":true,\"iss\":\"i\",\"aud\":[\"b\"],\"scope\":\"mail\",\"username\":\"u@x.y\"}",
        ERR_OK, "for another audience", 0 },
    { "SASL-11 audiences", &strict,
        "{\"active\":true,\"iss\":\"i\",\"aud\":[1,\"a\"],\"scope\":\"mail\",\"username\":\"u@x."
        "y\"}",
        ERR_OK, NULL, CLAIMS_FOREVER },
    { "SASL-11 no scope", &strict, "{\"active\":true,\"iss\":\"i\",\"aud\":\"a\"}", ERR_OK,
        "for another scope", 0 },
    { "SASL-11 scope that begins so", &strict,
        "{\"active\":true,\"iss\":\"i\",\"aud\":\"a\",\"scope\":\"mails email\"}", ERR_OK,
        "for another scope", 0 },
    { "SASL-11 empty", &lax, "", ERR_INVALID, NULL, 0 },
    { "SASL-11 cut", &lax, "{\"active\":true", ERR_INVALID, NULL, 0 },
    { "SASL-11 behind it", &lax, "{\"active\":true} x", ERR_INVALID, NULL, 0 },
    { "SASL-11 twice", &lax, "{\"active\":true,\"active\":false}", ERR_INVALID, NULL, 0 },
    { "SASL-11 a list", &lax, "[true]", ERR_INVALID, NULL, 0 },
    { "SASL-11 a page", &lax, "<html>", ERR_INVALID, NULL, 0 },
    { "SASL-11 active as text", &lax, "{\"active\":\"true\",\"email\":\"u@x.y\"}", ERR_INVALID,
        NULL, 0 },
    { "SASL-11 active as a number", &lax, "{\"active\":1,\"email\":\"u@x.y\"}", ERR_INVALID, NULL,
        0 },
    { "SASL-11 nothing said", &lax, "{}", ERR_INVALID, NULL, 0 },
    { "SASL-11 an error", &lax, "{\"error\":\"invalid_client\"}", ERR_INVALID, NULL, 0 },
};

static void test_introspection(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const char *why = "untouched";
        struct login login = { "untouched", 9 };
        int64_t until = 0;
        enum err rc = introspection_read(
            slice_text(cases[i].document), cases[i].rules, NOW, &why, &login, &until);

        if (rc != cases[i].rc)
            fail_msg("%s: %s", cases[i].name, err_text(rc));
        if (rc != ERR_OK) {
            assert_string_equal(why, "untouched");
            continue;
        }
        if (!why != !cases[i].why || (why && strcmp(why, cases[i].why) != 0))
            fail_msg("%s: %s", cases[i].name, why ? why : "good");
        if (!why && until != cases[i].until)
            fail_msg("%s: until %jd", cases[i].name, (intmax_t)until);
        assert_true(slice_is(login_slice(&login), why ? "untouched" : "u@x.y"));
    }
}

/* Nesting beyond any sense, as long as a document may be. */
static void test_depth(void **state)
{
    static char text[1 << 16];
    const char *why = NULL;
    struct login login;
    int64_t until;

    (void)state;
    memset(text, '[', sizeof text);
    assert_int_equal(
        introspection_read(slice_of(text, sizeof text), &lax, NOW, &why, &login, &until),
        ERR_INVALID);
}

static const struct {
    const char *name;
    const char *text;
    enum err rc;
} sets[] = {
    { "SASL-11 empty set", "{\"keys\":[]}", ERR_OK },
    { "SASL-11 other kinds",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{\"kty\":\"EC\",\"crv\":\"P-384\"}]}", ERR_OK },
    { "SASL-11 for encryption", "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\"}]}", ERR_OK },
    { "SASL-11 further members", "{\"keys\":[],\"x\":1}", ERR_OK },
    { "SASL-11 no set", "{}", ERR_INVALID },
    { "SASL-11 keys that are none", "{\"keys\":{}}", ERR_INVALID },
    { "SASL-11 a key that is none", "{\"keys\":[1]}", ERR_INVALID },
    { "SASL-11 a broken key", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        ERR_INVALID },
    { "SASL-11 nothing", "", ERR_INVALID },
    { "SASL-11 a page", "<html>{\"keys\":[]}</html>", ERR_INVALID },
};

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(sets); i++) {
        struct jwks *jwks = NULL;
        enum err rc = jwks_parse(slice_text(sets[i].text), &jwks);

        if (rc != sets[i].rc || (rc == ERR_OK) != (jwks != NULL))
            fail_msg("%s: %s", sets[i].name, err_text(rc));
        jwks_free(&jwks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_introspection),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_sets),
    };

    return cmocka_run_group_tests_name("vault/introspection", tests, NULL, NULL);
}
