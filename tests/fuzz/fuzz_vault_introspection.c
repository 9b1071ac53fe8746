/* tests/fuzz/fuzz_vault_introspection.c: what is said of a token, and key sets, by whoever answers:
 * what is good has a login name and an end that is not reached, and nobody is let in by halves. */
#include "fuzz.h"

#include "vault/introspection.h"
#include "vault/jwks.h"

enum { NOW = 1000, LEEWAY = 60 };

static void check(struct slice document, const struct claim_rules *rules)
{
    const char *why = "untouched";
    struct login login = { "", 0 };
    int64_t until = 0;
    enum err rc = introspection_read(document, rules, NOW, &why, &login, &until);

    REQUIRE(rc == ERR_OK || rc == ERR_INVALID);
    if (rc == ERR_OK && !why)
        REQUIRE(login_is_valid(login_slice(&login)) && until > NOW);
    else
        REQUIRE(login.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct claim_rules lax = { .claim = SLICE_LITERAL("email"), .leeway = LEEWAY };
    const struct claim_rules strict = { .issuer = SLICE_LITERAL("i"),
        .audience = SLICE_LITERAL("a"),
        .scope = SLICE_LITERAL("mail"),
        .claim = SLICE_LITERAL("username"),
        .leeway = LEEWAY,
        .must_end = true };
    char *copy = copy_of(slice_of(data, size));
    struct slice document = slice_of(copy, size);
    struct jwks *jwks = NULL;

    check(document, &lax);
    check(document, &strict);
    REQUIRE((jwks_parse(document, &jwks) == ERR_OK) == (jwks != NULL));
    jwks_free(&jwks);
    free(copy);
    return 0;
}
