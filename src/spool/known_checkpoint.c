/* spool/known_checkpoint.c: what a checkpoint says of messages and segments, and what its end
 * settles.
 */
#include <stdlib.h>

#include "spool/known.h"

struct known_segment *known_segment(const struct known_set *set, uint64_t generation)
{
    struct known_segment *segment;

    HASH_FIND(hh, set->segments, &generation, sizeof generation, segment);
    return segment;
}

static struct known_segment *segment_of(struct known_set *set, uint64_t generation)
{
    struct known_segment *segment = known_segment(set, generation);

    if (segment)
        return segment;
    segment = calloc(1, sizeof *segment);
    if (!segment)
        return NULL;
    segment->generation = generation;
    segment->cut = UINT64_MAX;
    HASH_ADD(hh, set->segments, generation, sizeof segment->generation, segment);
    return segment;
}

uint64_t known_cut(const struct known_set *set, uint64_t generation)
{
    const struct known_segment *segment = known_segment(set, generation);

    return segment ? segment->cut : UINT64_MAX;
}

bool known_is_behind_cut(const struct known_set *set, const struct known *known)
{
    uint64_t cut = known->is_placed ? known_cut(set, known->segment) : UINT64_MAX;

    return cut != UINT64_MAX && known->offset >= cut;
}

enum err known_set_cut(struct known_set *set, uint64_t generation, uint64_t offset)
{
    struct known_segment *segment = segment_of(set, generation);

    if (!segment)
        return ERR_NOMEM;
    if (offset < segment->cut)
        segment->cut = offset;
    return ERR_OK;
}

void known_forget_segment(struct known_set *set, uint64_t generation)
{
    struct known_segment *segment = known_segment(set, generation);

    if (segment) {
        HASH_DEL(set->segments, segment);
        free(segment);
    }
}

static struct known_head *head_of(const struct journal_state *state)
{
    struct known_head *head = malloc(sizeof *head + state->sender.len + state->user.len);

    if (!head)
        return NULL;
    *head = (struct known_head){
        .body_file = state->body_file,
        .arrival_us = state->arrival_us,
        .size = state->size,
        .body_size = state->body_size,
        .about = state->about,
        .total = state->recipient_total,
        .notice = (uint8_t)state->notice,
        .priority = state->priority <= ENVELOPE_PRIORITY_MAX ? state->priority : 0,
        .hold_us = state->hold_us > 0 ? state->hold_us : 0,
        .hold_date = envelope_is_date(state->hold_date) ? state->hold_date : 0,
        .sender_len = (uint16_t)state->sender.len,
        .user_len = (uint16_t)state->user.len,
    };
    if (state->sender.len > 0)
        memcpy(head->text, state->sender.data, state->sender.len);
    if (state->user.len > 0)
        memcpy(head->text + state->sender.len, state->user.data, state->user.len);
    return head;
}

static const enum journal_result results[] = {
    [RECOVER_PENDING] = JOURNAL_DEFERRED,
    [RECOVER_DELIVERED] = JOURNAL_DELIVERED,
    [RECOVER_FAILED] = JOURNAL_FAILED,
    [RECOVER_EXPIRED] = JOURNAL_EXPIRED,
    [RECOVER_DELETED] = JOURNAL_FAILED,
};

static enum err state_recipient(const struct known_set *set, struct known_recipient *known,
    uint32_t index, const struct journal_state_recipient *from)
{
    struct journal_outcome outcome = {
        .recipient = index,
        .result = results[from->state],
        .attempt = from->attempts,
        .next_us = from->next_us,
        .cause = from->cause,
        .code = from->code,
        .status = from->status,
        .host = from->host,
        .address = from->address,
        .text = from->text,
    };
    bool has_outcome =
        from->state != RECOVER_DELIVERED &&
        (from->cause != 0 || from->code != 0 ||
            from->status.len + from->host.len + from->address.len + from->text.len > 0);

    known->has_delay_notice = from->has_delay_notice;
    known->notify = from->notify & ENVELOPE_NOTIFY_ALL;
    known->is_stated = true;
    /* What it was delivered with, and whom to tell, an entry of its own says behind this one, which
     * a torn batch may lack. */
    if (known->is_owed)
        return known_keep_domain(known, from->domain);
    known->state = (uint8_t)from->state;
    known->attempts = from->attempts;
    known_keep_next(set, known, from->state == RECOVER_PENDING ? from->next_us : 0);
    return known_keep_texts(known, from->domain, has_outcome ? &outcome : NULL);
}

/* Each entry of a run replaces what was known of the recipients that it names; the run as a whole
 * settles what may have been lost before it. */
static void follow_run(struct known_set *set, struct known *known,
    const struct journal_state *state, const struct known_head *old)
{
    struct known_head *head = known->head;

    head->is_running = state->first == 0 || (old && old->is_running);
    head->reached = state->first == 0 || !old ? 0 : old->reached;
    head->born = state->first == 0 || !old ? set->nameless : old->born;
    if (head->reached != state->first) {
        head->is_running = false;
        known->is_damaged = true;
    }
    head->reached = state->first + (uint32_t)state->recipient_count;
    if (!head->is_running || head->reached != head->total)
        return;
    head->is_running = false;
    known->is_damaged = false;
    known->born = head->born;
    known->settled = set->checkpoints;
}

enum err known_apply_state(
    struct known_set *set, struct known *known, const struct journal_entry *entry)
{
    const struct journal_state *state = &entry->state;
    struct known_head *head, *old = known->head;
    uint64_t end = (uint64_t)state->first + state->recipient_count;
    enum err rc = ERR_OK;

    if (end > state->recipient_total || state->recipient_total > ENVELOPE_RECIPIENTS_MAX) {
        known->is_damaged = true; /* nothing that we write */
        return ERR_OK;
    }
    head = head_of(state);
    if (!head || known_grow(known, end) != ERR_OK) {
        free(head);
        return ERR_NOMEM;
    }
    known->head = head;
    known->is_journalled = true;
    known->then = set->clock.mark;
    known->is_held = state->is_held;
    known_place(known, state->segment, state->offset);
    follow_run(set, known, state, old);
    free(old);
    for (uint32_t i = 0; i < state->recipient_count && rc == ERR_OK; i++)
        rc = state_recipient(
            set, &known->recipients[state->first + i], state->first + i, &state->recipients[i]);
    return rc;
}

enum err known_apply_segment(
    struct known_set *set, UNUSED struct known *known, const struct journal_entry *entry)
{
    const struct journal_segment *from = &entry->segment;
    struct known_segment *segment = segment_of(set, from->generation);

    if (!segment)
        return ERR_NOMEM;
    if (from->cut != 0 && from->cut < segment->cut)
        segment->cut = from->cut;
    segment->stated = set->checkpoints;
    segment->stated_upto = from->upto;
    segment->stated_complete = from->is_complete;
    return ERR_OK;
}

/* Everything that was said before the begin is in the checkpoint, or over. */
static void settle(struct known_set *set)
{
    struct known *known, *next;
    struct known_segment *segment, *after;

    HASH_ITER (hh, set->messages, known, next) {
        if (known->touched != set->checkpoints) {
            known_drop(set, known);
            continue;
        }
        known->born = 0;
        /* Open, or it would not be named, and yet not told of: then something is lost. */
        if (known->settled != set->checkpoints && !known->is_closed)
            known->is_damaged = true;
    }
    HASH_ITER (hh, set->segments, segment, after) {
        bool is_stated = segment->stated == set->checkpoints;
        segment->upto = is_stated ? segment->stated_upto : 0;
        segment->is_complete = is_stated && segment->stated_complete;
    }
    set->nameless = 0;
}

enum err known_apply_checkpoint(
    struct known_set *set, UNUSED struct known *known, const struct journal_entry *entry)
{
    const struct journal_checkpoint *checkpoint = &entry->checkpoint;

    if (checkpoint->stage == JOURNAL_BEGIN) {
        set->checkpoints++;
        set->begun = checkpoint->number;
        return ERR_OK;
    }
    if (set->begun != 0 && set->begun == checkpoint->number)
        settle(set);
    set->begun = 0;
    return ERR_OK;
}
