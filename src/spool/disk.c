/* spool/disk.c: what is the same on every disk. */
#include "spool/disk.h"

#include <limits.h>
#include <string.h>

enum {
    PAGE = 4096,
    ZEROS_AHEAD = 1 << 20,
    UNREADABLE = 0xa5, /* stands for octets the disk does not give: neither zero nor a magic */
};

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

enum err disk_write_counted(struct disk *disk, int file, struct iovec *parts, size_t count,
    uint64_t offset, uint64_t *written)
{
    size_t used = parts_advance(parts, count, 0);

    *written = 0;
    while (used < count) {
        size_t done = 0;
        int chunk = count - used < IOV_MAX ? (int)(count - used) : IOV_MAX;
        enum err rc = disk->ops->write_at(disk, file, parts + used, chunk, offset, &done);

        if (rc != ERR_OK)
            return rc;
        if (done == 0)
            return ERR_IO;
        offset += done;
        *written += done;
        used += parts_advance(parts + used, count - used, done);
    }
    return ERR_OK;
}

struct iovec disk_zeros_ahead(uint64_t zeroed, uint64_t end, uint64_t size)
{
    static char zeros[ZEROS_AHEAD];
    uint64_t room = size > end ? size - end : 0;

    if (end <= zeroed)
        return (struct iovec){ zeros, 0 };
    return (struct iovec){ zeros, room < sizeof zeros ? (size_t)room : sizeof zeros };
}

bool disk_zeros_low(uint64_t zeroed, uint64_t end, uint64_t size)
{
    return zeroed < size && zeroed < end + ZEROS_AHEAD / 2;
}

enum err disk_write_all(
    struct disk *disk, int file, struct iovec *parts, size_t count, uint64_t offset)
{
    uint64_t written;

    return disk_write_counted(disk, file, parts, count, offset, &written);
}

static enum err read_page(struct disk *disk, int file, char *into, size_t len, uint64_t offset)
{
    size_t got = 0;
    enum err rc = disk->ops->read_at(disk, file, into, len, offset, &got);

    if (rc == ERR_OK)
        memset(into + got, 0, len - got);
    else if (rc == ERR_IO)
        memset(into, UNREADABLE, len);
    return rc == ERR_IO ? ERR_OK : rc;
}

enum err disk_read_span(struct disk *disk, int file, char *into, size_t len, uint64_t offset)
{
    size_t got = 0;
    enum err rc = disk->ops->read_at(disk, file, into, len, offset, &got);

    if (rc == ERR_OK)
        memset(into + got, 0, len - got);
    if (rc != ERR_IO)
        return rc;
    rc = ERR_OK;
    for (size_t at = 0; rc == ERR_OK && at < len; at += got) {
        got = PAGE - (offset + at) % PAGE;
        if (got > len - at)
            got = len - at;
        rc = read_page(disk, file, into + at, got, offset + at);
    }
    return rc;
}

void disk_close(struct disk *disk, int *handle)
{
    if (*handle >= 0)
        disk->ops->close(disk, *handle);
    *handle = -1;
}
