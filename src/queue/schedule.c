/* queue/schedule.c: when: puts recipients into the heap of times and the lanes of destinations,
 * takes out what is due, ends what has waited too long. */
#include "base/clock.h"
#include "base/log.h"
#include "policy/notify.h"
#include "policy/retry.h"
#include "queue/memory.h"
#include "queue/release.h"
#include "queue/state.h"

enum {
    DUE_A_TURN = 1000,
    NO_ROUTE_S = 300,    /* until a domain without a route is looked at again */
    LAST_CHANCE_S = 600, /* at most so long after the expiry the last attempt may begin */
    PORTION_MS = 2,      /* of placing anew, in one turn */
    LOOK_EACH = 32,      /* at the clock, in messages */
    LONGEST_SLEEP_MS = 1000,
    SECOND = 1000000,
};

/* ---- the time ---- */

static void follow_clock(struct queue *queue)
{
    int64_t jump_us = clock_jump_us(&queue->clock_offset_us);

    if (jump_us == 0)
        return;
    queue->jumped_us += jump_us;
    log_event(LOG_NOTICE, NULL, "the clock has jumped", log_number("seconds", jump_us / SECOND));
    if (queue->dated > 0)
        schedule_reroute(queue); /* a date is now nearer, or further away */
}

int64_t time_now(struct queue *queue)
{
    follow_clock(queue);
    return clock_wall_us() - queue->jumped_us;
}

int64_t time_to_wall(struct queue *queue, int64_t at_us)
{
    follow_clock(queue);
    return at_us + queue->jumped_us;
}

int64_t time_from_wall(struct queue *queue, int64_t wall_us)
{
    follow_clock(queue);
    return wall_us - queue->jumped_us;
}

uint32_t time_seconds(int64_t at_us)
{
    int64_t seconds = (at_us + SECOND / 2) / SECOND;

    return seconds < 1 ? 1 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

/* ---- where ---- */

int64_t message_expiry_us(struct queue *queue, const struct message *message)
{
    return retry_expiry(&queue->conf->queue, release_base(queue, message) / SECOND,
               message_is_notice(message)) *
           SECOND;
}

/* When the sender is to hear that it takes long. */
static int64_t delay_us(struct queue *queue, const struct recipient *r)
{
    struct notify_case notify = recipient_notify_case(r);
    int64_t at = notify_delay_time(&notify, release_base(queue, r->message) / SECOND,
        queue->conf->queue.delay_notice, r->flags & RECIPIENT_TOLD_DELAY);

    return at > INT64_MAX / SECOND ? INT64_MAX : at * SECOND;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void wait_until(struct queue *queue, struct recipient *r, int64_t at_us)
{
    recipient_move(
        &queue->messages, r, RECIPIENT_WAITING, earlier(at_us, delay_us(queue, r)), NULL);
}

static void get_ready(struct queue *queue, struct recipient *r, int64_t now, int64_t expiry)
{
    struct destination *d = domain_route(&queue->destinations, queue->conf, r->domain);
    int64_t end = expiry > now ? expiry : now + (int64_t)LAST_CHANCE_S * SECOND;

    if (!d) {
        log_event(LOG_WARNING, NULL, "no route", log_slice("domain", domain_name(r->domain)));
        r->next_s = time_seconds(now) + NO_ROUTE_S;
        wait_until(queue, r, earlier((int64_t)r->next_s * SECOND, end));
        return;
    }
    recipient_move(&queue->messages, r, RECIPIENT_READY, earlier(end, delay_us(queue, r)), d);
}

void schedule_place(struct queue *queue, struct recipient *r)
{
    int64_t next = (int64_t)r->next_s * SECOND;
    int64_t now = time_now(queue);
    int64_t release = release_time(queue, r->message, now);
    int64_t expiry = message_expiry_us(queue, r->message);

    if (next < release)
        next = release; /* EXT-FUTURE-3 */
    /* Of what does not read back nobody can be told: it waits for the operator, however long. */
    if (r->message->is_held)
        recipient_move(
            &queue->messages, r, RECIPIENT_HELD, r->message->is_damaged ? INT64_MAX : expiry, NULL);
    else if (next > now && expiry > now)
        wait_until(queue, r, earlier(next, expiry));
    else
        get_ready(queue, r, now, expiry);
    schedule_kick(queue);
}

void schedule_message(struct queue *queue, struct message *message)
{
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY ||
            r->state == RECIPIENT_HELD)
            schedule_place(queue, r);
    }
}

void schedule_kick(struct queue *queue)
{
    deferred_ask(&queue->turn);
}

void schedule_reroute(struct queue *queue)
{
    queue->messages.placing = queue->messages.order;
    schedule_kick(queue);
}

/* False at the end of the walk. */
static bool place_portion(struct queue *queue)
{
    struct messages *ms = &queue->messages;
    int64_t began = clock_mono_ms();

    for (int i = 1; ms->placing; i++) {
        struct message *message = ms->placing;
        ms->placing = message->next;
        if (!message->is_closing)
            schedule_message(queue, message);
        if (i % LOOK_EACH == 0 && clock_mono_ms() - began >= PORTION_MS)
            break;
    }
    return ms->placing != NULL;
}

/* ---- what is due ---- */

static struct ending ending_of(const struct recipient *r, enum recipient_state to)
{
    struct reply_parts last = reply_parts_of(r->reply);

    if (!r->reply && r->domain && r->domain->destination)
        last = reply_parts_of(r->domain->destination->last_failure);
    return (struct ending){
        .recipient = recipient_index(r),
        .to = to,
        .at_us = clock_wall_us(),
        .outcome = {
            .recipient = recipient_index(r),
            .result = JOURNAL_EXPIRED,
            .attempt = r->attempts,
            .cause = (uint8_t)last.cause,
            .code = last.code,
            .status = last.status.len > 0 ? last.status : slice_text("4.4.7"),
            .host = last.host,
            .address = last.address,
            .text = last.text,
        },
    };
}

/* All recipients of the message that are at their end now: one report (DSN-11). */
static void expire(struct queue *queue, struct message *message, int64_t now)
{
    struct ending *endings = need_memory(message->recipient_count * sizeof *endings);
    size_t count = 0;

    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        bool is_waiting = r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY ||
                          r->state == RECIPIENT_HELD;
        if (!is_waiting || r->due.key > now)
            continue;
        endings[count++] = ending_of(r, RECIPIENT_EXPIRED);
    }
    bounce_begin(queue, message, NOTICE_FAILURE, endings, count, NULL);
    free(endings);
}

/* One notice for all that wait and were not named in one yet. */
static void tell_delay(struct queue *queue, struct message *message, int64_t now)
{
    struct ending *endings = need_memory(message->recipient_count * sizeof *endings);
    size_t count = 0;

    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        bool is_waiting = r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY;
        if (!is_waiting || delay_us(queue, r) > now)
            continue;
        r->flags |= RECIPIENT_TOLD_DELAY | RECIPIENT_TELLING_DELAY;
        endings[count++] = ending_of(r, RECIPIENT_WAITING);
        schedule_place(queue, r);
    }
    if (count > 0)
        bounce_begin(queue, message, NOTICE_DELAY, endings, count, NULL);
    free(endings);
}

/* May one more attempt be made at the end of its life? Not where nobody answers anyway. */
static bool has_last_chance(const struct queue *queue, const struct recipient *r)
{
    const struct destination *d = r->domain->destination;

    return r->state == RECIPIENT_WAITING && queue->phase == QUEUE_RUNNING && d && d->is_served &&
           !d->is_dead;
}

/* Its carrier has had it until long after its time: it ends without another chance. */
static void give_up(struct queue *queue, struct job *job, int64_t now)
{
    struct message *message = job->message;

    log_event(LOG_WARNING, NULL, "a delivery that does not end is given up",
        log_text("room", role_name(job->carrier->role)), log_number("index", job->carrier->index),
        log_number("job", (int64_t)job->number));
    job_give_up(queue, job);
    if (message->is_damaged)
        return;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY)
            recipient_move(&queue->messages, r, RECIPIENT_WAITING, now, NULL);
    }
    expire(queue, message, now);
}

static void come_due(struct queue *queue, struct recipient *r, int64_t now)
{
    int64_t expiry = message_expiry_us(queue, r->message);

    if (r->state == RECIPIENT_IN_HAND)
        give_up(queue, r->job, now);
    else if (r->state != RECIPIENT_HELD && expiry > now && delay_us(queue, r) <= now)
        tell_delay(queue, r->message, now);
    else if (expiry > now)
        schedule_place(queue, r);
    else if (has_last_chance(queue, r))
        get_ready(queue, r, now, expiry);
    else
        expire(queue, r->message, now);
}

static void arm(struct queue *queue, bool has_more)
{
    struct heap_node *first = heap_first(&queue->messages.due);
    struct heap_node *dead = heap_first(&queue->destinations.dead);
    int64_t ms = LONGEST_SLEEP_MS;

    if (first && first->key != INT64_MAX)
        ms = earlier(ms, (first->key - time_now(queue) + 999) / 1000);
    if (dead)
        ms = earlier(ms, dead->key - clock_mono_ms());
    if (has_more)
        ms = 0;
    timer_set(&queue->due, ms);
}

static void turn(void *owner)
{
    struct queue *queue = owner;
    struct heap_node *first;
    int64_t now;
    int done = 0;
    bool has_more;

    if (queue->phase < QUEUE_RUNNING)
        return;
    destinations_revive(&queue->destinations, clock_mono_ms());
    has_more = place_portion(queue);
    now = time_now(queue);
    while ((first = heap_first(&queue->messages.due)) && first->key <= now && done++ < DUE_A_TURN)
        come_due(queue, CONTAINER_OF(first, struct recipient, due), now);
    if (queue->phase == QUEUE_RUNNING)
        dispatch_fill(queue);
    arm(queue, has_more || done > DUE_A_TURN);
}

void schedule_init(struct queue *queue)
{
    queue->clock_offset_us = clock_offset_us();
    deferred_init(&queue->turn, queue->loop, turn, queue);
    timer_init(&queue->due, queue->loop, turn, queue);
}

void schedule_clear(struct queue *queue)
{
    deferred_cancel(&queue->turn);
    timer_stop(&queue->due);
}
