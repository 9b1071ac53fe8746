/* queue/commit.c: fills one batch while the other is written and synced. */
#include "queue/commit.h"

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"

enum {
    BATCH_CAP = 256 << 20,
    BATCH_FULL = 8 << 20,
};

static void start(void *owner);

static void work(struct hand_job *job)
{
    struct commit *commit = CONTAINER_OF(job, struct commit, job);

    commit->result = journal_commit(&commit->journal, &commit->working);
}

static void tell_waits(struct commit_wait *waits)
{
    struct commit_wait *next;

    for (; waits; waits = next) {
        next = waits->next;
        waits->done(waits);
    }
}

static void done(struct hand_job *job)
{
    struct commit *commit = CONTAINER_OF(job, struct commit, job);
    struct commit_wait *waits = commit->working_waits;

    commit->is_busy = false;
    if (commit->result != ERR_OK) {
        if (!commit->is_failing)
            log_event(LOG_ERROR, NULL, "the journal cannot be written; trying on",
                log_reason(commit->result));
        commit->is_failing = true;
        timer_set(&commit->lazy, commit->pause_ms);
        return;
    }
    if (commit->is_failing)
        log_event(LOG_NOTICE, NULL, "the journal is written again");
    commit->is_failing = false;
    commit->tally = commit->journal.tally;
    commit->floor = commit->journal.floor;
    journal_batch_reset(&commit->working);
    commit->working_waits = NULL;
    tell_waits(waits);
    if (commit->filling_waits)
        deferred_ask(&commit->start);
    else if (commit->filling.count > 0 && !commit->lazy.is_set)
        timer_set(&commit->lazy, commit->lazy_ms);
}

static void take_filling(struct commit *commit)
{
    struct journal_batch filled = commit->filling;

    commit->filling = commit->working;
    commit->working = filled;
    commit->working_waits = commit->filling_waits;
    commit->filling_waits = NULL;
    commit->filling_last = &commit->filling_waits;
}

static void start(void *owner)
{
    struct commit *commit = owner;

    if (!commit->is_open || commit->is_busy || (commit->is_failing && commit->lazy.is_set))
        return;
    timer_stop(&commit->lazy);
    if (!commit->is_failing) {
        if (commit->filling.count == 0 && !commit->filling_waits)
            return;
        take_filling(commit);
    }
    need(commit->working.bytes.error == ERR_OK);
    commit->is_busy = true;
    hands_give(commit->hands, &commit->job);
}

enum err commits_init(struct commit *commit, struct loop *loop, struct store *store,
    int64_t lazy_ms, int64_t pause_ms)
{
    *commit =
        (struct commit){ .loop = loop, .store = store, .lazy_ms = lazy_ms, .pause_ms = pause_ms };
    commit->filling_last = &commit->filling_waits;
    commit->clock_offset_us = clock_offset_us();
    journal_batch_init(&commit->filling, BATCH_CAP);
    journal_batch_init(&commit->working, BATCH_CAP);
    deferred_init(&commit->start, loop, start, commit);
    timer_init(&commit->lazy, loop, start, commit);
    commit->job.work = work;
    commit->job.done = done;
    commit->hands = hands_new(loop, "journal", 1);
    return commit->hands ? ERR_OK : ERR_NOMEM;
}

void commit_open(struct commit *commit, const struct journal_replayed *replayed, uint64_t file_size)
{
    journal_init(&commit->journal, commit->store, replayed, file_size);
    commit->tally = commit->journal.tally;
    commit->is_open = true;
    deferred_ask(&commit->start);
}

void commits_clear(struct commit *commit)
{
    if (commit->hands)
        hands_free(&commit->hands);
    timer_stop(&commit->lazy);
    if (commit->is_open)
        journal_clear(&commit->journal);
    journal_batch_clear(&commit->filling);
    journal_batch_clear(&commit->working);
    while (commit->working_waits || commit->filling_waits) {
        struct commit_wait *working = commit->working_waits, *filling = commit->filling_waits;
        commit->working_waits = commit->filling_waits = NULL;
        commit->filling_last = &commit->filling_waits;
        tell_waits(working);
        tell_waits(filling);
    }
    deferred_cancel(&commit->start);
}

/* What this life knows of the clock stands before what was written by it (see journal_clock.h). */
static void put_clock(struct commit *commit)
{
    int64_t jump_us = clock_jump_us(&commit->clock_offset_us);
    int64_t now_us = clock_wall_us();
    struct journal_entry entry = { .kind = JOURNAL_CLOCK, .at_us = now_us - jump_us };

    entry.clock.was_us = entry.at_us;
    if (!commit->has_begun)
        journal_put(&commit->filling, &entry);
    commit->has_begun = true;
    if (jump_us == 0)
        return;
    entry.at_us = now_us;
    entry.clock.event = JOURNAL_JUMP;
    journal_put(&commit->filling, &entry);
}

void commit_put(struct commit *commit, const struct journal_entry *entry)
{
    struct journal_entry stamped = *entry;

    if (!commit->hands)
        return;
    put_clock(commit);
    stamped.at_us = clock_wall_us();
    journal_put(&commit->filling, &stamped);
    if (commit->is_open && !commit->is_busy && !commit->lazy.is_set)
        timer_set(&commit->lazy, commit->lazy_ms);
}

void commit_note_time(struct commit *commit)
{
    struct journal_entry entry = { .kind = JOURNAL_CLOCK,
        .clock = { .event = JOURNAL_JUMP, .was_us = clock_wall_us() } };

    commit_put(commit, &entry);
}

void commit_await(struct commit *commit, struct commit_wait *wait)
{
    wait->next = NULL;
    *commit->filling_last = wait;
    commit->filling_last = &wait->next;
    deferred_ask(&commit->start);
}

bool commit_is_idle(const struct commit *commit)
{
    return !commit->is_busy && !commit->is_failing && commit->filling.count == 0 &&
           !commit->filling_waits;
}

bool commit_is_full(const struct commit *commit)
{
    return commit->filling.bytes.len > BATCH_FULL;
}
