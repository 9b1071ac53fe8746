/* queue/reader.h: reads the spool on a thread of its own: the journal once, then segments behind
 * their writers. One reading at a time; what it finds comes back to the loop in portions, so that a
 * backlog never stops the loop. */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include "net/hands.h"
#include "net/loop.h"
#include "spool/recover.h"

enum { READING_MOST = 2000, READING_MEMORY = 32 << 20 };

/* A message as it was handed over. Lies in the reading's arena with all that it points to. */
struct arrival {
    struct arrival *next;
    struct recover_message message; /* without envelope */
    struct journal_arrived said;    /* where it is not journalled: what the journal is to say */
    int handle; /* for segment_load, borrowed from the segment; -1: it could not be opened */
};

enum finding_kind { FINDING_ASIDE, FINDING_ALIVE, FINDING_OWNED, FINDING_MISSING, FINDING_TROUBLE };

struct finding {
    struct finding *next;
    enum finding_kind kind;
    uint64_t segment;
    uint64_t taken, refused;    /* ALIVE, OWNED: as in struct reading */
    struct queue_id id;         /* MISSING */
    struct recover_aside aside; /* ASIDE */
    enum err reason;            /* TROUBLE */
    const char *what;
};

enum reading_kind {
    READING_JOURNAL,  /* first: replays the journal */
    READING_SEGMENTS, /* every segment on disk */
    READING_STATED,
    READING_GONE,
    READING_CUT,
    READING_PASSED, /* we have written these records, and hold them */
    READING_FORGET, /* the segment is about to be unlinked */
};

/* Embedded in the reader; its results are the loop's until the next one is begun. */
struct reading {
    struct hand_job job;
    enum reading_kind kind;
    uint64_t segment;
    uint64_t upto;   /* STATED, CUT, PASSED */
    enum err result; /* ERR_LIMIT: a portion is full, ask again */
    /* Of the segment, where there is one: */
    uint64_t taken;   /* that far it was read, with this reading; 0: not known */
    uint64_t refused; /* where it is cut; 0: nowhere */
    int handle;       /* PASSED: as in struct arrival */
    struct arena arena;
    struct arrival *arrivals, **arrivals_last;
    struct finding *findings, **findings_last;
    size_t arrival_count;
    struct journal_replayed replayed; /* JOURNAL */
    struct store_file *segments; /* JOURNAL: what lay there at start; freed by the next reading */
    size_t segment_count;
    struct queue_id *notices; /* JOURNAL: of ours that are closed; freed by the next reading */
    size_t notice_count;
};

struct open_notice;

struct reader {
    struct hands *hands;
    struct store store;
    struct recover_events events;
    struct recover *recover;
    struct reading reading;
    struct open_notice *open_notices; /* while the journal is read */
    int64_t now_us;                   /* see reader_open */
    bool is_busy;
    bool has_segments;    /* every segment that lay there at start has been looked at */
    bool is_finished;     /* recovery is complete. Both may be read in done and while !is_busy */
    struct deferred more; /* of a reading that the loop takes in pieces */
    bool (*done)(void *owner, struct reading *reading);
    void (*idle)(void *owner);
    void *owner;
};

/* Takes the directory handle. done: on the loop, after each reading, to take what it found; false:
 * not all of it yet, it is called again in the next turn. idle: right after that, when the next may
 * be begun. */
MUST_CHECK enum err reader_init(struct reader *reader, struct loop *loop, struct disk *disk,
    int root, const struct store_settings *settings,
    bool (*done)(void *owner, struct reading *reading), void (*idle)(void *owner), void *owner);
/* Waits for the reading under way; its done function is called. */
void reader_clear(struct reader *reader);
/* The first reading, READING_JOURNAL. now_us: the time now, by the clock that the times of
 * journalled messages are wanted in; see recover_now. */
void reader_open(struct reader *reader, int64_t now_us);
/* Every other. One at a time: only while !is_busy. */
void reader_begin(struct reader *reader, enum reading_kind kind, uint64_t segment, uint64_t upto);

#endif
