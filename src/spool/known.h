/* spool/known.h: what the journal says about messages and segments, gathered while it is replayed
 * and asked when messages are handed over. Texts stay packed until then. Private to recovery. */
#ifndef SPOOL_KNOWN_H
#define SPOOL_KNOWN_H

#include "base/arena.h"
#include "base/map.h"
#include "spool/journal.h"
#include "spool/journal_clock.h"
#include "spool/recover.h"

/* 40 octets on a 64-bit machine. */
struct known_recipient {
    char *text;      /* the domain, then the last outcome as it packs, or what is owed; NULL for
                        neither */
    int64_t next_us; /* less what the clock had moved when it was told; 0: now */
    int64_t away_us; /* the rest of that mark */
    uint32_t attempts;
    uint32_t outcome_len; /* 0: none, or delivered */
    uint16_t domain_len;
    uint8_t state;  /* enum recover_state */
    bool is_stated; /* a checkpoint has named it, so the domain is known */
    bool has_delay_notice;
    bool is_owed; /* delivered, and no notice has told of it */
    uint8_t notify;
};

/* What a checkpoint says of the message as a whole. */
struct known_head {
    uint64_t body_file;
    int64_t arrival_us;
    uint64_t size;
    uint64_t body_size;
    struct queue_id about;
    uint32_t total;   /* recipients of the message */
    uint32_t reached; /* of them, in the run of entries that is being read */
    uint32_t born;    /* as struct known's, when that run began */
    bool is_running;  /* and nothing of the run is lost so far */
    uint8_t notice;
    uint8_t priority;
    int64_t hold_us;
    int64_t hold_date;
    uint16_t sender_len;
    uint16_t user_len;
    char text[]; /* sender, user */
};

struct known {
    struct queue_id id;
    uint64_t segment;
    uint64_t offset;
    struct journal_mark then; /* the clock when its arrival was told */
    int64_t told_us;          /* and that time, by "arrived" */
    struct known_head *head;  /* NULL: no checkpoint has named it */
    struct known_recipient *recipients;
    uint32_t recipient_count; /* as far as anything is known of them */
    uint32_t born;            /* damage without a name that had been met before it was known */
    uint32_t touched; /* the checkpoint behind whose begin an entry named it last; 0: before all */
    uint32_t settled; /* and behind whose begin it arrived or was stated whole */
    bool is_placed : 1; /* segment and offset are set */
    bool is_journalled : 1;
    bool is_closed : 1;
    bool is_held : 1;
    bool is_damaged : 1; /* an entry of it is lost */
    bool is_ready : 1;   /* to be handed over without its record */
    bool is_handed : 1;  /* to the caller */
    bool is_aside : 1;   /* its record is damaged and set aside */
    bool is_refused : 1; /* its place lies behind a cut: nobody can have written both */
    bool is_excused : 1; /* and an operator has released it since */
    UT_hash_handle hh;
};

struct known_segment {
    uint64_t generation;
    uint64_t cut;  /* UINT64_MAX: none */
    uint64_t upto; /* before it whatever is not known is closed */
    bool is_complete;
    bool has_refused; /* messages that are to be read behind the cut */
    /* As the checkpoint says whose end has not been read yet. */
    uint32_t stated; /* which */
    bool stated_complete;
    uint64_t stated_upto;
    UT_hash_handle hh;
};

struct known_set {
    struct known *messages;
    struct known_segment *segments;
    uint32_t nameless;    /* damage that does not say whom it concerns */
    bool is_open;         /* no entry has followed the last of it */
    int64_t nameless_us;  /* time of the first entry behind the last of it */
    uint32_t checkpoints; /* begun so far */
    struct journal_clock clock;
    uint64_t begun; /* number of the one that may still come to a good end, or 0 */
};

void known_clear(struct known_set *set);
/* Forgets the messages and the damage, keeps what is known of segments. */
void known_forget(struct known_set *set);
/* One entry more. ERR_NOMEM. */
MUST_CHECK enum err known_apply(struct known_set *set, const struct journal_entry *entry);
MUST_CHECK enum err known_damage(struct known_set *set, const struct journal_damage *damage);
/* NULL when the journal has nothing about it. */
struct known *known_find(const struct known_set *set, struct queue_id id);
/* May lost entries be about the message? known may be NULL. */
bool known_is_suspect(const struct known_set *set, const struct known *known, int64_t arrival_us);
/* A checkpoint has named the message and each of its recipients. */
bool known_is_stated(const struct known *known);
/* The states of `count` recipients into the array (zeroed by the caller), domains where a
 * checkpoint has named them. Text points into the set. known may be NULL. */
MUST_CHECK enum err known_recipients(const struct known_set *set, const struct known *known,
    struct arena *arena, struct recover_recipient *recipients, size_t count);
/* Frees what is known of it but that it was known. */
void known_hand_over(struct known *known);

/* NULL when nothing is known of it. */
struct known_segment *known_segment(const struct known_set *set, uint64_t generation);
/* UINT64_MAX: not cut. */
uint64_t known_cut(const struct known_set *set, uint64_t generation);
/* Was the message's record refused, as far as is known by now? */
bool known_is_behind_cut(const struct known_set *set, const struct known *known);
MUST_CHECK enum err known_set_cut(struct known_set *set, uint64_t generation, uint64_t offset);
void known_forget_segment(struct known_set *set, uint64_t generation);

/* ---- between known.c and known_checkpoint.c ---- */

void known_drop(struct known_set *set, struct known *known);
/* So many recipients can be looked at, at least. */
MUST_CHECK enum err known_grow(struct known *known, size_t count);
/* Replaces the texts; outcome NULL: none. The domain may be the one that it has. Nothing is owed
 * any more. */
MUST_CHECK enum err known_keep_texts(
    struct known_recipient *recipient, struct slice domain, const struct journal_outcome *outcome);
/* Replaces the domain alone. */
MUST_CHECK enum err known_keep_domain(struct known_recipient *recipient, struct slice domain);
void known_place(struct known *known, uint64_t segment, uint64_t offset);
/* When the next attempt is; 0: now. */
void known_keep_next(
    const struct known_set *set, struct known_recipient *recipient, int64_t next_us);
MUST_CHECK enum err known_apply_checkpoint(
    struct known_set *set, struct known *known, const struct journal_entry *entry);
MUST_CHECK enum err known_apply_segment(
    struct known_set *set, struct known *known, const struct journal_entry *entry);
MUST_CHECK enum err known_apply_state(
    struct known_set *set, struct known *known, const struct journal_entry *entry);

#endif
