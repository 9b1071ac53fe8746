/* tests/unit/queue/rig.h: the queue room on a spool in a temporary directory, between a gate and
 * relays that the test plays. */
#ifndef TESTS_QUEUE_RIG_H
#define TESTS_QUEUE_RIG_H

#include "../check.h"

#include "ipc/room.h"
#include "queue/state.h"
#include "spool/segment.h"

enum { RIG_RELAYS = 2, RIG_JOBS = 4096, RIG_BLANKS = 8, RIG_ADDRESSES = 1200 };

/* A job as a relay got it. */
struct rig_job {
    struct msg_job job; /* numbers only; the text is below */
    struct queue_id id;
    char destination[256];
    char sender[128];
    char address[4][64]; /* of the first recipients */
    uint32_t index[128];
    size_t count;
    size_t header_size;
    char *content; /* header and body, NUL-ended */
    int fd;        /* of a large body, -1 without */
    bool is_answered;
};

struct rig_relay {
    struct rig *rig;
    enum role role;
    uint32_t index;
    struct channel *channel;
    struct rig_job jobs[RIG_JOBS];
    size_t job_count;
    uint64_t acked[RIG_JOBS];
    size_t ack_count;
    size_t forgiven; /* how often it was told to forget dead hosts */
    bool is_closed;
    int64_t clock_ahead_us; /* of the times in its outcomes */
};

/* What the queue last said of a cut transaction. */
struct rig_partial {
    size_t answers, yields;
    uint64_t request;
    enum partial_found found;
    struct queue_id id;
    uint64_t octets;
    char front[256]; /* NUL-ended; the first octets of it */
    size_t front_len;
    char address[64]; /* of the first recipient */
    size_t recipient_count;
    uint64_t body_octets;
    int fd; /* -1: none */
    uint64_t yielded;
};

struct rig_gate {
    struct rig *rig;
    uint32_t index;
    struct channel *channel;
    struct segment_writer writers[RIG_BLANKS];
    size_t writer_count;
    struct body_spare {
        uint64_t number;
        int fd;
    } spares[64];
    size_t spare_count;
    uint64_t cut_done; /* generation of the last MSG_CUT_DONE */
    bool is_full;      /* the last MSG_DISK */
    uint64_t held_asked;
    uint64_t held_answered;
    bool has_room; /* the last MSG_HELD_ANSWER */
    bool is_closed;
    struct rig_partial partial;
};

struct rig {
    struct room room; /* first, and the status behind it: as ipc/room.c has them */
    int status;
    struct loop *loop;
    struct channel *supervisor;
    bool is_drained;
    char path[64];
    struct arena arena;
    struct conf *conf;
    struct rig_relay relays[RIG_RELAYS];
    struct rig_relay maildrop;
    struct rig_gate gate;
    bool is_running;
    int control;       /* listening socket, -1 without */
    struct disk *disk; /* behind the room; NULL: the real one */
};

/* A fresh spool and the configuration, not yet applied; the test may change rig->conf. */
void rig_make(struct rig *rig);
/* Starts the room (again) on the same spool. Nothing is connected. */
void rig_start(struct rig *rig);
/* Ends the room as a crash would: nothing is finished or told. */
void rig_crash(struct rig *rig);
void rig_remove(struct rig *rig);
struct queue *rig_queue(struct rig *rig);
/* New settings in force. */
void rig_reload(struct rig *rig);

/* Turns the loop until the condition holds; fails the test after twenty seconds. */
#define rig_until(rig, condition)                                                                  \
    do {                                                                                           \
        int64_t rig_end = clock_mono_ms() + 60000;                                                 \
        bool rig_holds;                                                                            \
        while (!(rig_holds = (condition)) && clock_mono_ms() < rig_end)                            \
            loop_turn((rig)->loop, 5);                                                             \
        assert_true(rig_holds);                                                                    \
    } while (0)
/* Turns it for so long. */
void rig_run(struct rig *rig, int64_t ms);

/* Connects the gate of that index (0) and asks for blanks. */
void rig_gate_connect(struct rig *rig, uint32_t blanks, uint32_t spares);
/* The same for a further gate, of the caller's. */
void rig_gate_plug(struct rig *rig, struct rig_gate *gate, uint32_t blanks, uint32_t spares);
/* The gate is gone: its channel and every lock. */
void rig_gate_die(struct rig *rig);
/* Only the channel breaks. */
void rig_gate_lose_channel(struct rig *rig);

struct rig_mail {
    unsigned number; /* makes the id */
    const char *user;
    const char *sender;            /* NULL: "user@example.org"; "": the null sender */
    const char *const *recipients; /* NULL: one, bob@example.net */
    size_t count;
    const char *body;
    uint64_t body_file;
    uint64_t body_size;
    uint64_t body_sum;
    int64_t arrival_us; /* 0: now */
    enum envelope_hold hold;
    int64_t hold_value;
    uint8_t notify; /* of each recipient: enum envelope_notify */
};
struct queue_id rig_id(unsigned number);
/* Appends to the gate's first blank and syncs; no doorbell. */
void rig_write(struct rig *rig, const struct rig_mail *mail);
void rig_ring(struct rig *rig, bool final);
/* Both. */
void rig_submit(struct rig *rig, const struct rig_mail *mail);

/* Connects the relay and says that it has these jobs in hand. */
void rig_relay_connect(
    struct rig *rig, struct rig_relay *relay, const struct msg_job_ref *jobs, size_t count);
/* rig_make, and the room runs between a gate with two blanks and the first relay. */
void rig_begin(struct rig *rig);
/* Only connects: says nothing. */
void rig_relay_plug(struct rig *rig, struct rig_relay *relay);
void rig_relay_say(struct rig_relay *relay, const struct msg_job_ref *jobs, size_t count);
void rig_relay_unplug(struct rig_relay *relay);
/* The process is gone: what it knew too. */
void rig_relay_forget(struct rig_relay *relay);

struct rig_answer {
    enum delivery_result result;
    enum delivery_cause cause;
    uint16_t code;
    const char *status;
    const char *text;
};
extern const struct rig_answer rig_done, rig_greylisted, rig_refused, rig_unreachable, rig_returned;
/* The same answer for every recipient. */
void rig_answer(struct rig_relay *relay, struct rig_job *job, const struct rig_answer *answer);
/* One for each recipient, in the order of the job. */
void rig_answer_each(
    struct rig_relay *relay, struct rig_job *job, const struct rig_answer *answers);
/* The last job, which must be there. */
struct rig_job *rig_last(struct rig_relay *relay);
bool rig_is_acked(const struct rig_relay *relay, uint64_t job);

/* Files in a folder of the spool. */
size_t rig_files(const struct rig *rig, const char *folder);
bool rig_has(const struct rig *rig, enum store_kind kind, uint64_t number);
/* The message in the queue, or NULL; its recipient's state. */
struct message *rig_message(struct rig *rig, unsigned number);
size_t rig_count(struct rig *rig, enum recipient_state state);

#endif
