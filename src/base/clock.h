/* base/clock.h: the two clocks. Durations and time-outs use the monotonic one, everything that is
 * written down or shown uses the wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary start; never goes back. */
int64_t clock_mono_ms(void);
/* Microseconds since 1970-01-01 UTC; may jump either way. */
int64_t clock_wall_us(void);
/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall(void);
/* Wall minus monotonic, microseconds. */
int64_t clock_offset_us(void);

/* How far the wall clock has jumped since the offset (wall minus monotonic, microseconds) was last
 * set, which is set anew then; 0 for less than two seconds. */
int64_t clock_jump_us(int64_t *offset_us);

/* "2026-03-03T10:00:00.123Z" (24 characters and NUL) for a wall time in microseconds. */
void clock_format(int64_t wall_us, char out_text[25]);

#endif
