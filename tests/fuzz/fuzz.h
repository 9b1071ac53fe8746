/* tests/fuzz/fuzz.h: what the targets share: the entry point, a requirement that ends the process,
 * and cuts that depend on the input alone. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef REQUIRE /* house.h and scene.h have one too */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#endif

/* Memory of malloc, exactly as long as it says. */
static inline char *copy_of(struct slice bytes)
{
    char *copy = malloc(bytes.len);

    REQUIRE(copy || bytes.len == 0);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

/* trace writes down what the input comes to; cut: 0 for the whole at once, else the seed of the
 * places where it is cut. The same must be written. */
static inline void require_same_for_cuts(
    struct slice input, void (*trace)(struct slice input, unsigned cut, struct buffer *out))
{
    struct buffer whole, cuts;

    buffer_init(&whole, 1 << 24);
    buffer_init(&cuts, 1 << 24);
    trace(input, 0, &whole);
    trace(input, (unsigned)input.len * 2 + 1, &cuts);
    REQUIRE(slice_equals(buffer_slice(&whole), buffer_slice(&cuts)));
    buffer_clear(&whole);
    buffer_clear(&cuts);
}

/* A small generator; the same seed gives the same numbers. */
struct dice {
    uint64_t state;
};

static inline struct dice dice_of(uint64_t seed)
{
    return (struct dice){ seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };
}

/* 0 .. below - 1. */
static inline size_t dice_roll(struct dice *dice, size_t below)
{
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return dice->state % below;
}

/* Takes the first octet off; 0 from nothing. */
static inline uint8_t take_octet(struct slice *input)
{
    uint8_t octet = input->len > 0 ? (uint8_t)input->data[0] : 0;

    *input = slice_from(*input, 1);
    return octet;
}

/* Takes off what lies before the mark, and the mark. */
static inline struct slice take_until(struct slice *input, char mark)
{
    struct slice part = slice_first(*input, slice_find(*input, mark));

    *input = slice_from(*input, part.len + 1);
    return part;
}

#endif
