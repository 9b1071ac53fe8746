/* spool/disk.h: the one seam between the spool and the file system. Everything that spool/ does to
 * a file goes through a table of operations, so that a recording disk, a disk in memory or a
 * failing disk can stand behind the same code. */
#ifndef SPOOL_DISK_H
#define SPOOL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/macros.h"

struct disk;

struct disk_space {
    uint64_t total;      /* octets of the file system */
    uint64_t free;       /* octets that we may still use */
    uint64_t files;      /* that the file system can have; 0: it does not count them */
    uint64_t files_free; /* that may still be made */
};

/* Called for each name in a directory, without "." and "..", in no order. The name is valid during
 * the call. */
typedef void disk_each(void *context, const char *name);

/* Files and directories are handles: numbers from 0 up, on the POSIX disk the descriptors
 * themselves, so that they can travel to another room. Names are single path components of our own
 * making, never from outside (SEC-4). All operations may block and none changes an output when it
 * fails. */
struct disk_ops {
    enum err (*open_dir)(struct disk *disk, int dir, const char *name, int *out_dir);
    /* A directory that nobody but us may enter (0700). ERR_EXISTS. */
    enum err (*make_dir)(struct disk *disk, int dir, const char *name);
    /* A new file for writing only, nobody but us may read it (0600). ERR_EXISTS. */
    enum err (*create)(struct disk *disk, int dir, const char *name, int *out_file);
    enum err (*open_read)(struct disk *disk, int dir, const char *name, int *out_file);
    enum err (*open_write)(struct disk *disk, int dir, const char *name, int *out_file);
    /* Reads up to len octets; fewer only at the end of the file. */
    enum err (*read_at)(
        struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out_len);
    /* One gathered write of at most IOV_MAX parts; may write fewer octets than given, but at least
     * one. */
    enum err (*write_at)(struct disk *disk, int file, const struct iovec *parts, int count,
        uint64_t offset, size_t *out_len);
    /* Data and size to stable storage. After a failure the description is spoiled: the kernel
     * reports a write-back error once, so asking again could be answered with a lie. Never called
     * twice after a failure, not even for EINTR. */
    enum err (*sync)(struct disk *disk, int file);
    /* Names made, changed and removed in the directory to stable storage. */
    enum err (*sync_dir)(struct disk *disk, int dir);
    /* Makes the file `size` octets long, zeros where nothing was written, and reserves the space
     * where the file system can. */
    enum err (*allocate)(struct disk *disk, int file, uint64_t size);
    enum err (*truncate)(struct disk *disk, int file, uint64_t size);
    enum err (*size)(struct disk *disk, int file, uint64_t *out_size);
    /* Atomic; an existing `to` is replaced. */
    enum err (*rename)(
        struct disk *disk, int from_dir, const char *from, int to_dir, const char *to);
    enum err (*unlink)(struct disk *disk, int dir, const char *name);
    enum err (*list)(struct disk *disk, int dir, disk_each *each, void *context);
    /* An exclusive lock on the open description, which goes where the handle goes and ends with its
     * last copy. ERR_BUSY when another description holds it. Never waits. */
    enum err (*lock)(struct disk *disk, int file);
    enum err (*space)(struct disk *disk, int dir, struct disk_space *out_space);
    /* 64 bits that nobody outside can foretell. */
    uint64_t (*random)(struct disk *disk);
    void (*close)(struct disk *disk, int handle);
};

/* Embedded as first member in an implementation's own struct. */
struct disk {
    const struct disk_ops *ops;
};

/* The real one: system calls relative to directory descriptors. Stateless, safe from any thread,
 * never freed. A directory descriptor handed over by the supervisor is a handle as it is. */
struct disk *disk_posix(void);

/* Writes everything, looping on short writes and over IOV_MAX. parts is used as work space. On
 * failure any prefix may have been written. */
MUST_CHECK enum err disk_write_all(
    struct disk *disk, int file, struct iovec *parts, size_t count, uint64_t offset);
/* The same; *written: the octets that were written, also when it fails. */
MUST_CHECK enum err disk_write_counted(struct disk *disk, int file, struct iovec *parts,
    size_t count, uint64_t offset, uint64_t *written);
/* Space that is reserved but was never written costs each sync a change of the file's map besides
 * the data. So whoever appends writes zeros ahead now and then: what to put behind a write that
 * ends at `end`, in a file of `size` octets with zeros or data up to `zeroed` so far. Empty when
 * there is enough. */
struct iovec disk_zeros_ahead(uint64_t zeroed, uint64_t end, uint64_t size);
/* Whether so little of it is left that spare time is well spent on more. */
bool disk_zeros_low(uint64_t zeroed, uint64_t end, uint64_t size);
/* Reads exactly len octets whatever happens to them: zeros stand for what lies behind the end of
 * the file, a pattern for pages that the disk cannot give (ERR_IO), so that one bad page spoils
 * only itself. Errors other than ERR_IO are returned. */
MUST_CHECK enum err disk_read_span(
    struct disk *disk, int file, char *into, size_t len, uint64_t offset);
/* Closes *handle unless it is negative, and makes it -1. */
void disk_close(struct disk *disk, int *handle);

#endif
