/* queue/status.c: the numbers of the room. */
#include "queue/control.h"

static json_t *pending_of(const struct conf *conf)
{
    json_t *list = json_array();

    for (size_t i = 0; i < conf->pending_count; i++)
        json_array_append_new(list, show_text(conf->pending[i].text));
    return list;
}

/* Messages whose connection was cut (EXT-CKPT-2): what lies there, and what has happened so far. */
static json_t *partials_of(const struct partials *ps)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)ps->count, "bytes",
        (json_int_t)ps->octets, "kept", (json_int_t)ps->kept, "resumed", (json_int_t)ps->resumed,
        "expired", (json_int_t)ps->expired);
}

static json_t *spool_of(const struct queue *queue)
{
    size_t segments =
        HASH_COUNT(queue->segments) + queue->stock.blank_count + (queue->stock.own != NULL);
    size_t bodies = HASH_COUNT(queue->bodies) + queue->stock.spare_count;
    struct slice state = queue->conf->state;
    char path[4200], aside[4200];
    json_t *spool;

    snprintf(path, sizeof path, "%.*s/spool", (int)slice_first(state, 4096).len, state.data);
    snprintf(
        aside, sizeof aside, "%.*s/spool/aside", (int)slice_first(state, 4096).len, state.data);
    spool = json_pack("{s:o, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:o}", "path",
        show_text(slice_text(path)), "segments", (json_int_t)segments, "bodies", (json_int_t)bodies,
        "bytes", (json_int_t)(segments * queue_segment_size(queue->conf) + queue->body_octets),
        "free", (json_int_t)queue->stock.space.free, "full", queue->stock.is_low, "damaged",
        (json_int_t)queue->counters.damaged, "journal",
        (json_int_t)(queue->commit.tally.size + queue->commit.tally.since), "checkpoint",
        queue->checkpoint.ended_us ? show_time(queue->checkpoint.ended_us) : json_null());
    json_object_set_new(spool, "aside", show_text(slice_text(aside)));
    json_object_set_new(spool, "partials", partials_of(&queue->partials));
    json_object_set_new(spool, "damaged_log",
        json_pack("[s, s, s, s, s, s]", EVENT_ASIDE, EVENT_DAMAGED, EVENT_MISSING, EVENT_FORGED,
            EVENT_DOUBTFUL, EVENT_CONTRADICTION));
    return spool;
}

void command_status(struct client *client, const json_t *request)
{
    struct queue *queue = client_queue(client);
    const struct messages *ms = &queue->messages;
    const struct counters *counters = &queue->counters;
    size_t open = ms->in[RECIPIENT_WAITING] + ms->in[RECIPIENT_READY] + ms->in[RECIPIENT_IN_HAND] +
                  ms->in[RECIPIENT_HELD] + ms->in[RECIPIENT_SETTLING];
    json_t *result = json_pack(
        "{s:s, s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o,"
        " s:o}",
        "version", SUBMITD_VERSION, "hostname", show_text(queue->conf->hostname), "started",
        show_time(queue->started_us), "snapshot", (json_int_t)queue->conf->number, "pending",
        pending_of(queue->conf), "queued", (json_int_t)(ms->count - ms->closing), "held",
        (json_int_t)ms->held, "recipients", (json_int_t)open, "deferred", (json_int_t)ms->deferred,
        "active", (json_int_t)ms->in[RECIPIENT_IN_HAND], "accepted", (json_int_t)counters->accepted,
        "delivered", (json_int_t)counters->delivered, "bounced", (json_int_t)counters->bounced,
        "oldest", ms->order ? show_time(time_to_wall(queue, ms->order->arrival_us)) : json_null(),
        "spool", spool_of(queue));

    (void)request;
    client_answer(client, result);
}
