/* tests/rooms/attempts_kernel.c: the machine itself: mounts, modules, clocks, keys, code. Where a
 * call would do harm it is made with an argument that the kernel refuses only after it has asked
 * whether the caller may. */
#include "attempts.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define NOWHERE "/submitd-probe-nowhere"

enum { PAGE = 4096 };

/* ---- code ---- */

static long map_code(void)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? -1 : munmap(page, PAGE);
}

static long map_writable_code(void)
{
    void *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? -1 : munmap(page, PAGE);
}

/* Data becomes code: what every exploit that brings its own code needs. */
static long turn_data(long call)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long rc = page == MAP_FAILED ? 0 : syscall(call, page, PAGE, PROT_READ | PROT_EXEC, -1);
    int number = errno;

    munmap(page, PAGE);
    errno = number;
    return rc;
}

static long turn_data_into_code(void)
{
    return turn_data(SYS_mprotect);
}

static long turn_data_by_key(void)
{
    return turn_data(SYS_pkey_mprotect);
}

/* ---- the kernel's machines ---- */

static long told(long fd)
{
    int number = errno;

    if (fd >= 0)
        close((int)fd);
    errno = number;
    return fd;
}

static long load_bpf(void)
{
    union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER };

    return told(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr));
}

static long make_ring(void)
{
    struct io_uring_params params = { 0 };

    return told(syscall(SYS_io_uring_setup, 1, &params));
}

static long handle_faults(void)
{
    return told(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
}

static long count_events(void)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .exclude_kernel = 1 };

    return told(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

/* To no descriptor at all, where the kernel would say EBADF. */
static long type_into_terminal(void)
{
    return ioctl(-1, TIOCSTI, "x");
}

/* ---- clocks ---- */

static long set_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}

/* To what it is already. */
static long tune_clock(void)
{
    struct timex tune = { .modes = ADJ_TICK, .tick = 10000 };

    return syscall(SYS_adjtimex, &tune);
}

static long tune_clock_by_number(void)
{
    struct timex tune = { .modes = ADJ_TICK, .tick = 10000 };

    return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &tune);
}

/* ---- what is shared with others ---- */

static long share_memory(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);

    return id < 0 ? id : shmctl(id, IPC_RMID, NULL);
}

static long share_semaphore(void)
{
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

    return id < 0 ? id : semctl(id, 0, IPC_RMID);
}

static long share_queue(void)
{
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

    return id < 0 ? id : msgctl(id, IPC_RMID, NULL);
}

static long open_named_queue(void)
{
    long fd = syscall(SYS_mq_open, "submitd-probe", O_RDWR | O_CREAT, 0600, NULL);

    if (fd >= 0)
        syscall(SYS_mq_unlink, "submitd-probe");
    return told(fd);
}

static const struct attempt rows[] = {
    CALL("mount", NOBODY, SYS_mount, "none", "/proc", "submitd-probe", AS(0), NULL),
    CALL("unmount", NOBODY, SYS_umount2, "/etc", AS(0)),
    CALL("pivot the root", NOBODY, SYS_pivot_root, "/etc", "/etc"),
    CALL("open a tree to mount it", NOBODY, SYS_open_tree, AS(-100), "/etc", AS(1)),
    CALL("move a mount", NOBODY, SYS_move_mount, AS(-100), "/etc", AS(-100), "/etc", AS(0)),
    CALL("open a file system", NOBODY, SYS_fsopen, "tmpfs", AS(0)),
    CALL("mount an open file system", NOBODY, SYS_fsmount, AS(STDIN_FILENO), AS(0), AS(0)),
    CALL("configure a file system", NOBODY, SYS_fsconfig, AS(STDIN_FILENO), AS(6), NULL, NULL,
        AS(0)),
    CALL("change a mount", NOBODY, SYS_mount_setattr, AS(-100), "/etc", AS(0), NULL, AS(0)),
    CALL("swap onto a file", NOBODY, SYS_swapon, NOWHERE, AS(0)),
    CALL("stop swapping", NOBODY, SYS_swapoff, NOWHERE),
    CALL("restart the machine", NOBODY, SYS_reboot, AS(0), AS(0), AS(0), NULL),
    CALL("load another kernel", NOBODY, SYS_kexec_load, AS(0), AS(99999), NULL, AS(0)),
    CALL("load another kernel's file", NOBODY, SYS_kexec_file_load, AS(-1), AS(-1), AS(0), "",
        AS(0)),
    CALL("load a module", NOBODY, SYS_init_module, NULL, AS(0), ""),
    CALL("load a module's file", NOBODY, SYS_finit_module, AS(-1), "", AS(0)),
    CALL("unload a module", NOBODY, SYS_delete_module, "submitd_probe", AS(0x800)),
    CALL("account for processes", NOBODY, SYS_acct, NOWHERE),
    CALL("manage quotas", NOBODY, SYS_quotactl, AS(0x80000100), NULL, AS(0), NULL),
    CALL("read the kernel's log", NOBODY, SYS_syslog, AS(3), AS(0), AS(0)),
    CALL("name the machine", NOBODY, SYS_sethostname, "", AS(-1)),
    CALL("name the machine's domain", NOBODY, SYS_setdomainname, "", AS(-1)),
    CALL("reach the ports of the machine", NOBODY, SYS_ioperm, AS(0x80), AS(1), AS(1)),
    CALL("reach all ports of the machine", NOBODY, SYS_iopl, AS(3)),
    CALL("change its descriptor table", NOBODY, SYS_modify_ldt, AS(0), NULL, AS(0)),
    { "set the clock", NOBODY, set_clock },
    { "tune the clock", NOBODY, tune_clock },
    { "tune a clock", NOBODY, tune_clock_by_number },
    CALL("set the clock the old way", NOBODY, SYS_settimeofday, NULL, NULL),
    { "load a BPF program", NOBODY, load_bpf },
    { "make an io_uring", NOBODY, make_ring },
    { "handle page faults", NOBODY, handle_faults },
    { "count events", NOBODY, count_events },
    CALL("use a keyring", NOBODY, SYS_keyctl, AS(KEYCTL_GET_KEYRING_ID), AS(-2), AS(1)),
    CALL("add a key", NOBODY, SYS_add_key, "user", "submitd-probe", "x", AS(1), AS(-2)),
    CALL("ask for a key", NOBODY, SYS_request_key, "user", "submitd-probe", NULL, AS(0)),
    { "type into the terminal", NOBODY, type_into_terminal, .refusal = ENOTTY },
    { "map code", NOBODY, map_code },
    { "map writable code", NOBODY, map_writable_code },
    { "turn data into code", NOBODY, turn_data_into_code },
    { "turn data into code by key", NOBODY, turn_data_by_key },
    { "share memory", NOBODY, share_memory },
    { "share a semaphore", NOBODY, share_semaphore },
    { "share a message queue", NOBODY, share_queue },
    { "open a named message queue", NOBODY, open_named_queue },
    CALL("splice pages", NOBODY, SYS_vmsplice, AS(STDIN_FILENO), NULL, AS(0), AS(0)),
    CALL("sync every disk", NOBODY, SYS_syncfs, AS(-1)),
    CALL(
        "call by the old numbers", NOBODY, 0x40000000 + SYS_openat, AS(-100), "/etc/passwd", AS(0)),
};
const struct attempt_table attempts_kernel = ATTEMPTS(rows);
