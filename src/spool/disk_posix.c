/* spool/disk_posix.c: the real disk: system calls on descriptors. The only file of spool/ that
 * makes any. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "spool/disk.h"

enum { OPEN_FLAGS = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY };

/* The result of a call that says -1 and errno. */
static enum err result(int rc)
{
    return rc == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err open_at(int dir, const char *name, int flags, int *out_handle)
{
    int fd;

    do
        fd = openat(dir, name, flags | OPEN_FLAGS, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_from_errno(errno);
    *out_handle = fd;
    return ERR_OK;
}

static enum err posix_open_dir(UNUSED struct disk *disk, int dir, const char *name, int *out_dir)
{
    return open_at(dir, name, O_RDONLY | O_DIRECTORY, out_dir);
}

static enum err posix_make_dir(UNUSED struct disk *disk, int dir, const char *name)
{
    return result(mkdirat(dir, name, 0700));
}

static enum err posix_create(UNUSED struct disk *disk, int dir, const char *name, int *out_file)
{
    return open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL, out_file);
}

static enum err posix_open_read(UNUSED struct disk *disk, int dir, const char *name, int *out_file)
{
    return open_at(dir, name, O_RDONLY, out_file);
}

static enum err posix_open_write(UNUSED struct disk *disk, int dir, const char *name, int *out_file)
{
    return open_at(dir, name, O_WRONLY, out_file);
}

static enum err posix_read_at(
    UNUSED struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out_len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(file, (char *)into + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *out_len = done;
    return ERR_OK;
}

static enum err posix_write_at(UNUSED struct disk *disk, int file, const struct iovec *parts,
    int count, uint64_t offset, size_t *out_len)
{
    ssize_t n;

    do
        n = pwritev(file, parts, count, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_from_errno(errno);
    *out_len = (size_t)n;
    return ERR_OK;
}

static enum err posix_sync(UNUSED struct disk *disk, int file)
{
    return result(fdatasync(file));
}

static enum err posix_sync_dir(UNUSED struct disk *disk, int dir)
{
    return result(fsync(dir));
}

static enum err posix_allocate(UNUSED struct disk *disk, int file, uint64_t size)
{
    int rc;

    do
        rc = fallocate(file, 0, 0, (off_t)size);
    while (rc < 0 && errno == EINTR);
    /* Some file systems cannot reserve: the size at least is then right, and a full disk shows at
     * the write. */
    if (rc < 0 && errno == EOPNOTSUPP)
        rc = ftruncate(file, (off_t)size);
    return result(rc);
}

static enum err posix_truncate(UNUSED struct disk *disk, int file, uint64_t size)
{
    int rc;

    do
        rc = ftruncate(file, (off_t)size);
    while (rc < 0 && errno == EINTR);
    return result(rc);
}

static enum err posix_size(UNUSED struct disk *disk, int file, uint64_t *out_size)
{
    struct stat st;

    if (fstat(file, &st) < 0)
        return err_from_errno(errno);
    *out_size = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err posix_rename(
    UNUSED struct disk *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    return result(renameat(from_dir, from, to_dir, to));
}

static enum err posix_unlink(UNUSED struct disk *disk, int dir, const char *name)
{
    return result(unlinkat(dir, name, 0));
}

static enum err posix_list(UNUSED struct disk *disk, int dir, disk_each *each, void *context)
{
    struct dirent *entry;
    DIR *stream;
    int own, number;

    /* A description of its own, so that the position of the handle's is not shared. */
    enum err rc = open_at(dir, ".", O_RDONLY | O_DIRECTORY, &own);

    if (rc != ERR_OK)
        return rc;
    stream = fdopendir(own);
    if (!stream) {
        rc = err_from_errno(errno);
        close(own);
        return rc;
    }
    while (errno = 0, (entry = readdir(stream)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(context, entry->d_name);
    number = errno;
    closedir(stream);
    return number == 0 ? ERR_OK : err_from_errno(number);
}

static enum err posix_lock(UNUSED struct disk *disk, int file)
{
    int rc;

    do
        rc = flock(file, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    return result(rc);
}

static enum err posix_space(UNUSED struct disk *disk, int dir, struct disk_space *out_space)
{
    struct statvfs vfs;
    int rc;

    do
        rc = fstatvfs(dir, &vfs);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return err_from_errno(errno);
    out_space->total = (uint64_t)vfs.f_blocks * vfs.f_frsize;
    out_space->free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    out_space->files = vfs.f_files;
    out_space->files_free = vfs.f_favail;
    return ERR_OK;
}

static uint64_t posix_random(UNUSED struct disk *disk)
{
    uint64_t value;

    /* Up to 256 octets are never interrupted once the pool is ready, which it is when daemons
     * start. */
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        abort();
    return value;
}

static void posix_close(UNUSED struct disk *disk, int handle)
{
    close(handle);
}

static const struct disk_ops posix_ops = {
    .open_dir = posix_open_dir,
    .make_dir = posix_make_dir,
    .create = posix_create,
    .open_read = posix_open_read,
    .open_write = posix_open_write,
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .sync = posix_sync,
    .sync_dir = posix_sync_dir,
    .allocate = posix_allocate,
    .truncate = posix_truncate,
    .size = posix_size,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .list = posix_list,
    .lock = posix_lock,
    .space = posix_space,
    .random = posix_random,
    .close = posix_close,
};

struct disk *disk_posix(void)
{
    static struct disk disk = { &posix_ops };

    return &disk;
}
