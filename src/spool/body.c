/* spool/body.c: streaming a body into its file with a running checksum. */
#include "spool/body.h"

#include <assert.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PARTS = 64, CHUNK = 64 << 10 };

struct body_sum {
    XXH3_state_t state;
};

static struct body_sum *sum_new(void)
{
    struct body_sum *sum = aligned_alloc(_Alignof(struct body_sum), sizeof *sum);

    if (!sum)
        return NULL;
    XXH3_INITSTATE(&sum->state);
    XXH3_64bits_reset(&sum->state);
    return sum;
}

void body_writer_init(struct body_writer *writer, struct disk *disk, int file, uint64_t number)
{
    *writer =
        (struct body_writer){ .disk = disk, .file = file, .number = number, .sum = sum_new() };
    if (!writer->sum)
        writer->error = ERR_NOMEM;
}

void body_writer_clear(struct body_writer *writer)
{
    disk_close(writer->disk, &writer->file);
    free(writer->sum);
    writer->sum = NULL;
}

static void append_some(struct body_writer *writer, const struct slice *pieces, size_t count)
{
    struct iovec parts[PARTS];
    uint64_t len = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){ (void *)(uintptr_t)pieces[i].data, pieces[i].len };
        len += pieces[i].len;
        if (pieces[i].len > 0)
            XXH3_64bits_update(&writer->sum->state, pieces[i].data, pieces[i].len);
    }
    writer->error = disk_write_all(writer->disk, writer->file, parts, count, writer->size);
    writer->size += len;
}

enum err body_writer_append(struct body_writer *writer, const struct slice *pieces, size_t count)
{
    while (writer->error == ERR_OK && count > 0) {
        size_t some = count < PARTS ? count : PARTS;
        append_some(writer, pieces, some);
        pieces += some;
        count -= some;
    }
    return writer->error;
}

enum err body_writer_reset(struct body_writer *writer)
{
    if (writer->error == ERR_OK)
        writer->error = writer->disk->ops->truncate(writer->disk, writer->file, 0);
    if (writer->error == ERR_OK) {
        writer->size = 0;
        XXH3_64bits_reset(&writer->sum->state);
    }
    return writer->error;
}

enum err body_writer_commit(struct body_writer *writer, uint64_t *out_checksum)
{
    if (writer->error == ERR_OK)
        writer->error = writer->disk->ops->sync(writer->disk, writer->file);
    if (writer->error == ERR_OK)
        *out_checksum = XXH3_64bits_digest(&writer->sum->state);
    return writer->error;
}

enum err body_file_check(struct disk *disk, int file, uint64_t size, uint64_t checksum)
{
    struct body_sum *sum = sum_new();
    char *chunk = malloc(CHUNK);
    uint64_t at = 0;
    size_t got = 1;
    enum err rc = sum && chunk ? ERR_OK : ERR_NOMEM;

    while (rc == ERR_OK && got > 0 && at <= size) {
        rc = disk->ops->read_at(disk, file, chunk, CHUNK, at, &got);
        if (rc == ERR_OK)
            XXH3_64bits_update(&sum->state, chunk, got);
        at += rc == ERR_OK ? got : 0;
    }
    if (rc == ERR_OK && (at != size || XXH3_64bits_digest(&sum->state) != checksum))
        rc = ERR_CORRUPT;
    free(chunk);
    free(sum);
    return rc;
}
