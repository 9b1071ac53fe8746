/* queue/reader.c: copies what recovery hands over, so that the loop can take it at its own pace.
 * All but reader_init, reader_open, reader_begin and finish runs on the reader's thread. */
#include "queue/reader.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/map.h"

static enum err copy_outcome(
    struct arena *arena, const struct journal_outcome *from, struct journal_outcome *to)
{
    bool good = true;

    *to = *from;
    good &= arena_copy(arena, from->status, &to->status);
    good &= arena_copy(arena, from->host, &to->host);
    good &= arena_copy(arena, from->address, &to->address);
    good &= arena_copy(arena, from->text, &to->text);
    to->mailbox = to->tls_version = to->tls_cipher = to->local = (struct slice){ 0 };
    return good ? ERR_OK : ERR_NOMEM;
}

static enum err copy_recipients(
    struct arena *arena, const struct recover_message *from, struct recover_message *to)
{
    struct recover_recipient *rows = arena_array(arena, from->recipient_count, sizeof *rows);
    enum err rc = rows ? ERR_OK : ERR_NOMEM;

    for (size_t i = 0; i < from->recipient_count && rc == ERR_OK; i++) {
        rows[i] = from->recipients[i];
        if (!arena_copy(arena, rows[i].domain, &rows[i].domain))
            rc = ERR_NOMEM;
        else if (rows[i].has_outcome)
            rc = copy_outcome(arena, &from->recipients[i].outcome, &rows[i].outcome);
    }
    to->recipients = rows;
    return rc;
}

/* What the journal shall know when the record is gone. */
static enum err copy_said(
    struct arena *arena, const struct recover_message *message, struct journal_arrived *said)
{
    const struct envelope *envelope = message->envelope;
    bool good = true;

    *said = (struct journal_arrived){
        .segment = message->segment,
        .offset = message->offset,
        .body_file = message->body_file,
        .arrival_us = message->arrival_us,
        .size = message->size,
        .recipient_count = (uint32_t)message->recipient_count,
        .notice = message->notice,
        .about = message->about,
    };
    good &= arena_copy(arena, message->sender, &said->sender);
    good &= arena_copy(arena, message->user, &said->user);
    good &= arena_copy(arena, envelope->mechanism, &said->mechanism);
    good &= arena_copy(arena, envelope->listener, &said->listener);
    good &= arena_copy(arena, envelope->client, &said->client);
    good &= arena_copy(arena, envelope->tls_version, &said->tls_version);
    good &= arena_copy(arena, envelope->tls_cipher, &said->tls_cipher);
    return good ? ERR_OK : ERR_NOMEM;
}

static enum err copy_message(
    struct arena *arena, const struct recover_message *from, struct arrival *arrival)
{
    struct recover_message *to = &arrival->message;
    enum err rc = from->is_journalled ? ERR_OK : copy_said(arena, from, &arrival->said);

    *to = *from;
    to->envelope = NULL;
    if (rc == ERR_OK && (!arena_copy(arena, from->sender, &to->sender) ||
                            !arena_copy(arena, from->user, &to->user)))
        rc = ERR_NOMEM;
    return rc == ERR_OK ? copy_recipients(arena, from, to) : rc;
}

/* ERR_LIMIT ends the portion; recovery hands this one over again with the next. */
static enum err on_message(void *context, const struct recover_message *message)
{
    struct reading *reading = context;
    struct arena *arena = &reading->arena;
    struct arrival *arrival;
    enum err rc;

    if (reading->arrival_count >= READING_MOST || arena->used > READING_MEMORY / 2)
        return ERR_LIMIT;
    arrival = arena_alloc(arena, sizeof *arrival);
    if (!arrival)
        return ERR_NOMEM;
    *arrival = (struct arrival){ .handle = -1 };
    rc = copy_message(arena, message, arrival);
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

static void find_segment(void *context, enum finding_kind kind, uint64_t generation)
{
    struct reader *reader = CONTAINER_OF(context, struct reader, reading);
    struct finding *finding = find(context, kind, generation);

    if (!finding)
        return;
    finding->taken = recover_offset(reader->recover, generation);
    finding->refused = recover_cut_of(reader->recover, generation);
}

static void on_alive(void *context, uint64_t generation)
{
    find_segment(context, FINDING_ALIVE, generation);
}

static void on_owned(void *context, uint64_t generation)
{
    find_segment(context, FINDING_OWNED, generation);
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

/* ---- notices ---- */

struct open_notice {
    UT_hash_handle hh;
    struct queue_id id;
};

enum { NOTICES_MOST = 65536 };

static void notice_opens(struct reader *reader, struct queue_id id)
{
    struct open_notice *open;

    HASH_FIND(hh, reader->open_notices, &id, sizeof id, open);
    open = open ? NULL : calloc(1, sizeof *open);
    if (!open)
        return;
    open->id = id;
    HASH_ADD(hh, reader->open_notices, id, sizeof open->id, open);
}

static void notice_closes(struct reader *reader, struct queue_id id)
{
    struct reading *reading = &reader->reading;
    struct open_notice *open;

    HASH_FIND(hh, reader->open_notices, &id, sizeof id, open);
    if (!open)
        return;
    HASH_DEL(reader->open_notices, open);
    free(open);
    if (!reading->notices)
        reading->notices = calloc(NOTICES_MOST, sizeof *reading->notices);
    if (reading->notices)
        reading->notices[reading->notice_count++ % NOTICES_MOST] = id;
}

/* A notice that was sent and closed in an earlier life is not made again in this one, should its
 * report come to that (DSN-1). What memory does not hold is not remembered. */
static void on_entry(void *context, const struct journal_entry *entry)
{
    struct reader *reader = CONTAINER_OF(context, struct reader, reading);

    if ((entry->kind == JOURNAL_ARRIVED && entry->arrived.notice != NOTICE_NONE) ||
        (entry->kind == JOURNAL_STATE && entry->state.notice != NOTICE_NONE))
        notice_opens(reader, entry->id);
    else if (entry->kind == JOURNAL_CLOSED || entry->kind == JOURNAL_DELETED)
        notice_closes(reader, entry->id);
}

static void notices_clear(struct reader *reader)
{
    struct open_notice *open, *next;

    HASH_ITER (hh, reader->open_notices, open, next) {
        HASH_DEL(reader->open_notices, open);
        free(open);
    }
    if (reader->reading.notice_count > NOTICES_MOST)
        reader->reading.notice_count = NOTICES_MOST;
}

/* Whether it is held already is the loop's to say: it alone knows. */
static bool on_is_held(void *context, struct queue_id id)
{
    (void)context, (void)id;
    return false;
}

static enum err read_journal(struct reader *reader, struct reading *reading)
{
    enum err rc =
        store_list(&reader->store, STORE_SEGMENT, &reading->segments, &reading->segment_count);

    if (rc == ERR_OK)
        rc = recover_journal(reader->recover, &reading->replayed);
    notices_clear(reader);
    if (rc == ERR_OK)
        recover_now(reader->recover, reader->now_us);
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
    case READING_PASSED:
        return recover_passed(reader->recover, reading->segment, reading->upto);
    case READING_FORGET:
        recover_forget(reader->recover, reading->segment);
        return ERR_OK;
    }
    return ERR_OK;
}

static void find_places(struct reader *reader, struct reading *reading)
{
    uint64_t segment = 0;
    int handle = -1;

    if (reading->segment != 0 && reading->kind != READING_FORGET) {
        reading->taken = recover_offset(reader->recover, reading->segment);
        reading->refused = recover_cut_of(reader->recover, reading->segment);
    }
    if (reading->kind == READING_PASSED)
        reading->handle = recover_handle(reader->recover, reading->segment);
    for (struct arrival *arrival = reading->arrivals; arrival; arrival = arrival->next) {
        if (arrival->message.segment != segment)
            handle = recover_handle(reader->recover, arrival->message.segment);
        segment = arrival->message.segment;
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
    find_places(reader, reading);
    if (reading->kind == READING_SEGMENTS && reading->result == ERR_OK)
        reader->has_segments = true;
    if (!reader->has_segments || reader->is_finished || recover_waiting(reader->recover) > 0)
        return;
    recover_finish(reader->recover);
    /* What was known of each message while the journal was read: as much as the queue itself. */
    malloc_trim(0);
    reader->is_finished = true;
}

static void deliver(void *owner)
{
    struct reader *reader = owner;

    if (!reader->done(reader->owner, &reader->reading)) {
        deferred_ask(&reader->more);
        return;
    }
    reader->is_busy = false;
    reader->idle(reader->owner);
}

static void finish(struct hand_job *job)
{
    deliver(CONTAINER_OF(CONTAINER_OF(job, struct reading, job), struct reader, reading));
}

enum err reader_init(struct reader *reader, struct loop *loop, struct disk *disk, int root,
    const struct store_settings *settings, bool (*done)(void *owner, struct reading *reading),
    void (*idle)(void *owner), void *owner)
{
    enum err rc;

    *reader = (struct reader){ .done = done, .idle = idle, .owner = owner };
    deferred_init(&reader->more, loop, deliver, reader);
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
        .on_entry = on_entry,
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
    deferred_cancel(&reader->more);
    if (reader->recover) {
        recover_free(&reader->recover);
        store_close(&reader->store);
    }
    free(reader->reading.segments);
    free(reader->reading.notices);
    arena_clear(&reader->reading.arena);
}

void reader_begin(struct reader *reader, enum reading_kind kind, uint64_t segment, uint64_t upto)
{
    struct reading *reading = &reader->reading;

    assert(!reader->is_busy);
    arena_clear(&reading->arena);
    free(reading->segments);
    free(reading->notices);
    *reading = (struct reading){ .job = reading->job,
        .arena = reading->arena,
        .kind = kind,
        .segment = segment,
        .upto = upto,
        .handle = -1 };
    reading->arrivals_last = &reading->arrivals;
    reading->findings_last = &reading->findings;
    reader->is_busy = true;
    hands_give(reader->hands, &reading->job);
}

void reader_open(struct reader *reader, int64_t now_us)
{
    reader->now_us = now_us;
    reader_begin(reader, READING_JOURNAL, 0, 0);
}
