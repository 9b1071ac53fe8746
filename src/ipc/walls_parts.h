/* ipc/walls_parts.h: the two large parts of the walls, for walls.c alone. */
#ifndef IPC_WALLS_PARTS_H
#define IPC_WALLS_PARTS_H

#include "ipc/walls.h"

enum { WALLS_MISSING = 160 };

/* Sanitized programs read their own files to name places in a report, and need a few more calls.
 * The walls of the product do not have these holes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WALLS_SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
enum { WALLS_SANITIZED = 1 };
#else
enum { WALLS_SANITIZED = 0 };
#endif
#else
enum { WALLS_SANITIZED = 0 };
#endif

/* Both: ERR_OK when the part stands, with words in out_missing when this kernel's form of it is
 * lower; ERR_NOTFOUND when the kernel has none of it, again with words; another error when it
 * should have been possible. */
MUST_CHECK enum err walls_files_raise(const struct walls *walls, char out_missing[WALLS_MISSING]);
MUST_CHECK enum err walls_calls_raise(const struct walls *walls, char out_missing[WALLS_MISSING]);

#endif
