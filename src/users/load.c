/* users/load.c: the user file on the disk: what lies there, and in which version. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "users/reader.h"

static struct users_stamp stamp_of(const struct stat *st)
{
    return (struct users_stamp){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .changed_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
        .modified_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
    };
}

/* The whole file, one octet more than it may be at most. */
static enum err read_file(int fd, char **out_bytes, size_t *out_len)
{
    size_t size = 1 << 16, len = 0;
    char *bytes = malloc(size);
    ssize_t got = 1;

    while (bytes && got > 0 && len <= USERS_FILE_MAX) {
        if (len == size) {
            /* Not realloc: it would leave hashes behind in what it frees. */
            char *larger = malloc(size * 2);
            if (larger)
                memcpy(larger, bytes, len);
            explicit_bzero(bytes, len);
            free(bytes);
            bytes = larger;
            size *= 2;
            continue;
        }
        got = read(fd, bytes + len, size - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (!bytes)
        return ERR_NOMEM;
    if (got < 0 || len > USERS_FILE_MAX) {
        enum err rc = got < 0 ? err_from_errno(errno) : ERR_LIMIT;
        explicit_bzero(bytes, len);
        free(bytes);
        return rc;
    }
    *out_bytes = bytes;
    *out_len = len;
    return ERR_OK;
}

static enum err check_file(const struct stat *st, struct users_report *list)
{
    struct reader reader = { .report = list };

    if (!S_ISREG(st->st_mode)) {
        reader_report(&reader, slice_text(NULL), "not a regular file");
        return ERR_INVALID;
    }
    if (st->st_mode & 07) {
        reader_report(&reader, slice_text(NULL),
            "others than owner and group may use the file; allowed is mode 0600 or 0640");
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err users_load(
    int dir, const char *name, struct users_report *out_report, struct users **out_users)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *bytes = NULL;
    size_t len = 0;
    enum err rc;

    *out_report = (struct users_report){ .count = 0 };
    if (fd < 0)
        return err_from_errno(errno);
    rc = fstat(fd, &st) == 0 ? check_file(&st, out_report) : err_from_errno(errno);
    if (rc == ERR_OK)
        rc = read_file(fd, &bytes, &len);
    close(fd);
    if (rc == ERR_OK)
        rc = users_parse(bytes, len, out_report, out_users);
    if (rc == ERR_OK)
        (*out_users)->stamp = stamp_of(&st);
    return rc;
}

struct users_stamp users_stamp_of(const struct users *users)
{
    return users->stamp;
}

enum err users_stamp_read(int dir, const char *name, struct users_stamp *out_stamp)
{
    struct stat st;

    if (fstatat(dir, name, &st, 0) != 0)
        return err_from_errno(errno);
    *out_stamp = stamp_of(&st);
    return ERR_OK;
}

bool users_stamp_equals(const struct users_stamp *a, const struct users_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns && a->modified_ns == b->modified_ns;
}
