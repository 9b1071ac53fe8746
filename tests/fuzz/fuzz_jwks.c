/* tests/fuzz/fuzz_jwks.c: a whole key set, as it comes from a file or from the service: what is
 * taken can be asked, and nobody who has no key is let in by it. */
#include "fuzz.h"
#include "vault/jwt.h"

/* {"alg":…}.{"iss":"i","aud":"a","exp":4e9,"email":"a@b.example"}. and 64 octets of nothing. */
#define CLAIMS ".eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6NDAwMDAwMDAwMCwiZW1haWwiOiJhQGIuZXhhbXBsZSJ9."
#define NOTHING                                                                                    \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *const tokens[] = {
    "eyJhbGciOiJSUzI1NiJ9" CLAIMS NOTHING,
    "eyJhbGciOiJFUzI1NiJ9" CLAIMS NOTHING,
    "eyJhbGciOiJFZERTQSJ9" CLAIMS NOTHING,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct claim_rules rules = { .issuer = SLICE_LITERAL("i"),
        .audience = SLICE_LITERAL("a"),
        .claim = SLICE_LITERAL("email"),
        .leeway = 60,
        .must_end = true };
    struct slice text = slice_of(data, size);
    struct jwks *jwks = NULL;
    struct login login;

    if (jwks_parse(text, &jwks) != ERR_OK) {
        REQUIRE(!jwks);
        return 0;
    }
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        REQUIRE(jwt_check(jwks, &rules, slice_text(tokens[i]), 1000, &login));
    jwks_free(&jwks);
    REQUIRE(!jwks);
    return 0;
}
