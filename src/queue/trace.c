/* queue/trace.c: a message's way from the login to the last reply, out of the journal, read on a
 * hand. */
#include <stdlib.h>

#include "queue/control.h"
#include "queue/memory.h"
#include "spool/segment.h"

enum { RECORD_MEMORY = 4 << 20, EVENTS_MOST = 20000, REASON_RECIPIENTS = 4096 };

struct tracing {
    struct hand_job job;
    struct client *client;
    struct queue *queue;
    struct store *store;
    struct queue_id id;
    struct message *message; /* in use; NULL: it is not in the queue */
    struct place place;
    bool is_held;
    /* The hand's. */
    json_t *events;
    char **addresses; /* by index, NULL: not known */
    size_t address_count;
    bool has_arrived;
    json_t *accepted; /* its event, for the recipients */
    json_t *login;
    json_t *bounce;                            /* the latest */
    uint16_t attempts[REASON_RECIPIENTS];      /* told of each recipient, by their numbers */
    unsigned char told[REASON_RECIPIENTS / 8]; /* recipients that a notice of failure names */
    enum err result;
    char *line;
};

/* ---- addresses ---- */

static void learn_address(struct tracing *tracing, uint32_t index, struct slice address)
{
    if (index >= REASON_RECIPIENTS || address.len == 0)
        return;
    if (index >= tracing->address_count) {
        size_t count = (size_t)index + 1;
        char **grown = reallocarray(tracing->addresses, count, sizeof *grown);
        if (!grown)
            return;
        memset(grown + tracing->address_count, 0, (count - tracing->address_count) * sizeof *grown);
        tracing->addresses = grown;
        tracing->address_count = count;
    }
    if (!tracing->addresses[index])
        tracing->addresses[index] = strndup(address.data, address.len);
}

static json_t *show_address(const struct tracing *tracing, uint32_t index)
{
    char text[32];

    if (index < tracing->address_count && tracing->addresses[index])
        return show_text(slice_text(tracing->addresses[index]));
    snprintf(text, sizeof text, "(recipient %u)", (unsigned)index + 1);
    return json_string(text);
}

static json_t *put_first(struct tracing *tracing, const char *name, int64_t at_us);
static void set(json_t *event, const char *name, json_t *value);

static void add_login(struct tracing *tracing, const struct journal_arrived *arrived)
{
    json_t *event = tracing->login = put_first(tracing, "login", arrived->arrival_us);

    set(event, "user", show_text_or_null(arrived->user));
    set(event, "mechanism", show_text_or_null(arrived->mechanism));
    set(event, "client", show_text(arrived->client));
    set(event, "listener", show_text(arrived->listener));
    set(event, "tls_version", show_text_or_null(arrived->tls_version));
    set(event, "tls_cipher", show_text_or_null(arrived->tls_cipher));
}

/* What the journal does not know any more. */
static void complete_login(struct tracing *tracing, const struct envelope *envelope)
{
    const struct journal_arrived arrived = {
        .arrival_us = envelope->arrival_us,
        .user = envelope->user,
        .mechanism = envelope->mechanism,
        .client = envelope->client,
        .listener = envelope->listener,
        .tls_version = envelope->tls_version,
        .tls_cipher = envelope->tls_cipher,
    };

    if (!tracing->login && tracing->has_arrived && envelope->notice == NOTICE_NONE)
        add_login(tracing, &arrived);
    if (tracing->login)
        set(tracing->login, "client_name", show_text_or_null(envelope->ehlo));
}

/* While the record is there it knows more than the journal. */
static void read_record(struct tracing *tracing)
{
    struct record record;
    struct buffer bytes;
    struct arena arena;

    buffer_init(&bytes, RECORD_MAX);
    arena_init(&arena, RECORD_MEMORY);
    if (segment_load(tracing->queue->seam, tracing->place.handle, tracing->place.generation,
            tracing->place.offset, tracing->id, &bytes, &arena, &record) == ERR_OK) {
        for (uint32_t i = 0; i < record.envelope.recipient_count; i++)
            learn_address(tracing, i, record.envelope.recipients[i].address);
        complete_login(tracing, &record.envelope);
    }
    arena_clear(&arena);
    buffer_clear(&bytes);
}

/* ---- events ---- */

/* Events stand in the order of the journal, which is the one in which things happened, also where
 * the clock was set meanwhile. */
static json_t *put_event(struct tracing *tracing, size_t at, const char *name, int64_t at_us)
{
    json_t *event = json_pack("{s:o, s:s}", "time", show_time(at_us), "event", name);

    /* Borrowed from the list; without memory all of it fails in the end. */
    return event && json_array_insert_new(tracing->events, at, event) == 0 ? event : NULL;
}

static json_t *add_event(struct tracing *tracing, const char *name, int64_t at_us)
{
    return put_event(tracing, json_array_size(tracing->events), name, at_us);
}

/* How it came is before all else, and may be read last: a checkpoint knows it, or the record. */
static json_t *put_first(struct tracing *tracing, const char *name, int64_t at_us)
{
    return put_event(tracing, 0, name, at_us);
}

static void set(json_t *event, const char *name, json_t *value)
{
    if (event)
        json_object_set_new(event, name, value);
    else
        json_decref(value);
}

static void set_recipients(
    json_t *event, const struct tracing *tracing, const uint32_t *indexes, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, show_address(tracing, indexes[i]));
    set(event, "recipients", list);
}

static void add_arrived(struct tracing *tracing, const struct journal_arrived *arrived)
{
    bool is_notice = arrived->notice != NOTICE_NONE;
    json_t *event;

    if (tracing->has_arrived)
        return;
    tracing->has_arrived = true;
    event = tracing->accepted = put_first(tracing, "accepted", arrived->arrival_us);
    if (!is_notice && arrived->client.len > 0) /* a state does not know where it came from */
        add_login(tracing, arrived);
    set(event, "sender", show_text(arrived->sender));
    set(event, "size", json_integer((json_int_t)arrived->size));
    set(event, "notice_of", is_notice ? show_id(arrived->about) : json_null());
}

static void add_attempt(struct tracing *tracing, const struct journal_entry *entry)
{
    static const char *const results[] = { "delivered", "deferred", "failed", "deferred" };
    const struct journal_outcome *outcome = &entry->outcome;
    json_t *event = add_event(tracing, "attempt", entry->at_us);

    set(event, "recipient", show_address(tracing, outcome->recipient));
    set(event, "result", json_string(results[outcome->result]));
    set(event, "started", show_time(outcome->started_us));
    set(event, "host", show_text_or_null(outcome->host));
    set(event, "remote", show_text_or_null(outcome->address));
    set(event, "tls_version", show_text_or_null(outcome->tls_version));
    set(event, "tls_cipher", show_text_or_null(outcome->tls_cipher));
    set(event, "code", outcome->code ? json_integer(outcome->code) : json_null());
    set(event, "status", show_text_or_null(outcome->status));
    set(event, "text", show_text(outcome->text));
    set(event, "next_attempt",
        outcome->result == JOURNAL_DEFERRED ? show_time(outcome->next_us) : json_null());
}

/* False when it was told before: in a state, or because a batch was written twice. */
static bool tell_attempt(struct tracing *tracing, uint32_t index, uint32_t attempt)
{
    if (index >= REASON_RECIPIENTS)
        return true;
    if (attempt <= tracing->attempts[index])
        return false;
    tracing->attempts[index] = attempt < UINT16_MAX ? (uint16_t)attempt : UINT16_MAX;
    return true;
}

/* What a checkpoint remembered of attempts that no entry tells of any more. */
static void add_remembered(struct tracing *tracing, const struct journal_entry *entry)
{
    static const char *const results[] = { "deferred", "delivered", "failed", "expired",
        "deleted" };
    const struct journal_state *state = &entry->state;

    for (size_t i = 0; i < state->recipient_count; i++) {
        const struct journal_state_recipient *r = &state->recipients[i];
        uint32_t index = state->first + (uint32_t)i;
        json_t *event;
        if (r->attempts == 0 || !tell_attempt(tracing, index, r->attempts))
            continue;
        event = add_event(tracing, "earlier", entry->at_us);
        set(event, "recipient", show_address(tracing, index));
        set(event, "result", json_string(results[r->state]));
        set(event, "attempts", json_integer(r->attempts));
        set(event, "host", show_text_or_null(r->host));
        set(event, "remote", show_text_or_null(r->address));
        set(event, "code", r->code ? json_integer(r->code) : json_null());
        set(event, "status", show_text_or_null(r->status));
        set(event, "text", show_text(r->text));
        set(event, "next_attempt",
            r->state == RECOVER_PENDING && r->next_us ? show_time(r->next_us) : json_null());
    }
}

static void add_state(struct tracing *tracing, const struct journal_entry *entry)
{
    const struct journal_state *state = &entry->state;
    const struct journal_arrived arrived = {
        .arrival_us = state->arrival_us,
        .size = state->size,
        .sender = state->sender,
        .notice = state->notice,
        .about = state->about,
    };

    add_arrived(tracing, &arrived);
    add_remembered(tracing, entry);
}

static bool was_told(const struct tracing *tracing, uint32_t index)
{
    return index < REASON_RECIPIENTS && tracing->told[index / 8] & 1U << index % 8;
}

/* The bounce is written down before the failures that it reports; it is told behind them. */
static void follow_with_bounce(struct tracing *tracing, int64_t at_us)
{
    json_t *bounce = tracing->bounce;
    size_t at = json_array_size(tracing->events);

    if (!bounce || json_array_get(tracing->events, at - 1) == bounce)
        return;
    while (json_array_get(tracing->events, --at) != bounce)
        ;
    json_incref(bounce);
    json_array_remove(tracing->events, at);
    json_array_append_new(tracing->events, bounce);
    set(bounce, "time", show_time(at_us));
}

static void add_outcome(struct tracing *tracing, const struct journal_entry *entry)
{
    const struct journal_outcome *outcome = &entry->outcome;
    bool is_end = outcome->result == JOURNAL_FAILED || outcome->result == JOURNAL_EXPIRED;
    bool is_deleted = outcome->cause == CAUSE_DELETED;
    json_t *event;

    learn_address(tracing, outcome->recipient, outcome->mailbox);
    if (outcome->started_us != 0 && tell_attempt(tracing, outcome->recipient, outcome->attempt))
        add_attempt(tracing, entry);
    if (outcome->result == JOURNAL_EXPIRED)
        set(add_event(tracing, "expired", entry->at_us), "recipient",
            show_address(tracing, outcome->recipient));
    if (is_deleted)
        set_recipients(
            add_event(tracing, "deleted", entry->at_us), tracing, &outcome->recipient, 1);
    if (is_end && !is_deleted && !was_told(tracing, outcome->recipient)) {
        event = add_event(tracing, "dropped", entry->at_us);
        set_recipients(event, tracing, &outcome->recipient, 1);
        set(event, "reason",
            json_string("null sender, not wanted, or too many notices to this sender"));
    } else if (is_end && was_told(tracing, outcome->recipient)) {
        follow_with_bounce(tracing, entry->at_us);
    }
}

static void add_owed(struct tracing *tracing, const struct journal_entry *entry)
{
    const struct journal_entry plain = { .kind = JOURNAL_OUTCOME,
        .id = entry->id,
        .at_us = entry->at_us,
        .outcome = entry->owed.outcome };

    add_outcome(tracing, &plain);
}

static void add_noticed(struct tracing *tracing, const struct journal_entry *entry)
{
    const struct journal_noticed *noticed = &entry->noticed;
    json_t *event = add_event(tracing, "bounce", entry->at_us);
    json_t *list = json_array();
    bool is_failure = noticed->notice == NOTICE_FAILURE;
    static const char *const kinds[] = {
        [NOTICE_NONE] = "none",
        [NOTICE_FAILURE] = "failure",
        [NOTICE_DELAY] = "delay",
        [NOTICE_SUCCESS] = "success",
    };

    if (is_failure)
        tracing->bounce = event;
    for (size_t i = 0; i < noticed->recipient_count; i++) {
        uint32_t index = noticed->recipients[i].recipient;
        /* A notice is journalled before the outcomes that name its recipients; see
         * name_recipients. */
        json_array_append_new(list, json_integer(index));
        if (is_failure && index < REASON_RECIPIENTS)
            tracing->told[index / 8] |= (unsigned char)(1U << index % 8);
    }
    set(event, "id", show_id(noticed->notice_id));
    set(event, "kind", json_string(kinds[noticed->notice]));
    set(event, "recipients", list);
}

static void add_plain(struct tracing *tracing, const struct journal_entry *entry)
{
    const char *name = entry->kind == JOURNAL_HELD       ? "held"
                       : entry->kind == JOURNAL_RELEASED ? "released"
                                                         : "deleted";

    if (entry->kind == JOURNAL_RELEASED && slice_is(entry->released.by, RETRIED))
        name = "retried";
    set(add_event(tracing, name, entry->at_us), "recipients", json_array());
}

static enum err on_entry(void *context, const struct journal_entry *entry)
{
    struct tracing *tracing = context;

    if (!queue_id_equals(entry->id, tracing->id) || json_array_size(tracing->events) > EVENTS_MOST)
        return ERR_OK;
    switch (entry->kind) {
    case JOURNAL_ARRIVED:
        add_arrived(tracing, &entry->arrived);
        break;
    case JOURNAL_OUTCOME:
        add_outcome(tracing, entry);
        break;
    case JOURNAL_OWED:
        add_owed(tracing, entry);
        break;
    case JOURNAL_STATE:
        add_state(tracing, entry);
        break;
    case JOURNAL_NOTICED:
        add_noticed(tracing, entry);
        break;
    case JOURNAL_HELD:
    case JOURNAL_RELEASED:
    case JOURNAL_DELETED:
        add_plain(tracing, entry);
        break;
    case JOURNAL_CLOSED:
        (void)add_event(tracing, "closed", entry->at_us);
        break;
    default:
        break;
    }
    return ERR_OK;
}

static void on_damage(void *context, const struct journal_damage *damage)
{
    (void)context, (void)damage; /* said when it was read at start */
}

/* ---- the work ---- */

/* Now every address is known that the journal tells: numbers that stood for them are replaced. */
static void name_recipients(struct tracing *tracing)
{
    const json_t *event;
    json_t *number;
    size_t e, i;

    json_array_foreach (tracing->events, e, event) {
        json_t *list = json_object_get(event, "recipients");

        json_array_foreach (list, i, number)
            if (json_is_integer(number))
                json_array_set_new(
                    list, i, show_address(tracing, (uint32_t)json_integer_value(number)));
    }
}

static void set_accepted_recipients(struct tracing *tracing)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < tracing->address_count; i++)
        json_array_append_new(list, show_address(tracing, i));
    set(tracing->accepted, "recipients", list);
}

static void work(struct hand_job *job)
{
    struct tracing *tracing = CONTAINER_OF(job, struct tracing, job);
    const struct journal_events events = { tracing, on_entry, on_damage };
    struct journal_replayed replayed;
    json_t *result;

    tracing->events = json_array();
    if (tracing->message)
        read_record(tracing);
    tracing->result = journal_scan(tracing->store, &events, &replayed);
    if (tracing->result != ERR_OK)
        return;
    if (tracing->message)
        read_record(tracing); /* again: now the login is there to be completed */
    set_accepted_recipients(tracing);
    name_recipients(tracing);
    result = json_pack("{s:o, s:s, s:O}", "id", show_id(tracing->id), "state",
        !tracing->message  ? "closed"
        : tracing->is_held ? "held"
                           : "queued",
        "events", tracing->events);
    tracing->line = show_line(result);
}

static void done(struct hand_job *job)
{
    struct tracing *tracing = CONTAINER_OF(job, struct tracing, job);
    struct client *client = tracing->client;
    struct queue *queue = tracing->queue;
    bool is_known = tracing->message || tracing->has_arrived || json_array_size(tracing->events);

    if (tracing->message) {
        place_release(queue, &tracing->place);
        message_release(queue, tracing->message);
    }
    if (tracing->result != ERR_OK)
        client_fail(client, "failed", "the journal cannot be read: %s", err_text(tracing->result));
    else if (!is_known)
        client_fail_unknown(client, tracing->id);
    else
        client_answer_line(client, tracing->line);
    if (!is_known)
        free(tracing->line);
    json_decref(tracing->events);
    for (size_t i = 0; i < tracing->address_count; i++)
        free(tracing->addresses[i]);
    free(tracing->addresses);
    free(tracing);
}

static void begin(struct tracing *tracing)
{
    struct message *message = message_find(&tracing->queue->messages, tracing->id);

    if (message && !message->is_closing) {
        message->uses++;
        tracing->message = message;
        tracing->place = place_take(message);
        tracing->is_held = message->is_held;
    }
    tracing->job = (struct hand_job){ .work = work, .done = done };
    hands_give(tracing->queue->disk, &tracing->job);
}

struct waiting_trace {
    struct commit_wait wait;
    struct tracing *tracing;
};

static void synced(struct commit_wait *wait)
{
    struct waiting_trace *waiting = CONTAINER_OF(wait, struct waiting_trace, wait);
    struct tracing *tracing = waiting->tracing;

    free(waiting);
    if (tracing->queue->phase != QUEUE_DRAINED) {
        begin(tracing);
        return;
    }
    client_fail(tracing->client, "busy", "the queue is ending");
    free(tracing);
}

/* What has happened until now is to be seen: it is written down first. */
void command_trace(struct client *client, const json_t *request)
{
    struct queue *queue = client_queue(client);
    struct waiting_trace *waiting;
    struct selection selection;
    struct tracing *tracing;

    if (!selection_read(client, request, true, &selection))
        return;
    tracing = need_memory(sizeof *tracing);
    tracing->client = client;
    tracing->queue = queue;
    tracing->store = &queue->stock.store;
    tracing->id = selection.id;
    waiting = need_memory(sizeof *waiting);
    waiting->wait.done = synced;
    waiting->tracing = tracing;
    commit_await(&queue->commit, &waiting->wait);
}
