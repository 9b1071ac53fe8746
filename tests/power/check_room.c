/* tests/power/check_room.c: see check_room.h. */
#include "check_room.h"

#include "base/clock.h"
#include "site.h"

enum { PATIENCE_MS = 20000 };

void check_room(struct memory_disk *memory, struct recorder *recorder, struct oracle *oracle,
    moment now, size_t turns)
{
    int64_t end = clock_mono_ms() + PATIENCE_MS;
    struct site site;

    site_init(&site, memory, recorder, oracle, (uint64_t)now);
    site.now = now;
    for (uint32_t i = 0; i < SITE_RELAYS; i++)
        site.relays[i] = carrier_new(&site, i);
    site_start(&site);
    while ((turns > 0 || !site_is_settled(&site)) && clock_mono_ms() < end) {
        turns -= turns > 0;
        site_turn(&site);
    }
    if (site_is_settled(&site))
        site_judge(&site, now);
    else
        oracle_fault(oracle, "the room does not come to rest");
    site_clear(&site);
}
