/* spool/known.c: the journal's entries applied one after the other. Every entry says what is, so
 * one that comes twice changes nothing; closed is final. */
#include "spool/known.h"

#include <assert.h>
#include <stdlib.h>

enum { OUTCOME_MAX = 4096 };

static void drop_details(struct known *known)
{
    for (size_t i = 0; i < known->recipient_count; i++)
        free(known->recipients[i].text);
    free(known->recipients);
    free(known->head);
    known->recipients = NULL;
    known->recipient_count = 0;
    known->head = NULL;
}

void known_drop(struct known_set *set, struct known *known)
{
    HASH_DEL(set->messages, known);
    drop_details(known);
    free(known);
}

void known_forget(struct known_set *set)
{
    struct known *known, *next;

    HASH_ITER (hh, set->messages, known, next)
        known_drop(set, known);
    set->nameless = 0;
    set->is_open = false;
}

void known_clear(struct known_set *set)
{
    struct known_segment *segment, *next;

    known_forget(set);
    HASH_ITER (hh, set->segments, segment, next) {
        HASH_DEL(set->segments, segment);
        free(segment);
    }
}

struct known *known_find(const struct known_set *set, struct queue_id id)
{
    struct known *known;

    HASH_FIND(hh, set->messages, &id, sizeof id, known);
    return known;
}

static struct known *find_or_add(struct known_set *set, struct queue_id id)
{
    struct known *known = known_find(set, id);

    if (known)
        return known;
    known = calloc(1, sizeof *known);
    if (!known)
        return NULL;
    known->id = id;
    known->born = set->nameless;
    HASH_ADD(hh, set->messages, id, sizeof known->id, known);
    return known;
}

enum err known_grow(struct known *known, size_t count)
{
    size_t old = known->recipient_count;
    struct known_recipient *grown;

    if (count <= old)
        return ERR_OK;
    grown = reallocarray(known->recipients, count, sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    memset(grown + old, 0, (count - old) * sizeof *grown);
    known->recipients = grown;
    known->recipient_count = (uint32_t)count;
    return ERR_OK;
}

/* NULL without memory; and for an index that no envelope has, which then belongs to nobody. */
static struct known_recipient *recipient_at(struct known *known, uint32_t index)
{
    if (index >= ENVELOPE_RECIPIENTS_MAX || known_grow(known, (size_t)index + 1) != ERR_OK)
        return NULL;
    return &known->recipients[index];
}

/* The domain, and behind it what the shape packs or is packed already. */
static enum err keep_texts(struct known_recipient *recipient, struct slice domain,
    const struct shape *shape, const void *members, struct slice packed)
{
    struct buffer text;

    buffer_init(&text, OUTCOME_MAX);
    buffer_put_slice(&text, domain);
    if (members)
        pack(&text, shape, members);
    buffer_put_slice(&text, packed);
    buffer_shrink(&text);
    if (text.error != ERR_OK) {
        buffer_clear(&text);
        return ERR_NOMEM;
    }
    free(recipient->text);
    recipient->text = text.data;
    recipient->domain_len = (uint16_t)domain.len;
    recipient->outcome_len = (uint32_t)(text.len - domain.len);
    return ERR_OK;
}

enum err known_keep_texts(
    struct known_recipient *recipient, struct slice domain, const struct journal_outcome *outcome)
{
    recipient->is_owed = false;
    return keep_texts(recipient, domain, &journal_outcome_shape, outcome, (struct slice){ 0 });
}

enum err known_keep_domain(struct known_recipient *recipient, struct slice domain)
{
    struct slice packed =
        slice_from(slice_of(recipient->text, recipient->domain_len + recipient->outcome_len),
            recipient->domain_len);

    return keep_texts(recipient, domain, NULL, NULL, packed);
}

void known_keep_next(
    const struct known_set *set, struct known_recipient *recipient, int64_t next_us)
{
    const struct journal_mark *mark = &set->clock.mark;

    recipient->next_us = next_us ? journal_clock_add(next_us, -(uint64_t)mark->moved_us) : 0;
    recipient->away_us = mark->away_us;
}

static struct slice domain_of(const struct known_recipient *recipient)
{
    return slice_of(recipient->text, recipient->domain_len);
}

static const enum recover_state states[] = {
    [JOURNAL_DELIVERED] = RECOVER_DELIVERED,
    [JOURNAL_DEFERRED] = RECOVER_PENDING,
    [JOURNAL_FAILED] = RECOVER_FAILED,
    [JOURNAL_EXPIRED] = RECOVER_EXPIRED,
};

static enum err apply_outcome(
    struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_outcome *outcome = &entry->outcome;
    struct known_recipient *recipient = recipient_at(known, outcome->recipient);

    if (outcome->recipient >= ENVELOPE_RECIPIENTS_MAX)
        return ERR_OK;
    if (!recipient)
        return ERR_NOMEM;
    recipient->state = states[outcome->result];
    recipient->attempts = outcome->attempt;
    known_keep_next(set, recipient, outcome->result == JOURNAL_DEFERRED ? outcome->next_us : 0);
    return known_keep_texts(
        recipient, domain_of(recipient), outcome->result != JOURNAL_DELIVERED ? outcome : NULL);
}

/* Delivered, and that is all there is to it until a notice is in the spool. */
static enum err apply_owed(
    struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_owed *owed = &entry->owed;
    struct known_recipient *recipient = recipient_at(known, owed->outcome.recipient);
    enum err rc;

    if (owed->outcome.recipient >= ENVELOPE_RECIPIENTS_MAX)
        return ERR_OK;
    if (!recipient)
        return ERR_NOMEM;
    recipient->state = RECOVER_DELIVERED;
    recipient->attempts = owed->outcome.attempt;
    known_keep_next(set, recipient, 0);
    rc =
        keep_texts(recipient, domain_of(recipient), &journal_owed_shape, owed, (struct slice){ 0 });
    recipient->is_owed = rc == ERR_OK;
    return rc;
}

void known_place(struct known *known, uint64_t segment, uint64_t offset)
{
    known->is_excused &= known->segment == segment && known->offset == offset;
    known->is_placed = true;
    known->segment = segment;
    known->offset = offset;
}

static enum err apply_arrived(
    struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    known->is_journalled = true;
    known->settled = set->checkpoints;
    known->then = set->clock.mark;
    known->told_us = entry->at_us;
    known_place(known, entry->arrived.segment, entry->arrived.offset);
    return ERR_OK;
}

static enum err apply_moved(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    known_place(known, entry->moved.segment, entry->moved.offset);
    return ERR_OK;
}

static enum err apply_held(
    UNUSED struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    known->is_held = true;
    return ERR_OK;
}

/* A release is an operator's word about everything before it, lost entries included. */
static enum err apply_released(
    struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    known->is_held = false;
    known->is_damaged = false;
    known->is_excused = known_is_behind_cut(set, known);
    known->born = set->nameless;
    return ERR_OK;
}

static enum err apply_closed(
    UNUSED struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    known->is_closed = true;
    drop_details(known);
    return ERR_OK;
}

static enum err apply_noticed(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_noticed *noticed = &entry->noticed;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < noticed->recipient_count && rc == ERR_OK; i++) {
        uint32_t index = noticed->recipients[i].recipient;
        struct known_recipient *recipient = recipient_at(known, index);
        if (!recipient && index < ENVELOPE_RECIPIENTS_MAX)
            return ERR_NOMEM;
        if (!recipient)
            continue;
        recipient->has_delay_notice |= noticed->notice == NOTICE_DELAY;
        if (recipient->is_owed && noticed->notice == NOTICE_SUCCESS)
            rc = known_keep_texts(recipient, domain_of(recipient), NULL);
    }
    return rc;
}

static enum err apply_cut(
    struct known_set *set, UNUSED struct known *known, const struct journal_entry *entry)
{
    return known_set_cut(set, entry->cut.segment, entry->cut.offset);
}

static enum err apply_set_aside(
    UNUSED struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    if (known)
        known->is_aside = true;
    return ERR_OK;
}

static enum err apply_clock(
    struct known_set *set, UNUSED struct known *known, const struct journal_entry *entry)
{
    if (entry->clock.event == JOURNAL_LIFE)
        journal_clock_begin(&set->clock, entry->at_us);
    else
        journal_clock_set(&set->clock, entry->clock.was_us, entry->at_us);
    return ERR_OK;
}

static const struct {
    enum err (*apply)(struct known_set *, struct known *, const struct journal_entry *);
    bool is_about_message; /* needs an id; otherwise known is NULL where nothing else is known of it
                            */
} rows[JOURNAL_KINDS] = {
    [JOURNAL_ARRIVED] = { apply_arrived, true },
    [JOURNAL_OUTCOME] = { apply_outcome, true },
    [JOURNAL_HELD] = { apply_held, true },
    [JOURNAL_RELEASED] = { apply_released, true },
    [JOURNAL_DELETED] = { apply_closed, true },
    [JOURNAL_CLOSED] = { apply_closed, true },
    [JOURNAL_NOTICED] = { apply_noticed, true },
    [JOURNAL_MOVED] = { apply_moved, true },
    [JOURNAL_CUT] = { apply_cut, false },
    [JOURNAL_SET_ASIDE] = { apply_set_aside, false },
    [JOURNAL_CHECKPOINT] = { known_apply_checkpoint, false },
    [JOURNAL_SEGMENT] = { known_apply_segment, false },
    [JOURNAL_STATE] = { known_apply_state, true },
    [JOURNAL_CLOCK] = { apply_clock, false },
    [JOURNAL_OWED] = { apply_owed, true },
};

enum err known_apply(struct known_set *set, const struct journal_entry *entry)
{
    struct known *known = NULL;

    if (entry->kind != JOURNAL_CLOCK)
        journal_clock_note(&set->clock, entry->at_us);
    if (set->is_open) {
        set->is_open = false;
        if (set->nameless_us < entry->at_us)
            set->nameless_us = entry->at_us;
    }
    if (rows[entry->kind].is_about_message) {
        known = find_or_add(set, entry->id);
        if (!known)
            return ERR_NOMEM;
        known->touched = set->checkpoints;
    } else {
        known = known_find(set, entry->id);
    }
    if (known && known->is_closed && rows[entry->kind].is_about_message)
        return ERR_OK;
    return rows[entry->kind].apply(set, known, entry);
}

enum err known_damage(struct known_set *set, const struct journal_damage *damage)
{
    struct known *known;

    if (!journal_damage_is_nameless(damage)) {
        known = find_or_add(set, damage->id);
        if (!known)
            return ERR_NOMEM;
        known->touched = set->checkpoints;
        known->is_damaged = true;
        if (known->head)
            known->head->is_running = false;
        return ERR_OK;
    }
    if (set->nameless == 0)
        set->nameless_us = INT64_MIN;
    set->nameless++;
    set->is_open = true;
    set->begun = 0;
    return ERR_OK;
}

bool known_is_stated(const struct known *known)
{
    if (!known->head || known->head->total == 0 || known->recipient_count < known->head->total)
        return false;
    for (uint32_t i = 0; i < known->head->total; i++)
        if (!known->recipients[i].is_stated)
            return false;
    return true;
}

bool known_is_suspect(const struct known_set *set, const struct known *known, int64_t arrival_us)
{
    if (known && known->is_damaged)
        return true;
    if (set->nameless == 0)
        return false;
    if (known && known->born < set->nameless)
        return true;
    if (known && known->is_journalled)
        return false;
    return set->is_open || arrival_us <= set->nameless_us;
}

static enum err unpack_owed(
    struct cursor *in, struct arena *arena, struct recover_recipient *recipient)
{
    struct journal_owed owed;
    enum err rc = unpack(in, &journal_owed_shape, arena, &owed);

    if (rc != ERR_OK)
        return rc;
    recipient->is_owed = true;
    recipient->is_relayed = owed.is_relayed;
    recipient->notice_id = owed.notice_id;
    recipient->finished_us = owed.finished_us;
    recipient->outcome = owed.outcome;
    return ERR_OK;
}

static enum err recipient_state(const struct known_set *set, const struct known_recipient *known,
    struct arena *arena, struct recover_recipient *recipient)
{
    struct cursor in = cursor_of(slice_from(
        slice_of(known->text, known->domain_len + known->outcome_len), known->domain_len));

    recipient->domain = domain_of(known);
    recipient->state = (enum recover_state)known->state;
    recipient->attempts = known->attempts;
    if (known->next_us != 0)
        recipient->next_us = journal_clock_shift(
            &set->clock, known->next_us, (struct journal_mark){ .away_us = known->away_us });
    recipient->has_delay_notice = known->has_delay_notice;
    recipient->notify = known->notify;
    recipient->has_outcome = known->outcome_len > 0;
    if (!recipient->has_outcome)
        return ERR_OK;
    if (known->is_owed)
        return unpack_owed(&in, arena, recipient);
    return unpack(&in, &journal_outcome_shape, arena, &recipient->outcome);
}

enum err known_recipients(const struct known_set *set, const struct known *known,
    struct arena *arena, struct recover_recipient *recipients, size_t count)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; known && i < count && i < known->recipient_count && rc == ERR_OK; i++)
        rc = recipient_state(set, &known->recipients[i], arena, &recipients[i]);
    return rc;
}

void known_hand_over(struct known *known)
{
    known->is_handed = true;
    drop_details(known);
}
