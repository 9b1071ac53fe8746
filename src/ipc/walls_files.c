/* ipc/walls_files.c: Landlock by system call. Debian 12 has no library for it, and headers that are
 * older than the kernels in use, so the numbers stand here (linux/landlock.h of Linux 6.15). */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/walls_parts.h"

enum {
    CREATE_RULESET_VERSION = 1 << 0,
    RULE_PATH_BENEATH = 1,
    RULE_NET_PORT = 2,
};

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,     /* ABI 2; before, nothing can be moved to another folder at all */
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
};

enum { NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1 };            /* ABI 4 */
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 }; /* ABI 6 */

struct ruleset_attr {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

struct path_beneath_attr {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

struct net_port_attr {
    uint64_t allowed;
    uint64_t port;
};

enum {
    FS_FOLDER_WORK = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
                     FS_MAKE_REG | FS_REFER | FS_TRUNCATE
};

/* What each room may do below the folders it was given, and with ports. Everything else that
 * Landlock knows is refused to all. */
static const struct room_rules {
    uint64_t folders;
    uint64_t net_refused;
    bool has_ephemeral_ports; /* may bind, but not to a port of its choice */
} rules[ROLE_COUNT] = {
    [ROLE_GATE] = { 0, NET_BIND_TCP | NET_CONNECT_TCP, false },
    [ROLE_VAULT] = { FS_READ_FILE, NET_BIND_TCP | NET_CONNECT_TCP, false },
    [ROLE_QUEUE] = { FS_FOLDER_WORK, NET_BIND_TCP | NET_CONNECT_TCP, false },
    [ROLE_RELAY] = { 0, NET_BIND_TCP, true },
    [ROLE_FETCH] = { 0, NET_BIND_TCP, true },
    [ROLE_MAILDROP] = { FS_FOLDER_WORK, NET_BIND_TCP | NET_CONNECT_TCP, false },
};

/* What each version of the interface brought, in their order. */
static const struct piece {
    int abi;
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
    const char *name;
} pieces[] = {
    { 1, (1 << 13) - 1, 0, 0, "files" },
    { 2, FS_REFER, 0, 0, "moving files" },
    { 3, FS_TRUNCATE, 0, 0, "truncation" },
    { 4, 0, NET_BIND_TCP | NET_CONNECT_TCP, 0, "TCP ports" },
    { 5, FS_IOCTL_DEV, 0, 0, "device control" },
    { 6, 0, 0, SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL, "abstract sockets and signals" },
};

static int create_ruleset(const struct ruleset_attr *attr, size_t size, uint32_t flags)
{
    return (int)syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

static int add_rule(int ruleset, int type, const void *attr)
{
    return (int)syscall(SYS_landlock_add_rule, ruleset, type, attr, 0);
}

/* The fields that this kernel knows; it refuses a longer struct unless the rest is zero, which a
 * kernel of ABI 1 does not even look at. */
static size_t attr_size(int abi)
{
    return abi >= 6   ? sizeof(struct ruleset_attr)
           : abi >= 4 ? offsetof(struct ruleset_attr, scoped)
                      : offsetof(struct ruleset_attr, handled_net);
}

static struct ruleset_attr wanted(int abi, enum role role, char out_missing[WALLS_MISSING])
{
    struct ruleset_attr attr = { 0 };
    size_t len = 0;

    for (size_t i = 0; i < LENGTH_OF(pieces); i++) {
        if (abi >= pieces[i].abi) {
            attr.handled_fs |= pieces[i].fs;
            attr.handled_net |= pieces[i].net & rules[role].net_refused;
            attr.scoped |= pieces[i].scoped;
        } else {
            len += (size_t)snprintf(out_missing + len, WALLS_MISSING - len, "%s%s",
                len > 0 ? ", " : "Landlock rules for ", pieces[i].name);
        }
    }
    return attr;
}

static enum err allow_below(int ruleset, int folder, uint64_t rights)
{
    struct path_beneath_attr attr = { .allowed = rights, .parent = folder };

    return rights == 0 || add_rule(ruleset, RULE_PATH_BENEATH, &attr) == 0 ? ERR_OK
                                                                           : err_from_errno(errno);
}

/* A report of a sanitizer names functions and lines: it reads maps and program files. */
static enum err allow_reports(int ruleset)
{
    static const char *const folders[] = { "/proc", "/usr", "/lib", "/lib64" };
    enum err rc = ERR_OK;

    for (size_t i = 0; WALLS_SANITIZED && i < LENGTH_OF(folders) && rc == ERR_OK; i++) {
        int folder = open(folders[i], O_PATH | O_CLOEXEC);

        if (folder < 0)
            continue;
        rc = allow_below(ruleset, folder, FS_READ_FILE | FS_READ_DIR);
        close(folder);
    }
    return rc;
}

static enum err allow(int ruleset, const struct walls *walls, const struct ruleset_attr *attr)
{
    const struct room_rules *room = &rules[walls->role];
    struct net_port_attr any_port = { .allowed = NET_BIND_TCP, .port = 0 };
    enum err rc = allow_reports(ruleset);

    for (size_t i = 0; i < walls->folder_count && rc == ERR_OK; i++)
        rc = allow_below(ruleset, walls->folders[i], room->folders & attr->handled_fs);
    if (rc == ERR_OK && room->has_ephemeral_ports && attr->handled_net & NET_BIND_TCP &&
        add_rule(ruleset, RULE_NET_PORT, &any_port) != 0)
        rc = err_from_errno(errno);
    return rc;
}

enum err walls_files_raise(const struct walls *walls, char out_missing[WALLS_MISSING])
{
    int abi = create_ruleset(NULL, 0, CREATE_RULESET_VERSION);
    struct ruleset_attr attr;
    int ruleset;
    enum err rc;

    if (abi < 1) {
        snprintf(out_missing, WALLS_MISSING, "Landlock");
        return ERR_NOTFOUND;
    }
    attr = wanted(abi, walls->role, out_missing);
    if (!(attr.handled_fs & FS_REFER) && rules[walls->role].folders & FS_REFER)
        return ERR_NOTFOUND; /* the spool and Maildirs live by renaming */
    ruleset = create_ruleset(&attr, attr_size(abi), 0);
    if (ruleset < 0)
        return err_from_errno(errno);
    rc = allow(ruleset, walls, &attr);
    if (rc == ERR_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        rc = err_from_errno(errno);
    close(ruleset);
    return rc;
}
