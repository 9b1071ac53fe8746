/* vault/bearer.c: keys and values, each ended by octet 1, the last by two. */
#include "vault/bearer.h"

enum { KEYS_MAX = 16 };

static bool take(struct slice *rest, char separator, struct slice *out)
{
    size_t len = slice_find(*rest, separator);

    if (len == rest->len)
        return false;
    *out = slice_first(*rest, len);
    *rest = slice_from(*rest, len + 1);
    return true;
}

/* RFC 6750 section 2.1. */
static bool is_token(struct slice token)
{
    size_t at = 0;

    while (at < token.len && token.data[at] != '=') {
        if (!ascii_is_alpha(token.data[at]) && !ascii_is_digit(token.data[at]) &&
            !memchr("-._~+/", token.data[at], 6))
            return false;
        at++;
    }
    if (at == 0)
        return false;
    while (at < token.len && token.data[at] == '=')
        at++;
    return at == token.len;
}

static bool read_auth(struct slice value, struct slice *out_token)
{
    if (out_token->len > 0 || !slice_starts_nocase(value, "Bearer "))
        return false;
    *out_token = slice_from(value, 7);
    return is_token(*out_token);
}

static bool is_port(struct slice value)
{
    uint64_t port;

    return slice_number(value, 65535, &port) && port > 0;
}

static bool is_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++)
        if (!ascii_is_alpha(key.data[i]))
            return false;
    return key.len > 0;
}

/* KEY=VALUE^A…^A */
static bool read_pairs(struct slice rest, struct slice *out_token)
{
    struct slice pair;
    size_t count = 0;

    while (take(&rest, 1, &pair)) {
        size_t equals = slice_find(pair, '=');
        struct slice value = slice_from(pair, equals + 1);

        if (pair.len == 0)
            return rest.len == 0 && out_token->len > 0;
        if (++count > KEYS_MAX || equals == pair.len || !is_key(slice_first(pair, equals)))
            return false;
        if (slice_is(slice_first(pair, equals), "auth") && !read_auth(value, out_token))
            return false;
        if (slice_is(slice_first(pair, equals), "port") && !is_port(value))
            return false;
    }
    return false;
}

static bool keep_name(struct slice name, struct scram_name *out)
{
    if (name.len == 0 || name.len > SCRAM_NAME_MAX || slice_find(name, 0) < name.len)
        return false;
    memcpy(out->text, name.data, name.len);
    out->text[name.len] = 0;
    out->len = name.len;
    return true;
}

bool bearer_read(struct slice message, struct bearer *out_bearer)
{
    struct bearer bearer = { .has_user = false };
    struct slice flag, identity, nothing;

    if (!take(&message, ',', &flag) || (!slice_is(flag, "n") && !slice_is(flag, "y")) ||
        !take(&message, ',', &identity) || !take(&message, 1, &nothing) || nothing.len > 0)
        return false;
    if (identity.len > 0) {
        bearer.has_user = true;
        if (!slice_is(slice_first(identity, 2), "a=") ||
            !scram_decode_name(slice_from(identity, 2), &bearer.user))
            return false;
    }
    if (!read_pairs(message, &bearer.token))
        return false;
    *out_bearer = bearer;
    return true;
}

bool bearer_read_x(struct slice message, struct bearer *out_bearer)
{
    struct bearer bearer = { .has_user = true };
    struct slice user;

    if (!take(&message, 1, &user) || !slice_is(slice_first(user, 5), "user=") ||
        !keep_name(slice_from(user, 5), &bearer.user) || !read_pairs(message, &bearer.token))
        return false;
    *out_bearer = bearer;
    return true;
}
