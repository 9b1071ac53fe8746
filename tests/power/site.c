/* tests/power/site.c: the queue room on a recorded disk, and how its peers reach it. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue/queue.h"
#include "queue/state.h"

static const char settings[] =
    "hostname = \"mail.example.org\"\nstate = \"/var/lib/submitd\"\nrelays = 2\n"
    "listener \"submissions\" { address = \"[::]:465\" tls = \"implicit\" }\n"
    "tls { certificate = \"/etc/tls/chain.pem\" key = \"/etc/tls/key.pem\" }\n"
    "users \"file\" { path = \"/etc/submitd/users\" }\n"
    "route \"*\" { via = \"mx\" }\n"
    "spool { reserve = 0 }\n";

static void must(bool is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "the site cannot work: %s\n", what);
    abort();
}

static struct queue *queue_of(struct site *site)
{
    return site->room.state;
}

/* ---- the room ---- */

static void on_closed(void *owner, struct channel *channel)
{
    (void)owner, (void)channel;
}

static void on_drained(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)owner, (void)channel, (void)message, (void)fd;
}

static const struct channel_handler from_room[] = { { MSG_DRAINED, on_drained } };
static const struct channel_handler nothing[] = { { MSG_APPLY, NULL } };

static void connect_supervisor(struct site *site)
{
    const struct channel_spec supervisor = { ROLE_SUPERVISOR, ROLE_QUEUE, 0, from_room, 1,
        on_closed, site };
    const struct channel_spec room = { ROLE_QUEUE, ROLE_SUPERVISOR, 0, nothing, 1, on_closed,
        site };
    int ends[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    site->supervisor = channel_new(site->loop, ends[0], &supervisor);
    site->room.control = channel_new(site->loop, ends[1], &room);
    must(site->supervisor && site->room.control, "channel");
}

static void apply(struct site *site)
{
    struct buffer packed;

    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    conf_pack(site->conf, &packed);
    must(packed.error == ERR_OK, "configuration");
    must(queue_room.apply(&site->room, buffer_slice(&packed)) == ERR_OK, "start of the queue");
    site->room.snapshot = site->conf->number;
    buffer_clear(&packed);
}

/* Everything that takes hours in life happens within seconds. */
static void hurry(struct queue *queue)
{
    queue->upkeep.journal_size = 64 << 10;
    queue->upkeep.history = 64 << 10;
    queue->upkeep.checkpoint_portion = 20;
    queue->upkeep.compact_age_ms = 0;
    queue->upkeep.compact_portion = 4;
    queue->upkeep.trim_each = 3;
    queue->upkeep.tick_ms = 20;
    queue->upkeep.lazy_ms = 5;
    queue->upkeep.pause_ms = 10;
}

void site_start(struct site *site)
{
    struct queue *queue;

    site->room = (struct room){ .type = &queue_room, .loop = site->loop };
    connect_supervisor(site);
    must(queue_new(&site->room, &site->recorder->disk, &queue) == ERR_OK, "queue_new");
    site->room.state = queue;
    hurry(queue);
    queue->spool = memory_disk_root(site->memory);
    if (site->doorstep >= 0)
        queue->listener = dup(site->doorstep);
    apply(site);
    site->is_running = true;
    for (int i = 0; i < SITE_GATES; i++)
        if (site->senders[i])
            sender_attach(site->senders[i]);
    for (int i = 0; i < SITE_RELAYS; i++)
        if (site->relays[i])
            carrier_attach(site->relays[i]);
}

void site_crash(struct site *site)
{
    struct queue *queue = queue_of(site);

    if (!site->is_running)
        return;
    site->is_running = false;
    queue_free(&queue);
    site->room.state = NULL;
    channel_free(&site->room.control);
    channel_free(&site->supervisor);
    if (site->operator)
        operator_lose(site->operator);
}

int site_dial(struct site *site, enum role role, uint32_t index)
{
    struct msg_peer peer = { role, index };
    int ends[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    queue_room.peer(&site->room, &peer, ends[1]);
    return ends[0];
}

/* ---- life ---- */

void site_init(struct site *site, struct memory_disk *memory, struct recorder *recorder,
    struct oracle *oracle, uint64_t seed)
{
    struct conf_error error = { "" };

    *site = (struct site){ .memory = memory, .recorder = recorder, .oracle = oracle };
    site->chance.state = seed;
    site->doorstep = -1;
    site->now = ORACLE_NEVER;
    site->loop = loop_new();
    must(site->loop, "loop");
    arena_init(&site->arena, 4 << 20);
    must(conf_parse("submitd.conf", slice_text(settings), &site->arena, &site->conf, &error) ==
             ERR_OK,
        error.text);
    site->conf->number = 1;
    site->conf->spool.segment_size = STORE_SEGMENT_MIN;
    site->conf->spool.checkpoint = 4 << 10;
}

void site_clear(struct site *site)
{
    site_crash(site);
    for (int i = 0; i < SITE_GATES; i++)
        sender_free(&site->senders[i]);
    for (int i = 0; i < SITE_RELAYS; i++)
        carrier_free(&site->relays[i]);
    if (site->operator)
        operator_free(&site->operator);
    loop_free(&site->loop);
    arena_clear(&site->arena);
    if (site->doorstep >= 0)
        close(site->doorstep);
}

void site_turn(struct site *site)
{
    loop_turn(site->loop, 2);
    if (site->operator)
        operator_turn(site->operator);
}

/* ---- looking ---- */

bool site_is_open(const struct site *site)
{
    const struct queue *queue = site->room.state;

    return site->is_running && queue->phase >= QUEUE_RUNNING;
}

bool site_is_settled(struct site *site)
{
    const struct queue *queue = queue_of(site);

    return queue->phase == QUEUE_RUNNING && queue->is_recovered && !queue->reader.is_busy &&
           commit_is_idle(&queue->commit) && stock_busy(&queue->stock) == 0 &&
           bounces_are_idle(queue->bounces) && queue->messages.closing == 0;
}

size_t site_queued(struct site *site)
{
    return queue_of(site)->messages.count;
}

bool site_is_trying(struct site *site, struct queue_id id)
{
    const struct message *message = message_find(&queue_of(site)->messages, id);

    for (uint32_t i = 0; message && i < message->recipient_count; i++)
        if (message->recipients[i].state == RECIPIENT_IN_HAND)
            return true;
    return false;
}

static enum recover_state state_of(const struct recipient *r)
{
    switch (r->state) {
    case RECIPIENT_DELIVERED:
        return RECOVER_DELIVERED;
    case RECIPIENT_FAILED:
    case RECIPIENT_DELETED:
        return RECOVER_FAILED;
    case RECIPIENT_EXPIRED:
        return RECOVER_EXPIRED;
    default:
        return RECOVER_PENDING;
    }
}

void site_judge(struct site *site, moment now)
{
    struct queue *queue = queue_of(site);
    struct harvest harvest;
    struct message *message;

    harvest_begin(&harvest, site->oracle, now);
    DL_FOREACH (queue->messages.order, message) {
        struct returned_fate fates[ORACLE_RECIPIENTS] = { 0 };
        for (uint32_t i = 0; i < message->recipient_count && i < ORACLE_RECIPIENTS; i++)
            fates[i] = (struct returned_fate){ state_of(&message->recipients[i]),
                message->recipients[i].attempts };
        harvest_take(&harvest, &(struct returned){
                                   .id = message->id,
                                   .is_held = message->is_held,
                                   .recipient_count = message->recipient_count,
                                   .fates = fates,
                               });
    }
    harvest_end(&harvest);
    if (queue->counters.damaged > 0 && !site->oracle->is_rough)
        oracle_fault(site->oracle, "the queue found damage");
}
