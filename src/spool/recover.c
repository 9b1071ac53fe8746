/* spool/recover.c: from entries and records to messages; start-up. */
#include "spool/recover.h"

#include <stdlib.h>
#include <string.h>

#include "spool/recover_private.h"

enum { ARENA_CAP = 16 << 20 };

#define DAY_US (INT64_C(86400) * 1000000)

struct recover *recover_new(struct store *store, const struct recover_events *events)
{
    struct recover *recover = calloc(1, sizeof *recover);

    if (!recover)
        return NULL;
    recover->store = store;
    recover->events = events;
    segment_reader_init(&recover->reader, store->disk);
    arena_init(&recover->arena, ARENA_CAP);
    return recover;
}

void recover_free(struct recover **recover)
{
    struct live_segment *segment, *next;

    if (!*recover)
        return;
    HASH_ITER (hh, (*recover)->segments, segment, next) {
        live_drop(*recover, segment);
    }
    known_clear(&(*recover)->known);
    segment_reader_clear(&(*recover)->reader);
    arena_clear(&(*recover)->arena);
    free(*recover);
    *recover = NULL;
}

/* Where an entry names a segment; 0: nowhere. Numbers given from now on are above those. Not above
 * those of bodies: that is the word of a gate, which could use up all numbers with one. */
static const size_t segment_at[JOURNAL_KINDS] = {
    [JOURNAL_ARRIVED] = offsetof(struct journal_entry, arrived.segment),
    [JOURNAL_MOVED] = offsetof(struct journal_entry, moved.segment),
    [JOURNAL_CUT] = offsetof(struct journal_entry, cut.segment),
    [JOURNAL_SET_ASIDE] = offsetof(struct journal_entry, set_aside.segment),
    [JOURNAL_SEGMENT] = offsetof(struct journal_entry, segment.generation),
    [JOURNAL_STATE] = offsetof(struct journal_entry, state.segment),
};

static void note_number(struct recover *recover, const struct journal_entry *entry)
{
    uint64_t number;

    if (segment_at[entry->kind] == 0)
        return;
    memcpy(&number, (const char *)entry + segment_at[entry->kind], sizeof number);
    store_note_number(recover->store, number);
}

static enum err take_entry(void *context, const struct journal_entry *entry)
{
    struct recover *recover = context;

    note_number(recover, entry);
    if (recover->events->on_entry)
        recover->events->on_entry(recover->events->context, entry);
    return known_apply(&recover->known, entry);
}

static void take_damage(void *context, const struct journal_damage *damage)
{
    struct recover *recover = context;
    enum err rc = known_damage(&recover->known, damage);

    if (rc != ERR_OK)
        recover->stop = rc;
    if (recover->events->on_journal_damage)
        recover->events->on_journal_damage(recover->events->context, damage);
}

enum err recover_journal(struct recover *recover, struct journal_replayed *out_replayed)
{
    const struct journal_events events = { recover, take_entry, take_damage };
    enum err rc = journal_replay(recover->store, &events, out_replayed);

    return rc == ERR_OK ? recover->stop : rc;
}

void recover_now(struct recover *recover, int64_t now_us)
{
    journal_clock_begin(&recover->known.clock, now_us);
}

/* Is the message still to be delivered? */
static bool is_wanted(const struct recover *recover, const struct known *known, struct queue_id id)
{
    if (known && (known->is_closed || known->is_handed))
        return false;
    return !recover->events->is_held(recover->events->context, id);
}

/* The gate's word, which may be from before a jump of the clock that the queue knew of when it read
 * the record: then it was told to have come at most a day before, and not later. */
static int64_t arrival_as_told(const struct known *known, int64_t arrival_us)
{
    int64_t first_us = journal_clock_add(known->told_us, -(uint64_t)DAY_US);

    if (known->head)
        return arrival_us;
    if (arrival_us > known->told_us)
        return known->told_us;
    return arrival_us < first_us ? first_us : arrival_us;
}

/* Fills in what the journal says of the message and hands it over. */
static enum err hand_over(
    struct recover *recover, struct known *known, struct recover_message *message)
{
    struct recover_recipient *recipients;
    const struct envelope *envelope = message->envelope;
    enum err rc;

    arena_clear(&recover->arena);
    recipients = arena_array(&recover->arena, message->recipient_count, sizeof *recipients);
    if (!recipients)
        return ERR_NOMEM;
    rc = known_recipients(
        &recover->known, known, &recover->arena, recipients, message->recipient_count);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; envelope && i < message->recipient_count; i++) {
        struct slice address = envelope->recipients[i].address;
        recipients[i].domain = slice_from(address, slice_find_last(address, '@') + 1);
        recipients[i].notify = envelope->recipients[i].notify;
    }
    message->recipients = recipients;
    message->is_suspect = known_is_suspect(&recover->known, known, message->arrival_us);
    if (known) {
        message->is_refused = known->is_refused && !known->is_excused;
        message->is_journalled = known->is_journalled;
        message->is_held = known->is_held;
    }
    if (message->is_journalled)
        message->arrival_us = journal_clock_shift(
            &recover->known.clock, arrival_as_told(known, message->arrival_us), known->then);
    rc = recover->events->on_message(recover->events->context, message);
    if (rc == ERR_OK && known)
        known_hand_over(known);
    return rc;
}

enum err recover_hand_over(struct recover *recover, const struct live_segment *segment,
    uint64_t settled, const struct segment_item *item)
{
    struct known *known = known_find(&recover->known, item->id);
    const struct envelope *envelope = &item->record.envelope;
    struct recover_message message = {
        .id = item->id,
        .segment = segment->generation,
        .offset = item->offset,
        .envelope = envelope,
        .body_file = envelope->body_file,
        .arrival_us = known && known->head ? known->head->arrival_us : envelope->arrival_us,
        .size = envelope->header_size + envelope->body_size,
        .body_size = envelope->body_size,
        .sender = envelope->sender,
        .user = envelope->user,
        .notice = envelope->notice,
        .about = envelope->about,
        .priority = envelope->priority,
        .hold_us = envelope_hold_us(envelope),
        .hold_date = envelope->hold == ENVELOPE_HOLD_UNTIL ? envelope->hold_value : 0,
        .recipient_count = envelope->recipient_count,
    };

    /* A checkpoint would have named it, or an entry since. */
    if (!known && item->offset < settled)
        return ERR_OK;
    return is_wanted(recover, known, item->id) ? hand_over(recover, known, &message) : ERR_OK;
}

static enum err hand_over_stated(struct recover *recover, struct known *known)
{
    const struct known_head *head = known->head;
    struct recover_message message = { 0 };

    if (!is_wanted(recover, known, known->id)) {
        known_hand_over(known);
        return ERR_OK;
    }
    message = (struct recover_message){
        .id = known->id,
        .segment = known->segment,
        .offset = known->offset,
        .body_file = head->body_file,
        .arrival_us = head->arrival_us,
        .size = head->size,
        .body_size = head->body_size,
        .sender = slice_of(head->text, head->sender_len),
        .user = slice_of(head->text + head->sender_len, head->user_len),
        .notice = (enum envelope_notice)head->notice,
        .about = head->about,
        .priority = head->priority,
        .hold_us = head->hold_us,
        .hold_date = head->hold_date,
        .recipient_count = head->total,
    };
    return hand_over(recover, known, &message);
}

static void wait_for(struct recover *recover, struct live_segment *segment)
{
    recover->waiting += !segment->is_waiting;
    segment->is_waiting = true;
}

/* Something is to be found in the segment: it is read whatever the checkpoint says. */
static void unsettle(struct recover *recover, uint64_t generation)
{
    struct known_segment *segment = known_segment(&recover->known, generation);

    if (segment)
        segment->is_complete = false;
}

/* An entry says that the message was accepted, a cut that it was refused. The queue writes no such
 * thing, so one of them is wrong: it is found where it lies, for it must not be lost, and an
 * operator decides, for it must not be sent. What else lies there stays refused. */
static void note_refused(struct recover *recover, struct known *known)
{
    known->is_refused = known_is_behind_cut(&recover->known, known);
    if (!known->is_refused)
        return;
    known->is_damaged |= !known->is_excused;
    known_segment(&recover->known, known->segment)->has_refused = true;
}

static void unsettle_all(struct recover *recover)
{
    struct known_segment *segment, *next;

    HASH_ITER (hh, recover->known.segments, segment, next)
        segment->is_complete = false;
}

/* Which messages need no reading, and which segments therefore do. */
static void sort_known(struct recover *recover, const struct store_file *files, size_t count)
{
    struct known *known, *next;
    bool is_lost = false;

    HASH_ITER (hh, recover->known.messages, known, next) {
        struct store_file place = { known->segment };
        bool is_there;

        if (known->is_closed)
            continue;
        note_refused(recover, known);
        is_there = known->is_placed && count > 0 &&
                   bsearch(&place, files, count, sizeof *files, store_compare_files) != NULL;
        known->is_ready = is_there && known_is_stated(known);
        if (!known->is_ready && is_there)
            unsettle(recover, known->segment);
        is_lost |= !is_there;
    }
    if (is_lost)
        unsettle_all(recover);
    recover->next = recover->known.messages;
    recover->is_known_ready = true;
}

static enum err hand_over_known(struct recover *recover)
{
    enum err rc = ERR_OK;

    while (recover->next) {
        if (recover->next->is_ready)
            rc = hand_over_stated(recover, recover->next);
        if (rc != ERR_OK)
            break;
        recover->next = recover->next->hh.next;
    }
    return rc;
}

static void take_left(struct recover *recover, uint64_t generation)
{
    const struct recover_events *events = recover->events;
    enum err rc = recover_gone(recover, generation);
    struct live_segment *segment = live_find(recover, generation);

    if (!segment)
        recover->stop = rc;
    if (recover->stop != ERR_OK || rc == ERR_OK)
        return;
    /* What is known of its messages is needed when it can be read, and so are their bodies. */
    if (rc != ERR_NOTFOUND)
        wait_for(recover, segment);
    if (rc == ERR_BUSY)
        events->on_alive(events->context, generation);
    else
        events->on_trouble(events->context, generation, rc, "reading a segment");
}

enum err recover_segments(struct recover *recover)
{
    struct store_file *files;
    size_t count;
    enum err rc = store_list(recover->store, STORE_SEGMENT, &files, &count);

    if (rc != ERR_OK)
        return rc;
    if (!recover->is_known_ready)
        sort_known(recover, files, count);
    recover->stop = hand_over_known(recover);
    for (size_t i = 0; i < count && recover->stop == ERR_OK; i++)
        take_left(recover, files[i].number);
    free(files);
    return recover->stop;
}

enum err recover_cut(struct recover *recover, uint64_t generation, uint64_t offset)
{
    return known_set_cut(&recover->known, generation, offset);
}

size_t recover_waiting(const struct recover *recover)
{
    return recover->waiting;
}

enum err recover_passed(struct recover *recover, uint64_t generation, uint64_t upto)
{
    struct live_segment *segment = live_find_or_add(recover, generation);

    if (!segment)
        return ERR_NOMEM;
    if (segment->offset < upto)
        segment->offset = upto;
    return ERR_OK;
}

uint64_t recover_cut_of(const struct recover *recover, uint64_t generation)
{
    uint64_t cut = known_cut(&recover->known, generation);

    return cut == UINT64_MAX ? 0 : cut;
}

static bool is_missing(const struct known *known)
{
    return known->is_placed && !known->is_closed && !known->is_handed && !known->is_aside;
}

void recover_finish(struct recover *recover)
{
    const struct recover_events *events = recover->events;
    struct known *known, *next;

    HASH_ITER (hh, recover->known.messages, known, next) {
        if (is_missing(known))
            events->on_missing(events->context, known->id, known->segment, known->offset);
    }
    recover->next = NULL;
    known_forget(&recover->known);
}

void recover_forget(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = live_find(recover, generation);

    if (segment)
        live_drop(recover, segment);
    known_forget_segment(&recover->known, generation);
}

int recover_handle(struct recover *recover, uint64_t generation)
{
    struct live_segment *segment = live_find_or_add(recover, generation);

    return segment && live_open(recover, segment) == ERR_OK ? segment->file : -1;
}

uint64_t recover_offset(const struct recover *recover, uint64_t generation)
{
    const struct live_segment *segment = live_find(recover, generation);

    return segment ? segment->offset : 0;
}
