/* bench/tally.h: what the sink has taken: messages, octets, and which numbers of X-Bench. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Numbers at or above this are counted as unknown. */
enum { TALLY_NUMBERS_MAX = 1 << 27 };

/* Zeroed: nothing was taken. */
struct tally {
    bool is_marking; /* look for the marker */
    uint64_t connections;
    uint64_t messages;
    uint64_t recipients;
    uint64_t octets;  /* of content, without dot-stuffing */
    uint64_t refused; /* commands out of order or unknown */
    uint64_t broken;  /* connections that ended within a message */
    uint64_t distinct;
    uint64_t duplicates;
    uint64_t unmarked; /* messages without a usable marker */
    int64_t first_us;  /* of CLOCK_MONOTONIC; 0: none */
    int64_t last_us;
    uint8_t *seen; /* a bit for each number */
    uint64_t seen_len;
};

/* One message arrived; head is its beginning, with the header (not looked at unless marking). */
void tally_message(
    struct tally *tally, uint64_t octets, uint64_t recipients, struct slice head, int64_t now_us);
/* expected: how many distinct numbers should be there; 0: not known. */
void tally_print(const struct tally *tally, uint64_t expected, bool is_json);
void tally_clear(struct tally *tally);

#endif
