/* queue/tally.c: counts by sender, and ids. */
#include "queue/tally.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "queue/memory.h"

enum {
    TROUBLE_LIMIT = 100, /* notices of failure and delay an hour for each sender (DSN-17) */
    SUCCESS_LIMIT = 1000,
    HOUR_MS = 3600 * 1000,
    NOTICED_MOST = 65536,
};

struct tally {
    UT_hash_handle hh;
    int64_t since_ms;
    unsigned trouble;
    unsigned success;
    size_t len;
    char sender[];
};

static struct tally *tally_of(struct tallies *tallies, struct slice sender)
{
    struct tally *tally;

    HASH_FIND(hh, tallies->senders, sender.data, sender.len, tally);
    if (tally)
        return tally;
    tally = need_memory(sizeof *tally + sender.len);
    tally->since_ms = clock_mono_ms();
    tally->len = sender.len;
    memcpy(tally->sender, sender.data, sender.len);
    HASH_ADD_KEYPTR(hh, tallies->senders, tally->sender, tally->len, tally);
    return tally;
}

bool tally_allows(struct tallies *tallies, struct slice sender, enum envelope_notice kind)
{
    struct tally *tally = tally_of(tallies, sender);
    int64_t now = clock_mono_ms();

    if (now - tally->since_ms >= HOUR_MS) {
        tally->since_ms = now;
        tally->trouble = tally->success = 0;
    }
    return kind == NOTICE_SUCCESS ? tally->success++ < SUCCESS_LIMIT
                                  : tally->trouble++ < TROUBLE_LIMIT;
}

void tallies_expire(struct tallies *tallies)
{
    int64_t now = clock_mono_ms();
    struct tally *tally, *next;

    HASH_ITER (hh, tallies->senders, tally, next) {
        if (now - tally->since_ms < HOUR_MS)
            continue;
        HASH_DEL(tallies->senders, tally);
        free(tally);
    }
}

void tallies_clear(struct tallies *tallies)
{
    struct tally *tally, *next;

    HASH_ITER (hh, tallies->senders, tally, next) {
        HASH_DEL(tallies->senders, tally);
        free(tally);
    }
}

struct noticed {
    UT_hash_handle hh;
    struct queue_id id;
};

bool noticed_has(const struct noticed_ids *ids, struct queue_id id)
{
    struct noticed *noticed;

    HASH_FIND(hh, ids->map, &id, sizeof id, noticed);
    return noticed != NULL;
}

void noticed_add(struct noticed_ids *ids, struct queue_id id)
{
    struct noticed *noticed;

    if (noticed_has(ids, id))
        return;
    if (HASH_COUNT(ids->map) >= NOTICED_MOST) {
        noticed = ids->map; /* the oldest */
        HASH_DEL(ids->map, noticed);
        free(noticed);
    }
    noticed = need_memory(sizeof *noticed);
    noticed->id = id;
    HASH_ADD(hh, ids->map, id, sizeof noticed->id, noticed);
}

void noticed_clear(struct noticed_ids *ids)
{
    struct noticed *noticed, *next;

    HASH_ITER (hh, ids->map, noticed, next) {
        HASH_DEL(ids->map, noticed);
        free(noticed);
    }
}
