/* tests/fuzz/fuzz_jwt.c: the first line is a key set, the rest a token: neither is ever good, for
 * the signature fits no key, and every refusal has its reason. */
#include "fuzz.h"

#include "vault/bearer.h"
#include "vault/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct slice set = take_until(&rest, '\n');
    struct claim_rules rules = { .issuer = SLICE_LITERAL("i"),
        .audience = SLICE_LITERAL("a"),
        .claim = SLICE_LITERAL("email"),
        .leeway = 60,
        .must_end = true };
    struct jwks *jwks = NULL;
    struct bearer bearer;
    struct login login;

    if (jwks_parse(set, &jwks) != ERR_OK)
        return 0;
    REQUIRE(jwt_check(jwks, &rules, rest, 1000, &login));
    if (bearer_read(rest, &bearer) || bearer_read_x(rest, &bearer))
        REQUIRE(jwt_check(jwks, &rules, bearer.token, 1000, &login));
    jwks_free(&jwks);
    return 0;
}
