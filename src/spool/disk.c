/* spool/disk.c: what is the same on every disk. */
#include "spool/disk.h"

#include <limits.h>

/* Drops `done` octets from the front of the parts; returns how many parts are used up. */
static size_t parts_advance(struct iovec *parts, size_t count, size_t done)
{
    size_t used = 0;

    while (used < count && done >= parts[used].iov_len)
        done -= parts[used++].iov_len;
    if (used < count) {
        parts[used].iov_base = (char *)parts[used].iov_base + done;
        parts[used].iov_len -= done;
    }
    return used;
}

enum err disk_write_all(
    struct disk *disk, int file, struct iovec *parts, size_t count, uint64_t offset)
{
    size_t used = parts_advance(parts, count, 0);

    while (used < count) {
        size_t done = 0;
        int chunk = count - used < IOV_MAX ? (int)(count - used) : IOV_MAX;
        enum err rc = disk->ops->write_at(disk, file, parts + used, chunk, offset, &done);

        if (rc != ERR_OK)
            return rc;
        if (done == 0)
            return ERR_IO;
        offset += done;
        used += parts_advance(parts + used, count - used, done);
    }
    return ERR_OK;
}

void disk_close(struct disk *disk, int *handle)
{
    if (*handle >= 0)
        disk->ops->close(disk, *handle);
    *handle = -1;
}
