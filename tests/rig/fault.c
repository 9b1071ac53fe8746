/* rig/fault.c: makes chosen calls of chosen threads fail. Preloaded into submitd and so into every
 * room; the rules lie in a page that is shared with the test and mapped before main, so that no
 * system call is needed behind the walls of a room. (strace can fail a call only by giving it a
 * number that the walls kill for.) See inject.py, which writes the rules. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { RULES = 31, NAME = 16, FILES = 4096 };
enum { HOLD = -2 }; /* the call waits until its rule is gone, and is made then */

/* 128 octets; inject.py packs the same. */
struct rule {
    _Atomic int32_t pid; /* 0: the rule is empty; -1: every process */
    int32_t error; /* errno; 0: the call is only counted; -1: a write writes half and no more; HOLD */
    int64_t first; /* the n-th matching call, from 1 */
    int64_t step;  /* 0: that one alone; else every so many from there */
    _Atomic int64_t seen;
    _Atomic int64_t hits;
    char thread[NAME]; /* empty: any */
    char call[NAME];
    char spare[56];
};
_Static_assert(sizeof(struct rule) == 128, "inject.py packs the same");

static struct rule *rules; /* the one behind the last counts sins in `hits` */
static _Atomic bool is_spoiled[FILES];
static int own_pid;
static _Thread_local char own_name[NAME];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SUBMITD_TEST_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped;

    own_pid = getpid();
    if (fd < 0)
        return;
    mapped = mmap(NULL, (RULES + 1) * sizeof *rules, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        rules = mapped;
}

static bool is_mine(const struct rule *rule, const char *call)
{
    int pid = atomic_load_explicit(&rule->pid, memory_order_acquire);

    return pid != 0 && (pid == -1 || pid == own_pid) && strcmp(rule->call, call) == 0 &&
           (rule->thread[0] == '\0' || strncmp(rule->thread, own_name, NAME) == 0);
}

/* By a call that every room may make. */
static void hold(struct rule *rule)
{
    struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };
    int32_t pid;

    while ((pid = atomic_load(&rule->pid)) != 0)
        syscall(SYS_futex, &rule->pid, FUTEX_WAIT, pid, &step, NULL, 0);
}

/* What is to happen to this call: 0 nothing, else an errno or -1. */
static int fault(const char *call)
{
    int told = 0;

    for (int i = 0; rules && i < RULES; i++) {
        struct rule *rule = &rules[i];
        int64_t nth, past;

        if (!is_mine(rule, call))
            continue;
        nth = atomic_fetch_add(&rule->seen, 1) + 1;
        past = nth - rule->first;
        if (past < 0 || (rule->step == 0 ? past != 0 : past % rule->step != 0))
            continue;
        atomic_fetch_add(&rule->hits, 1);
        if (rule->error == HOLD)
            hold(rule);
        else if (told == 0)
            told = rule->error;
    }
    return told;
}

/* Memory: the C library's own names, since looking others up needs memory. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

void *malloc(size_t size)
{
    return fault("malloc") > 0 ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fault("malloc") > 0 ? (errno = ENOMEM, NULL) : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fault("malloc") > 0 ? (errno = ENOMEM, NULL) : __libc_realloc(block, size);
}

/* The kernel tells a write-back error once: who syncs or writes that description again believes a
 * lie. */
static void use(int fd)
{
    if (rules && fd >= 0 && fd < FILES && atomic_load(&is_spoiled[fd]))
        atomic_fetch_add(&rules[RULES].hits, 1);
}

static void spoil(int fd, bool value)
{
    if (fd >= 0 && fd < FILES)
        atomic_store(&is_spoiled[fd], value);
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define REAL(name)   ((__typeof__(&name))real(#name))
#define REAL64(name) ((__typeof__(&name))real(#name "64"))

/* Fails the call it stands in. */
#define FAIL_IF_TOLD(call)                                                                         \
    do {                                                                                           \
        int told = fault(call);                                                                    \
        if (told > 0) {                                                                            \
            errno = told;                                                                          \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

int prctl(int option, ...)
{
    unsigned long words[4];
    va_list list;

    va_start(list, option);
    for (int i = 0; i < 4; i++)
        words[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_NAME)
        strncpy(own_name, (const char *)words[0], NAME - 1);
    return REAL(prctl)(option, words[0], words[1], words[2], words[3]);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    int told = fault("pwritev");
    struct iovec half;

    use(fd);
    if (told > 0) {
        errno = told;
        return -1;
    }
    if (told == 0)
        return REAL64(pwritev)(fd, parts, count, offset);
    half = parts[0];
    half.iov_len = half.iov_len / 2 + 1 <= half.iov_len ? half.iov_len / 2 + 1 : half.iov_len;
    return REAL64(pwritev)(fd, &half, 1, offset);
}

ssize_t write(int fd, const void *octets, size_t len)
{
    int told = fault("write");

    if (told > 0) {
        errno = told;
        return -1;
    }
    return REAL(write)(fd, octets, told == 0 || len == 0 ? len : len / 2 + 1);
}

int close(int fd)
{
    spoil(fd, false);
    return REAL(close)(fd);
}

int fdatasync(int fd)
{
    int told = fault("fdatasync");

    use(fd);
    if (told > 0) {
        spoil(fd, true);
        errno = told;
        return -1;
    }
    return REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    FAIL_IF_TOLD("fsync");
    return REAL(fsync)(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    FAIL_IF_TOLD("fallocate");
    return REAL64(fallocate)(fd, mode, offset, len);
}

int ftruncate(int fd, off_t len)
{
    FAIL_IF_TOLD("ftruncate");
    return REAL64(ftruncate)(fd, len);
}

int openat(int dir, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list list;

    va_start(list, flags);
    if (flags & (O_CREAT | O_TMPFILE))
        mode = va_arg(list, mode_t);
    va_end(list);
    FAIL_IF_TOLD("openat");
    return REAL64(openat)(dir, name, flags, mode);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    FAIL_IF_TOLD("renameat");
    return REAL(renameat)(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *name, int flags)
{
    FAIL_IF_TOLD("unlinkat");
    return REAL(unlinkat)(dir, name, flags);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
    FAIL_IF_TOLD("mkdirat");
    return REAL(mkdirat)(dir, name, mode);
}

int socket(int family, int type, int protocol)
{
    FAIL_IF_TOLD("socket");
    return REAL(socket)(family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    FAIL_IF_TOLD("connect");
    return REAL(connect)(fd, address, size);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    FAIL_IF_TOLD("bind");
    return REAL(bind)(fd, address, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    FAIL_IF_TOLD("setsockopt");
    return REAL(setsockopt)(fd, level, option, value, size);
}

ssize_t sendto(int fd, const void *octets, size_t len, int flags, const struct sockaddr *address,
    socklen_t size)
{
    FAIL_IF_TOLD("sendto");
    return REAL(sendto)(fd, octets, len, flags, address, size);
}

ssize_t send(int fd, const void *octets, size_t len, int flags)
{
    FAIL_IF_TOLD("send");
    return REAL(send)(fd, octets, len, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    FAIL_IF_TOLD("writev");
    return REAL(writev)(fd, parts, count);
}

ssize_t recv(int fd, void *octets, size_t len, int flags)
{
    FAIL_IF_TOLD("recv");
    return REAL(recv)(fd, octets, len, flags);
}

ssize_t recvfrom(
    int fd, void *octets, size_t len, int flags, struct sockaddr *address, socklen_t *size)
{
    FAIL_IF_TOLD("recvfrom");
    return REAL(recvfrom)(fd, octets, len, flags, address, size);
}

int poll(struct pollfd *waiting, nfds_t count, int ms)
{
    FAIL_IF_TOLD("poll");
    return REAL(poll)(waiting, count, ms);
}
