/* tests/power/oracle.h: what was promised to whom, and when in the order of the log. Asked after a
 * recovery: is what came back what was promised? */
#ifndef TESTS_POWER_ORACLE_H
#define TESTS_POWER_ORACLE_H

#include "base/map.h"
#include "recorder.h"
#include "spool/recover.h"

enum { ORACLE_NEVER = -1, ORACLE_RECIPIENTS = 8, ORACLE_TRIES = 64, ORACLE_TEXT = 400 };

/* Places in the log; NEVER: it did not happen. */
typedef int64_t moment;

/* What became of one recipient. */
struct fate {
    enum recover_state end;     /* PENDING: nothing final was said */
    moment ended;               /* the carrier said so first */
    moment end_known;           /* the queue acknowledged it first */
    moment tried[ORACLE_TRIES]; /* a deferral was said */
    moment try_known[ORACLE_TRIES];
    size_t tries;
    size_t retold;          /* how often an end was told again: each may be counted as an attempt */
    struct queue_id notice; /* FAILED: which tells the sender; zero for none */
};

/* The octets of a message. */
struct likeness {
    uint64_t envelope[2];
    uint64_t header[2];
    uint64_t body[2];
    uint64_t body_size;
};

struct promise {
    UT_hash_handle hh;
    struct queue_id id;
    size_t place; /* in the order of making */
    bool is_notice;
    struct likeness likeness;
    struct likeness *versions; /* of a notice: it is made anew when it could not be written */
    size_t version_count, version_room;
    moment remade; /* the notice was written again after its end was known: see docs/proof.md */
    size_t recipient_count;
    struct fate fates[ORACLE_RECIPIENTS];
    moment offered; /* before its first octet went to the disk */
    moment given;   /* 250 */
    moment refused; /* 451, after which it is never sent */
    moment hold_asked, hold_answered, release_asked, release_answered;
    moment delete_asked, delete_answered;
};

struct oracle {
    struct promise *promises;
    struct promise **order; /* as they were made */
    size_t count, room;
    bool is_rough;             /* the disk fails now and then */
    size_t checkpoints, moves; /* that the log has: ended, recorded */
    size_t faults;
    char fault[ORACLE_TEXT]; /* the first */
};

void oracle_init(struct oracle *oracle);
void oracle_clear(struct oracle *oracle);
struct promise *oracle_find(const struct oracle *oracle, struct queue_id id);
/* Finds or adds. */
struct promise *oracle_promise(struct oracle *oracle, struct queue_id id);
/* Looks through all that was written to segments for the queue's own notices, so that it is known
 * from when on they may be there, and what is in them. */
void oracle_learn(struct oracle *oracle, const struct recorder *log);

/* The digest of octets. */
void likeness_digest(const void *data, size_t len, uint64_t out_digest[2]);
void likeness_of_envelope(const struct envelope *envelope, uint64_t out_digest[2]);

PRINTF_LIKE(2, 3)
void oracle_fault(struct oracle *oracle, const char *format, ...);

/* ---- after a recovery ---- */

/* One message that came back, in the terms of recovery and of the room alike. */
struct returned {
    struct queue_id id;
    bool is_held;
    bool is_suspect;
    size_t recipient_count;
    const struct returned_fate {
        enum recover_state state;
        uint32_t attempts;
    } * fates;
    const struct likeness *likeness; /* NULL: not looked at */
};

/* All that came back from one state that a cut at the moment `now` left. */
struct harvest {
    struct oracle *oracle;
    moment now;
    unsigned *seen; /* by the order of promises: how often */
};

void harvest_begin(struct harvest *harvest, struct oracle *oracle, moment now);
void harvest_take(struct harvest *harvest, const struct returned *returned);
/* Everything has come back that will. */
void harvest_end(struct harvest *harvest);

#endif
