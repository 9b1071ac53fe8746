/* queue/stock.h: makes and removes files of the spool on a thread of its own: blanks and spares for
 * the gates, kept in stock, and what nobody needs any more. Watches the room on the disk. */
#ifndef QUEUE_STOCK_H
#define QUEUE_STOCK_H

#include "net/hands.h"
#include "spool/store.h"

enum { STOCK_BLANKS = 2, STOCK_SPARES = 8 };

struct stock_blank {
    struct stock_blank *next;
    struct store_blank blank;
};

struct stock_spare {
    struct stock_spare *next;
    struct store_spare spare;
};

struct stock {
    struct hands *hands;
    struct store store;
    struct store_sweep sweep; /* the thread's, between begin and finish */
    struct stock_blank *blanks;
    struct stock_blank *own; /* one at most: made below the reserve, for the queue itself */
    struct stock_spare *spares;
    size_t blank_count, spare_count;     /* in stock */
    size_t blanks_asked, spares_asked;   /* being made */
    size_t blanks_wanted, spares_wanted; /* of the gates, not given yet */
    struct disk_space space;
    uint64_t reserve;
    bool is_low;           /* no room for new mail */
    bool is_own_wanted;    /* the queue waits for a blank of its own */
    bool is_own_asked;     /* and it is being made */
    bool is_troubled;      /* making failed, and it was said */
    bool is_trim_troubled; /* the same of removing old journal files */
    bool is_looking;       /* a look at the space is under way */
    bool
        has_looked; /* before the first one nothing is made: the gates hear first that it is full */
    bool is_closing;
    void (*changed)(void *owner); /* something came into stock, or is_low changed */
    void *owner;
};

MUST_CHECK enum err stock_init(struct stock *stock, struct loop *loop, struct disk *disk, int root,
    const struct store_settings *settings, uint64_t reserve, void (*changed)(void *owner),
    void *owner);
void stock_clear(struct stock *stock);
/* Each second: looks at the space, and makes what is missing. */
void stock_tick(struct stock *stock);
/* Orders what is missing. */
void stock_fill(struct stock *stock);
/* Takes one out; the write handle is the caller's. False when there is none. */
MUST_CHECK bool stock_take_blank(struct stock *stock, struct store_blank *out_blank);
/* The same for the queue itself, whose notices and whose emptying of segments must go on when the
 * disk is too full for new mail (DATA-16): what is missing is made also below the reserve, one at a
 * time, as long as it leaves the journal some room. */
MUST_CHECK bool stock_take_own(struct stock *stock, struct store_blank *out_blank);
MUST_CHECK bool stock_take_spare(struct stock *stock, struct store_spare *out_spare);
/* Is the body file of that number one that nobody was given yet? */
bool stock_has_spare(const struct stock *stock, uint64_t number);
/* Removes a file that the synced journal no longer needs. done (may be NULL) is told how it went.
 */
void stock_remove(struct stock *stock, enum store_kind kind, uint64_t number,
    void (*done)(void *owner, enum store_kind kind, uint64_t number, enum err result), void *owner);
/* Removes journal files older than `floor`, but keeps the newest ones up to `keep` octets in all:
 * they are the history for `trace`. The oldest goes first, and where one stays all behind it stay:
 * history has no holes. */
void stock_trim_journal(struct stock *stock, uint64_t floor, uint64_t keep);
/* Body files that nobody holds now. Then, when every record written before is known, removes those
 * of them that are not among `named` (ascending; taken over). */
void stock_sweep_begin(struct stock *stock);
void stock_sweep_finish(struct stock *stock, uint64_t *named, size_t count);
/* Chores not done yet. */
size_t stock_busy(const struct stock *stock);

#endif
