/* queue/partial_chore.c: the thread that touches the files of partial messages, and their reading
 * at the start. */
#include "queue/partial_chore.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/memory.h"

enum {
    ARENA_MOST = 1 << 20, /* 4096 recipients */
    FILE_MOST = 8 << 20,
};

enum chore_kind { CHORE_CHECK, CHORE_WRITE, CHORE_REMOVE };

struct partial_chore {
    struct hand_job job;
    struct partial_chore *next; /* held */
    enum chore_kind kind;
    struct queue *queue;
    struct partial *partial; /* NULL: nobody is told */
    struct gate *gate;       /* whose body it is; gates are never freed before the queue */
    enum err result;
    uint64_t number;
    uint64_t body_file;
    struct buffer bytes; /* the file, or the texts of the state */
    struct arena arena;
    struct partial_state state;
    int body; /* the handle for the gate */
};

/* ---- in the thread ---- */

static enum err check(struct store *store, struct partial_chore *chore)
{
    enum err rc = partial_read(store, chore->number, &chore->bytes, &chore->arena, &chore->state);

    return rc == ERR_OK ? partial_check_body(store, &chore->state, &chore->body) : rc;
}

static enum err write_out(struct store *store, struct partial_chore *chore)
{
    enum err rc = partial_settle_body(store, &chore->state);

    return rc == ERR_OK ? store_partial(store, &chore->state, &chore->number) : rc;
}

static void work(struct hand_job *job)
{
    struct partial_chore *chore = CONTAINER_OF(job, struct partial_chore, job);
    struct store *store = &chore->queue->partials.store;

    if (atomic_load(&chore->queue->partials.is_ending))
        chore->result = ERR_BUSY; /* thousands may wait, and the room has to end */
    else if (chore->kind == CHORE_CHECK)
        chore->result = check(store, chore);
    else if (chore->kind == CHORE_WRITE)
        chore->result = write_out(store, chore);
    else
        chore->result = partial_remove(store, chore->number, chore->body_file);
}

/* ---- recipients, here and there ---- */

bool partial_chore_fill(struct partial_state *state, const struct msg_partial_content *content)
{
    size_t count = content->recipient_count;

    state->recipients = need_memory((count + 1) * sizeof *state->recipients);
    state->recipient_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct msg_partial_recipient *from = &content->recipients[i];
        state->recipients[i] = (struct envelope_recipient){
            .address = from->address,
            .flags = from->flags,
            .notify = from->notify,
            .orcpt = from->orcpt,
            .rrvs = (enum envelope_rrvs)(from->rrvs & 3),
            .rrvs_since = from->rrvs_since,
        };
    }
    state->octets = content->octets;
    state->front = content->front;
    state->body_file = content->body_file;
    state->body_octets = content->body_octets;
    state->body_size = content->body_size;
    state->body_checksum = content->body_checksum;
    if (partial_is_sound(state))
        return true;
    partial_chore_unfill(state);
    return false;
}

void partial_chore_unfill(struct partial_state *state)
{
    free(state->recipients);
    state->recipients = NULL;
    state->recipient_count = 0;
}

static void tell_checked(struct partial_chore *chore)
{
    const struct partial_state *state = &chore->state;
    struct msg_partial_recipient *list = need_memory((state->recipient_count + 1) * sizeof *list);
    struct msg_partial_content content = {
        .recipients = list,
        .recipient_count = state->recipient_count,
        .octets = state->octets,
        .front = state->front,
        .body_octets = state->body_octets,
    };

    for (size_t i = 0; i < state->recipient_count; i++) {
        const struct envelope_recipient *from = &state->recipients[i];
        list[i] = (struct msg_partial_recipient){ from->address, from->flags, from->notify,
            from->orcpt, (uint8_t)from->rrvs, from->rrvs_since };
    }
    partial_checked(chore->partial, chore->result, &content, chore->body);
    free(list);
}

/* ---- chores ---- */

static void chore_free(struct partial_chore *chore)
{
    buffer_clear(&chore->bytes);
    arena_clear(&chore->arena);
    free(chore);
}

static void done(struct hand_job *job)
{
    struct partial_chore *chore = CONTAINER_OF(job, struct partial_chore, job);
    struct queue *queue = chore->queue;

    if (queue->phase == QUEUE_DRAINED)
        disk_close(queue->seam, &chore->body);
    else if (chore->kind == CHORE_CHECK)
        tell_checked(chore);
    else if (chore->kind == CHORE_WRITE)
        partial_written(chore->partial, chore->gate, chore->result, chore->number, &chore->state);
    else if (chore->result != ERR_OK)
        log_event(
            LOG_WARNING, NULL, "a partial message was not removed", log_reason(chore->result));
    chore_free(chore);
    drain_check(queue);
}

static struct partial_chore *chore_new(struct queue *queue, enum chore_kind kind)
{
    struct partial_chore *chore = need_memory(sizeof *chore);

    chore->job = (struct hand_job){ .work = work, .done = done };
    chore->kind = kind;
    chore->queue = queue;
    chore->body = -1;
    buffer_init(&chore->bytes, FILE_MOST);
    arena_init(&chore->arena, ARENA_MOST);
    return chore;
}

void partial_chore_check(struct partial *partial)
{
    struct partial_chore *chore = chore_new(partial->queue, CHORE_CHECK);

    partial->is_busy = true;
    chore->partial = partial;
    chore->number = partial->number;
    hands_give(partial->queue->partials.hands, &chore->job);
}

static struct slice copy_text(struct partial_chore *chore, struct slice text)
{
    size_t at = chore->bytes.len;

    buffer_put_slice(&chore->bytes, text);
    need(chore->bytes.error == ERR_OK);
    return slice_from(buffer_slice(&chore->bytes), at);
}

static size_t text_octets(const struct partial_state *state)
{
    size_t sum = state->user.len + state->ehlo.len + state->transid.len + state->proof.len +
                 state->mail.len + state->front.len;

    for (size_t i = 0; i < state->recipient_count; i++)
        sum += state->recipients[i].address.len + state->recipients[i].orcpt.len;
    return sum;
}

/* The texts lie in one buffer that does not move. */
static void copy_state(struct partial_chore *chore, const struct partial_state *from)
{
    struct partial_state *to = &chore->state;

    need(buffer_reserve(&chore->bytes, text_octets(from) + 1) != NULL);
    *to = *from;
    to->user = copy_text(chore, from->user);
    to->ehlo = copy_text(chore, from->ehlo);
    to->transid = copy_text(chore, from->transid);
    to->proof = copy_text(chore, from->proof);
    to->mail = copy_text(chore, from->mail);
    to->front = copy_text(chore, from->front);
    if (from->recipient_count == 0)
        return;
    to->recipients = arena_array(&chore->arena, from->recipient_count, sizeof *to->recipients);
    need(to->recipients != NULL);
    for (size_t i = 0; i < from->recipient_count; i++) {
        to->recipients[i] = from->recipients[i];
        to->recipients[i].address = copy_text(chore, from->recipients[i].address);
        to->recipients[i].orcpt = copy_text(chore, from->recipients[i].orcpt);
    }
}

/* A message that was not read yet may name it. */
static bool is_early(const struct queue *queue, uint64_t body_file)
{
    struct body *body;

    if (body_file == 0 || queue->is_recovered)
        return false;
    HASH_FIND(hh, queue->bodies, &body_file, sizeof body_file, body);
    return !body;
}

void partial_chore_write(
    struct partial *partial, struct gate *gate, const struct partial_state *state)
{
    struct queue *queue = partial->queue;
    struct partial_chore *chore = chore_new(queue, CHORE_WRITE);

    chore->partial = partial;
    chore->gate = gate;
    copy_state(chore, state);
    partial->is_busy = true;
    partial->coming_body = state->body_file;
    partial->is_early = is_early(queue, state->body_file);
    if (partial->is_early)
        LL_APPEND(queue->partials.held, chore);
    else
        hands_give(queue->partials.hands, &chore->job);
}

void partial_chores_release(struct queue *queue)
{
    struct partial_chore *chore, *next;

    LL_FOREACH_SAFE (queue->partials.held, chore, next) {
        LL_DELETE(queue->partials.held, chore);
        if (partial_may_keep_body(chore->gate, chore->state.body_file)) {
            chore->partial->is_early = false;
            hands_give(queue->partials.hands, &chore->job);
        } else {
            chore->result = ERR_INVALID;
            done(&chore->job);
        }
    }
}

void partial_chore_remove(struct queue *queue, uint64_t number, uint64_t body_file)
{
    struct partial_chore *chore = chore_new(queue, CHORE_REMOVE);

    chore->number = number;
    chore->body_file = body_file;
    hands_give(queue->partials.hands, &chore->job);
}

/* ---- beginning and end ---- */

/* Its body may be named by nobody then, and is swept. */
static void discard(struct queue *queue, uint64_t number, const char *why)
{
    log_event(LOG_NOTICE, NULL, "a partial message is removed",
        log_number("number", (int64_t)number), log_text("because", why));
    if (store_unlink(&queue->partials.store, STORE_PARTIAL, number) != ERR_OK)
        log_event(LOG_WARNING, NULL, "a partial message was not removed");
}

static void load_one(struct queue *queue, uint64_t number)
{
    struct partial_state state;
    struct buffer bytes;
    struct arena arena;
    enum err rc;

    buffer_init(&bytes, FILE_MOST);
    arena_init(&arena, ARENA_MOST);
    rc = partial_read(&queue->partials.store, number, &bytes, &arena, &state);
    if (rc == ERR_CORRUPT)
        discard(queue, number, "damaged");
    else if (rc != ERR_OK)
        log_event(LOG_WARNING, NULL, "a partial message cannot be read",
            log_number("number", (int64_t)number), log_reason(rc));
    else if (clock_wall_us() - state.kept_us >= queue->upkeep.partial_life_us)
        discard(queue, number, "too old");
    else
        partial_found(queue, number, &state);
    buffer_clear(&bytes);
    arena_clear(&arena);
}

static enum err load(struct queue *queue)
{
    struct store_file *files;
    size_t count;
    enum err rc = store_list(&queue->partials.store, STORE_PARTIAL, &files, &count);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        load_one(queue, files[i].number);
    free(files);
    return ERR_OK;
}

enum err partials_open(struct queue *queue)
{
    struct partials *ps = &queue->partials;
    struct store_settings settings = spool_settings(queue);
    int root = -1;
    enum err rc = spool_open(queue, &root);

    ps->queue = queue;
    if (rc == ERR_OK)
        rc = store_open(&ps->store, queue->seam, root, &settings);
    if (rc != ERR_OK)
        return rc;
    ps->hands = hands_new(queue->loop, "partials", 1);
    return ps->hands ? load(queue) : ERR_NOMEM;
}

bool partials_are_idle(const struct queue *queue)
{
    return !queue->partials.hands || hands_busy(queue->partials.hands) == 0;
}

void partial_chores_clear(struct queue *queue)
{
    struct partials *ps = &queue->partials;
    struct partial_chore *chore, *next;

    atomic_store(&ps->is_ending, true);
    if (ps->hands)
        hands_free(&ps->hands);
    LL_FOREACH_SAFE (ps->held, chore, next)
        chore_free(chore);
    ps->held = NULL;
    if (ps->store.disk)
        store_close(&ps->store);
}
