/* base/line_limit.h: how many lines of the log each client may cause in a minute, so that nobody
 * can flood it (SUB-5.2-3). Pure: time is an argument. */
#ifndef BASE_LINE_LIMIT_H
#define BASE_LINE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { LINE_LIMIT_CELLS = 4096, LINE_LIMIT_PER_CLIENT = 100 };

/* Embedded in its owner; zeroed is empty. */
struct line_limit {
    int64_t minute;      /* of the latest question */
    uint64_t suppressed; /* lines not written since that was last told */
    struct line_limit_cell {
        int64_t minute;
        uint32_t lines; /* about the clients whose hash leads here */
    } cells[LINE_LIMIT_CELLS];
};

/* May another line about this client be written at this time (seconds)? most: in a minute, at least
 * 1. False counts as suppressed. */
MUST_CHECK bool line_limit_take(
    struct line_limit *limit, struct slice client, int64_t wall, uint32_t most);
/* Counts a line that was not written for another reason. */
void line_limit_suppress(struct line_limit *limit);
/* Lines suppressed since that was last asked, once a minute; else 0. To be asked before
 * line_limit_take. */
uint64_t line_limit_told(struct line_limit *limit, int64_t wall);

#endif
