/* spool/known.c: the journal's entries applied one after the other. Every entry says what is, so
 * one that comes twice changes nothing; closed is final. */
#include "spool/known.h"

#include <assert.h>
#include <stdlib.h>

enum { OUTCOME_MAX = 4096 };

static void drop_recipients(struct known *known)
{
    for (size_t i = 0; i < known->recipient_count; i++)
        free(known->recipients[i].outcome);
    free(known->recipients);
    known->recipients = NULL;
    known->recipient_count = 0;
}

void known_forget(struct known_set *set)
{
    struct known *known, *next;

    HASH_ITER (hh, set->messages, known, next) {
        HASH_DEL(set->messages, known);
        drop_recipients(known);
        free(known);
    }
    set->nameless = 0;
    set->is_open = false;
}

void known_clear(struct known_set *set)
{
    struct known_cut *cut, *next;

    known_forget(set);
    HASH_ITER (hh, set->cuts, cut, next) {
        HASH_DEL(set->cuts, cut);
        free(cut);
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

/* NULL without memory; and for an index that no envelope has, which then belongs to nobody. */
static struct known_recipient *recipient_at(struct known *known, uint32_t index)
{
    if (index >= ENVELOPE_RECIPIENTS_MAX)
        return NULL;
    if (index >= known->recipient_count) {
        size_t count = (size_t)index + 1;
        struct known_recipient *grown =
            reallocarray(known->recipients, count, sizeof *known->recipients);
        if (!grown)
            return NULL;
        memset(grown + known->recipient_count, 0, (count - known->recipient_count) * sizeof *grown);
        known->recipients = grown;
        known->recipient_count = count;
    }
    return &known->recipients[index];
}

static enum err keep_outcome(
    struct known_recipient *recipient, const struct journal_outcome *outcome)
{
    struct buffer packed;

    buffer_init(&packed, OUTCOME_MAX);
    pack(&packed, &journal_outcome_shape, outcome);
    buffer_shrink(&packed);
    if (packed.error != ERR_OK) {
        buffer_clear(&packed);
        return ERR_NOMEM;
    }
    free(recipient->outcome);
    recipient->outcome = packed.data;
    recipient->outcome_len = packed.len;
    return ERR_OK;
}

static const enum recover_state states[] = {
    [JOURNAL_DELIVERED] = RECOVER_DELIVERED,
    [JOURNAL_DEFERRED] = RECOVER_PENDING,
    [JOURNAL_FAILED] = RECOVER_FAILED,
    [JOURNAL_EXPIRED] = RECOVER_EXPIRED,
};

static enum err apply_outcome(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_outcome *outcome = &entry->outcome;
    struct known_recipient *recipient = recipient_at(known, outcome->recipient);

    if (outcome->recipient >= ENVELOPE_RECIPIENTS_MAX)
        return ERR_OK;
    if (!recipient)
        return ERR_NOMEM;
    recipient->state = states[outcome->result];
    recipient->attempts = outcome->attempt;
    recipient->next_us = outcome->result == JOURNAL_DEFERRED ? outcome->next_us : 0;
    if (outcome->result != JOURNAL_DELIVERED)
        return keep_outcome(recipient, outcome);
    free(recipient->outcome);
    recipient->outcome = NULL;
    return ERR_OK;
}

static enum err apply_arrived(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    known->is_arrived = true;
    known->segment = entry->arrived.segment;
    known->offset = entry->arrived.offset;
    return ERR_OK;
}

static enum err apply_held(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    known->is_held = true;
    known->held_until_us = entry->held.until_us;
    return ERR_OK;
}

/* A release is an operator's word about everything before it, lost entries included. */
static enum err apply_released(
    struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    known->is_held = false;
    known->held_until_us = 0;
    known->is_damaged = false;
    known->born = set->nameless;
    return ERR_OK;
}

static enum err apply_closed(
    UNUSED struct known_set *set, struct known *known, UNUSED const struct journal_entry *entry)
{
    known->is_closed = true;
    drop_recipients(known);
    return ERR_OK;
}

static enum err apply_noticed(
    UNUSED struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_noticed *noticed = &entry->noticed;

    for (size_t i = 0; i < noticed->recipient_count; i++) {
        uint32_t index = noticed->recipients[i].recipient;
        struct known_recipient *recipient = recipient_at(known, index);
        if (!recipient && index < ENVELOPE_RECIPIENTS_MAX)
            return ERR_NOMEM;
        if (!recipient)
            continue;
        recipient->has_failure_notice |= noticed->notice == NOTICE_FAILURE;
        recipient->has_delay_notice |= noticed->notice == NOTICE_DELAY;
    }
    return ERR_OK;
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
    [JOURNAL_CUT] = { apply_cut, false },
    [JOURNAL_SET_ASIDE] = { apply_set_aside, false },
};

enum err known_apply(struct known_set *set, const struct journal_entry *entry)
{
    struct known *known = NULL;

    if (!rows[entry->kind].apply)
        return ERR_OK;
    if (set->is_open) {
        set->is_open = false;
        if (set->nameless_us < entry->at_us)
            set->nameless_us = entry->at_us;
    }
    if (rows[entry->kind].is_about_message) {
        known = find_or_add(set, entry->id);
        if (!known)
            return ERR_NOMEM;
    } else {
        known = known_find(set, entry->id);
    }
    if (known && known->is_closed)
        return ERR_OK;
    return rows[entry->kind].apply(set, known, entry);
}

static const struct queue_id nobody;

enum err known_damage(struct known_set *set, const struct journal_damage *damage)
{
    struct known *known;

    if (damage->has_id && !queue_id_equals(damage->id, nobody)) {
        known = find_or_add(set, damage->id);
        if (!known)
            return ERR_NOMEM;
        known->is_damaged = true;
        return ERR_OK;
    }
    if (set->nameless == 0)
        set->nameless_us = INT64_MIN;
    set->nameless++;
    set->is_open = true;
    return ERR_OK;
}

bool known_is_suspect(const struct known_set *set, const struct known *known, int64_t arrival_us)
{
    if (known && known->is_damaged)
        return true;
    if (set->nameless == 0)
        return false;
    if (known && known->born < set->nameless)
        return true;
    if (known && known->is_arrived)
        return false;
    return set->is_open || arrival_us <= set->nameless_us;
}

static enum err recipient_state(
    const struct known_recipient *known, struct arena *arena, struct recover_recipient *recipient)
{
    struct cursor in = cursor_of(slice_of(known->outcome, known->outcome_len));

    recipient->state = known->state;
    recipient->attempts = known->attempts;
    recipient->next_us = known->next_us;
    recipient->has_failure_notice = known->has_failure_notice;
    recipient->has_delay_notice = known->has_delay_notice;
    recipient->has_outcome = known->outcome != NULL;
    if (!known->outcome)
        return ERR_OK;
    return unpack(&in, &journal_outcome_shape, arena, &recipient->outcome);
}

enum err known_recipients(const struct known *known, struct arena *arena,
    struct recover_recipient *recipients, size_t count)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; known && i < count && i < known->recipient_count && rc == ERR_OK; i++)
        rc = recipient_state(&known->recipients[i], arena, &recipients[i]);
    return rc;
}

void known_hand_over(struct known *known)
{
    known->is_handed = true;
    drop_recipients(known);
}

static struct known_cut *find_cut(const struct known_set *set, uint64_t segment)
{
    struct known_cut *cut;

    HASH_FIND(hh, set->cuts, &segment, sizeof segment, cut);
    return cut;
}

uint64_t known_cut(const struct known_set *set, uint64_t segment)
{
    const struct known_cut *cut = find_cut(set, segment);

    return cut ? cut->offset : UINT64_MAX;
}

enum err known_set_cut(struct known_set *set, uint64_t segment, uint64_t offset)
{
    struct known_cut *cut = find_cut(set, segment);

    if (!cut) {
        cut = calloc(1, sizeof *cut);
        if (!cut)
            return ERR_NOMEM;
        cut->segment = segment;
        cut->offset = offset;
        HASH_ADD(hh, set->cuts, segment, sizeof cut->segment, cut);
    }
    if (offset < cut->offset)
        cut->offset = offset;
    return ERR_OK;
}

void known_forget_cut(struct known_set *set, uint64_t segment)
{
    struct known_cut *cut = find_cut(set, segment);

    if (cut) {
        HASH_DEL(set->cuts, cut);
        free(cut);
    }
}
