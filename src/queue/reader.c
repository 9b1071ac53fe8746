/* queue/reader.c: copies what recovery hands over, so that the loop can take it at its own pace.
 * All but reader_init, reader_begin and finish runs on the reader's thread. */
#include "queue/reader.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"

static enum err copy_outcome(
    struct arena *arena, const struct journal_outcome *from, struct journal_outcome *to)
{
    bool good = true;

    *to = *from;
    good &= arena_copy(arena, from->mailbox, &to->mailbox);
    good &= arena_copy(arena, from->status, &to->status);
    good &= arena_copy(arena, from->host, &to->host);
    good &= arena_copy(arena, from->address, &to->address);
    good &= arena_copy(arena, from->text, &to->text);
    to->tls_version = to->tls_cipher = to->local = (struct slice){ 0 };
    return good ? ERR_OK : ERR_NOMEM;
}

static enum err copy_recipient(struct arena *arena, const struct envelope_recipient *mailbox,
    const struct recover_recipient *known, struct arrival_recipient *to)
{
    struct slice address = mailbox->address;

    to->state = known->state;
    to->attempts = known->attempts;
    to->next_us = known->next_us;
    to->has_failure_notice = known->has_failure_notice;
    to->has_delay_notice = known->has_delay_notice;
    to->has_outcome = known->has_outcome;
    if (!arena_copy(arena, slice_from(address, slice_find_last(address, '@') + 1), &to->domain))
        return ERR_NOMEM;
    return known->has_outcome ? copy_outcome(arena, &known->outcome, &to->outcome) : ERR_OK;
}

static enum err copy_envelope(struct arena *arena, const struct envelope *from, struct envelope *to)
{
    static const size_t texts[] = {
        offsetof(struct envelope, sender),
        offsetof(struct envelope, user),
        offsetof(struct envelope, mechanism),
        offsetof(struct envelope, listener),
        offsetof(struct envelope, client),
        offsetof(struct envelope, ehlo),
        offsetof(struct envelope, tls_version),
        offsetof(struct envelope, tls_cipher),
    };

    *to = *from;
    to->recipients = NULL;
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct slice *text = (struct slice *)(void *)((char *)to + texts[i]);
        if (!arena_copy(arena, *text, text))
            return ERR_NOMEM;
    }
    return ERR_OK;
}

/* ERR_LIMIT ends the portion; recovery reads this record again with the next. */
static enum err on_message(void *context, const struct recover_message *message)
{
    struct reading *reading = context;
    const struct envelope *envelope = message->envelope;
    struct arena *arena = &reading->arena;
    struct arrival *arrival;
    enum err rc;

    if (reading->arrival_count >= READING_MOST || arena->used > READING_MEMORY / 2)
        return ERR_LIMIT;
    arrival = arena_alloc(arena, sizeof *arrival);
    if (!arrival)
        return ERR_NOMEM;
    *arrival = (struct arrival){
        .segment = message->segment,
        .offset = message->offset,
        .handle = -1,
        .is_journalled = message->is_journalled,
        .is_held = message->is_held,
        .is_suspect = message->is_suspect,
        .arrival_us = message->arrival_us,
        .recipient_count = (uint32_t)envelope->recipient_count,
        .recipients = arena_array(arena, envelope->recipient_count, sizeof *arrival->recipients),
    };
    rc = arrival->recipients ? copy_envelope(arena, envelope, &arrival->envelope) : ERR_NOMEM;
    for (uint32_t i = 0; i < arrival->recipient_count && rc == ERR_OK; i++)
        rc = copy_recipient(
            arena, &envelope->recipients[i], &message->recipients[i], &arrival->recipients[i]);
    if (rc != ERR_OK)
        return rc;
    *reading->arrivals_last = arrival;
    reading->arrivals_last = &arrival->next;
    reading->arrival_count++;
    return ERR_OK;
}

/* A finding that cannot be told for want of memory is told again at the next start. */
static struct finding *find(struct reading *reading, enum finding_kind kind, uint64_t segment)
{
    struct finding *finding = arena_alloc(&reading->arena, sizeof *finding);

    if (!finding) {
        reading->result = ERR_NOMEM;
        return NULL;
    }
    finding->kind = kind;
    finding->segment = segment;
    *reading->findings_last = finding;
    reading->findings_last = &finding->next;
    return finding;
}

static void on_aside(void *context, const struct recover_aside *aside)
{
    struct finding *finding = find(context, FINDING_ASIDE, aside->segment);

    if (finding)
        finding->aside = *aside;
}

static void on_alive(void *context, uint64_t generation)
{
    (void)find(context, FINDING_ALIVE, generation);
}

static void on_owned(void *context, uint64_t generation)
{
    (void)find(context, FINDING_OWNED, generation);
}

static void on_missing(void *context, struct queue_id id, uint64_t segment, uint64_t offset)
{
    struct finding *finding = find(context, FINDING_MISSING, segment);

    (void)offset;
    if (finding)
        finding->id = id;
}

static void on_trouble(void *context, uint64_t generation, enum err reason, const char *what)
{
    struct finding *finding = find(context, FINDING_TROUBLE, generation);

    if (!finding)
        return;
    finding->reason = reason;
    finding->what = what;
}

static void on_journal_damage(void *context, const struct journal_damage *damage)
{
    struct finding *finding = find(context, FINDING_TROUBLE, damage->file);

    if (!finding)
        return;
    finding->reason = ERR_CORRUPT;
    finding->what = damage->why;
    finding->id = damage->id;
}

/* Whether it is held already is the loop's to say: it alone knows. */
static bool on_is_held(void *context, struct queue_id id)
{
    (void)context, (void)id;
    return false;
}

static enum err read_journal(struct reader *reader, struct reading *reading)
{
    struct store_file *files;
    size_t count;
    enum err rc = store_list(&reader->store, STORE_JOURNAL, &files, &count);

    if (rc != ERR_OK)
        return rc;
    reading->oldest_journal = count > 0 ? files[0].number : 0;
    free(files);
    rc = store_list(&reader->store, STORE_SEGMENT, &reading->segments, &reading->segment_count);
    if (rc != ERR_OK)
        return rc;
    rc = recover_journal(reader->recover, &reading->replayed);
    recover_now(reader->recover, clock_wall_us());
    return rc;
}

static enum err read_spool(struct reader *reader, struct reading *reading)
{
    switch (reading->kind) {
    case READING_JOURNAL:
        return read_journal(reader, reading);
    case READING_SEGMENTS:
        return recover_segments(reader->recover);
    case READING_STATED:
        return recover_stated(reader->recover, reading->segment, reading->upto);
    case READING_GONE:
        return recover_gone(reader->recover, reading->segment);
    case READING_CUT:
        return recover_cut(reader->recover, reading->segment, reading->upto);
    case READING_FORGET:
        recover_forget(reader->recover, reading->segment);
        return ERR_OK;
    }
    return ERR_OK;
}

static void find_handles(struct reader *reader, struct reading *reading)
{
    uint64_t segment = 0;
    int handle = -1;

    for (struct arrival *arrival = reading->arrivals; arrival; arrival = arrival->next) {
        if (arrival->segment != segment)
            handle = recover_handle(reader->recover, arrival->segment);
        segment = arrival->segment;
        arrival->handle = handle;
    }
}

static void work(struct hand_job *job)
{
    struct reading *reading = CONTAINER_OF(job, struct reading, job);
    struct reader *reader = CONTAINER_OF(reading, struct reader, reading);
    enum err rc = read_spool(reader, reading);

    if (reading->result == ERR_OK)
        reading->result = rc;
    find_handles(reader, reading);
    if (reading->kind == READING_SEGMENTS && reading->result == ERR_OK)
        reader->has_segments = true;
    if (!reader->has_segments || reader->is_finished || recover_waiting(reader->recover) > 0)
        return;
    recover_finish(reader->recover);
    reader->is_finished = true;
}

static void finish(struct hand_job *job)
{
    struct reading *reading = CONTAINER_OF(job, struct reading, job);
    struct reader *reader = CONTAINER_OF(reading, struct reader, reading);

    reader->done(reader->owner, reading);
    reader->is_busy = false;
    reader->idle(reader->owner);
}

enum err reader_init(struct reader *reader, struct loop *loop, struct disk *disk, int root,
    const struct store_settings *settings, void (*done)(void *owner, struct reading *reading),
    void (*idle)(void *owner), void *owner)
{
    enum err rc;

    *reader = (struct reader){ .done = done, .idle = idle, .owner = owner };
    arena_init(&reader->reading.arena, READING_MEMORY);
    reader->reading.job = (struct hand_job){ .work = work, .done = finish };
    reader->events = (struct recover_events){
        .context = &reader->reading,
        .is_held = on_is_held,
        .on_message = on_message,
        .on_aside = on_aside,
        .on_alive = on_alive,
        .on_missing = on_missing,
        .on_owned = on_owned,
        .on_trouble = on_trouble,
        .on_journal_damage = on_journal_damage,
    };
    rc = store_open(&reader->store, disk, root, settings);
    if (rc != ERR_OK)
        return rc;
    reader->recover = recover_new(&reader->store, &reader->events);
    reader->hands = hands_new(loop, "reader", 1);
    if (!reader->recover || !reader->hands)
        rc = ERR_NOMEM;
    if (!reader->recover)
        store_close(&reader->store);
    if (rc != ERR_OK)
        reader_clear(reader);
    return rc;
}

void reader_clear(struct reader *reader)
{
    if (reader->hands)
        hands_free(&reader->hands);
    if (reader->recover) {
        recover_free(&reader->recover);
        store_close(&reader->store);
    }
    free(reader->reading.segments);
    arena_clear(&reader->reading.arena);
}

void reader_begin(struct reader *reader, enum reading_kind kind, uint64_t segment, uint64_t upto)
{
    struct reading *reading = &reader->reading;

    assert(!reader->is_busy);
    arena_clear(&reading->arena);
    free(reading->segments);
    *reading = (struct reading){
        .job = reading->job, .arena = reading->arena, .kind = kind, .segment = segment, .upto = upto
    };
    reading->arrivals_last = &reading->arrivals;
    reading->findings_last = &reading->findings;
    reader->is_busy = true;
    hands_give(reader->hands, &reading->job);
}
