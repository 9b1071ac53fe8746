/* ipc/walls.c: what the walls have in common: the folders that were given, the order of the parts,
 * what is said about a kernel that lacks one. */
#include "ipc/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/walls_parts.h"

void walls_init(struct walls *walls, enum role role)
{
    *walls = (struct walls){ .role = role };
}

static bool is_folder(enum gift gift)
{
    return gift == GIFT_SPOOL || gift == GIFT_USERS || gift == GIFT_MAILDIR;
}

void walls_note_gift(struct walls *walls, enum gift gift, int fd)
{
    int *more;
    int copy;

    if (walls->up & WALL_FILES || !is_folder(gift))
        return;
    more = reallocarray(walls->folders, walls->folder_count + 1, sizeof *more);
    if (more)
        walls->folders = more;
    copy = more ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0)
        walls->error = more ? ERR_NOFILES : ERR_NOMEM;
    else
        walls->folders[walls->folder_count++] = copy;
}

static void forget_folders(struct walls *walls)
{
    while (walls->folder_count > 0)
        close(walls->folders[--walls->folder_count]);
    free(walls->folders);
    walls->folders = NULL;
}

/* A room that was not given a user of its own has whatever the supervisor was started with, as
 * units do for low ports. */
static enum err raise_rights(const struct walls *walls, char out_missing[WALLS_MISSING])
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3], none[LENGTH_OF(data)] = { 0 };

    (void)walls, (void)out_missing;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capget, &head, data) != 0)
        return err_from_errno(errno);
    /* A unit's own filter may refuse the change where there is nothing to change. */
    return memcmp(data, none, sizeof none) == 0 || syscall(SYS_capset, &head, none) == 0
               ? ERR_OK
               : err_from_errno(errno);
}

/* Threads count as processes here, so those that a room needs are there before. */
static enum err raise_self(const struct walls *walls, char out_missing[WALLS_MISSING])
{
    static const struct rlimit none = { 0, 0 };

    (void)walls, (void)out_missing;
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_NPROC, &none) != 0)
        return err_from_errno(errno);
    return ERR_OK;
}

static const struct part {
    unsigned wall;
    const char *name;
    enum err (*raise)(const struct walls *walls, char out_missing[WALLS_MISSING]);
} parts[] = {
    { WALL_RIGHTS, "capabilities", raise_rights },
    { WALL_SELF, "limits", raise_self },
    { WALL_FILES, "files", walls_files_raise },
    { WALL_CALLS, "system calls", walls_calls_raise },
};

static enum err raise_part(struct walls *walls, const struct part *part)
{
    char missing[WALLS_MISSING] = "";
    enum err rc = part->raise(walls, missing);

    if (rc == ERR_NOTFOUND) {
        walls->missing |= part->wall;
        log_event(LOG_WARNING, NULL, "a wall is missing: this kernel lacks a piece",
            log_text("wall", part->name), log_text("lacks", missing));
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, "a wall cannot be raised", log_text("wall", part->name),
            log_reason(rc));
        return rc;
    }
    if (missing[0] != '\0')
        log_event(LOG_NOTICE, NULL, "a wall is lower: this kernel lacks a piece",
            log_text("wall", part->name), log_text("lacks", missing));
    walls->up |= part->wall;
    return ERR_OK;
}

enum err walls_raise(struct walls *walls, unsigned wanted)
{
    enum err rc = wanted & WALL_FILES ? walls->error : ERR_OK;

    for (size_t i = 0; i < LENGTH_OF(parts) && rc == ERR_OK; i++)
        if (wanted & parts[i].wall & ~(walls->up | walls->missing))
            rc = raise_part(walls, &parts[i]);
    if ((walls->up | walls->missing) & WALL_FILES)
        forget_folders(walls);
    return rc;
}
