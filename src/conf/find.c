/* conf/find.c: look-ups in a configuration. */
#include "conf/conf.h"

const struct conf_domain *conf_domain_find(const struct conf *conf, struct slice domain)
{
    for (size_t i = 0; i < conf->domain_count; i++)
        if (slice_equals_nocase(conf->domains[i].name, domain))
            return &conf->domains[i];
    return NULL;
}

bool conf_takes_tokens(const struct conf *conf)
{
    const struct conf_auth *auth = &conf->auth;

    return auth->oauth_jwks.len > 0 || auth->oauth_jwks_uri.len > 0 ||
           auth->oauth_introspection.len > 0;
}

static uint64_t get_u64(const uint8_t *octets)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | octets[i];
    return value;
}

/* The first `bits` bits of a half. */
static uint64_t mask(unsigned bits)
{
    return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
}

bool conf_is_trusted(const struct conf *conf, const uint8_t address[16])
{
    uint64_t high = get_u64(address);
    uint64_t low = get_u64(address + 8);

    for (size_t i = 0; i < conf->trusted_network_count; i++) {
        const struct conf_network *network = &conf->trusted_networks[i];
        unsigned prefix = network->prefix;

        if ((high & mask(prefix)) == network->high &&
            (low & mask(prefix > 64 ? prefix - 64 : 0)) == network->low)
            return true;
    }
    return false;
}
