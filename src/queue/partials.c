/* queue/partials.c: who has which partial message, and what becomes of it. Owns struct partial.
 * The files are touched in partial_chore.c. */
#include "queue/partial_chore.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "queue/memory.h"

enum {
    YIELD_MS = 10000,  /* for another session to let go of it; the client waits */
    RESUMED_MOST = 64, /* as often its octets are given back; one that grows, more often */
};

/* ---- by their names ---- */

/* The texts one after the other, each behind its length, so that no two names are the same. */
static struct slice key_of(const struct msg_partial_key *from, char *room)
{
    const struct slice parts[] = { from->user, from->ehlo, from->transid };
    size_t len = 0;

    for (size_t i = 0; i < LENGTH_OF(parts); i++) {
        room[len++] = (char)(parts[i].len >> 8);
        room[len++] = (char)parts[i].len;
        if (parts[i].len > 0)
            memcpy(room + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }
    return slice_of(room, len);
}

static struct slice text_of(const struct partial_text *text)
{
    return slice_of(text->octets, text->len);
}

static void text_set(struct partial_text *text, struct slice from)
{
    free(text->octets);
    text->octets = need_memory(from.len + 1);
    if (from.len > 0)
        memcpy(text->octets, from.data, from.len);
    text->len = from.len;
}

static struct partial *find(struct queue *queue, const struct msg_partial_key *key)
{
    char room[PARTIAL_KEY_MAX];
    struct slice name = key_of(key, room);
    struct partial *p;

    HASH_FIND(hh, queue->partials.by_key, name.data, name.len, p);
    return p;
}

static struct partial *add(struct queue *queue, const struct msg_partial_key *key)
{
    struct partial *p = need_memory(sizeof *p);
    char room[PARTIAL_KEY_MAX];

    p->queue = queue;
    text_set(&p->key, key_of(key, room));
    text_set(&p->proof, key->proof);
    text_set(&p->mail, key->mail);
    p->user_len = key->user.len;
    HASH_ADD_KEYPTR(hh, queue->partials.by_key, p->key.octets, p->key.len, p);
    return p;
}

static void partial_free(struct partial *p)
{
    HASH_DEL(p->queue->partials.by_key, p);
    free(p->key.octets);
    free(p->proof.octets);
    free(p->mail.octets);
    free(p->wanted.octets);
    free(p);
}

void partial_settle(struct partial *p)
{
    if (!p->gate && !p->asker && p->number == 0 && !p->is_busy)
        partial_free(p);
}

/* ---- on the disk ---- */

void partial_drop_files(struct partial *p)
{
    if (p->number == 0)
        return;
    partial_chore_remove(p->queue, p->number, p->body_file);
    partial_count_out(p);
    p->number = p->body_file = 0;
    p->is_complete = false;
}

bool partial_is_idle(const struct partial *p)
{
    return p->number != 0 && !p->gate && !p->asker && !p->is_busy;
}

/* ---- answers ---- */

static void tell(struct gate *gate, struct msg_partial_state *message, int fd)
{
    if (!gate->channel) {
        disk_close(gate->queue->seam, &fd);
        return;
    }
    if (channel_send(gate->channel, MSG_PARTIAL_STATE, message, fd) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "an answer did not reach its gate");
}

static void say_none(struct gate *gate, uint64_t request)
{
    struct msg_partial_state message = { .request = request, .found = PARTIAL_NONE };

    tell(gate, &message, -1);
}

/* The asker has it from now on. */
static void take_over(struct partial *p)
{
    p->gate = p->asker;
    p->request = p->asked;
    p->is_told = false;
    p->asker = NULL;
    text_set(&p->mail, text_of(&p->wanted));
}

static void begin_anew(struct partial *p)
{
    partial_drop_files(p);
    take_over(p);
    say_none(p->gate, p->request);
}

/* The client is back: the session that it had is to let go. */
static void ask_back(struct partial *p)
{
    struct msg_number message = { .number = p->request };

    if (p->is_told)
        return;
    p->is_told = true;
    if (!p->gate->channel ||
        channel_send(p->gate->channel, MSG_PARTIAL_YIELD, &message, -1) != ERR_OK)
        log_event(LOG_DEBUG, NULL, "a gate was not asked to let go");
}

/* Each time its body is read, and then copied: who is cut off again and again without sending more
 * would have the disk work for nothing. */
static bool is_worn_out(const struct partial *p)
{
    return p->body_file != 0 && p->given / RESUMED_MOST >= p->octets;
}

/* Somebody asks: whatever can be done now is done. */
static void step(struct partial *p)
{
    if (!p->asker || p->is_busy || !p->queue->is_recovered)
        return;
    if (p->gate)
        ask_back(p);
    else if (p->number == 0 || !slice_equals(text_of(&p->mail), text_of(&p->wanted)) ||
             is_worn_out(p))
        begin_anew(p);
    else
        partial_chore_check(p);
}

/* The octets were read: are they there? */
void partial_checked(
    struct partial *p, enum err result, struct msg_partial_content *content, int fd)
{
    struct msg_partial_state message = {
        .request = p->asked,
        .found = p->is_complete ? PARTIAL_COMPLETE : PARTIAL_RESUME,
        .id_high = p->id.high,
        .id_low = p->id.low,
        .content = *content,
    };

    p->is_busy = false;
    if (!p->asker) {
        disk_close(p->queue->seam, &fd);
        partial_settle(p);
        return;
    }
    if (result != ERR_OK) {
        log_event(LOG_WARNING, NULL, "a partial message does not read back: dropped",
            log_number("number", (int64_t)p->number), log_reason(result));
        begin_anew(p);
        return;
    }
    take_over(p);
    p->given += p->octets;
    p->queue->partials.resumed++;
    tell(p->gate, &message, fd);
}

/* ---- questions ---- */

static size_t in_work(const struct gate *gate)
{
    const struct partial *p, *next;
    size_t count = 0;

    HASH_ITER (hh, gate->queue->partials.by_key, p, next)
        count += p->gate == gate || p->asker == gate;
    return count;
}

/* Of those that ask for the same the last has it: the others are connections that the client has
 * lost. */
static void replace_asker(struct partial *p, struct gate *gate, const struct msg_partial_ask *ask)
{
    if (p->asker)
        say_none(p->asker, p->asked);
    p->asker = gate;
    p->asked = ask->request;
    p->asked_ms = clock_mono_ms();
    text_set(&p->wanted, ask->key.mail);
}

void partials_ask(struct gate *gate, const struct msg_partial_ask *ask)
{
    struct queue *queue = gate->queue;
    struct partial *p = find(queue, &ask->key);

    if (!queue->conf->extensions.checkpoint || queue->phase != QUEUE_RUNNING ||
        (!p && in_work(gate) >= PARTIALS_OF_GATE) ||
        (p && !slice_equals(text_of(&p->proof), ask->key.proof))) {
        say_none(gate, ask->request);
        return;
    }
    if (!p)
        p = add(queue, &ask->key);
    replace_asker(p, gate, ask);
    step(p);
}

/* ---- keeping ---- */

/* The gate has let go of a body file that nobody names: it goes as soon as its lock is free. */
static void leave_body(struct gate *gate, uint64_t number)
{
    struct body *body;

    HASH_FIND(hh, gate->queue->bodies, &number, sizeof number, body);
    if (body && body->gate == gate) {
        body->is_left = true;
        body->is_going = false;
    }
}

bool partial_may_keep_body(struct gate *gate, uint64_t number)
{
    struct queue *queue = gate->queue;
    struct body *body;

    if (number == 0)
        return true;
    HASH_FIND(hh, queue->bodies, &number, sizeof number, body);
    if (body)
        return body->gate == gate && !body->is_going;
    return !stock_has_spare(&queue->stock, number) && !partials_have_body(queue, number);
}

/* The one of which a gate says that it has ended; NULL when that gate does not have it. A queue
 * that was restarted, or has lost the channel, knows of none. */
static struct partial *ended(
    struct gate *gate, uint64_t request, const struct msg_partial_key *key, bool is_wanted)
{
    struct partial *p = find(gate->queue, key);

    if (!p)
        return is_wanted && in_work(gate) < PARTIALS_OF_GATE ? add(gate->queue, key) : NULL;
    if (p->gate ? p->gate != gate || p->request != request : p->is_busy)
        return NULL;
    if (!slice_equals(text_of(&p->proof), key->proof))
        return NULL;
    p->gate = NULL;
    return p;
}

static void state_from(const struct msg_partial_key *key, struct partial_state *state)
{
    *state = (struct partial_state){
        .user = key->user,
        .ehlo = key->ehlo,
        .transid = key->transid,
        .proof = key->proof,
        .mail = key->mail,
        .kept_us = clock_wall_us(),
    };
}

static void claim_body(struct gate *gate, uint64_t number)
{
    struct body *body;

    HASH_FIND(hh, gate->queue->bodies, &number, sizeof number, body);
    if (body)
        body->is_going = true; /* not swept meanwhile */
}

/* False where there is no room for it, or it says what cannot be. */
static bool begin_writing(struct partial *p, struct gate *gate, struct partial_state *state,
    const struct msg_partial_content *content)
{
    bool is_begun;

    if (!partial_chore_fill(state, content))
        return false;
    is_begun = partial_reserve(p, partial_cost_of(state));
    if (is_begun) {
        claim_body(gate, state->body_file);
        partial_chore_write(p, gate, state);
    }
    partial_chore_unfill(state);
    return is_begun;
}

void partials_keep(struct gate *gate, const struct msg_partial_keep *keep)
{
    const struct msg_partial_content *content = &keep->content;
    struct partial *p;
    struct partial_state state;

    if (!partial_may_keep_body(gate, content->body_file)) {
        log_event(LOG_DEBUG, NULL, "a gate keeps a body that it does not have: not kept");
        return;
    }
    p = ended(gate, keep->request, &keep->key, true);
    if (!p) {
        leave_body(gate, content->body_file);
        return;
    }
    state_from(&keep->key, &state);
    if (gate->queue->conf->extensions.checkpoint && begin_writing(p, gate, &state, content))
        return;
    leave_body(gate, content->body_file);
    log_event(LOG_NOTICE, NULL, "a partial message is not kept",
        log_number("octets", (int64_t)content->octets));
    step(p);
    partial_settle(p);
}

void partials_end(struct gate *gate, const struct msg_partial_end *end)
{
    bool is_taken = end->end == PARTIAL_TAKEN;
    struct partial *p = ended(gate, end->request, &end->key, is_taken);
    struct partial_state state;

    if (!p)
        return;
    if (end->end == PARTIAL_DROPPED)
        partial_drop_files(p);
    state_from(&end->key, &state);
    state.is_complete = is_taken;
    state.id = (struct queue_id){ end->id_high, end->id_low };
    if (is_taken && begin_writing(p, gate, &state, &end->content))
        return;
    if (is_taken)
        partial_drop_files(p);
    step(p);
    partial_settle(p);
}

/* The body is the partial's from now on, and no spare of the gate's. */
static void pass_body(struct gate *gate, uint64_t number)
{
    struct queue *queue = gate->queue;
    struct body *body;

    HASH_FIND(hh, queue->bodies, &number, sizeof number, body);
    if (!body)
        return;
    if (body->gate)
        body->gate->spares_held--;
    HASH_DEL(queue->bodies, body);
    free(body);
}

void partial_written(struct partial *p, struct gate *gate, enum err result, uint64_t number,
    const struct partial_state *state)
{
    p->is_busy = false;
    p->coming_body = 0;
    partial_unreserve(p);
    if (result == ERR_OK) {
        partial_drop_files(p);
        if (state->body_file != 0)
            pass_body(gate, state->body_file);
        p->number = number;
        p->body_file = state->body_file;
        p->octets = state->octets;
        p->weight = partial_cost_of(state).disk;
        p->kept_us = time_now(p->queue);
        p->is_complete = state->is_complete;
        p->id = state->id;
        text_set(&p->mail, state->mail);
        partial_count_in(p);
        p->queue->partials.kept++;
    } else {
        leave_body(gate, state->body_file);
        log_event(LOG_WARNING, NULL, "a partial message could not be kept", log_reason(result));
    }
    step(p);
    partial_settle(p);
}

/* ---- the clock ---- */

static bool is_expired(const struct partial *p, int64_t now_us)
{
    return partial_is_idle(p) && now_us - p->kept_us >= p->queue->upkeep.partial_life_us;
}

/* A session that does not let go in time has lost it: what it says of it later counts no more. */
static void be_impatient(struct partial *p, int64_t now_ms)
{
    if (!p->asker || !p->gate || !p->is_told || now_ms - p->asked_ms < YIELD_MS)
        return;
    p->gate = NULL;
    step(p);
}

void partials_tick(struct queue *queue)
{
    int64_t now_us = time_now(queue), now_ms = clock_mono_ms();
    struct partial *p, *next;

    HASH_ITER (hh, queue->partials.by_key, p, next) {
        if (is_expired(p, now_us)) {
            queue->partials.expired++;
            partial_drop_files(p);
            partial_settle(p);
        } else {
            be_impatient(p, now_ms);
        }
    }
}

void partials_begin(struct queue *queue)
{
    struct partial *p, *next;

    partial_chores_release(queue);
    HASH_ITER (hh, queue->partials.by_key, p, next)
        step(p);
}

void partials_forget_gate(struct gate *gate)
{
    struct partial *p, *next;

    HASH_ITER (hh, gate->queue->partials.by_key, p, next) {
        if (p->asker == gate)
            p->asker = NULL;
        if (p->gate == gate)
            p->gate = NULL;
        step(p);
        partial_settle(p);
    }
}

/* ---- bodies ---- */

bool partials_have_body(const struct queue *queue, uint64_t number)
{
    const struct partial *p, *next;

    HASH_ITER (hh, queue->partials.by_key, p, next)
        if (p->body_file == number || (p->coming_body == number && !p->is_early))
            return true;
    return false;
}

size_t partials_bodies(const struct queue *queue, uint64_t *out_numbers)
{
    const struct partial *p, *next;
    size_t count = 0;

    HASH_ITER (hh, queue->partials.by_key, p, next) {
        if (p->body_file != 0)
            out_numbers[count++] = p->body_file;
        if (p->coming_body != 0)
            out_numbers[count++] = p->coming_body;
    }
    return count;
}

size_t partials_bodies_most(const struct queue *queue)
{
    return 2 * HASH_COUNT(queue->partials.by_key);
}

/* ---- beginning and end ---- */

/* The times of an earlier life are the wall clock's; one that lies ahead counts as now. */
static int64_t kept_time(struct queue *queue, int64_t wall_us)
{
    int64_t now_us = clock_wall_us();

    return time_from_wall(queue, wall_us > now_us ? now_us : wall_us);
}

void partial_found(struct queue *queue, uint64_t number, const struct partial_state *state)
{
    const struct msg_partial_key key = { state->user, state->ehlo, state->transid, state->proof,
        state->mail };
    struct partial *p = find(queue, &key);

    /* Files come by ascending number: of two with one name the newer counts. */
    if (p)
        partial_drop_files(p);
    else
        p = add(queue, &key);
    text_set(&p->proof, state->proof);
    text_set(&p->mail, state->mail);
    p->number = number;
    p->body_file = state->body_file;
    p->octets = state->octets;
    p->weight = partial_cost_of(state).disk;
    p->kept_us = kept_time(queue, state->kept_us);
    p->is_complete = state->is_complete;
    p->id = state->id;
    partial_count_in(p);
}

void partials_close(struct queue *queue)
{
    struct partial *p, *next;

    partial_chores_clear(queue);
    HASH_ITER (hh, queue->partials.by_key, p, next)
        partial_free(p);
}
