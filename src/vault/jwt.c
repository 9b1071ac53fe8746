/* vault/jwt.c: a token in its three parts. */
#include "vault/jwt.h"

#include "vault/json.h"

const char jwt_unknown_key[] = "signed by a key that we do not know";

/* The three parts, still encoded. False: it has not three. */
static bool split(struct slice token, struct slice out_parts[3])
{
    for (size_t i = 0; i < 3; i++) {
        size_t len = slice_find(token, '.');

        out_parts[i] = slice_first(token, len);
        if (len == 0 || (i < 2) == (len == token.len))
            return false;
        token = slice_from(token, len + 1);
    }
    return true;
}

static json_t *decode_json(struct slice text)
{
    struct buffer octets;
    json_t *json = NULL;

    buffer_init(&octets, JWT_MAX);
    if (jwks_decode(text, &octets))
        json = json_load(buffer_slice(&octets));
    buffer_clear(&octets);
    return json;
}

/* RFC 8725 section 3.11: what says that it is something else than a token for access is not one,
 * whoever signed it. */
static bool is_for_access(const json_t *header)
{
    static const char *const types[] = { "JWT", "at+jwt", "application/at+jwt" };
    const json_t *type = json_object_get(header, "typ");

    for (size_t i = 0; i < LENGTH_OF(types) && json_is_string(type); i++)
        if (slice_is_nocase(json_slice(type), types[i]))
            return true;
    return !type;
}

static const char *check_header(
    const struct jwks *jwks, const json_t *header, struct slice text, struct slice signature)
{
    static const char *const words[] = {
        [JWKS_GOOD] = NULL,
        [JWKS_WRONG] = "signed by no key of ours",
        [JWKS_UNKNOWN] = jwt_unknown_key,
    };

    if (json_object_get(header, "crit"))
        return "with critical extensions";
    if (!is_for_access(header))
        return "of another type";
    return words[jwks_check(jwks, header, text, signature)];
}

static const char *check_parts(const struct jwks *jwks, const struct claim_rules *rules,
    struct slice token, const struct slice parts[3], int64_t now, struct login *out_login)
{
    json_t *header = decode_json(parts[0]);
    json_t *claims = decode_json(parts[1]);
    size_t signed_len = parts[0].len + 1 + parts[1].len;
    struct buffer signature;
    const char *why = "malformed";
    int64_t until;

    buffer_init(&signature, JWKS_SIGNATURE_MAX + 3);
    if (json_is_object(header) && json_is_object(claims) && jwks_decode(parts[2], &signature)) {
        why = check_header(jwks, header, slice_first(token, signed_len), buffer_slice(&signature));
        if (!why)
            why = claims_check(claims, rules, now, out_login, &until);
    }
    buffer_clear(&signature);
    json_decref(header);
    json_decref(claims);
    return why;
}

const char *jwt_check(const struct jwks *jwks, const struct claim_rules *rules, struct slice token,
    int64_t now, struct login *out_login)
{
    struct slice parts[3];

    if (token.len > JWT_MAX || !split(token, parts))
        return "malformed";
    return check_parts(jwks, rules, token, parts, now, out_login);
}
