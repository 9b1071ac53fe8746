/* tests/fuzz/spool_memory.h: a file that is the fuzzer's input, behind the disk's seam. The first
 * octet of the input says whether frames are sealed anew, so that mutations get past the checksums.
 */
#ifndef TESTS_FUZZ_SPOOL_MEMORY_H
#define TESTS_FUZZ_SPOOL_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "spool/disk.h"
#include "spool/frame.h"

enum { MEMORY_RESEAL = 1, MEMORY_STATED = 2 };

struct memory {
    struct disk disk;
    char *data; /* lies at FILE_HEAD of the file */
    size_t len;
    unsigned flags;
};

static enum err memory_read_at(
    struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out_len)
{
    struct memory *memory = (struct memory *)disk;
    size_t at = offset - FILE_HEAD;

    (void)file;
    if (offset < FILE_HEAD)
        abort();
    *out_len = at >= memory->len ? 0 : len < memory->len - at ? len : memory->len - at;
    memcpy(into, memory->data + at, *out_len);
    return ERR_OK;
}

static const struct disk_ops memory_ops = { .read_at = memory_read_at };

/* Seals every frame whose magic stands on the grid and whose lengths fit. */
static void memory_reseal(
    struct memory *memory, const struct frame_format *format, uint64_t generation)
{
    for (size_t at = 0; at + FRAME_HEAD <= memory->len; at += FRAME_ALIGN) {
        uint32_t len[FRAME_PARTS];
        uint64_t total = FRAME_HEAD + FRAME_ALIGN - 1;

        if (memcmp(memory->data + at, format->magic, sizeof format->magic) != 0)
            continue;
        memcpy(len, memory->data + at + 36, sizeof len);
        for (int i = 0; i < FRAME_PARTS; i++)
            total += len[i];
        total &= ~(uint64_t)(FRAME_ALIGN - 1);
        if (total > memory->len - at)
            continue;
        frame_reseal(format, generation, memory->data + at);
        at += total - FRAME_ALIGN;
    }
}

static inline void memory_init(struct memory *memory, const struct frame_format *format,
    uint64_t generation, const uint8_t *data, size_t size)
{
    *memory = (struct memory){
        .disk = { &memory_ops }, .flags = size > 0 ? data[0] : 0, .len = size > 0 ? size - 1 : 0
    };
    memory->data = malloc(memory->len ? memory->len : 1);
    if (!memory->data)
        abort();
    if (memory->len > 0)
        memcpy(memory->data, data + 1, memory->len);
    if (memory->flags & MEMORY_RESEAL)
        memory_reseal(memory, format, generation);
}

static inline void memory_clear(struct memory *memory)
{
    free(memory->data);
}

#endif
