/* tests/rooms/attempts_files.c: files that are not the room's. */
#include "attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DESCRIPTORS = 256 };

/* The descriptor itself is nothing but an answer. */
static long told(int fd)
{
    int number = errno;

    if (fd >= 0)
        close(fd);
    errno = number;
    return fd;
}

static long try_open(const char *path, int flags)
{
    return told(open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

static long open_proc(const char *process, const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%s/%s", process, name);
    return try_open(path, flags);
}

static long open_proc_of(long process, const char *name, int flags)
{
    char text[24];

    snprintf(text, sizeof text, "%ld", process);
    return open_proc(text, name, flags);
}

static const char *in_folder(const char *name)
{
    static _Thread_local char path[4096];

    snprintf(path, sizeof path, "%s/%s", target_text(TARGET_FOLDER), name);
    return path;
}

/* ---- reading ---- */

static long read_key(void)
{
    return try_open(target_text(TARGET_KEY), O_RDONLY);
}

static long read_users(void)
{
    return try_open(target_text(TARGET_USERS), O_RDONLY);
}

static long list_spool(void)
{
    return try_open(target_text(TARGET_SPOOL), O_RDONLY | O_DIRECTORY);
}

static long read_segment(void)
{
    return try_open(target_text(TARGET_SEGMENT), O_RDONLY);
}

static long write_segment(void)
{
    return try_open(target_text(TARGET_SEGMENT), O_WRONLY);
}

static long read_own_program(void)
{
    return open_proc("self", "exe", O_RDONLY);
}

static long read_own_environment(void)
{
    return open_proc("self", "environ", O_RDONLY);
}

static long read_own_map(void)
{
    return open_proc("self", "maps", O_RDONLY);
}

static long write_own_memory(void)
{
    return open_proc("self", "mem", O_RDWR);
}

static long list_own_descriptors(void)
{
    return open_proc("self", "fd", O_RDONLY | O_DIRECTORY);
}

static long read_parent_environment(void)
{
    return open_proc_of(target_supervisor(), "environ", O_RDONLY);
}

static long write_parent_memory(void)
{
    return open_proc_of(target_supervisor(), "mem", O_RDWR);
}

static long read_stranger_map(void)
{
    return open_proc(target_text(TARGET_STRANGER), "maps", O_RDONLY);
}

static long write_stranger_memory(void)
{
    return open_proc(target_text(TARGET_STRANGER), "mem", O_RDWR);
}

static long list_stranger_descriptors(void)
{
    return open_proc(target_text(TARGET_STRANGER), "fd", O_RDONLY | O_DIRECTORY);
}

static long read_twin_environment(void)
{
    return open_proc(target_text(TARGET_TWIN), "environ", O_RDONLY);
}

static long write_twin_memory(void)
{
    return open_proc(target_text(TARGET_TWIN), "mem", O_RDWR);
}

static long list_twin_descriptors(void)
{
    return open_proc(target_text(TARGET_TWIN), "fd", O_RDONLY | O_DIRECTORY);
}

/* ---- out of a folder that was given ---- */

/* A folder among the room's own descriptors; -1 with EACCES when it has none, since then there is
 * no way out of one. */
static int own_folder(void)
{
    struct stat st;

    for (int fd = 3; fd < DESCRIPTORS; fd++)
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
            return fd;
    errno = EACCES;
    return -1;
}

static long leave_by_parent(void)
{
    int folder = own_folder();

    return folder < 0 ? -1 : told(openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* "neighbour" lies beside every folder that the test hands out, open to everybody. */
static long read_neighbour(void)
{
    int folder = own_folder();

    return folder < 0 ? -1 : told(openat(folder, "../neighbour", O_RDONLY | O_CLOEXEC));
}

static long make_in_own_folder(void)
{
    int folder = own_folder();
    long made =
        folder < 0 ? -1 : told(openat(folder, "probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));

    if (made >= 0)
        unlinkat(folder, "probe", 0);
    return made;
}

/* ---- making and changing ---- */

static long made(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        unlink(path);
    return told(fd);
}

static long make_in_tmp(void)
{
    return made("/tmp/submitd-probe");
}

static long make_in_shm(void)
{
    return made("/dev/shm/submitd-probe");
}

static long make_in_folder(void)
{
    return made(in_folder("made"));
}

static long make_nameless(void)
{
    return told(open(target_text(TARGET_FOLDER), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static long write_open_file(void)
{
    return try_open(target_text(TARGET_FILE), O_WRONLY);
}

static long read_open_file(void)
{
    return try_open(target_text(TARGET_FILE), O_RDONLY);
}

/* A descriptor that only names a file tells whether it exists, which rooms with folders may know;
 * nothing may be read through it. */
static long read_through_path(void)
{
    char name[32];
    int fd = open(target_text(TARGET_KEY), O_PATH | O_CLOEXEC);
    long rc;

    if (fd < 0)
        return fd;
    snprintf(name, sizeof name, "fd/%d", fd);
    rc = open_proc("self", name, O_RDONLY);
    if (rc < 0)
        (void)!told(fd);
    return rc;
}

static long empty_file(void)
{
    return try_open(target_text(TARGET_FILE), O_RDONLY | O_TRUNC);
}

static long truncate_file(void)
{
    return truncate(target_text(TARGET_FILE), 0);
}

static long make_folder(void)
{
    long rc = mkdir(in_folder("folder"), 0700);

    if (rc == 0)
        rmdir(in_folder("folder"));
    return rc;
}

static long make_pipe(void)
{
    long rc = mknod(in_folder("pipe"), S_IFIFO | 0600, 0);

    if (rc == 0)
        unlink(in_folder("pipe"));
    return rc;
}

static long make_device(void)
{
    long rc = mknod(in_folder("device"), S_IFCHR | 0600, (1 << 8) | 1);

    if (rc == 0)
        unlink(in_folder("device"));
    return rc;
}

static long make_symlink(void)
{
    long rc = symlink("/etc/passwd", in_folder("symlink"));

    if (rc == 0)
        unlink(in_folder("symlink"));
    return rc;
}

static long make_link(void)
{
    long rc = link(target_text(TARGET_FILE), in_folder("link"));

    if (rc == 0)
        unlink(in_folder("link"));
    return rc;
}

static long rename_file(void)
{
    return rename(target_text(TARGET_FILE), target_text(TARGET_FILE));
}

/* "doomed" is made anew by the test for each start. */
static long unlink_file(void)
{
    return unlink(in_folder("doomed"));
}

static long change_mode(void)
{
    return chmod(target_text(TARGET_FILE), 0666);
}

static long change_mode_of_descriptor(void)
{
    return fchmod(STDIN_FILENO, 0666);
}

static long change_owner(void)
{
    return chown(target_text(TARGET_FILE), getuid(), (gid_t)-1);
}

static long change_time(void)
{
    return utimensat(AT_FDCWD, target_text(TARGET_FILE), NULL, 0);
}

static long change_attribute(void)
{
    return setxattr(target_text(TARGET_FILE), "user.probe", "x", 1, 0);
}

static long watch_folder(void)
{
    return told(inotify_init1(IN_CLOEXEC));
}

static long watch_system(void)
{
    return told(fanotify_init(FAN_CLOEXEC | FAN_REPORT_FID, O_RDONLY));
}

static long open_by_handle(void)
{
    union {
        struct file_handle head;
        char room[sizeof(struct file_handle) + 8];
    } handle = { .head = { .handle_bytes = 8, .handle_type = 1 } };

    return told(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
}

static long make_handle(void)
{
    union {
        struct file_handle head;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } handle = { .head = { .handle_bytes = MAX_HANDLE_SZ } };
    int mount;

    return name_to_handle_at(AT_FDCWD, "/etc/passwd", &handle.head, &mount, 0);
}

/* Not every machine has each of these. */
#define OPEN(name, path, flags)                                                                    \
    {                                                                                              \
        name, NOBODY, NULL, SYS_openat, { AS(AT_FDCWD), path, AS((flags) | O_CLOEXEC) }, ENOENT    \
    }

static const struct attempt rows[] = {
    OPEN("read /etc/shadow", "/etc/shadow", O_RDONLY),
    OPEN("read /etc/passwd", "/etc/passwd", O_RDONLY),
    OPEN("read the folder /", "/", O_RDONLY | O_DIRECTORY),
    OPEN("read the folder /proc", "/proc", O_RDONLY | O_DIRECTORY),
    OPEN("read its working folder", ".", O_RDONLY | O_DIRECTORY),
    OPEN("read /proc/sys", "/proc/sys/kernel/hostname", O_RDONLY),
    OPEN("write /proc/sys", "/proc/sys/kernel/core_pattern", O_WRONLY),
    OPEN("write /proc/sysrq-trigger", "/proc/sysrq-trigger", O_WRONLY),
    OPEN("read /proc/kallsyms", "/proc/kallsyms", O_RDONLY),
    OPEN("read /sys", "/sys/kernel", O_RDONLY | O_DIRECTORY),
    OPEN("open /dev/mem", "/dev/mem", O_RDWR),
    OPEN("open /dev/kmsg", "/dev/kmsg", O_WRONLY),
    OPEN("open /dev/null", "/dev/null", O_WRONLY),
    OPEN("open /dev/ptmx", "/dev/ptmx", O_RDWR | O_NOCTTY),
    OPEN("open /dev/fuse", "/dev/fuse", O_RDWR),
    { "open the key file", NOBODY, read_key },
    { "read the key file through its path", NOBODY, read_through_path },
    { "open the user file by its path", NOBODY, read_users },
    { "list the spool of another", NOBODY, list_spool },
    { "read a segment of another", NOBODY, read_segment },
    { "write a segment of another", NOBODY, write_segment },
    { "read a file open to everybody", NOBODY, read_open_file },
    { "write a file open to everybody", NOBODY, write_open_file },
    { "open its own program", NOBODY, read_own_program },
    { "read its own environment", NOBODY, read_own_environment },
    { "read its own map", NOBODY, read_own_map },
    { "write its own memory as a file", NOBODY, write_own_memory },
    { "list its own descriptors", NOBODY, list_own_descriptors },
    { "read the parent's environment", NOBODY, read_parent_environment },
    { "write the parent's memory as a file", NOBODY, write_parent_memory },
    { "read another room's map", NOBODY, read_stranger_map },
    { "write another room's memory as a file", NOBODY, write_stranger_memory },
    { "list another room's descriptors", NOBODY, list_stranger_descriptors },
    { "read its twin's environment", NOBODY, read_twin_environment },
    { "write its twin's memory as a file", NOBODY, write_twin_memory },
    { "list its twin's descriptors", NOBODY, list_twin_descriptors },
    { "climb out of its folder", NOBODY, leave_by_parent },
    { "read beside its folder", NOBODY, read_neighbour },
    { "make a file in its folder", QUEUE | MAILDROP, make_in_own_folder },
    { "make a file in /tmp", NOBODY, make_in_tmp },
    { "make a file in /dev/shm", NOBODY, make_in_shm },
    { "make a file in an open folder", NOBODY, make_in_folder },
    { "make a nameless file in an open folder", NOBODY, make_nameless, .refusal = EISDIR },
    { "make a folder", NOBODY, make_folder },
    { "make a pipe with a name", NOBODY, make_pipe },
    { "make a device", NOBODY, make_device },
    { "make a symbolic link", NOBODY, make_symlink },
    { "make a second name", NOBODY, make_link },
    { "rename a file", NOBODY, rename_file },
    { "unlink a file", NOBODY, unlink_file },
    { "truncate a file by its path", NOBODY, truncate_file },
    { "empty a file by opening it", NOBODY, empty_file },
    { "change a file's mode", NOBODY, change_mode },
    { "change a descriptor's mode", NOBODY, change_mode_of_descriptor },
    { "change a file's owner", NOBODY, change_owner },
    { "change a file's time", NOBODY, change_time },
    { "change a file's attributes", NOBODY, change_attribute, .refusal = EOPNOTSUPP },
    { "watch files with inotify", NOBODY, watch_folder },
    { "watch files with fanotify", NOBODY, watch_system },
    { "make a file handle", NOBODY, make_handle },
    { "open a file handle", NOBODY, open_by_handle },
    CALL("change the root folder", NOBODY, SYS_chroot, "/"),
    CALL("change the working folder", NOBODY, SYS_chdir, "/etc"),
};
const struct attempt_table attempts_files = ATTEMPTS(rows);
