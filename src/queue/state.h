/* queue/state.h: the room's state, for the files of this folder: who has what, and what they ask of
 * each other. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "base/arena.h"
#include "conf/conf.h"
#include "ipc/room.h"
#include "net/hands.h"
#include "queue/checkpoint.h"
#include "queue/commit.h"
#include "queue/message.h"
#include "queue/partials.h"
#include "queue/reader.h"
#include "queue/stock.h"

struct bounces;
struct control;

struct compaction;
struct asides;
struct mistakes;

/* Causes of the queue's own in the journal, above enum delivery_cause. */
enum { CAUSE_DELETED = 200 };
/* Who released: an operator who asked for another attempt. */
#define RETRIED "retry"

/* What the log says of each record that counters.damaged counts; `submitctl status` names them. */
#define EVENT_ASIDE         "a record is set aside"
#define EVENT_DAMAGED       "damaged: held"
#define EVENT_MISSING       "the record of an accepted message is nowhere"
#define EVENT_FORGED        "a record names a body that is not its own: dropped"
#define EVENT_DOUBTFUL      "two messages name the same body: held"
#define EVENT_CONTRADICTION "the journal says both that it was accepted and that it was cut: held"

enum queue_phase {
    QUEUE_NEW,     /* before the first snapshot */
    QUEUE_OPENING, /* the journal is being replayed; no peer is heard yet */
    QUEUE_RUNNING,
    QUEUE_DRAINING, /* nothing new is begun */
    QUEUE_DRAINED, /* it ends: no carrier, gate or operator is there, no file is touched any more */
};

/* A file of records. Its life: somebody writes it, then nobody does and all of it has been read,
 * then its last message is closed and it is unlinked. */
struct segment {
    UT_hash_handle hh;
    uint64_t generation;
    struct gate
        *gate; /* who writes it; NULL: the queue itself, nobody, or a gate not heard of yet */
    struct gate *handed_to; /* the same, and not forgotten when the gate's channel ends */
    uint64_t stated;        /* the writer says that it is good up to here */
    uint64_t read;          /* that far it was read */
    uint64_t
        cut; /* where a cut in the synced journal begins, not told to the reader yet; 0: none */
    uint64_t taken;           /* messages before it are known or settled */
    uint64_t refused;         /* the first octet that a cut in the journal names; 0: none */
    struct message *messages; /* not closed in the synced journal */
    size_t live;              /* how many these are */
    uint64_t live_octets;     /* of their records, about */
    size_t uses;              /* reads under way through the handle */
    int handle;               /* borrowed from the reader; -1: not opened yet */
    int64_t owned_ms;         /* monotonic time when it became so */
    size_t uncopied; /* pieces of it are to be copied aside and have no other place: not unlinked */
    uint64_t passed; /* ours, for moved records: the reader shall know them up to here */
    bool is_ours;    /* the queue's own, for notices or for moved records */
    bool is_orphan;  /* the writer is gone or done: read it to its end when the lock is free */
    bool is_locked;  /* so it was found when last tried: somebody can write */
    bool is_asked;   /* the lock was held when last asked; again at the next tick */
    bool is_cutting; /* a cut waits for the journal */
    bool is_owned;   /* all of it has been read and nobody writes */
    bool is_going;   /* is being unlinked */
    bool is_forgotten; /* and the reader knows it no more */
    bool is_spent;     /* what can be moved out of it has been */
};

/* Where a record lies, for whoever reads it on a hand. While it is in use the segment stays, also
 * when the message moves. */
struct place {
    struct segment *segment;
    int handle;
    uint64_t generation;
    uint64_t offset;
};

/* The bodies handed to gates and named by messages. */
struct body {
    UT_hash_handle hh;
    uint64_t number;
    struct gate *gate; /* who holds it as a spare; NULL when a message names it */
    bool is_left;      /* its channel has ended since: it goes when nobody has its lock */
    bool is_going;     /* being removed */
};

struct gate {
    struct queue *queue;
    struct gate *next;
    uint32_t index;
    struct channel *channel;
    uint32_t blanks_due;
    uint32_t spares_due;
    uint32_t spares_held; /* handed to it and named by no message yet */
    bool was_told_low;    /* the last MSG_DISK */
    int64_t since_ms;     /* monotonic time when the channel was made or ended */
    bool has_spoken;      /* of a segment that it had before the queue began */
    unsigned silences;    /* how often its channel was closed for what somebody does not say */
};

/* A relay or the maildrop. Kept over reconnections. */
struct carrier {
    struct queue *queue;
    enum role role;
    uint32_t index;
    struct channel *channel;
    bool is_open;       /* has said on this channel what it has in hand */
    uint32_t sayings;   /* how often it has said so: each saying replaces the one before */
    bool is_strange;    /* on this channel an outcome came that fits no job */
    size_t acks;        /* outcomes that are not acknowledged yet */
    size_t kept_octets; /* of outcomes that came before their messages */
    struct timer lost;  /* then the jobs that it did not name are scheduled again; or all, when it
                           is not to come again */
};

enum { JOB_RECIPIENTS = 100 };

/* Recipients of one message on their way to one destination. */
struct job {
    UT_hash_handle hh;
    uint64_t number;
    struct carrier *carrier;
    struct message *message;
    struct destination *destination; /* NULL for a job of an earlier life */
    bool is_fetching;                /* the content is being read */
    bool is_foreign;                 /* given in an earlier life of the queue */
    bool is_lost;                    /* the carrier did not name it; see carrier.lost */
    bool is_void;                    /* ended while fetching */
    /* Of an earlier life: the numbers of further jobs that the carrier has of this message. Which
     * of the recipients each of them is about is not known, so all stay in hand until the last. */
    uint64_t *claims;
    size_t claim_count;
    size_t
        claims_before; /* while a saying is being read: of the one before, the named ones first */
    size_t count;
    struct job_recipient {
        struct recipient *recipient;
        struct slice address; /* from the envelope; empty where it is not known */
    } * recipients;
    struct arena arena;
    struct hand_job hand;
    struct fetch *fetch;
};

struct pending_peer {
    struct pending_peer *next;
    struct msg_peer peer;
    int fd;
};

struct counters {
    uint64_t accepted, delivered, bounced;
    uint64_t damaged; /* records, see EVENT_… */
    uint64_t double_bounces, notices, notices_withheld;
};

/* Something that is told when nothing holds it any more: an outcome to its carrier, a change to its
 * operator. */
struct ack {
    struct commit_wait wait; /* one of the holds */
    unsigned holds;
    void (*released)(struct ack *ack); /* frees it */
};

/* A job of an earlier life that a carrier has named before its message has been read. Occupies a
 * place. */
struct foreign {
    UT_hash_handle hh;
    struct foreign *next; /* of the same message */
    uint64_t number;
    struct queue_id id;
    struct carrier *carrier;
    uint32_t saying;       /* the carrier's, when it last named the job */
    size_t others;         /* of the first of a message: how many follow */
    struct buffer outcome; /* came already, packed; empty: it did not */
};

/* How the spool is kept small. Set by queue_new; tests make them smaller before the first snapshot
 * is applied. */
struct upkeep {
    uint64_t journal_size;     /* octets of a journal file */
    uint64_t history;          /* octets of journal kept for `trace` */
    size_t checkpoint_portion; /* messages stated together */
    int64_t compact_age_ms;    /* a segment is left alone for so long after its writer has gone */
    size_t compact_portion;    /* messages moved together */
    unsigned trim_each;        /* ticks */
    unsigned clock_each;       /* ticks: so often the journal is told the time while mail waits */
    int64_t tick_ms;
    int64_t lazy_ms;         /* facts that nobody waits for are synced after that */
    int64_t pause_ms;        /* after a journal that could not be written */
    int64_t silence_ms;      /* so long a gate has to state the segments that it had before */
    int64_t partial_life_us; /* of what is kept of a message whose connection was cut */
    int64_t gone_ms; /* by then a room that nobody wants any more has ended; see carrier.c */
};

struct queue {
    struct room *room;
    struct loop *loop;
    struct disk *seam; /* to the file system; `disk` below is the hands */
    enum queue_phase phase;
    struct arena conf_arena;
    const struct conf *conf;
    int64_t started_us;
    int64_t started_ms; /* the same, monotonic */
    struct counters counters;
    struct upkeep upkeep;

    int spool; /* directory; given */
    int lock;
    int listener;
    struct mistakes *mistakes; /* of the gates' clients, to read; NULL: not given */
    struct pending_peer *peers;

    struct messages messages;
    struct destinations destinations;
    struct store_numbers
        numbers; /* of all three stores: journal_store, the reader's, the stock's */
    struct commit commit;
    struct store journal_store;
    struct reader reader;
    struct stock stock;
    struct partials partials;
    struct hands *disk; /* reading content, writing notices, scanning for operators */

    struct segment *segments;
    struct body *bodies;
    uint64_t body_octets; /* of messages with a body file */
    size_t dated;         /* messages that wait for a date of the wall clock: release.c */
    bool has_segments; /* every segment found at start has been read as far as it may; from then on
                          files are made */
    bool is_recovered; /* all that was on disk at start has been read */
    bool keeps_bodies; /* a record was set aside that may name one: nothing is swept in this life */
    bool is_folder_asked; /* the segments' folder could not be read; again at the next tick */

    struct gate *gates;
    struct carrier *relays; /* conf->relays of them */
    size_t relay_count;
    struct carrier maildrop;
    struct job *jobs;
    struct foreign *foreigners;
    uint64_t next_job;
    uint64_t first_job; /* of this life */

    struct bounces *bounces;
    struct control *control;
    struct checkpoint checkpoint;
    struct compaction *compaction;
    struct asides *asides;

    struct deferred turn;  /* of scheduling */
    struct timer due;      /* the next time something is due */
    struct timer pace;     /* of reading what gates state; see intake.c */
    struct timer tick;     /* each second */
    struct timer deadline; /* of draining */
    bool is_late;          /* it is over */
    struct commit_wait drained;
    bool is_syncing;         /* `drained` waits */
    int64_t clock_offset_us; /* wall minus monotonic, as last seen */
    int64_t jumped_us;       /* how far the wall clock has jumped in this life; see time_now */
    uint64_t ticks;
};

/* ---- room.c ---- */

/* Makes the state, and ends it whatever is under way: what is not on disk is lost, as by a crash.
 * For the room and its tests, which put another disk behind it. disk outlives the queue; the handle
 * `spool` must be one of its own before the first snapshot is applied. */
MUST_CHECK enum err queue_new(struct room *room, struct disk *disk, struct queue **out_queue);
void queue_free(struct queue **queue);

/* The disk or a peer has made it impossible to go on: ends the process, to be started again. */
NORETURN void queue_fail(struct queue *queue);
/* A channel to a room that has come, once the journal is known. Takes the socket. */
void peer_connect(struct queue *queue, const struct msg_peer *peer, int fd);
/* Another handle of the spool's directory. */
MUST_CHECK enum err spool_open(const struct queue *queue, int *out_root);
/* What all its stores of the spool share. */
struct store_settings spool_settings(struct queue *queue);
/* The configured size as the spool can have it. */
uint64_t queue_segment_size(const struct conf *conf);
/* Says that the room is drained as soon as it is. */
void drain_check(struct queue *queue);

/* ---- schedule.c ---- */

void schedule_init(struct queue *queue);
void schedule_clear(struct queue *queue);
/* Puts an open recipient that is not in hand where it belongs now. */
void schedule_place(struct queue *queue, struct recipient *r);
/* The same for all of a message that are open and neither in hand nor settling. */
void schedule_message(struct queue *queue, struct message *message);
/* Something may have become possible: schedules at the end of the turn. */
void schedule_kick(struct queue *queue);
/* New settings: everything is placed again, portion by portion. What comes to its turn before that
 * goes by the new ones already. */
void schedule_reroute(struct queue *queue);

/* Times in memory are the wall clock's without the jumps that it has made in this life: only time
 * that has passed counts (QUE-4), and a jump moves nothing. What is kept on disk or shown is the
 * wall clock's. Microseconds. */
int64_t time_now(struct queue *queue);
int64_t time_to_wall(struct queue *queue, int64_t at_us);
int64_t time_from_wall(struct queue *queue, int64_t wall_us);
/* As a recipient's next_s: the nearest second, never 0. */
uint32_t time_seconds(int64_t at_us);
/* In memory's time. Its life, and the wait for a notice of delay, begin with its release
 * (EXT-FUTURE-7). */
int64_t message_expiry_us(struct queue *queue, const struct message *message);

/* ---- dispatch.c ---- */

/* Begins what may begin. */
void dispatch_fill(struct queue *queue);
struct job *job_find(struct queue *queue, uint64_t number);
/* A job that a carrier works on since an earlier life. It counts among those in hand. */
void job_adopt(
    struct queue *queue, struct carrier *carrier, uint64_t number, struct message *message);
/* What stands for all the jobs that the carrier has of the message since an earlier life; NULL: it
 * has none. */
struct job *job_foreign(const struct carrier *carrier, const struct message *message);
/* Does it stand for that one too, without bearing its number? */
bool job_has_claim(const struct job *job, uint64_t number);
/* That one has ended; with the last recipient that was in hand the whole job has. */
void job_disclaim(struct queue *queue, struct job *job, uint64_t number);
/* The carrier says anew what it has: what it does not confirm in between is no claim any more. */
void job_ask_claims(struct job *job);
void job_confirm_claim(struct job *job, uint64_t number);
void job_settle_claims(struct queue *queue, struct job *job);
/* It is over, and all that it stands for. */
void job_give_up(struct queue *queue, struct job *job);
/* It is over: whatever has no outcome is scheduled again; where it stands for several, when the
 * last of them is over. */
void job_end(struct queue *queue, struct job *job);
/* The record cannot be read back: the message is held and named (QUE-14). */
void message_damaged(struct queue *queue, struct message *message, enum err reason);

/* ---- carrier.c ---- */

void carrier_init(struct queue *queue, struct carrier *carrier, enum role role, uint32_t index);
void carrier_clear(struct carrier *carrier);
/* NULL when there is none of that number. */
struct carrier *carrier_find(struct queue *queue, enum role role, uint32_t index);
/* Takes the socket. */
void carrier_connect(struct carrier *carrier, int fd);
bool carrier_is_open(void *owner, enum role role, uint32_t index);
/* A message has been read: did a carrier name it as in hand, or even tell what became of it? */
void carrier_claim(struct queue *queue, struct message *message);
/* Everything has been read: what is named and was not found is closed, and what was told of it is
 * acknowledged. False: at the queue's end. */
void carriers_forget(struct queue *queue, bool is_acknowledged);
/* Keeps an outcome until its message has been read. False when the carrier has not named the job.
 */
MUST_CHECK bool carrier_keep(struct carrier *carrier, const struct msg_outcome *outcome);
/* It broke the rules: says so in the log and ends its channel. */
void carrier_refuse(struct carrier *carrier, const char *why);
/* New settings: some may not come again. */
void carriers_reload(struct queue *queue);
/* Tells every relay that hosts are to be tried again. */
void carriers_forgive(struct queue *queue);

/* ---- outcome.c ---- */

/* Counts only for a job that is in the carrier's hands; is acknowledged in any case. */
void outcome_take(struct queue *queue, struct carrier *carrier, const struct msg_outcome *outcome);
/* One hold less; the last releases it. NULL is nothing. */
void ack_release(struct ack *ack);

/* ---- operate.c ---- */

/* Ends the recipients that an operator deleted while they were in hand, and that are not any more
 * without an outcome that ended them. The message must be in use. */
void unwanted_end(struct queue *queue, struct message *message);

/* ---- bounce.c ---- */

/* What ends, and what is said about it. */
struct ending {
    uint32_t recipient;
    /* FAILED, EXPIRED or DELETED; DELIVERED: a success; WAITING: a delay, nothing ends. */
    enum recipient_state to;
    bool is_relayed; /* DELIVERED: to a next hop that does not report */
    struct journal_outcome outcome;
    int64_t at_us;
};

MUST_CHECK enum err bounces_new(struct queue *queue, struct bounces **out_bounces);
void bounces_free(struct bounces **bounces);
/* Recipients of a message that have just ended, or that wait too long: tells the sender of those of
 * whom he is to be told, then records the ends (until then they are SETTLING), but a success at
 * once (TELLING). Copies the endings. ack: a hold on it is taken over; may be NULL. */
void bounce_begin(struct queue *queue, struct message *message, enum envelope_notice notice,
    const struct ending *endings, size_t count, struct ack *ack);
/* A notice of success, with that id, that an earlier life has owed about these, at most
 * REPORT_ROWS: they become TELLING. */
void bounce_resume(struct queue *queue, struct message *message, struct queue_id notice,
    const struct ending *endings, size_t count);
/* Nothing waits to be written. */
bool bounces_are_idle(const struct bounces *bounces);
/* A notice of that id was in the spool earlier in this life. */
bool bounces_know(const struct bounces *bounces, struct queue_id id);
void bounces_remember(struct bounces *bounces, struct queue_id id);
void bounces_tick(struct bounces *bounces);
/* Goes on if it waited: a blank may have come into stock. */
void bounces_step(struct bounces *bounces);

/* ---- gates.c ---- */

void gate_connect(struct queue *queue, uint32_t index, int fd);
void gates_clear(struct queue *queue);
/* Gives out what is in stock, and tells about the disk. */
void gates_serve(struct queue *queue);
/* The peer broke the rules: says so in the log, and closes its channel. The supervisor makes it
 * another, with pauses. */
void gate_refuse(struct gate *gate, const char *why);
/* Does not wait for ever for a gate that does not say how far its segments are good. */
void gates_tick(struct queue *queue);
/* Removes the spares of gates that are gone. */
void gates_sweep(struct queue *queue);

/* ---- intake.c ---- */

MUST_CHECK enum err intake_open(struct queue *queue);
void intake_clear(struct queue *queue);
/* Begins the next reading if there is something to read. */
void intake_step(struct queue *queue);
void intake_tick(struct queue *queue);
/* What lies behind the octet was refused: into the journal, then to the reader, then nobody writes
 * there any more. */
void segment_cut(struct queue *queue, struct segment *segment, uint64_t upto);
/* A cut is in the synced journal and the reader knows it: say so. */
void gate_cut_done(struct queue *queue, struct segment *segment, uint64_t upto);

/* ---- reclaim.c ---- */

/* Closes the message when nobody is left. */
void message_close_check(struct queue *queue, struct message *message);
/* One read less of the record. */
void message_release(struct queue *queue, struct message *message);
void reclaim_tick(struct queue *queue);
/* Removes journal files that are neither read at start nor kept as history. */
void journal_trim(struct queue *queue);
/* Unlinks the segment when nothing in it is needed. */
void segment_check(struct queue *queue, struct segment *segment);

/* ---- segment.c ---- */

/* NULL when it is not known. */
struct segment *segment_find(struct queue *queue, uint64_t generation);
struct segment *segment_add(struct queue *queue, uint64_t generation);
/* The message's record lies there. It must lie nowhere else. */
void segment_join(struct segment *segment, struct message *message, uint64_t offset);
/* It lies there no more. */
void segment_part(struct message *message);
/* Does a message lie there at the offset or behind it? */
bool segment_has_behind(const struct segment *segment, uint64_t offset);
/* About so many octets of a segment are the message's record. */
uint64_t message_weight(const struct message *message);
/* So many of a body file are its body. */
uint64_t message_body_octets(const struct message *message);
/* The reader knows it no more and nothing in it is needed: unlinks it. */
void segment_remove(struct queue *queue, struct segment *segment);
/* The record is about to be read on a hand, then it was. The message must be in use meanwhile. */
struct place place_take(const struct message *message);
void place_release(struct queue *queue, struct place *place);

/* ---- compact.c ---- */

MUST_CHECK enum err compaction_new(struct queue *queue, struct compaction **out_compaction);
void compaction_free(struct compaction **compaction);
/* Begins a segment if one is worth it. */
void compaction_tick(struct compaction *compaction);
/* Goes on if it waited: a blank may have come into stock, or a checkpoint has begun. */
void compaction_step(struct compaction *compaction);
/* Records have been copied that the reader does not know yet: no checkpoint may begin. */
bool compaction_is_moving(const struct compaction *compaction);
/* The reader knows the records of the segment up to there. */
void compaction_passed(struct compaction *compaction, struct segment *segment);

/* ---- aside.c ---- */

MUST_CHECK enum err asides_new(struct queue *queue, struct asides **out_asides);
void asides_free(struct asides **asides);
/* Tries what failed again, and goes on with the next. */
void asides_tick(struct asides *asides);
/* Its copy aside failed: keeps the segment until it has been made. */
void aside_keep(struct queue *queue, const struct recover_aside *aside);
/* Says in the journal that it is copied. */
void aside_journal(struct queue *queue, const struct recover_aside *aside);
/* "damaged", for log and journal. */
const char *aside_why(enum recover_why why);

/* ---- control.c ---- */

/* Takes the socket. */
MUST_CHECK enum err control_new(struct queue *queue, int listener, struct control **out_control);
/* Nobody is answered any more. What is being worked on for a client ends without an answer. */
void control_close(struct control *control);
void control_free(struct control **control);

#endif
