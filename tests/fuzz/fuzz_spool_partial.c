/* tests/fuzz/fuzz_spool_partial.c: the file of a message that was cut off, as it is read at a start
 * and before its offset is promised: the first 8 octets are the number in its name. Half of the
 * inputs are sealed first, so that more than the checksums is looked at. */
#include "fuzz.h"

#include <stdlib.h>

#include "spool/partial.h"

static uint64_t number_of(struct slice bytes)
{
    uint64_t number = 1;

    memcpy(&number, bytes.data, sizeof number);
    return number;
}

/* What is believed hangs together, whatever wrote it. */
static void check(const struct partial_state *state, struct slice bytes)
{
    REQUIRE(partial_is_sound(state));
    REQUIRE(state->front.len <= bytes.len && state->transid.len > 0);
    REQUIRE(state->recipient_count > 0 && state->recipients[0].address.len > 0);
    if (!state->is_complete)
        REQUIRE(state->octets == state->front.len + state->body_octets);
    REQUIRE(state->body_octets <= state->body_size);
    REQUIRE((state->body_file == 0) == (state->body_octets == 0));
}

static void parse(struct slice bytes, uint64_t number)
{
    struct partial_state state;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (partial_parse(bytes, number, &arena, &state) == ERR_OK) {
        check(&state, bytes);
        /* Under another number it is another's. */
        REQUIRE(partial_parse(bytes, number + 1, &arena, &state) == ERR_CORRUPT);
    }
    arena_clear(&arena);
}

/* The octets as part 0, and the last of them as part 1 too. */
static void parse_sealed(struct slice bytes, uint64_t number)
{
    struct slice pieces[] = { bytes, slice_from(bytes, bytes.len - bytes.len / 4) };
    const struct frame_part parts[FRAME_PARTS] = { { &pieces[0], 1 }, { &pieces[1], 1 } };
    uint64_t total;
    char *frame;

    if (frame_measure(&partial_format, parts, &total) != ERR_OK)
        return;
    frame = calloc(1, total);
    REQUIRE(frame);
    frame_seal(
        &partial_format, number, (struct queue_id){ 0 }, 1, 1, parts, (unsigned char *)frame);
    memcpy(frame + FRAME_HEAD, pieces[0].data, pieces[0].len);
    if (pieces[1].len > 0)
        memcpy(frame + FRAME_HEAD + pieces[0].len, pieces[1].data, pieces[1].len);
    parse(slice_of(frame, total), number);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);

    if (size < 8)
        return 0;
    parse(slice_from(bytes, 8), number_of(bytes));
    parse_sealed(slice_from(bytes, 8), number_of(bytes));
    return 0;
}
