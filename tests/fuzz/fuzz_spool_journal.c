/* tests/fuzz/fuzz_spool_journal.c: the input is the inside of a journal file. Reading it ends,
 * every entry that reads can be written again and reads the same, and what they add up to can be
 * told. */
#include "spool/entry.h"
#include "spool/known.h"
#include "spool/tail.h"
#include "spool_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t generation = UINT64_C(0x0000000712345678);

static void check_entry(const struct frame *frame, struct arena *arena, struct known_set *known)
{
    struct journal_entry entry, back;
    struct journal_batch batch;
    struct frame again;

    if (journal_entry_from_frame(frame, arena, &entry) != ERR_OK)
        return;
    journal_batch_init(&batch, 1 << 20);
    if (entry.kind == JOURNAL_STATE &&
        journal_state_fits(&entry.state) != entry.state.recipient_count)
        abort();
    journal_put(&batch, &entry);
    if (batch.bytes.error != ERR_OK ||
        frame_parse(&journal_format, 0, buffer_slice(&batch.bytes), &again) != FRAME_GOOD ||
        journal_entry_from_frame(&again, arena, &back) != ERR_OK || back.kind != entry.kind ||
        !slice_equals(again.parts[0], frame->parts[0]))
        abort();
    if (entry.kind == JOURNAL_CHECKPOINT && journal_stamp(batch.bytes.data + batch.bytes.start,
                                                entry.checkpoint.number, entry.checkpoint.number)
                                                    .stage != entry.checkpoint.stage)
        abort();
    if (known_apply(known, &entry) != ERR_OK)
        abort();
    journal_batch_clear(&batch);
}

static void check_damage(const struct tail_item *item, struct known_set *known)
{
    const struct journal_damage damage = { .has_id = item->has_id, .id = item->id };

    if (known_damage(known, &damage) != ERR_OK)
        abort();
}

static void check_known(const struct known_set *set, struct arena *arena)
{
    struct known *known, *next;

    HASH_ITER (hh, set->messages, known, next) {
        struct recover_recipient list[4] = { 0 };

        arena_clear(arena);
        if (known_is_stated(known) && known->recipient_count < known->head->total)
            abort();
        if (known->is_closed && known->recipients)
            abort();
        if (known_recipients(set, known, arena, list, LENGTH_OF(list)) != ERR_OK)
            abort();
        (void)known_is_suspect(set, known, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct known_set known = { 0 };
    struct memory memory;
    struct arena arena;
    struct tail tail;
    struct tail_item item;
    uint64_t last = FILE_HEAD;

    memory_init(&memory, &journal_format, generation, data, size);
    tail_init(&tail, &memory.disk, &journal_format);
    arena_init(&arena, 4 << 20);
    tail_aim(&tail, 0, generation, FILE_HEAD);
    for (;;) {
        if (tail_next(&tail, FILE_HEAD + memory.len, memory.flags & MEMORY_STATED, &item) != ERR_OK)
            abort();
        if (item.kind == TAIL_END)
            break;
        if (item.offset < last || item.length == 0)
            abort();
        last = item.offset + item.length;
        arena_clear(&arena);
        if (item.kind == TAIL_FRAME)
            check_entry(&item.frame, &arena, &known);
        else
            check_damage(&item, &known);
    }
    check_known(&known, &arena);
    known_clear(&known);
    tail_clear(&tail);
    arena_clear(&arena);
    memory_clear(&memory);
    return 0;
}
