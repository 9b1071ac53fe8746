/* queue/message.h: what the queue remembers of a message: who is still to get it and when. The
 * envelope and the content stay on disk and are read again at dispatch. One function changes a
 * recipient's state, and the list it sits on is that state. All times here are the queue's own, see
 * time_now in queue/state.h. */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include "base/heap.h"
#include "base/map.h"
#include "base/queue_id.h"
#include "policy/notify.h"
#include "queue/destination.h"

struct segment;
struct job;
struct report;

enum recipient_state {
    RECIPIENT_WAITING,  /* until its next attempt */
    RECIPIENT_READY,    /* due: in a lane of its destination */
    RECIPIENT_IN_HAND,  /* in a job */
    RECIPIENT_HELD,     /* by the operator, or because something about it is damaged */
    RECIPIENT_SETTLING, /* its end is known; the notice about it is on its way to the disk */
    RECIPIENT_TELLING,  /* the same where the journal knows the end already: it was delivered */
    RECIPIENT_DELIVERED,
    RECIPIENT_FAILED,
    RECIPIENT_EXPIRED,
    RECIPIENT_DELETED,
    RECIPIENT_STATES,
};

/* Does anything keep its message from being closed? */
static inline bool recipient_is_open(enum recipient_state state)
{
    return state < RECIPIENT_DELIVERED;
}

/* Is it still to be seen what becomes of it? */
static inline bool recipient_is_undecided(enum recipient_state state)
{
    return state < RECIPIENT_SETTLING;
}

enum {
    RECIPIENT_TOLD_DELAY = 1,
    RECIPIENT_UNWANTED = 2,
    RECIPIENT_UNWANTED_BOUNCE = 4,
    RECIPIENT_TELLING_DELAY = 8, /* the notice of delay is not in the spool yet */
    RECIPIENT_NOTIFY_SHIFT = 4,  /* from this bit on: enum notify_flag */
};

/* 72 octets on a 64-bit machine. */
struct recipient {
    struct heap_node due;          /* in messages.due while open; key: time in microseconds */
    struct recipient *next, *prev; /* in the lane while READY */
    struct message *message;
    struct domain *domain;
    union {
        struct lane *lane;     /* READY */
        struct job *job;       /* IN_HAND */
        struct report *report; /* TELLING */
    };
    struct reply *reply; /* of the last attempt that failed for the time being, or NULL */
    uint32_t next_s;     /* time of the next attempt, seconds; 0: at once */
    uint16_t attempts;   /* recipient_tried changes it */
    uint8_t state;       /* enum recipient_state */
    uint8_t flags;       /* RECIPIENT_… above, and NOTIFY */
};

struct message {
    UT_hash_handle hh;
    struct queue_id id;
    struct message *next, *prev;             /* in the order of intake */
    struct segment *segment;                 /* segment.c alone changes where the message lies */
    struct message *next_there, *prev_there; /* in the segment's */
    uint64_t offset;
    struct user *user;
    struct name *sender;
    int64_t arrival_us;
    int64_t hold_us;       /* so long from its arrival on it is not sent (EXT-FUTURE-3) */
    int64_t hold_date;     /* wall time in seconds that it waits for instead; 0: none */
    uint64_t body_file;    /* 0: inline */
    uint64_t size;         /* header block and body */
    struct queue_id about; /* of a notice */
    uint32_t header_size;
    uint32_t recipient_count;
    uint32_t open_count;
    uint8_t priority; /* as in the envelope: envelope_priority reads it */
    uint32_t uses;    /* whoever works with it: it is not forgotten before */
    bool is_held;     /* no attempt is begun */
    bool is_timed;    /* it waits for its release: release.c alone changes it */
    uint8_t notice;   /* enum envelope_notice */
    bool is_closing;  /* its end is in the journal, perhaps not yet synced */
    bool is_closed;   /* and synced: it goes when its last use ends */
    bool is_damaged;  /* its record did not read back when last tried: not moved, never expires */
    struct recipient recipients[];
};

/* A sender's address, kept once. */
struct name {
    UT_hash_handle hh;
    uint32_t refs;
    uint32_t len;
    char text[];
};

/* A map that grows is built anew at once: many small ones keep that short. */
enum { MESSAGE_MAPS = 64 };

struct messages {
    struct message *maps[MESSAGE_MAPS]; /* by hash of the id */
    struct message *order;
    struct message *cursor;  /* of the checkpoint's walk along the order, which goes on when
                                messages go; NULL: at its end */
    struct message *placing; /* the same of the walk that places all anew */
    struct heap due;
    struct name *senders;
    struct replies replies;
    struct destinations *destinations;
    size_t count;
    size_t closing; /* of them, at their end and waiting for its sync */
    size_t held;
    size_t deferred; /* recipients that wait for another attempt */
    size_t in[RECIPIENT_STATES];
};

void messages_init(struct messages *ms, struct destinations *destinations);
/* Forgets everything; what is on disk stays. */
void messages_clear(struct messages *ms);

struct message_spec {
    struct queue_id id;
    struct slice user;
    struct slice sender;
    uint32_t recipient_count;
};

/* A message whose recipients are all WAITING for ever; the caller fills the rest. The id must be
 * new. Every recipient needs its domain before it becomes READY. */
struct message *message_add(struct messages *ms, const struct message_spec *spec);
/* Takes it out and frees it. No use may be under way. */
void message_remove(struct messages *ms, struct message *message);
/* NULL when it is not there. */
struct message *message_find(struct messages *ms, struct queue_id id);
void message_hold(struct messages *ms, struct message *message, bool held);

/* The one change of state. key: when the heap shall give it back (INT64_MAX for never); without
 * meaning for a state that is not open. A recipient that becomes READY needs the destination; else
 * NULL. */
void recipient_move(struct messages *ms, struct recipient *r, enum recipient_state to, int64_t key,
    struct destination *destination);

/* So many attempts have been made for it. */
void recipient_tried(struct messages *ms, struct recipient *r, uint32_t attempts);

/* Keeps the reason of the last attempt. */
void recipient_remember(struct messages *ms, struct recipient *r, const struct reply_parts *parts);

/* What the sender wants to be told about him: a set of enum notify_flag; 0: not stated. */
static inline uint8_t recipient_notify(const struct recipient *r)
{
    return r->flags >> RECIPIENT_NOTIFY_SHIFT;
}

static inline bool message_is_notice(const struct message *message)
{
    return message->notice != 0;
}

static inline uint32_t recipient_index(const struct recipient *r)
{
    return (uint32_t)(r - r->message->recipients);
}

static inline struct notify_case recipient_notify_case(const struct recipient *r)
{
    return (struct notify_case){
        .null_sender = r->message->sender->len == 0,
        .is_notice = message_is_notice(r->message),
        .flags = recipient_notify(r),
    };
}

static inline struct slice message_sender(const struct message *message)
{
    return slice_of(message->sender->text, message->sender->len);
}

#endif
