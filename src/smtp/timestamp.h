/* smtp/timestamp.h: the date and time of RFC 3339, as parameters of MAIL and RCPT carry it. */
#ifndef SMTP_TIMESTAMP_H
#define SMTP_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

/* What a parameter takes beside "2026-03-03T10:00:00Z". */
enum timestamp_form {
    TIMESTAMP_OFFSETS = 1,   /* "+01:00" in place of Z (RFC 7293 section 3.1) */
    TIMESTAMP_FRACTIONS = 2, /* of a second, which are dropped (RFC 4865 section 3) */
};

/* Strict: a real day of the calendar, hours to 23, seconds to 60 (the 60th counts as the next
 * minute's first), years 1 to 9999. T and Z in any case. Seconds since 1970 UTC. */
MUST_CHECK bool timestamp_parse(struct slice text, unsigned forms, int64_t *out_wall);

enum { TIMESTAMP_TEXT = 20 };
/* "2026-03-03T10:00:00Z"; what lies outside the years 1 to 9999 is brought to the nearest end. */
void timestamp_format(int64_t wall, char out_text[TIMESTAMP_TEXT + 1]);

#endif
