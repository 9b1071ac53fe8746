/* gate/domains.c: the cache of answers about domains. */
#include "gate/domains.h"

#include "base/map.h"

/* How long each verdict holds; 0: it is not kept. */
static const int64_t keep_ms[] = {
    [DOMAIN_EXISTS] = 300000,
    [DOMAIN_MISSING] = 60000,
    [DOMAIN_NULL_MX] = 300000,
    [DOMAIN_TEMPORARY] = 0,
    [DOMAIN_SILENT] = 0,
};

static size_t cell_of(struct slice domain)
{
    return map_hash(domain.data, domain.len) % DOMAINS_CELLS;
}

bool domains_find(const struct domains *domains, struct slice domain, int64_t now_ms,
    enum domain_verdict *out_verdict)
{
    const struct domains_entry *entry = &domains->cells[cell_of(domain)];

    if (entry->until_ms <= now_ms || !slice_equals(slice_of(entry->name, entry->len), domain))
        return false;
    *out_verdict = entry->verdict;
    return true;
}

void domains_keep(
    struct domains *domains, struct slice domain, int64_t now_ms, enum domain_verdict verdict)
{
    struct domains_entry *entry = &domains->cells[cell_of(domain)];

    if (keep_ms[verdict] == 0 || domain.len > DOMAIN_NAME_MAX)
        return;
    memcpy(entry->name, domain.data, domain.len);
    entry->len = (uint8_t)domain.len;
    entry->verdict = verdict;
    entry->until_ms = now_ms + keep_ms[verdict];
}
