/* message/date.h: date and time as RFC 5322 section 3.3 writes it: made strictly, read with the
 * obsolete forms. */
#ifndef MESSAGE_DATE_H
#define MESSAGE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { DATE_TEXT = 31 };

/* "Tue, 03 Mar 2026 10:00:00 +0000" for seconds since 1970 UTC. Values outside the years 1970 to
 * 9999 are brought to the nearest end. */
void date_format(int64_t wall, char out_text[DATE_TEXT + 1]);

/* Reads a field body: a real day of the calendar, a day of the week that fits it, hours to 23,
 * seconds to 60, numeric or obsolete zone, comments and folds where section 4.3 lets them be
 * (MSG-4). False when it breaks the grammar. The time is in seconds since 1970 UTC and may be
 * negative (years from 1900). */
MUST_CHECK bool date_parse(struct slice text, int64_t *out_wall);

#endif
