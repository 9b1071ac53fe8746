/* vault/claims.c: one claim after the other. */
#include "vault/claims.h"

#include <math.h>

#include "vault/json.h"

enum { CLAIM_NAME_MAX = 256 };

static bool is_audience(const json_t *aud, struct slice audience)
{
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (json_is_slice(json_array_get(aud, i), audience))
            return true;
    return json_is_slice(aud, audience);
}

/* RFC 8693 section 4.2: words between single spaces. */
static bool has_scope(const json_t *scope, struct slice word)
{
    struct slice rest = json_slice(scope);

    while (rest.len > 0) {
        size_t len = slice_find(rest, ' ');

        if (slice_equals(slice_first(rest, len), word))
            return true;
        rest = slice_from(rest, len + 1);
    }
    return false;
}

/* A claim's time; missing: as if it were `preset`. One that is no number never fits: then it is
 * `wrong`. */
static double time_of(const json_t *claims, const char *name, double preset, double wrong)
{
    const json_t *value = json_object_get(claims, name);

    return !value ? preset : json_is_number(value) ? json_number_value(value) : wrong;
}

static const char *check_times(
    const json_t *claims, const struct claim_rules *rules, int64_t now, int64_t *out_until)
{
    double leeway = (double)rules->leeway;
    double end = time_of(claims, "exp", rules->must_end ? -HUGE_VAL : HUGE_VAL, -HUGE_VAL) + leeway;

    if ((double)now >= end)
        return "expired";
    if ((double)now < time_of(claims, "nbf", -HUGE_VAL, HUGE_VAL) - leeway ||
        (double)now < time_of(claims, "iat", -HUGE_VAL, HUGE_VAL) - leeway)
        return "not valid yet";
    *out_until = end < 0x1p62 ? (int64_t)end : CLAIMS_FOREVER;
    return NULL;
}

static const json_t *find_user(const json_t *claims, struct slice claim)
{
    char name[CLAIM_NAME_MAX];

    if (claim.len >= sizeof name)
        return NULL;
    memcpy(name, claim.data, claim.len);
    name[claim.len] = '\0';
    return json_object_get(claims, name);
}

const char *claims_check(const json_t *claims, const struct claim_rules *rules, int64_t now,
    struct login *out_login, int64_t *out_until)
{
    const json_t *user = find_user(claims, rules->claim);
    const char *why;

    if (rules->issuer.len > 0 && !json_is_slice(json_object_get(claims, "iss"), rules->issuer))
        return "another issuer";
    if (rules->audience.len > 0 && !is_audience(json_object_get(claims, "aud"), rules->audience))
        return "for another audience";
    if (rules->scope.len > 0 && !has_scope(json_object_get(claims, "scope"), rules->scope))
        return "for another scope";
    why = check_times(claims, rules, now, out_until);
    if (why)
        return why;
    if (slice_is(rules->claim, "email") && json_object_get(claims, "email_verified") &&
        !json_is_true(json_object_get(claims, "email_verified")))
        return "its address is not verified";
    if (!json_is_string(user) || !login_prepare(json_slice(user), false, out_login))
        return "names no user";
    return NULL;
}
