/* tests/unit/folder.h: a folder of a test goes with all that is in it. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/macros.h"

static inline int folder_remove_one(
    const char *path, const struct stat *about UNUSED, int kind UNUSED, struct FTW *walk UNUSED)
{
    return remove(path);
}

/* 0, or -1 when something is left. */
static inline int folder_remove(const char *folder)
{
    return nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
