/* relay/mx.c: RFC 5321 section 5.1 on one domain's MX records. */
#include "relay/mx.h"

#include <stdlib.h>

struct ranked {
    const struct dns_record *record;
    uint32_t lot; /* the order among equals */
};

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->record->preference != y->record->preference)
        return x->record->preference < y->record->preference ? -1 : 1;
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

enum mx_verdict mx_order(const struct dns_record *records, size_t count, struct slice hostname,
    uint32_t (*random)(void), struct mx_host out_hosts[MX_HOSTS_MAX], size_t *out_count)
{
    struct ranked ranked[DNS_RECORDS_MAX];
    uint32_t better_than = UINT32_MAX; /* our own preference */
    size_t usable = 0, taken = 0;

    *out_count = 0;
    if (count == 1 && records[0].name.len == 0)
        return MX_NULL;
    for (size_t i = 0; i < count && i < DNS_RECORDS_MAX; i++) {
        if (records[i].name.len == 0)
            continue; /* a root exchange beside real ones means nothing */
        if (slice_equals_nocase(records[i].name, hostname) && records[i].preference < better_than)
            better_than = records[i].preference;
        ranked[usable++] = (struct ranked){ .record = &records[i], .lot = random() };
    }
    if (usable == 0)
        return MX_NONE;
    qsort(ranked, usable, sizeof *ranked, compare);
    for (size_t i = 0;
         i < usable && taken < MX_HOSTS_MAX && ranked[i].record->preference < better_than; i++)
        out_hosts[taken++] =
            (struct mx_host){ ranked[i].record->name, ranked[i].record->preference };
    *out_count = taken;
    return taken > 0 ? MX_HOSTS : MX_SELF;
}
