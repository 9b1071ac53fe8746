/* tests/power/workload.c: the run. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { BUSY_MOST = 40, TURNS_LAST = 300, RUN_MS = 120000 };

/* How the kinds differ: chances in a thousand, at each turn. */
static const struct habit {
    unsigned queue_crash, gate_crash, relay_crash;
    unsigned storm;                      /* that the disk begins to fail for a while */
    unsigned sync_fails;                 /* at any time */
    unsigned storm_syncs, storm_unlinks; /* that they fail while it does */
    unsigned wreck;                      /* that the queue dies right behind it */
    unsigned large;                      /* of messages */
    size_t body_most;
    unsigned work; /* how eager carriers are */
} habits[WORKLOADS] = {
    [WORKLOAD_CALM] = { 2, 4, 3, 0, 0, 0, 0, 0, 100, 4000, 300 },
    [WORKLOAD_ROUGH] = { 6, 10, 8, 8, 3, 300, 40, 400, 150, 3000, 200 },
    [WORKLOAD_BULKY] = { 3, 3, 3, 2, 1, 300, 40, 400, 300, 120000, 250 },
    [WORKLOAD_RESTLESS] = { 60, 10, 8, 4, 2, 300, 40, 400, 150, 3000, 60 },
    [WORKLOAD_STORMY] = { 6, 10, 8, 40, 3, 500, 900, 800, 150, 3000, 200 },
};

struct run {
    struct site site;
    const struct habit *habit;
    struct chance disk_chance; /* under the recorder's mutex */
    bool was_storm;
    int storm;   /* turns left */
    int is_open; /* a room that cannot read its journal ends, and is not tried here */
    size_t offered, wanted;
};

/* ---- the failing disk ---- */

static enum err judge(void *context, enum event_kind kind)
{
    struct run *run = context;
    bool is_storm = __atomic_load_n(&run->storm, __ATOMIC_RELAXED) > 0;
    unsigned sync_fails = is_storm ? run->habit->storm_syncs : run->habit->sync_fails;
    unsigned others_fail = kind == EVENT_UNLINK ? run->habit->storm_unlinks : 40;
    bool is_sync = kind == EVENT_SYNC;

    if (!__atomic_load_n(&run->is_open, __ATOMIC_RELAXED))
        return ERR_OK;
    if (is_sync ? chance_of(&run->disk_chance, sync_fails)
                : is_storm && chance_of(&run->disk_chance, others_fail))
        return chance_of(&run->disk_chance, 500) ? ERR_IO : ERR_NOSPACE;
    return ERR_OK;
}

static void weather(struct run *run)
{
    if (run->storm > 0)
        __atomic_store_n(&run->storm, run->storm - 1, __ATOMIC_RELAXED);
    else if (chance_of(&run->site.chance, run->habit->storm))
        __atomic_store_n(
            &run->storm, 10 + (int)chance_below(&run->site.chance, 30), __ATOMIC_RELAXED);
}

/* ---- the people ---- */

static void offer(struct run *run)
{
    struct site *site = &run->site;
    struct sender *sender = site->senders[chance_below(&site->chance, SITE_GATES)];
    bool is_large = chance_of(&site->chance, run->habit->large);
    size_t size = 1 + chance_below(&site->chance, run->habit->body_most);

    if (run->offered >= run->wanted || sender_busy(sender) >= BUSY_MOST)
        return;
    if (is_large && chance_of(&site->chance, 100))
        size += 200000;
    run->offered += sender_offer(sender, size, is_large);
}

/* Holds some, releases or deletes some of the held, has all tried again. */
static void operate(struct run *run)
{
    struct site *site = &run->site;
    struct promise *promise;

    if (chance_of(&site->chance, 100))
        operator_retry_all(site->operator);
    if (site->oracle->count == 0 || !chance_of(&site->chance, 300))
        return;
    promise = site->oracle->order[chance_below(&site->chance, site->oracle->count)];
    if (promise->given == ORACLE_NEVER || promise->delete_asked != ORACLE_NEVER)
        return;
    if (promise->hold_asked == ORACLE_NEVER && chance_of(&site->chance, 300))
        operator_hold(site->operator, promise);
    else if (promise->hold_answered == ORACLE_NEVER || promise->release_asked != ORACLE_NEVER)
        return;
    else if (chance_of(&site->chance, 600))
        operator_release(site->operator, promise);
    else if (!site_is_trying(site, promise->id))
        operator_delete(site->operator, promise);
}

/* ---- the accidents ---- */

static void crash(struct run *run)
{
    struct site *site = &run->site;
    struct chance *chance = &site->chance;
    size_t which;

    if (chance_of(chance, run->habit->gate_crash)) {
        which = chance_below(chance, SITE_GATES);
        sender_free(&site->senders[which]);
        site->senders[which] = sender_new(site, (uint32_t)which);
        sender_attach(site->senders[which]);
    }
    if (chance_of(chance, run->habit->relay_crash)) {
        which = chance_below(chance, SITE_RELAYS);
        carrier_free(&site->relays[which]);
        site->relays[which] = carrier_new(site, (uint32_t)which);
        carrier_attach(site->relays[which]);
    }
    /* In a storm it might not read its journal. Right behind one it may leave what failed. */
    if (run->storm == 0 &&
        chance_of(chance, run->was_storm ? run->habit->wreck : run->habit->queue_crash)) {
        __atomic_store_n(&run->is_open, 0, __ATOMIC_RELAXED);
        site_crash(site);
        site_start(site);
    }
    run->was_storm = run->storm > 0;
    __atomic_store_n(&run->is_open, site_is_open(site), __ATOMIC_RELAXED);
}

static void turn(struct run *run)
{
    struct site *site = &run->site;

    weather(run);
    for (size_t i = chance_below(&site->chance, 6); i > 0; i--)
        offer(run);
    for (int i = 0; i < SITE_RELAYS; i++)
        carrier_work(site->relays[i], run->habit->work);
    operate(run);
    crash(run);
    site_turn(site);
}

static bool is_busy(const struct run *run)
{
    for (int i = 0; i < SITE_GATES; i++)
        if (sender_busy(run->site.senders[i]) > 0)
            return true;
    return run->offered < run->wanted;
}

void workload_run(struct recorder *recorder, struct oracle *oracle, enum workload_kind kind,
    uint64_t seed, size_t messages)
{
    struct run run = { .habit = &habits[kind], .wanted = messages };
    int64_t end = clock_mono_ms() + RUN_MS;

    site_init(&run.site, recorder->under, recorder, oracle, seed);
    run.disk_chance.state = ~seed;
    oracle->is_rough = run.habit->storm > 0 || run.habit->sync_fails > 0;
    run.site.operator= operator_new(&run.site);
    for (uint32_t i = 0; i < SITE_GATES; i++)
        run.site.senders[i] = sender_new(&run.site, i);
    for (uint32_t i = 0; i < SITE_RELAYS; i++)
        run.site.relays[i] = carrier_new(&run.site, i);
    site_start(&run.site);
    recorder->context = &run;
    recorder->judge = judge;
    while (is_busy(&run) && clock_mono_ms() < end)
        turn(&run);
    for (int i = 0; i < TURNS_LAST && clock_mono_ms() < end; i++)
        turn(&run);
    recorder->judge = NULL;
    printf("  %zu kept, %zu refused, %zu without a word; %zu delivered, %zu deferred, %zu failed; "
           "%zu events, %.1f MB\n",
        run.site.kept, run.site.refused, run.site.unknown, run.site.delivered, run.site.deferred,
        run.site.failed, recorder->count, (double)recorder->octets / 1e6);
    site_clear(&run.site);
}
