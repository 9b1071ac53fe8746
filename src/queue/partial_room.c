/* queue/partial_room.c: how much there may be of partial messages: for a user, for all, on the disk
 * and in memory. What is being written counts as if it were there: else whoever is cut off often
 * enough at one time would have as much as he likes. */
#include "queue/partial_chore.h"

enum { OVERHEAD = 8192 /* what a file costs besides its octets */ };

static uint64_t text_octets(const struct partial_state *state)
{
    uint64_t sum = state->front.len + state->mail.len;

    for (size_t i = 0; i < state->recipient_count; i++)
        sum += sizeof *state->recipients + state->recipients[i].address.len +
               state->recipients[i].orcpt.len;
    return sum;
}

struct partial_cost partial_cost_of(const struct partial_state *state)
{
    uint64_t memory = text_octets(state) + OVERHEAD;

    return (struct partial_cost){ .disk = memory + state->body_size, .memory = memory };
}

void partial_count_in(struct partial *p)
{
    struct partials *ps = &p->queue->partials;

    ps->count++;
    ps->octets += p->weight;
}

void partial_count_out(struct partial *p)
{
    struct partials *ps = &p->queue->partials;

    ps->count--;
    ps->octets -= p->weight;
}

struct share {
    size_t count;
    uint64_t octets;
    struct partial *oldest; /* that can go */
};

/* The user stands first in the key. */
static struct slice user_of(const struct partial *p)
{
    return slice_of(p->key.octets + 2, p->user_len);
}

static struct share share_of(const struct partial *of)
{
    struct share share = { 0 };
    struct partial *p, *next;

    HASH_ITER (hh, of->queue->partials.by_key, p, next) {
        if (p == of || (p->number == 0 && p->coming.disk == 0) ||
            !slice_equals(user_of(p), user_of(of)))
            continue;
        share.count++;
        share.octets += p->coming.disk + (p->number != 0 ? p->weight : 0);
        if (partial_is_idle(p) && (!share.oldest || p->kept_us < share.oldest->kept_us))
            share.oldest = p;
    }
    return share;
}

/* Nothing of what is reserved for mail, and no memory without end: whoever else goes. */
static bool fits_ever(const struct partial *p, struct partial_cost cost)
{
    const struct queue *queue = p->queue;

    return !queue->stock.is_low && queue->partials.coming.memory + cost.memory <= PARTIALS_MEMORY;
}

/* What all may have: a part of the disk. */
static bool fits_all(const struct partial *p, struct partial_cost cost)
{
    const struct partials *ps = &p->queue->partials;
    const struct stock *stock = &p->queue->stock;
    uint64_t own = p->number != 0 ? p->weight : 0;

    return (p->number != 0 || ps->count + ps->writing < PARTIALS_MOST) &&
           ps->octets - own + ps->coming.disk + cost.disk <=
               stock->space.total / PARTIALS_DISK_PART;
}

static bool make_room(struct partial *p, struct partial_cost cost)
{
    uint64_t most = p->queue->stock.space.total / PARTIALS_DISK_PART / PARTIALS_USER_PART;
    struct share share = share_of(p);

    if (cost.disk > most || !fits_ever(p, cost))
        return false;
    while (share.count >= PARTIALS_OF_USER || share.octets + cost.disk > most) {
        if (!share.oldest)
            return false;
        partial_drop_files(share.oldest);
        partial_settle(share.oldest);
        share = share_of(p);
    }
    return fits_all(p, cost);
}

bool partial_reserve(struct partial *p, struct partial_cost cost)
{
    struct partials *ps = &p->queue->partials;

    if (!make_room(p, cost))
        return false;
    p->coming = cost;
    ps->writing++;
    ps->coming.disk += cost.disk;
    ps->coming.memory += cost.memory;
    return true;
}

void partial_unreserve(struct partial *p)
{
    struct partials *ps = &p->queue->partials;

    ps->writing--;
    ps->coming.disk -= p->coming.disk;
    ps->coming.memory -= p->coming.memory;
    p->coming = (struct partial_cost){ 0 };
}
