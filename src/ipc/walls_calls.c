/* ipc/walls_calls.c: which system calls each room may make, as one table. What is not in it kills
 * the process: no part of the program makes another call, so whoever does is not the program.
 * How the list was found: docs/decisions/0007-walls.md. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/walls_parts.h"

enum {
    GATE = 1 << ROLE_GATE,
    VAULT = 1 << ROLE_VAULT,
    QUEUE = 1 << ROLE_QUEUE,
    RELAY = 1 << ROLE_RELAY,
    MAILDROP = 1 << ROLE_MAILDROP,
    FETCH = 1 << ROLE_FETCH,
    OUTWARD = RELAY | FETCH,
    EVERY = GATE | VAULT | QUEUE | MAILDROP | OUTWARD,
    SANITIZED = 1 << 16, /* every room, in sanitized builds only */
};

enum { CONDITIONS_MAX = 3, SOCKET_TYPE_MASK = 0xf };

/* A condition on one argument: (argument & mask) == value. */
struct condition {
    unsigned argument;
    uint64_t mask;
    uint64_t value;
};

struct row {
    int call;
    unsigned rooms;
    size_t condition_count; /* all have to hold */
    struct condition conditions[CONDITIONS_MAX];
};

/* clang-format off */
#define CALL(name, rooms) { SCMP_SYS(name), rooms, 0, { { 0, 0, 0 } } }
#define CALL_IF(name, rooms, argument, mask, value) \
    { SCMP_SYS(name), rooms, 1, { { argument, mask, value } } }
#define OPTION(rooms, level, option) \
    { SCMP_SYS(setsockopt), rooms, 2, { { 1, WHOLE, level }, { 2, WHOLE, option } } }
#define SOCKET(rooms, family, type, protocol) \
    { SCMP_SYS(socket), rooms, 3, \
      { { 0, WHOLE, family }, { 1, SOCKET_TYPE_MASK, type }, { 2, WHOLE, protocol } } }
#define PAIR(rooms, family, type) \
    { SCMP_SYS(socketpair), rooms, 2, { { 0, WHOLE, family }, { 1, SOCKET_TYPE_MASK, type } } }
#define WHOLE UINT32_MAX /* an int argument, as a mask */

static const struct row allowed[] = {
    /* Memory, of which nothing can ever be executed that was not so from the start. */
    CALL(brk, EVERY),
    CALL(munmap, EVERY),
    CALL(mremap, EVERY),
    CALL(madvise, EVERY),
    CALL_IF(mmap, EVERY, 2, PROT_EXEC, 0),
    CALL_IF(mprotect, EVERY, 2, PROT_EXEC, 0),

    /* Threads that are there already: waiting for each other, ending. None is made any more. */
    CALL(futex, EVERY),
    CALL(sched_yield, EVERY),
    CALL(exit, EVERY),
    CALL(exit_group, EVERY),
    CALL(sched_getaffinity, EVERY), /* malloc counts processors when it makes an arena */
    CALL(sysinfo, EVERY),           /* qsort asks how much memory it may use */

    /* Time, and chance. */
    CALL(clock_gettime, EVERY),
    CALL(gettimeofday, EVERY),
    CALL(time, EVERY),
    CALL(clock_nanosleep, EVERY),
    CALL(nanosleep, EVERY),
    CALL(restart_syscall, EVERY),
    CALL(getrandom, EVERY),

    /* Signals: what an assertion needs to end the process, and nothing for others. */
    CALL(rt_sigprocmask, EVERY),
    CALL(rt_sigaction, EVERY),
    CALL(rt_sigreturn, EVERY),
    CALL(sigaltstack, SANITIZED),
    CALL(getpid, EVERY),
    CALL(gettid, EVERY),

    /* The loop. */
    CALL(epoll_wait, EVERY),
    CALL(epoll_pwait, EVERY),
    CALL(epoll_ctl, EVERY),

    /* Descriptors that the room has. */
    CALL(read, EVERY),
    CALL(write, EVERY),
    CALL(writev, EVERY), /* the C library's last words, when it finds its memory spoilt */
    CALL(close, EVERY),
    CALL(pread64, EVERY), /* a gate: the partial message of a client that is back */
    CALL(dup, QUEUE | OUTWARD),
    CALL(fstat, EVERY),
    /* fstat(2) of newer C libraries. Seccomp cannot see that the name is empty; Landlock has no
     * rule for it either: a room can ask whether a name exists. */
    CALL_IF(newfstatat, EVERY, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
    CALL_IF(fcntl, EVERY, 1, WHOLE, F_GETFL),
    CALL_IF(fcntl, EVERY, 1, WHOLE, F_SETFL),
    CALL_IF(fcntl, EVERY, 1, WHOLE, F_SETFD),

    /* Channels, and what is at their ends: none but relay and fetch make a socket. */
    CALL_IF(sendmsg, EVERY, 2, MSG_FASTOPEN, 0), /* which would connect, past Landlock */
    CALL(recvmsg, EVERY),
    CALL_IF(shutdown, GATE, 1, WHOLE, SHUT_WR), /* a listener shut for reading could be connected */
    CALL(shutdown, OUTWARD),
    CALL(getsockopt, EVERY),
    CALL_IF(sendto, GATE | QUEUE, 4, WHOLE, 0), /* to where it is connected, nowhere else */
    CALL_IF(sendto, OUTWARD, 3, MSG_FASTOPEN, 0),
    CALL(recvfrom, GATE | OUTWARD | QUEUE),
    CALL(accept4, GATE | QUEUE),
    OPTION(GATE, IPPROTO_TCP, TCP_NODELAY),
    OPTION(OUTWARD, IPPROTO_TCP, TCP_NODELAY),
    OPTION(OUTWARD, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    /* The resolver library gives up a socket that it cannot set these for. */
    OPTION(OUTWARD, IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(OUTWARD, IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(OUTWARD, IPPROTO_IPV6, IPV6_MTU),
    OPTION(OUTWARD, IPPROTO_IPV6, IPV6_MTU_DISCOVER),

    /* Outward: streams and datagrams over IP, streams to a LMTP server's socket. No listening. */
    SOCKET(OUTWARD, AF_INET, SOCK_STREAM, 0),
    SOCKET(OUTWARD, AF_INET, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(OUTWARD, AF_INET, SOCK_DGRAM, 0),
    SOCKET(OUTWARD, AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(OUTWARD, AF_INET6, SOCK_STREAM, 0),
    SOCKET(OUTWARD, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(OUTWARD, AF_INET6, SOCK_DGRAM, 0),
    SOCKET(OUTWARD, AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(RELAY, AF_UNIX, SOCK_STREAM, 0),
    CALL(connect, OUTWARD),
    CALL(bind, OUTWARD), /* a source address; Landlock lets no port be chosen for TCP */
    CALL(readv, OUTWARD),
    CALL(poll, OUTWARD), /* the resolver library, when the kernel's buffer for datagrams is full */
    CALL(getsockname, OUTWARD),
    CALL(getpeername, OUTWARD),
    /* The HTTP library, to wake itself; a gate, for what a BURL names: the fetch room gets the other
     * end. Not of datagrams: each of these could be sent to whoever has a name. */
    PAIR(FETCH | GATE, AF_UNIX, SOCK_STREAM),

    /* Writing into what was handed over. */
    CALL(pwritev, GATE | QUEUE),
    CALL(ftruncate, GATE | QUEUE),
    CALL(fdatasync, GATE | QUEUE),
    CALL(flock, QUEUE),

    /* Folders: Landlock says which. */
    CALL_IF(openat, VAULT, 2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH, O_RDONLY),
    CALL_IF(openat, QUEUE | MAILDROP, 2, O_PATH, 0), /* Landlock does not look at these */
    CALL(fsync, QUEUE | MAILDROP),
    CALL(mkdirat, QUEUE | MAILDROP),
    CALL(renameat, QUEUE | MAILDROP),
    CALL(unlinkat, QUEUE | MAILDROP),
    CALL(getdents64, QUEUE),
    CALL(fallocate, QUEUE),
    CALL(fstatfs, QUEUE),
    CALL(faccessat, MAILDROP),
    CALL(faccessat2, MAILDROP),
    CALL(newfstatat, VAULT | MAILDROP),

    /* Reports of the sanitizers. */
    CALL(openat, SANITIZED),
    CALL(open, SANITIZED),
    CALL(newfstatat, SANITIZED),
    CALL(readlink, SANITIZED),
    CALL(readlinkat, SANITIZED),
    CALL(prlimit64, SANITIZED),
    CALL(getrlimit, SANITIZED),
    CALL(uname, SANITIZED),
    CALL(mmap, SANITIZED),
    CALL(mprotect, SANITIZED),
};

/* What a library may try when it needs something that it can do without: refused, but no crime.
 * Not for a room that is allowed the call altogether. */
static const struct {
    struct row row;
    int error;
} refused[] = {
    { CALL(openat, GATE | OUTWARD), EACCES },
    { CALL(open, EVERY), EACCES },
    { CALL(access, EVERY), EACCES },
    { CALL(faccessat, EVERY), EACCES },
    { CALL(faccessat2, EVERY), EACCES },
    { CALL_IF(newfstatat, EVERY, 3, AT_EMPTY_PATH, 0), EACCES },
    { CALL(stat, EVERY), EACCES },
    { CALL(readlink, EVERY), EACCES },
    { CALL(prctl, EVERY), EPERM },  /* newer C libraries give names to their memory */
    { CALL(ioctl, EVERY), ENOTTY }, /* is this a terminal? */
    /* The resolver library tries this over TCP, and connects in the ordinary way instead. */
    { CALL_IF(sendmsg, OUTWARD, 2, MSG_FASTOPEN, MSG_FASTOPEN), EOPNOTSUPP },
    { CALL_IF(sendto, OUTWARD, 3, MSG_FASTOPEN, MSG_FASTOPEN), EOPNOTSUPP },
    /* What that library, or OpenSSL, tries to set in one case or another and does without: larger
     * buffers, a port or an address that another has, marks and sizes of packets. */
    { OPTION(OUTWARD, SOL_SOCKET, SO_REUSEADDR), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_REUSEPORT), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_KEEPALIVE), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_SNDBUF), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_RCVBUF), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_SNDBUFFORCE), ENOPROTOOPT },
    { OPTION(OUTWARD, SOL_SOCKET, SO_RCVBUFFORCE), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IP, IP_TOS), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IP, IP_FREEBIND), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IP, IP_TRANSPARENT), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IP, IP_RECVERR), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IPV6, IPV6_RECVERR), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_IPV6, IPV6_TCLASS), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_TCP, TCP_MAXSEG), ENOPROTOOPT },
    { OPTION(OUTWARD, IPPROTO_TCP, TCP_ULP), ENOPROTOOPT },
};
/* clang-format on */

static int add_row(scmp_filter_ctx filter, uint32_t action, const struct row *row)
{
    struct scmp_arg_cmp cmps[CONDITIONS_MAX];

    for (size_t i = 0; i < row->condition_count; i++)
        cmps[i] = (struct scmp_arg_cmp){ row->conditions[i].argument, SCMP_CMP_MASKED_EQ,
            row->conditions[i].mask, row->conditions[i].value };
    return seccomp_rule_add_array(filter, action, row->call, (unsigned)row->condition_count, cmps);
}

/* Ending itself with a core-less bang, as abort(3) does; no other process, no other signal. */
static int add_abort(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()), SCMP_A2(SCMP_CMP_EQ, SIGABRT));
}

static bool is_wholly_allowed(int call, unsigned rooms)
{
    for (size_t i = 0; i < LENGTH_OF(allowed); i++)
        if (allowed[i].call == call && allowed[i].rooms & rooms && allowed[i].condition_count == 0)
            return true;
    return false;
}

static int add_refused(scmp_filter_ctx filter, unsigned rooms)
{
    int rc = 0;

    for (size_t i = 0; i < LENGTH_OF(refused) && rc == 0; i++)
        if (refused[i].row.rooms & rooms && !is_wholly_allowed(refused[i].row.call, rooms))
            rc = add_row(filter, SCMP_ACT_ERRNO((uint16_t)refused[i].error), &refused[i].row);
    return rc;
}

static int fill(scmp_filter_ctx filter, unsigned rooms)
{
    int rc = 0;

    for (size_t i = 0; i < LENGTH_OF(allowed) && rc == 0; i++)
        if (allowed[i].rooms & rooms)
            rc = add_row(filter, SCMP_ACT_ALLOW, &allowed[i]);
    if (rc == 0)
        rc = add_abort(filter);
    if (rc == 0)
        rc = add_refused(filter, rooms);
    return rc;
}

/* Linux 4.14 and later, unless filters are left out of it. */
static bool has_filters(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

enum err walls_calls_raise(const struct walls *walls, char out_missing[WALLS_MISSING])
{
    unsigned rooms = 1u << walls->role | (WALLS_SANITIZED ? SANITIZED : 0);
    scmp_filter_ctx filter;
    int rc;

    if (!has_filters()) {
        snprintf(out_missing, WALLS_MISSING, "seccomp filters");
        return ERR_NOTFOUND;
    }
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return ERR_NOMEM;
    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* Calls of another architecture: by itself the library would end the thread alone, and leave a
     * room without its loop that nobody starts again. */
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a long list */
    if (rc == 0)
        rc = fill(filter, rooms);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc == 0 ? ERR_OK : err_from_errno(-rc);
}
