/* tests/power/model.h: what a power cut can leave. Follows a recorder's log event by event and
 * knows at each what is on stable storage for certain and what may be there, in part, or not.
 *
 * - What was written, and sizes, are certain once a sync of the file that began after the write had
 *   returned has succeeded. Until then each write may be there wholly, in any 512-octet sectors
 *   (with what was there before or zeros in the others), or not at all, in any combination.
 * - After a sync that failed, what it should have covered is never certain: the kernel reports the
 *   loss once, and a later sync says nothing about it.
 * - A name made, changed or removed is certain after a sync of its folder; until then any subset of
 *   the changes may be there. Syncing a new file does not sync its name. (Journalling file systems
 *   promise more; the ordered states are theirs.)
 * - An operation that had begun and not returned may have happened. */
#ifndef TESTS_POWER_MODEL_H
#define TESTS_POWER_MODEL_H

#include "chance.h"
#include "recorder.h"

enum cut_mode {
    CUT_NOTHING,    /* nothing uncertain is there */
    CUT_EVERYTHING, /* all of it */
    CUT_NAMES,      /* the names without the octets */
    CUT_OCTETS,     /* the octets without the names */
    CUT_ORDERED,    /* names as far as some moment, octets by chance */
    CUT_ONE_LOST,   /* all but one operation, which is torn or missing */
    CUT_ONE_KEPT,   /* one operation alone */
    CUT_CHANCE,     /* each by chance */
    CUT_MODES,
};

struct model;

/* Begins with what the disk holds now, all of it certain. */
struct model *model_new(const struct memory_disk *disk);
void model_free(struct model **model);
/* Takes the next event of the log; its own place in the log is the caller's to count. True when
 * there are states now that there were not before. */
bool model_step(struct model *model, const struct recorder *log, size_t index);
/* Operations whose effect is uncertain now. */
size_t model_uncertain(const struct model *model);
/* A disk as the cut leaves it. */
struct memory_disk *model_state(
    const struct model *model, enum cut_mode mode, struct chance *chance, bool is_portable);

#endif
