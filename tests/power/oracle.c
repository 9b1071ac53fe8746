/* tests/power/oracle.c: the promises and how they are judged. */
#include "oracle.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void oracle_init(struct oracle *oracle)
{
    *oracle = (struct oracle){ 0 };
}

void oracle_clear(struct oracle *oracle)
{
    HASH_CLEAR(hh, oracle->promises);
    for (size_t i = 0; i < oracle->count; i++) {
        free(oracle->order[i]->versions);
        free(oracle->order[i]);
    }
    free(oracle->order);
    *oracle = (struct oracle){ 0 };
}

void oracle_fault(struct oracle *oracle, const char *format, ...)
{
    va_list args;

    if (oracle->faults++ > 0)
        return;
    va_start(args, format);
    vsnprintf(oracle->fault, sizeof oracle->fault, format, args);
    va_end(args);
}

struct promise *oracle_find(const struct oracle *oracle, struct queue_id id)
{
    struct promise *promise;

    HASH_FIND(hh, oracle->promises, &id, sizeof id, promise);
    return promise;
}

static void fate_init(struct fate *fate)
{
    fate->ended = fate->end_known = ORACLE_NEVER;
    for (size_t i = 0; i < ORACLE_TRIES; i++)
        fate->tried[i] = fate->try_known[i] = ORACLE_NEVER;
}

struct promise *oracle_promise(struct oracle *oracle, struct queue_id id)
{
    struct promise *promise = oracle_find(oracle, id);

    if (promise)
        return promise;
    promise = power_alloc(sizeof *promise);
    promise->id = id;
    promise->offered = promise->given = promise->refused = promise->remade = ORACLE_NEVER;
    promise->hold_asked = promise->hold_answered = ORACLE_NEVER;
    promise->release_asked = promise->release_answered = ORACLE_NEVER;
    promise->delete_asked = promise->delete_answered = ORACLE_NEVER;
    for (size_t i = 0; i < ORACLE_RECIPIENTS; i++)
        fate_init(&promise->fates[i]);
    HASH_ADD(hh, oracle->promises, id, sizeof promise->id, promise);
    oracle->order = power_grow(oracle->order, &oracle->room, oracle->count, sizeof *oracle->order);
    promise->place = oracle->count;
    oracle->order[oracle->count++] = promise;
    return promise;
}

/* ---- likeness ---- */

void likeness_digest(const void *data, size_t len, uint64_t out_digest[2])
{
    XXH128_hash_t digest = XXH3_128bits(data, len);

    out_digest[0] = digest.low64;
    out_digest[1] = digest.high64;
}

void likeness_of_envelope(const struct envelope *envelope, uint64_t out_digest[2])
{
    struct buffer packed;

    buffer_init(&packed, ENVELOPE_MAX);
    if (envelope_pack(&packed, envelope) != ERR_OK)
        abort();
    likeness_digest(buffer_slice(&packed).data, packed.len, out_digest);
    buffer_clear(&packed);
}

static void learn_version(struct promise *promise, const struct record *record)
{
    struct likeness *version;

    promise->versions = power_grow(promise->versions, &promise->version_room,
        promise->version_count, sizeof *promise->versions);
    version = &promise->versions[promise->version_count++];
    *version = (struct likeness){ .body_size = record->body.len };
    likeness_of_envelope(&record->envelope, version->envelope);
    likeness_digest(record->header.data, record->header.len, version->header);
    likeness_digest(record->body.data, record->body.len, version->body);
}

static void learn_record(struct oracle *oracle, const struct frame *frame, moment at)
{
    struct arena arena;
    struct record record;
    struct promise *promise;

    arena_init(&arena, 1 << 20);
    if (record_from_frame(frame, &arena, &record) == ERR_OK &&
        record.envelope.notice != NOTICE_NONE) {
        promise = oracle_promise(oracle, record.envelope.id);
        promise->is_notice = true;
        if (promise->offered == ORACLE_NEVER) {
            promise->offered = at;
            promise->recipient_count = record.envelope.recipient_count;
        }
        learn_version(promise, &record);
        if (promise->fates[0].end_known != ORACLE_NEVER && at > promise->fates[0].end_known &&
            promise->remade == ORACLE_NEVER)
            promise->remade = at;
    }
    arena_clear(&arena);
}

static void learn_entry(struct oracle *oracle, const struct frame *frame)
{
    struct arena arena;
    struct journal_entry entry;

    arena_init(&arena, 1 << 20);
    if (journal_entry_from_frame(frame, &arena, &entry) == ERR_OK) {
        oracle->moves += entry.kind == JOURNAL_MOVED;
        oracle->checkpoints +=
            entry.kind == JOURNAL_CHECKPOINT && entry.checkpoint.stage == JOURNAL_END;
    }
    arena_clear(&arena);
}

/* Frames that begin in these octets; how many octets are used up. */
static size_t learn_frames(
    struct oracle *oracle, const unsigned char *octets, size_t len, moment at_event)
{
    size_t at = 0;

    while (at + FRAME_HEAD <= len) {
        struct slice rest = slice_of(octets + at, len - at);
        struct frame frame;
        uint64_t generation;
        memcpy(&generation, octets + at + 8, sizeof generation);
        if (frame_parse(&record_format, generation, rest, &frame) == FRAME_GOOD)
            learn_record(oracle, &frame, at_event);
        else if (frame_parse(&journal_format, generation, rest, &frame) == FRAME_GOOD)
            learn_entry(oracle, &frame);
        else
            break;
        at += frame.total;
    }
    return at;
}

/* The octets of writes that went on where the one before stopped, as a short write makes them. */
struct run_on {
    unsigned char *octets;
    size_t len;
    uint64_t end; /* where the next piece would begin */
};

static void run_on_set(struct run_on *run, size_t kept, const unsigned char *more, size_t len)
{
    run->octets = realloc(run->octets, kept + len + 1);
    if (!run->octets)
        abort();
    memcpy(run->octets + kept, more, len);
    run->len = kept + len;
}

/* What begins with a frame begins something; else it goes on with what was there, if it can. */
static void learn_write(
    struct oracle *oracle, struct run_on *run, const struct event *event, moment at)
{
    size_t used = learn_frames(oracle, event->data, event->len, at);

    if (used > 0) {
        run_on_set(run, 0, event->data + used, event->len - used);
    } else if (event->offset == run->end) {
        run_on_set(run, run->len, event->data, event->len);
        used = learn_frames(oracle, run->octets, run->len, at);
        memmove(run->octets, run->octets + used, run->len - used);
        run->len -= used;
    } else {
        run_on_set(run, 0, event->data, event->len);
    }
    run->end = event->offset + event->len;
}

void oracle_learn(struct oracle *oracle, const struct recorder *log)
{
    enum { NODES = 65536 };
    struct run_on *runs = power_alloc(NODES * sizeof *runs);

    for (size_t i = 0; i < log->count; i++) {
        const struct event *event = &log->events[i];
        if (event->kind == EVENT_WRITE && event->len > 0 && event->node < NODES)
            learn_write(oracle, &runs[event->node], event, (moment)i);
    }
    for (size_t i = 0; i < NODES; i++)
        free(runs[i].octets);
    free(runs);
}

/* ---- judging ---- */

/* Had it happened before the cut? */
static bool was(moment when, moment now)
{
    return when != ORACLE_NEVER && when < now;
}

static const char *name_of(struct queue_id id)
{
    static char text[QUEUE_ID_TEXT + 1];

    queue_id_format(id, text);
    return text;
}

void harvest_begin(struct harvest *harvest, struct oracle *oracle, moment now)
{
    *harvest = (struct harvest){ .oracle = oracle, .now = now };
    harvest->seen = power_alloc(oracle->count * sizeof *harvest->seen);
}

static bool is_like(const struct likeness *a, const struct likeness *b)
{
    return memcmp(a->envelope, b->envelope, sizeof a->envelope) == 0 &&
           memcmp(a->header, b->header, sizeof a->header) == 0 &&
           memcmp(a->body, b->body, sizeof a->body) == 0 && a->body_size == b->body_size;
}

static bool is_as_sent(const struct promise *promise, const struct likeness *found)
{
    for (size_t i = 0; i < promise->version_count; i++)
        if (is_like(found, &promise->versions[i]))
            return true;
    return !promise->is_notice && is_like(found, &promise->likeness);
}

static void judge_fate(const struct harvest *harvest, const struct promise *promise, size_t index,
    const struct returned_fate *found)
{
    const struct fate *fate = &promise->fates[index];
    moment now = harvest->now;
    uint32_t known = 0, said = was(fate->ended, now);

    for (size_t i = 0; i < fate->tries; i++) {
        known += was(fate->try_known[i], now);
        said += was(fate->tried[i], now);
    }
    if (found->state == RECOVER_PENDING && was(fate->end_known, now) && !was(promise->remade, now))
        oracle_fault(harvest->oracle, "%s: the end of recipient %zu is forgotten",
            name_of(promise->id), index);
    if (found->state == RECOVER_PENDING && was(promise->delete_answered, now) &&
        !was(fate->ended, now))
        oracle_fault(
            harvest->oracle, "%s: deleted, and recipient %zu is back", name_of(promise->id), index);
    if (found->state != RECOVER_PENDING && !was(fate->ended, now) &&
        !was(promise->delete_asked, now))
        oracle_fault(harvest->oracle, "%s: an end of recipient %zu that nobody told",
            name_of(promise->id), index);
    if (found->state != RECOVER_PENDING && was(fate->ended, now) && found->state != fate->end &&
        !was(promise->delete_asked, now))
        oracle_fault(harvest->oracle, "%s: another end of recipient %zu than was told",
            name_of(promise->id), index);
    /* A deferral that is told again behind an end counts for nothing. */
    if (was(fate->ended, now) || was(promise->remade, now))
        known = 0;
    if (found->attempts < known || found->attempts > said + fate->retold)
        oracle_fault(harvest->oracle, "%s: recipient %zu has %u attempts, acknowledged %u, told %u",
            name_of(promise->id), index, found->attempts, known, said);
}

static void judge_hold(
    const struct harvest *harvest, const struct promise *promise, const struct returned *returned)
{
    moment now = harvest->now;

    if (was(promise->hold_answered, now) && !was(promise->release_asked, now) && !returned->is_held)
        oracle_fault(harvest->oracle, "%s: held, and now it is not", name_of(promise->id));
    if (returned->is_held &&
        (!was(promise->hold_asked, now) || was(promise->release_answered, now)))
        oracle_fault(harvest->oracle, "%s: held by nobody", name_of(promise->id));
}

void harvest_take(struct harvest *harvest, const struct returned *returned)
{
    struct oracle *oracle = harvest->oracle;
    const struct promise *promise = oracle_find(oracle, returned->id);
    moment now = harvest->now;

    if (!promise || !was(promise->offered, now)) {
        oracle_fault(oracle, "%s: nobody sent that", name_of(returned->id));
        return;
    }
    if (harvest->seen[promise->place]++ > 0)
        oracle_fault(oracle, "%s: twice in the queue", name_of(promise->id));
    if (was(promise->refused, now))
        oracle_fault(oracle, "%s: was refused, and is back", name_of(promise->id));
    if (returned->is_suspect)
        oracle_fault(oracle, "%s: suspect, though nothing was damaged", name_of(promise->id));
    if (returned->recipient_count != promise->recipient_count) {
        oracle_fault(oracle, "%s: %zu recipients instead of %zu", name_of(promise->id),
            returned->recipient_count, promise->recipient_count);
        return;
    }
    if (returned->likeness && !is_as_sent(promise, returned->likeness))
        oracle_fault(oracle, "%s: not as it was sent", name_of(promise->id));
    for (size_t i = 0; i < promise->recipient_count && i < ORACLE_RECIPIENTS; i++)
        judge_fate(harvest, promise, i, &returned->fates[i]);
    judge_hold(harvest, promise, returned);
}

/* May it be that the message is closed? Only when each recipient's end had been told. */
static bool may_be_closed(const struct promise *promise, moment now)
{
    if (was(promise->delete_asked, now))
        return true;
    for (size_t i = 0; i < promise->recipient_count && i < ORACLE_RECIPIENTS; i++)
        if (!was(promise->fates[i].ended, now))
            return false;
    return true;
}

static bool is_there_or_closed(const struct harvest *harvest, const struct promise *promise)
{
    return harvest->seen[promise->place] > 0 || may_be_closed(promise, harvest->now);
}

/* Whoever was told of a failure has a notice in the spool, or had one. */
static void judge_notices(const struct harvest *harvest, const struct promise *promise)
{
    static const struct queue_id none;

    for (size_t i = 0; i < promise->recipient_count && i < ORACLE_RECIPIENTS; i++) {
        const struct fate *fate = &promise->fates[i];
        const struct promise *notice;
        if (!was(fate->end_known, harvest->now) || fate->end != RECOVER_FAILED ||
            queue_id_equals(fate->notice, none) || was(promise->delete_asked, harvest->now))
            continue;
        notice = oracle_find(harvest->oracle, fate->notice);
        if (!notice || !was(notice->offered, harvest->now))
            oracle_fault(harvest->oracle, "%s: the failure of recipient %zu was never told",
                name_of(promise->id), i);
        else if (!is_there_or_closed(harvest, notice))
            oracle_fault(harvest->oracle, "%s: its notice is lost", name_of(promise->id));
    }
}

void harvest_end(struct harvest *harvest)
{
    struct oracle *oracle = harvest->oracle;

    for (size_t i = 0; i < oracle->count; i++) {
        const struct promise *promise = oracle->order[i];
        if (was(promise->given, harvest->now) && !is_there_or_closed(harvest, promise))
            oracle_fault(oracle, "%s: had a 250 and is lost", name_of(promise->id));
        if (!promise->is_notice)
            judge_notices(harvest, promise);
    }
    free(harvest->seen);
}
