/* queue/tally.h: what keeps notices from becoming too many: how many a sender was sent in this hour
 * (DSN-17), and which were in the spool already in this life. */
#ifndef QUEUE_TALLY_H
#define QUEUE_TALLY_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/queue_id.h"
#include "base/slice.h"
#include "spool/envelope.h"

struct tally;
struct noticed;

/* Embedded, all zero at first. */
struct tallies {
    struct tally *senders;
};

/* Counts one more notice of that kind to the sender; false when it is too many for this hour.
 * Notices of success, which only somebody gets who asked for them, are counted apart, so that they
 * keep no notice of failure away. */
MUST_CHECK bool tally_allows(
    struct tallies *tallies, struct slice sender, enum envelope_notice kind);
/* Forgets those whose hour is over. */
void tallies_expire(struct tallies *tallies);
void tallies_clear(struct tallies *tallies);

/* Ids of notices that are closed; so many of the latest. Embedded, all zero at first. */
struct noticed_ids {
    struct noticed *map;
};

bool noticed_has(const struct noticed_ids *ids, struct queue_id id);
void noticed_add(struct noticed_ids *ids, struct queue_id id);
void noticed_clear(struct noticed_ids *ids);

#endif
