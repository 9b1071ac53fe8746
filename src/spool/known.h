/* spool/known.h: what the journal says about messages, gathered while it is replayed and asked when
 * their records are read. Private to recovery. */
#ifndef SPOOL_KNOWN_H
#define SPOOL_KNOWN_H

#include "base/arena.h"
#include "base/map.h"
#include "spool/journal.h"
#include "spool/recover.h"

struct known_recipient {
    enum recover_state state;
    uint32_t attempts;
    int64_t next_us;
    bool has_failure_notice;
    bool has_delay_notice;
    char *outcome; /* the last one, packed; NULL for none and for delivered */
    size_t outcome_len;
};

struct known {
    struct queue_id id;
    uint64_t segment;
    uint64_t offset;
    bool is_arrived; /* segment and offset are set */
    bool is_closed;
    bool is_held;
    bool is_damaged; /* an entry of it is lost */
    bool is_handed;  /* to the caller */
    bool is_aside;   /* its record is damaged and set aside */
    int64_t held_until_us;
    size_t born; /* damage without a name that had been met before it was known */
    struct known_recipient *recipients;
    size_t recipient_count; /* as far as anything is known of them */
    UT_hash_handle hh;
};

struct known_cut {
    uint64_t segment;
    uint64_t offset;
    UT_hash_handle hh;
};

struct known_set {
    struct known *messages;
    struct known_cut *cuts;
    size_t nameless;     /* damage that does not say whom it concerns */
    bool is_open;        /* no entry has followed the last of it */
    int64_t nameless_us; /* time of the first entry behind the last of it */
};

void known_clear(struct known_set *set);
/* Forgets the messages and the damage, keeps the cuts. */
void known_forget(struct known_set *set);
/* One entry more. ERR_NOMEM. */
MUST_CHECK enum err known_apply(struct known_set *set, const struct journal_entry *entry);
MUST_CHECK enum err known_damage(struct known_set *set, const struct journal_damage *damage);
/* NULL when the journal has nothing about it. */
struct known *known_find(const struct known_set *set, struct queue_id id);
/* May lost entries be about the message? known may be NULL. */
bool known_is_suspect(const struct known_set *set, const struct known *known, int64_t arrival_us);
/* The states of `count` recipients into the array (zeroed by the caller). Text points into the set.
 */
MUST_CHECK enum err known_recipients(const struct known *known, struct arena *arena,
    struct recover_recipient *recipients, size_t count);
/* Frees what is known of its recipients. */
void known_hand_over(struct known *known);

/* UINT64_MAX: not cut. */
uint64_t known_cut(const struct known_set *set, uint64_t segment);
MUST_CHECK enum err known_set_cut(struct known_set *set, uint64_t segment, uint64_t offset);
void known_forget_cut(struct known_set *set, uint64_t segment);

#endif
