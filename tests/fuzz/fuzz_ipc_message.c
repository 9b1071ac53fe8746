/* tests/fuzz/fuzz_ipc_message.c: the packed struct of every message of the table. The first octet
 * chooses the message. What unpacks packs to the very octets it was read from, and one octet less
 * does not unpack. */
#include "fuzz.h"

#include "ipc/messages.h"

static void check_short(const struct message_row *row, struct slice bytes, struct arena *arena)
{
    struct cursor in = cursor_of(slice_first(bytes, bytes.len - 1));
    void *message = arena_alloc(arena, row->shape->size);

    REQUIRE(message);
    REQUIRE(unpack(&in, row->shape, arena, message) != ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct message_row *row = message_row(size > 0 ? data[0] % MESSAGE_TYPE_COUNT : 0);
    struct slice bytes = slice_from(slice_of(data, size), 1);
    struct cursor in = cursor_of(bytes);
    struct buffer again;
    struct arena arena;
    void *message;

    arena_init(&arena, 2 * FRAME_MAX);
    buffer_init(&again, FRAME_MAX);
    message = arena_alloc(&arena, row->shape->size);
    REQUIRE(message);
    if (unpack(&in, row->shape, &arena, message) == ERR_OK) {
        pack(&again, row->shape, message);
        bytes.len -= in.rest.len;
        REQUIRE(again.error == ERR_OK && slice_equals(buffer_slice(&again), bytes));
        check_short(row, bytes, &arena);
    }
    buffer_clear(&again);
    arena_clear(&arena);
    return 0;
}
