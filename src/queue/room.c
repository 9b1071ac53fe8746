/* queue/room.c: the life of the queue room: what it is given, its start, its reload, its end. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/mistakes.h"
#include "queue/memory.h"
#include "queue/queue.h"
#include "queue/state.h"

enum {
    DRAIN_MS = 30000,
    DISK_HANDS = 3,
    EXIT_IO = 74,
    MEBI = 1 << 20,
    CONF_MEMORY = 8 << 20,
};

uint64_t queue_segment_size(const struct conf *conf)
{
    uint64_t size = conf->spool.segment_size & ~(uint64_t)(FILE_HEAD - 1);

    return size < STORE_SEGMENT_MIN ? STORE_SEGMENT_MIN : size;
}

void queue_fail(struct queue *queue)
{
    (void)queue;
    log_event(LOG_ERROR, NULL, "the queue cannot go on");
    _exit(EXIT_IO);
}

/* ---- opening ---- */

static void stock_changed(void *owner)
{
    struct queue *queue = owner;

    if (queue->phase < QUEUE_RUNNING || queue->phase == QUEUE_DRAINED)
        return;
    gates_serve(queue);
    bounces_step(queue->bounces);
    compaction_step(queue->compaction);
}

static void tick(void *owner)
{
    struct queue *queue = owner;

    queue->ticks++;
    timer_set(&queue->tick, queue->upkeep.tick_ms);
    if (queue->has_segments)
        stock_tick(&queue->stock);
    if (queue->phase < QUEUE_RUNNING)
        return;
    if (queue->messages.count > 0 && queue->ticks % queue->upkeep.clock_each == 0)
        commit_note_time(&queue->commit);
    intake_tick(queue);
    bounces_tick(queue->bounces);
    asides_tick(queue->asides);
    reclaim_tick(queue);
    checkpoint_tick(queue);
    compaction_tick(queue->compaction);
    partials_tick(queue);
    schedule_kick(queue);
}

enum err spool_open(const struct queue *queue, int *out_root)
{
    return queue->seam->ops->open_dir(queue->seam, queue->spool, ".", out_root);
}

struct store_settings spool_settings(struct queue *queue)
{
    return (struct store_settings){ .segment_size = queue_segment_size(queue->conf),
        .lock = queue->lock,
        .numbers = &queue->numbers,
        .reserve = queue->conf->spool.reserve };
}

static enum err open_stores(struct queue *queue)
{
    struct store_settings settings = spool_settings(queue);
    int root = -1;
    enum err rc = spool_open(queue, &root);

    if (rc == ERR_OK)
        rc = store_open(&queue->journal_store, queue->seam, root, &settings);
    if (rc == ERR_OK)
        rc = commits_init(&queue->commit, queue->loop, &queue->journal_store, queue->upkeep.lazy_ms,
            queue->upkeep.pause_ms);
    if (rc == ERR_OK)
        rc = spool_open(queue, &root);
    if (rc == ERR_OK)
        rc = stock_init(&queue->stock, queue->loop, queue->seam, root, &settings,
            queue->conf->spool.reserve, stock_changed, queue);
    return rc;
}

static enum err open_carriers(struct queue *queue)
{
    queue->relay_count = queue->conf->relays;
    queue->relays = calloc(queue->relay_count + 1, sizeof *queue->relays);
    if (!queue->relays)
        return ERR_NOMEM;
    for (size_t i = 0; i < queue->relay_count; i++)
        carrier_init(queue, &queue->relays[i], ROLE_RELAY, (uint32_t)i);
    return ERR_OK;
}

/* The only time that the loop waits for the disk: nothing is served yet. */
static enum err open_all(struct queue *queue)
{
    enum err rc = queue->spool >= 0 ? ERR_OK : ERR_NOTFOUND;

    if (rc == ERR_OK && queue->lock < 0)
        rc = store_lock(queue->seam, queue->spool, &queue->lock);
    if (rc == ERR_OK)
        rc = open_carriers(queue);
    if (rc == ERR_OK)
        rc = open_stores(queue);
    if (rc == ERR_OK)
        rc = partials_open(queue);
    if (rc == ERR_OK)
        rc = bounces_new(queue, &queue->bounces);
    if (rc == ERR_OK)
        rc = compaction_new(queue, &queue->compaction);
    if (rc == ERR_OK)
        rc = asides_new(queue, &queue->asides);
    if (rc == ERR_OK && queue->listener >= 0) {
        rc = control_new(queue, queue->listener, &queue->control);
        queue->listener = -1;
    }
    queue->disk = rc == ERR_OK ? hands_new(queue->loop, "disk", DISK_HANDS) : NULL;
    if (rc == ERR_OK && !queue->disk)
        rc = ERR_NOMEM;
    if (rc == ERR_OK)
        rc = intake_open(queue);
    if (rc == ERR_OK)
        timer_set(&queue->tick, 0);
    return rc;
}

void peer_connect(struct queue *queue, const struct msg_peer *peer, int fd)
{
    struct carrier *carrier;

    if (peer->role == ROLE_GATE) {
        gate_connect(queue, peer->index, fd);
        return;
    }
    carrier = carrier_find(queue, peer->role, peer->index);
    if (carrier)
        carrier_connect(carrier, fd);
    else
        close(fd);
}

/* ---- the room ---- */

static void deadline(void *owner)
{
    struct queue *queue = owner;

    queue->is_late = true;
    drain_check(queue);
}

static const struct upkeep default_upkeep = {
    .journal_size = JOURNAL_FILE_SIZE,
    .history = 256 * MEBI,
    .checkpoint_portion = 1000,
    .compact_age_ms = 10000,
    .compact_portion = 100,
    .trim_each = 60,
    .clock_each = 4 * 3600,
    .tick_ms = 1000,
    .lazy_ms = 100,
    .pause_ms = 1000,
    .silence_ms = 60000,
    .partial_life_us = INT64_C(48) * 3600 * 1000000, /* EXT-CKPT-2 */
    .gone_ms = 60000,
};

enum err queue_new(struct room *room, struct disk *disk, struct queue **out_queue)
{
    struct queue *queue = calloc(1, sizeof *queue);

    if (!queue)
        return ERR_NOMEM;
    queue->room = room;
    queue->loop = room->loop;
    queue->seam = disk;
    queue->upkeep = default_upkeep;
    queue->spool = queue->lock = queue->listener = -1;
    queue->started_us = clock_wall_us();
    queue->started_ms = clock_mono_ms();
    /* Above every number of an earlier life that a carrier may name: none outlives the boot. */
    queue->first_job = queue->next_job = (uint64_t)clock_mono_ms() * 1000;
    arena_init(&queue->conf_arena, CONF_MEMORY);
    messages_init(&queue->messages, &queue->destinations);
    destinations_init(&queue->destinations, &queue->messages.replies, carrier_is_open, queue);
    carrier_init(queue, &queue->maildrop, ROLE_MAILDROP, 0);
    schedule_init(queue);
    timer_init(&queue->tick, queue->loop, tick, queue);
    timer_init(&queue->deadline, queue->loop, deadline, queue);
    *out_queue = queue;
    return ERR_OK;
}

static void jobs_clear(struct queue *queue)
{
    struct job *job, *next;

    HASH_ITER (hh, queue->jobs, job, next)
        job_give_up(queue, job);
}

static void pending_clear(struct queue *queue)
{
    struct pending_peer *peer, *next;

    LL_FOREACH_SAFE (queue->peers, peer, next) {
        LL_DELETE(queue->peers, peer);
        close(peer->fd);
        free(peer);
    }
}

void queue_free(struct queue **out_queue)
{
    struct queue *queue = *out_queue;

    queue->phase = QUEUE_DRAINED;
    timer_stop(&queue->tick);
    timer_stop(&queue->deadline);
    control_close(queue->control);
    pending_clear(queue);
    carrier_clear(&queue->maildrop);
    for (size_t i = 0; i < queue->relay_count; i++)
        carrier_clear(&queue->relays[i]);
    gates_clear(queue);
    if (queue->disk)
        hands_free(&queue->disk);
    reader_clear(&queue->reader);
    commits_clear(&queue->commit);
    bounces_free(&queue->bounces);
    compaction_free(&queue->compaction);
    asides_free(&queue->asides);
    carriers_forget(queue, false);
    jobs_clear(queue);
    partials_close(queue);
    messages_clear(&queue->messages);
    destinations_clear(&queue->destinations);
    stock_clear(&queue->stock);
    if (queue->journal_store.disk)
        store_close(&queue->journal_store);
    intake_clear(queue);
    control_free(&queue->control);
    schedule_clear(queue);
    free(queue->relays);
    arena_clear(&queue->conf_arena);
    if (queue->listener >= 0)
        close(queue->listener);
    disk_close(queue->seam, &queue->spool);
    disk_close(queue->seam, &queue->lock);
    free(queue);
    *out_queue = NULL;
}

static enum err init(struct room *room)
{
    struct queue *queue;
    enum err rc = queue_new(room, disk_posix(), &queue);

    if (rc == ERR_OK)
        room->state = queue;
    return rc;
}

static void give(struct room *room, const struct msg_give *gift, int fd)
{
    struct queue *queue = room->state;
    int *place = gift->gift == GIFT_SPOOL     ? &queue->spool
                 : gift->gift == GIFT_LOCK    ? &queue->lock
                 : gift->gift == GIFT_CONTROL ? &queue->listener
                                              : NULL;

    if (gift->gift == GIFT_MISTAKES && !queue->mistakes &&
        mistakes_open(fd, false, &queue->mistakes) != ERR_OK)
        log_event(LOG_ERROR, NULL, "a gift of no use", log_number("gift", gift->gift));
    /* With a later snapshot comes the same again. */
    if (!place || *place >= 0 || queue->phase != QUEUE_NEW) {
        close(fd);
        return;
    }
    *place = fd;
}

static void peer(struct room *room, const struct msg_peer *peer, int fd)
{
    struct queue *queue = room->state;
    struct pending_peer *pending;

    if (queue->phase >= QUEUE_RUNNING) {
        peer_connect(queue, peer, fd);
        return;
    }
    pending = need_memory(sizeof *pending);
    *pending = (struct pending_peer){ .peer = *peer, .fd = fd };
    LL_APPEND(queue->peers, pending);
}

static enum err apply(struct room *room, struct slice bytes)
{
    struct queue *queue = room->state;
    struct arena fresh, old = queue->conf_arena;
    struct conf *conf;
    enum err rc;

    arena_init(&fresh, CONF_MEMORY);
    rc = conf_unpack(bytes, &fresh, &conf);
    if (rc != ERR_OK) {
        arena_clear(&fresh);
        return rc;
    }
    queue->conf = conf;
    queue->conf_arena = fresh;
    arena_clear(&old);
    destinations_limit(&queue->destinations, conf);
    if (queue->phase == QUEUE_NEW)
        return open_all(queue);
    queue->stock.reserve = conf->spool.reserve;
    carriers_reload(queue);
    schedule_reroute(queue);
    return ERR_OK;
}

/* ---- draining ---- */

static void synced(struct commit_wait *wait)
{
    struct queue *queue = CONTAINER_OF(wait, struct queue, drained);

    queue->is_syncing = false;
    drain_check(queue);
}

void drain_check(struct queue *queue)
{
    bool is_quiet;

    if (queue->phase != QUEUE_DRAINING || (queue->is_syncing && !queue->is_late))
        return;
    is_quiet = !queue->jobs && bounces_are_idle(queue->bounces) && partials_are_idle(queue);
    if (!is_quiet && !queue->is_late)
        return;
    if (commit_is_idle(&queue->commit)) {
        timer_stop(&queue->deadline);
        room_drained(queue->room);
        return;
    }
    if (queue->is_late) {
        log_event(LOG_WARNING, NULL, "drained late: outcomes may be missing");
        room_drained(queue->room);
        return;
    }
    queue->is_syncing = true;
    queue->drained.done = synced;
    commit_await(&queue->commit, &queue->drained);
}

static void drain(struct room *room)
{
    struct queue *queue = room->state;

    if (queue->phase < QUEUE_RUNNING) {
        room_drained(room);
        return;
    }
    queue->phase = QUEUE_DRAINING;
    timer_set(&queue->deadline, DRAIN_MS);
    drain_check(queue);
}

const struct room_type queue_room = {
    .role = ROLE_QUEUE,
    .early_walls = WALL_FILES,
    .init = init,
    .give = give,
    .peer = peer,
    .apply = apply,
    .drain = drain,
};
