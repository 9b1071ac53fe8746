/* tests/fuzz/lazy_disk.h: the real disk without what only matters in a power cut: nothing is synced
 * and files are not reserved in full. In a folder in memory where there is one. For targets that
 * open spools by the thousand. */
#ifndef TESTS_FUZZ_LAZY_DISK_H
#define TESTS_FUZZ_LAZY_DISK_H

#include <stdlib.h>
#include <unistd.h>

#include "spool/disk.h"

static enum err lazy_sync(struct disk *disk, int file)
{
    (void)disk, (void)file;
    return ERR_OK;
}

static enum err lazy_allocate(struct disk *disk, int file, uint64_t size)
{
    (void)disk;
    return ftruncate(file, (off_t)size) == 0 ? ERR_OK : ERR_IO;
}

static inline void lazy_disk_install(void)
{
    static struct disk_ops ops;

    ops = *disk_posix()->ops;
    ops.sync = lazy_sync;
    ops.sync_dir = lazy_sync;
    ops.allocate = lazy_allocate;
    disk_posix()->ops = &ops;
    if (access("/dev/shm", W_OK) == 0)
        setenv("RIG_FOLDER", "/dev/shm", 0);
    setenv("CMOCKA_TEST_ABORT", "1", 0);
}

#endif
