/* queue/operate.c: what an operator changes: hold, release, retry, delete (QUE-11). Answered when
 * it is in the synced journal. */
#include <stdlib.h>

#include "base/clock.h"
#include "queue/control.h"
#include "queue/memory.h"

/* An operation under way: `ack` is released when its last fact is synced. */
struct operation {
    struct ack ack;
    struct client *client;
    struct selection selection;
    bool has_bounce;
    size_t messages;
    size_t recipients;
};

/* ---- selecting ---- */

/* False when the field is there and no text. */
static bool read_word(const json_t *request, const char *name, const char **out_word)
{
    const json_t *value = json_object_get(request, name);

    *out_word = json_string_value(value);
    return !value || json_is_null(value) || (*out_word && json_string_length(value) > 0);
}

static bool read_true(const json_t *request, const char *name, bool *out_value)
{
    const json_t *value = json_object_get(request, name);

    *out_value = json_is_true(value);
    return !value || json_is_null(value) || json_is_boolean(value);
}

bool selection_read(
    struct client *client, const json_t *request, bool needs_one, struct selection *out_selection)
{
    struct selection selection = { 0 };
    const char *id;
    bool is_good = read_word(request, "id", &id) && read_word(request, "user", &selection.user) &&
                   read_word(request, "domain", &selection.domain) &&
                   read_true(request, "all", &selection.is_all) &&
                   read_true(request, "held", &selection.is_held);

    if (!is_good) {
        client_fail(client, "bad-request", "a field has the wrong type");
        return false;
    }
    selection.has_id = id != NULL;
    if (id && !queue_id_parse(slice_text(id), &selection.id)) {
        client_fail(client, "bad-request", "%s is no queue id", id);
        return false;
    }
    if (needs_one && selection.has_id + (selection.user != NULL) + (selection.domain != NULL) +
                             selection.is_all !=
                         1) {
        client_fail(client, "bad-request", "exactly one of id, user, domain and all is needed");
        return false;
    }
    if (!id &&
        !client_queue(client)->is_recovered) { /* "all" would mean: all that is read so far */
        client_fail(client, "busy", "the spool is still being read");
        return false;
    }
    *out_selection = selection;
    return true;
}

/* Does the recipient's domain fit, and is there anything left to decide? */
static bool fits_recipient(const struct selection *selection, const struct recipient *r)
{
    return recipient_is_undecided(r->state) &&
           (!selection->domain || slice_is_nocase(domain_name(r->domain), selection->domain));
}

bool selection_fits(const struct selection *selection, const struct message *message)
{
    if (selection->user && !slice_is(user_name(message->user), selection->user))
        return false;
    if (selection->is_held && !message->is_held)
        return false;
    for (uint32_t i = 0; i < message->recipient_count && selection->domain; i++)
        if (fits_recipient(selection, &message->recipients[i]))
            return true;
    return !selection->domain;
}

/* ---- operating ---- */

static void put(struct queue *queue, const struct message *message, struct journal_entry *entry)
{
    entry->id = message->id;
    commit_put(&queue->commit, entry);
}

static size_t hold(struct operation *operation, struct queue *queue, struct message *message)
{
    struct journal_entry entry = { .kind = JOURNAL_HELD,
        .held = { .why = SLICE_LITERAL("operator") } };

    (void)operation;
    if (message->is_held)
        return 0;
    message_hold(&queue->messages, message, true);
    schedule_message(queue, message);
    put(queue, message, &entry);
    return message->open_count;
}

static size_t set_free(struct operation *operation, struct queue *queue, struct message *message)
{
    struct journal_entry entry = { .kind = JOURNAL_RELEASED,
        .released = { .by = SLICE_LITERAL("operator") } };

    (void)operation;
    if (!message->is_held)
        return 0;
    message_hold(&queue->messages, message, false);
    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].state == RECIPIENT_HELD)
            message->recipients[i].next_s = 0;
    schedule_message(queue, message);
    put(queue, message, &entry);
    return message->open_count;
}

static size_t retry(struct operation *operation, struct queue *queue, struct message *message)
{
    struct journal_entry entry = { .kind = JOURNAL_RELEASED,
        .released = { .by = SLICE_LITERAL(RETRIED) } };
    size_t count = 0;

    if (message->is_held)
        return 0;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (!fits_recipient(&operation->selection, r) || r->state == RECIPIENT_IN_HAND)
            continue;
        r->next_s = 0;
        schedule_place(queue, r);
        count++;
    }
    if (count > 0)
        put(queue, message, &entry);
    return count;
}

static struct ending ending_of(const struct recipient *r)
{
    struct reply_parts last = reply_parts_of(r->reply);

    return (struct ending){
        .recipient = recipient_index(r),
        .to = RECIPIENT_DELETED,
        .at_us = clock_wall_us(),
        .outcome = {
            .recipient = recipient_index(r),
            .result = JOURNAL_FAILED,
            .attempt = r->attempts,
            .cause = CAUSE_DELETED,
            .status = SLICE_LITERAL("5.0.0"),
            .host = last.host,
            .text = SLICE_LITERAL("removed from the queue by the operator"),
        },
    };
}

void unwanted_end(struct queue *queue, struct message *message)
{
    struct ending *endings = NULL;
    size_t count = 0;

    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (!(r->flags & RECIPIENT_UNWANTED) || !recipient_is_undecided(r->state) ||
            r->state == RECIPIENT_IN_HAND)
            continue;
        if (!endings)
            endings = need_memory(message->recipient_count * sizeof *endings);
        endings[count++] = ending_of(r);
    }
    if (count > 0)
        bounce_begin(queue, message, NOTICE_FAILURE, endings, count, NULL);
    free(endings);
}

static size_t delete (struct operation *operation, struct queue *queue, struct message *message)
{
    struct ending *endings = need_memory(message->recipient_count * sizeof *endings);
    size_t count = 0, under_way = 0;

    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct recipient *r = &message->recipients[i];
        if (!fits_recipient(&operation->selection, r))
            continue;
        r->flags |= RECIPIENT_UNWANTED | (operation->has_bounce ? RECIPIENT_UNWANTED_BOUNCE : 0);
        if (r->state == RECIPIENT_IN_HAND)
            under_way++; /* ends with its outcome */
        else
            endings[count++] = ending_of(r);
    }
    if (count > 0) {
        operation->ack.holds++;
        bounce_begin(queue, message, NOTICE_FAILURE, endings, count, &operation->ack);
    }
    free(endings);
    return count + under_way;
}

/* ---- answering ---- */

static void finished(struct ack *ack)
{
    struct operation *operation = CONTAINER_OF(ack, struct operation, ack);
    struct client *client = operation->client;
    json_t *result = json_pack("{s:I, s:I}", "messages", (json_int_t)operation->messages,
        "recipients", (json_int_t)operation->recipients);

    free(operation);
    client_answer(client, result);
}

static void synced(struct commit_wait *wait)
{
    ack_release(CONTAINER_OF(wait, struct ack, wait));
}

typedef size_t operate_fn(
    struct operation *operation, struct queue *queue, struct message *message);

static void operate_on(
    struct operation *operation, struct queue *queue, struct message *message, operate_fn *fn)
{
    size_t count;

    if (message->is_closing || !selection_fits(&operation->selection, message))
        return;
    count = fn(operation, queue, message);
    operation->recipients += count;
    operation->messages += count > 0;
}

static void operate(struct client *client, const json_t *request, operate_fn *fn)
{
    struct queue *queue = client_queue(client);
    struct operation *operation;
    struct selection selection;
    struct message *message, *next;
    bool has_bounce;

    if (!selection_read(client, request, true, &selection))
        return;
    if (!read_true(request, "bounce", &has_bounce)) {
        client_fail(client, "bad-request", "bounce is true or false");
        return;
    }
    message = selection.has_id ? message_find(&queue->messages, selection.id) : NULL;
    if (selection.has_id && (!message || message->is_closing)) {
        client_fail_unknown(client, selection.id);
        return;
    }
    operation = need_memory(sizeof *operation);
    operation->ack = (struct ack){ .wait = { .done = synced }, .holds = 1, .released = finished };
    operation->client = client;
    operation->selection = selection;
    operation->has_bounce = has_bounce;
    if (message)
        operate_on(operation, queue, message, fn);
    else
        DL_FOREACH_SAFE (queue->messages.order, message, next)
            operate_on(operation, queue, message, fn);
    if (fn == retry) {
        destinations_forgive(&queue->destinations);
        carriers_forgive(queue);
    }
    schedule_kick(queue);
    commit_await(&queue->commit, &operation->ack.wait);
}

void command_hold(struct client *client, const json_t *request)
{
    operate(client, request, hold);
}

void command_release(struct client *client, const json_t *request)
{
    operate(client, request, set_free);
}

void command_retry(struct client *client, const json_t *request)
{
    operate(client, request, retry);
}

void command_delete(struct client *client, const json_t *request)
{
    operate(client, request, delete);
}
