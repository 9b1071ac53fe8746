/* tests/power/site.h: a whole site in one process and on one recorded disk: the queue room as it
 * is, gates that commit with the gate's own code, carriers and an operator that are played. Counts
 * and promises go to the oracle. */
#ifndef TESTS_POWER_SITE_H
#define TESTS_POWER_SITE_H

#include "chance.h"
#include "conf/conf.h"
#include "ipc/room.h"
#include "oracle.h"

enum { SITE_GATES = 2, SITE_RELAYS = 2 };

struct sender;
struct carrier_player;
struct operator;

struct site {
    struct room room; /* first, and the status behind it: as ipc/room.c has them */
    int status;
    struct loop *loop;
    struct memory_disk *memory;
    struct recorder *recorder;
    struct oracle *oracle;
    struct chance chance;
    struct arena arena;
    struct conf *conf;
    struct channel *supervisor;
    bool is_running;
    struct sender *senders[SITE_GATES];
    struct carrier_player *relays[SITE_RELAYS];
    struct operator* operator;
    int doorstep; /* the operator's listening socket */
    moment now;   /* NEVER: the site is living; otherwise it looks at what a cut then has left */
    size_t kept, refused, unknown, delivered, deferred, failed;
};

/* Takes disk and recorder for its life; nothing is started. */
void site_init(struct site *site, struct memory_disk *memory, struct recorder *recorder,
    struct oracle *oracle, uint64_t seed);
void site_clear(struct site *site);
/* The queue room, from what lies on the disk; then its peers. */
void site_start(struct site *site);
/* Ends the queue room as a crash would. */
void site_crash(struct site *site);
/* A socket to the room for a peer. */
int site_dial(struct site *site, enum role role, uint32_t index);
void site_turn(struct site *site);

/* The journal has been read, so the room does not give up any more when the disk fails. */
bool site_is_open(const struct site *site);
/* All that was on the disk at start has been read, and nothing is on its way to it. */
bool site_is_settled(struct site *site);
/* What the room has in its queue, against the oracle. */
void site_judge(struct site *site, moment now);
size_t site_queued(struct site *site);
/* Is an attempt under way, as the room sees it? Such a recipient ends with its outcome. */
bool site_is_trying(struct site *site, struct queue_id id);

/* ---- senders.c ---- */

struct sender *sender_new(struct site *site, uint32_t index);
/* The gate's process is gone. */
void sender_free(struct sender **sender);
void sender_attach(struct sender *sender);
/* One more message; large: its body goes to a file of its own. False: it cannot take one now. */
bool sender_offer(struct sender *sender, size_t body_size, bool is_large);
/* Messages on their way to the disk. */
size_t sender_busy(const struct sender *sender);

/* ---- carriers.c ---- */

struct carrier_player *carrier_new(struct site *site, uint32_t index);
/* The process is gone, with all it knew. */
void carrier_free(struct carrier_player **carrier);
/* Connects and says what it has in hand. */
void carrier_attach(struct carrier_player *carrier);
/* Ends some of the jobs in hand, most with what was planned for their recipients. */
void carrier_work(struct carrier_player *carrier, unsigned in_thousand);
size_t carrier_jobs(const struct carrier_player *carrier);

/* ---- operators.c ---- */

struct operator* operator_new(struct site *site);
void operator_free(struct operator** operator);
/* The room is gone. */
void operator_lose(struct operator* operator);
void operator_hold(struct operator* operator, struct promise * promise);
void operator_release(struct operator* operator, struct promise * promise);
void operator_delete(struct operator* operator, struct promise * promise);
void operator_retry_all(struct operator* operator);
/* Takes answers. */
void operator_turn(struct operator* operator);

#endif
