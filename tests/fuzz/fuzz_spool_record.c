/* tests/fuzz/fuzz_spool_record.c: the input is the inside of a segment. Reading it ends, every
 * octet is told of at most once, and what is called a record packs to the same envelope again. */
#include "spool/segment.h"
#include "spool_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t generation = UINT64_C(0x0000000712345678);

static void check_record(const struct segment_item *item)
{
    struct buffer again;
    struct envelope back;
    struct arena arena;

    buffer_init(&again, ENVELOPE_MAX + 1024);
    arena_init(&arena, 4 << 20);
    if (envelope_pack(&again, &item->record.envelope) != ERR_OK ||
        envelope_unpack(buffer_slice(&again), &arena, &back) != ERR_OK ||
        back.recipient_count != item->record.envelope.recipient_count ||
        !slice_equals(back.sender, item->record.envelope.sender))
        abort();
    buffer_clear(&again);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment_reader reader;
    struct segment_item item;
    struct memory memory;
    uint64_t bound, last = FILE_HEAD;

    memory_init(&memory, &record_format, generation, data, size);
    bound = FILE_HEAD + memory.len;
    segment_reader_init(&reader, &memory.disk);
    segment_aim(&reader, 0, generation, FILE_HEAD);
    for (;;) {
        if (segment_next(&reader, bound, memory.flags & MEMORY_STATED, &item) != ERR_OK)
            abort();
        if (item.found == SEGMENT_END)
            break;
        if (item.offset < last || item.length == 0 || item.length > bound - item.offset)
            abort();
        last = item.offset + item.length;
        if (item.found == SEGMENT_RECORD)
            check_record(&item);
    }
    if (memory.flags & MEMORY_STATED && last != bound)
        abort();
    segment_reader_clear(&reader);
    memory_clear(&memory);
    return 0;
}
