/* queue/list.c: messages and their recipients for the operator. What the loop knows is noted at
 * once; the addresses are read from the spool on a hand. */
#include <stdlib.h>

#include "queue/control.h"
#include "queue/memory.h"
#include "queue/release.h"
#include "smtp/timestamp.h"
#include "spool/segment.h"

enum {
    LIMIT_MOST = 10000,
    LIMIT_DEFAULT = 1000,
    RECIPIENTS_MOST = 100000, /* in a reply */
    REPLY_ENOUGH = 12 << 20,  /* then the rest is left for the next page */
    RECORD_MEMORY = 4 << 20,
    SECOND = 1000000,
};

struct listed_recipient {
    enum recipient_state state;
    unsigned attempts;
    int64_t next_us;     /* 0: at once */
    struct reply *reply; /* shared */
    char *route;         /* show only */
    char *destination;
};

struct listed {
    struct message *message; /* in use */
    struct queue_id id;
    struct place place;
    int64_t arrival_us;
    int64_t expires_us;
    uint64_t size;
    uint64_t body_file;
    bool is_held;
    struct listed_recipient *recipients;
    size_t recipient_count;
};

struct listing {
    struct hand_job job;
    struct client *client;
    struct queue *queue;
    bool is_show;
    size_t total;
    struct listed *rows;
    size_t count;
    char *line;
};

/* ---- on the hand ---- */

static const char *const states[RECIPIENT_STATES] = {
    [RECIPIENT_WAITING] = "waiting",
    [RECIPIENT_READY] = "waiting",
    [RECIPIENT_IN_HAND] = "active",
    [RECIPIENT_HELD] = "waiting",
    [RECIPIENT_SETTLING] = "active",
    [RECIPIENT_TELLING] = "delivered",
    [RECIPIENT_DELIVERED] = "delivered",
    [RECIPIENT_FAILED] = "failed",
    [RECIPIENT_EXPIRED] = "expired",
    [RECIPIENT_DELETED] = "deleted",
};

static const char *state_of(const struct listed_recipient *r)
{
    bool is_waiting =
        r->state == RECIPIENT_WAITING || r->state == RECIPIENT_READY || r->state == RECIPIENT_HELD;

    return is_waiting && r->attempts > 0 ? "deferred" : states[r->state];
}

static const char *const rrvs_actions[] = {
    [ENVELOPE_RRVS_UNSTATED] = "",
    [ENVELOPE_RRVS_CONTINUE] = ";C",
    [ENVELOPE_RRVS_REJECT] = ";R",
};

static json_t *show_notify(uint8_t notify)
{
    static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
    json_t *list = json_array();

    for (size_t i = 0; i < LENGTH_OF(names); i++)
        if (notify & (1U << i))
            json_array_append_new(list, json_string(names[i]));
    return list;
}

/* What was asked for at RCPT; nothing where nothing was. */
static void show_recipient_wishes(json_t *row, const struct envelope_recipient *recipient)
{
    char date[TIMESTAMP_TEXT + 1];

    if (recipient->notify != 0)
        json_object_set_new(row, "notify", show_notify(recipient->notify));
    if (recipient->orcpt.len > 0)
        json_object_set_new(row, "orcpt", show_text(recipient->orcpt));
    if (recipient->rrvs == ENVELOPE_RRVS_ABSENT)
        return;
    timestamp_format(recipient->rrvs_since, date);
    json_object_set_new(row, "rrvs", json_sprintf("%s%s", date, rrvs_actions[recipient->rrvs]));
}

/* The same for MAIL. */
static void show_wishes(json_t *row, const struct envelope *envelope)
{
    static const char *const returns[] = { NULL, "FULL", "HDRS" };

    if (envelope->ret != ENVELOPE_RETURN_UNSTATED)
        json_object_set_new(row, "ret", json_string(returns[envelope->ret]));
    if (envelope->envid.len > 0)
        json_object_set_new(row, "envid", show_text(envelope->envid));
    if (envelope->require_tls)
        json_object_set_new(row, "requiretls", json_true());
    if (envelope->by != ENVELOPE_BY_UNSTATED) {
        json_object_set_new(
            row, "deliver_by", show_time(envelope->arrival_us + envelope->by_seconds * SECOND));
        json_object_set_new(row, "deliver_by_mode",
            json_sprintf("%c%s", envelope->by == ENVELOPE_BY_RETURN ? 'R' : 'N',
                envelope->by_trace ? "T" : ""));
    }
    if (envelope->priority != 0)
        json_object_set_new(row, "priority", json_integer(envelope_priority(envelope->priority)));
    if (envelope->mtrk_certifier.len > 0)
        json_object_set_new(row, "mtrk", show_text(envelope->mtrk_certifier));
    if (envelope->mtrk_timeout != 0)
        json_object_set_new(row, "mtrk_timeout", json_integer(envelope->mtrk_timeout));
    if (envelope->solicit.len > 0)
        json_object_set_new(row, "solicit", show_text(envelope->solicit));
    if (envelope->conperm)
        json_object_set_new(row, "conperm", json_true());
    if (envelope->hold != ENVELOPE_HOLD_NONE)
        json_object_set_new(
            row, "release", show_time(envelope->arrival_us + envelope_hold_us(envelope)));
}

static json_t *show_recipient(
    const struct listed_recipient *r, const struct envelope *envelope, size_t index, bool is_show)
{
    struct reply_parts last = reply_parts_of(r->reply);
    struct slice address = index < envelope->recipient_count ? envelope->recipients[index].address
                                                             : (struct slice){ 0 };
    json_t *row = json_pack("{s:o, s:s, s:I, s:o, s:o}", "address", show_text(address), "state",
        state_of(r), "attempts", (json_int_t)r->attempts, "next_attempt",
        r->next_us != 0 && recipient_is_open(r->state) ? show_time(r->next_us) : json_null(),
        "last_reply", show_text_or_null(last.text));

    if (!row || !is_show)
        return row;
    json_object_set_new(row, "route", r->route ? show_text(slice_text(r->route)) : json_null());
    json_object_set_new(
        row, "destination", r->destination ? show_text(slice_text(r->destination)) : json_null());
    json_object_set_new(row, "status", show_text_or_null(last.status));
    json_object_set_new(row, "host", show_text_or_null(last.host));
    json_object_set_new(row, "remote", show_text_or_null(last.address));
    if (index < envelope->recipient_count)
        show_recipient_wishes(row, &envelope->recipients[index]);
    return row;
}

static void show_more(json_t *row, const struct listed *listed, const struct envelope *envelope)
{
    json_object_set_new(row, "expires", show_time(listed->expires_us));
    json_object_set_new(row, "client", show_text_or_null(envelope->client));
    json_object_set_new(row, "listener", show_text_or_null(envelope->listener));
    json_object_set_new(
        row, "notice_of", envelope->notice != NOTICE_NONE ? show_id(envelope->about) : json_null());
    json_object_set_new(row, "segment", json_integer((json_int_t)listed->place.generation));
    json_object_set_new(row, "body_file",
        listed->body_file ? json_integer((json_int_t)listed->body_file) : json_null());
    show_wishes(row, envelope);
}

static json_t *show_row(const struct listed *listed, const struct envelope *envelope, bool is_show)
{
    json_t *recipients = json_array();
    json_t *row = json_pack("{s:o, s:o, s:o, s:o, s:I, s:b, s:O}", "id", show_id(listed->id),
        "arrival", show_time(listed->arrival_us), "user", show_text_or_null(envelope->user),
        "sender", show_text(envelope->sender), "size", (json_int_t)listed->size, "held",
        listed->is_held, "recipients", recipients);

    for (size_t i = 0; i < listed->recipient_count; i++)
        json_array_append_new(
            recipients, show_recipient(&listed->recipients[i], envelope, i, is_show));
    json_decref(recipients);
    if (row && is_show)
        show_more(row, listed, envelope);
    return row;
}

/* A record that cannot be read back is shown all the same, without addresses. */
static json_t *read_row(
    struct disk *disk, const struct listed *listed, struct buffer *bytes, bool is_show)
{
    struct record record = { 0 };
    struct arena arena;
    json_t *row;

    arena_init(&arena, RECORD_MEMORY);
    if (segment_load(disk, listed->place.handle, listed->place.generation, listed->place.offset,
            listed->id, bytes, &arena, &record) != ERR_OK)
        record = (struct record){ 0 };
    row = show_row(listed, &record.envelope, is_show);
    arena_clear(&arena);
    return row;
}

static size_t weight(const struct listed *listed)
{
    return 512 + listed->recipient_count * 768;
}

static void work(struct hand_job *job)
{
    struct listing *listing = CONTAINER_OF(job, struct listing, job);
    json_t *list = json_array(), *row;
    struct buffer bytes;
    size_t size = 0;

    buffer_init(&bytes, RECORD_MAX);
    for (size_t i = 0; i < listing->count && size < REPLY_ENOUGH; i++) {
        size += weight(&listing->rows[i]);
        json_array_append_new(
            list, read_row(listing->queue->seam, &listing->rows[i], &bytes, listing->is_show));
    }
    buffer_clear(&bytes);
    row = listing->is_show
              ? json_incref(json_array_get(list, 0))
              : json_pack("{s:I, s:O}", "total", (json_int_t)listing->total, "messages", list);
    json_decref(list);
    listing->line = show_line(row);
}

/* ---- on the loop ---- */

static void release(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        struct listed *row = &listing->rows[i];
        for (size_t j = 0; j < row->recipient_count; j++) {
            reply_drop(&listing->queue->messages.replies, &row->recipients[j].reply);
            free(row->recipients[j].route);
            free(row->recipients[j].destination);
        }
        free(row->recipients);
        place_release(listing->queue, &row->place);
        message_release(listing->queue, row->message);
    }
    free(listing->rows);
}

static void done(struct hand_job *job)
{
    struct listing *listing = CONTAINER_OF(job, struct listing, job);
    struct client *client = listing->client;
    char *line = listing->line;

    release(listing);
    free(listing);
    client_answer_line(client, line);
}

static void note_place(
    struct queue *queue, const struct recipient *r, struct listed_recipient *listed)
{
    struct destination *d = recipient_is_open(r->state)
                                ? domain_route(&queue->destinations, queue->conf, r->domain)
                                : NULL;
    struct slice pattern;

    if (!d || d->snapshot != queue->conf->number)
        return;
    pattern = queue->conf->routes[d->route].pattern;
    listed->route = strndup(pattern.data, pattern.len);
    listed->destination = strdup(d->key);
}

/* Wall time; 0: at once. What is held until a time is tried then at the earliest. */
static int64_t next_attempt(struct queue *queue, const struct recipient *r)
{
    int64_t next = (int64_t)r->next_s * SECOND;
    int64_t release = release_due(queue, r->message);

    if (next < release)
        next = release;
    return next > 0 ? time_to_wall(queue, next) : 0;
}

static void note_message(
    struct queue *queue, struct message *message, bool is_show, struct listed *row)
{
    *row = (struct listed){
        .message = message,
        .id = message->id,
        .place = place_take(message),
        .arrival_us = time_to_wall(queue, message->arrival_us),
        .expires_us = time_to_wall(queue, message_expiry_us(queue, message)),
        .size = message->size,
        .body_file = message->body_file,
        .is_held = message->is_held,
        .recipient_count = message->recipient_count,
        .recipients = need_memory((message->recipient_count + 1) * sizeof *row->recipients),
    };
    message->uses++;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const struct recipient *r = &message->recipients[i];
        row->recipients[i] = (struct listed_recipient){ .state = r->state,
            .attempts = r->attempts,
            .next_us = next_attempt(queue, r),
            .reply = reply_share(r->reply) };
        if (is_show)
            note_place(queue, r, &row->recipients[i]);
    }
}

static struct listing *listing_new(struct client *client, size_t limit)
{
    struct listing *listing = need_memory(sizeof *listing);

    listing->job = (struct hand_job){ .work = work, .done = done };
    listing->client = client;
    listing->queue = client_queue(client);
    listing->rows = need_memory(limit * sizeof *listing->rows);
    return listing;
}

static bool read_limit(const json_t *request, size_t *out_limit)
{
    const json_t *value = json_object_get(request, "limit");
    json_int_t limit = json_integer_value(value);

    if (!value || json_is_null(value)) {
        *out_limit = LIMIT_DEFAULT;
        return true;
    }
    if (!json_is_integer(value) || limit < 1 || limit > LIMIT_MOST)
        return false;
    *out_limit = (size_t)limit;
    return true;
}

static bool read_after(const json_t *request, bool *out_has, struct queue_id *out_id)
{
    const json_t *value = json_object_get(request, "after");

    *out_has = value && !json_is_null(value);
    return !*out_has ||
           (json_is_string(value) && queue_id_parse(slice_text(json_string_value(value)), out_id));
}

/* A message that has gone meanwhile stands where its time was, as the ids say it. */
static bool is_behind(const struct message *message, struct queue_id after)
{
    return message->id.high >> 16 > after.high >> 16;
}

void command_list(struct client *client, const json_t *request)
{
    struct queue *queue = client_queue(client);
    struct message *message, *mark = NULL;
    struct selection selection;
    struct queue_id after = { 0 };
    bool has_after, is_past;
    struct listing *listing;
    size_t limit = 0, recipients = 0;

    if (!selection_read(client, request, false, &selection))
        return;
    if (!read_limit(request, &limit) || !read_after(request, &has_after, &after)) {
        client_fail(client, "bad-request", "limit is 1 to %d, after is a queue id", LIMIT_MOST);
        return;
    }
    if (has_after)
        mark = message_find(&queue->messages, after);
    is_past = !has_after;
    listing = listing_new(client, limit);
    DL_FOREACH (queue->messages.order, message) {
        bool is_behind_mark = is_past || (!mark && is_behind(message, after));
        is_past |= message == mark;
        if (message->is_closing || !selection_fits(&selection, message))
            continue;
        listing->total++;
        if (!is_behind_mark || listing->count == limit || recipients > RECIPIENTS_MOST)
            continue;
        recipients += message->recipient_count;
        note_message(queue, message, false, &listing->rows[listing->count++]);
    }
    hands_give(queue->disk, &listing->job);
}

void command_show(struct client *client, const json_t *request)
{
    struct queue *queue = client_queue(client);
    struct message *message;
    struct selection selection;
    struct listing *listing;

    if (!selection_read(client, request, true, &selection))
        return;
    message = message_find(&queue->messages, selection.id);
    if (!message || message->is_closing) {
        client_fail_unknown(client, selection.id);
        return;
    }
    listing = listing_new(client, 1);
    listing->is_show = true;
    note_message(queue, message, true, &listing->rows[listing->count++]);
    hands_give(queue->disk, &listing->job);
}
