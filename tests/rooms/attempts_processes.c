/* tests/rooms/attempts_processes.c: other processes, other users, other namespaces. */
#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IOPRIO_WHO_PROCESS = 1 };

/* ---- new processes, new programs ---- */

/* A child says nothing and is waited for; in the child itself no line of the room's code runs. */
static long reap(long child)
{
    int number = errno;

    if (child == 0)
        _exit(0);
    if (child > 0)
        (void)waitpid((pid_t)child, NULL, __WALL);
    errno = number;
    return child;
}

static long fork_plainly(void)
{
    return reap(syscall(SYS_fork));
}

static long fork_by_clone(void)
{
    return reap(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static long fork_by_vfork(void)
{
    return reap(vfork());
}

static long fork_by_clone3(void)
{
    struct clone_args args = { .exit_signal = SIGCHLD };

    return reap(syscall(SYS_clone3, &args, sizeof args));
}

static long clone_into_user_namespace(void)
{
    return reap(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

/* When this succeeds, the room is gone without another word, which the test takes for a success. */
static long execute(void)
{
    char *const argv[] = { (char[]){ "true" }, NULL };

    return execve("/bin/true", argv, argv + 1);
}

static long execute_itself(void)
{
    char *const argv[] = { (char[]){ "submitd" }, (char[]){ "--version" }, NULL };

    return execve("/proc/self/exe", argv, argv + 2);
}

static long execute_from_memory(void)
{
    static const char script[] = "#!/bin/true\n";
    char *const argv[] = { (char[]){ "true" }, NULL };
    int fd = (int)syscall(SYS_memfd_create, "probe", 0);

    if (fd < 0)
        return fd;
    if (write(fd, script, sizeof script - 1) < 0)
        return 0;
    return syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH);
}

/* ---- other processes ---- */

static long stranger(void)
{
    return target_number(TARGET_STRANGER);
}

static long twin(void)
{
    return target_number(TARGET_TWIN);
}

static long signal_stranger(void)
{
    return kill((pid_t)stranger(), 0);
}

static long signal_twin(void)
{
    return kill((pid_t)twin(), 0);
}

static long signal_parent(void)
{
    return kill(target_supervisor(), 0);
}

static long signal_everybody(void)
{
    return kill(-1, 0);
}

static long signal_thread_of_twin(void)
{
    return syscall(SYS_tgkill, twin(), twin(), 0);
}

static long signal_twin_as_thread(void)
{
    return syscall(SYS_tkill, twin(), 0);
}

static long queue_signal_to_twin(void)
{
    siginfo_t info = { .si_code = SI_QUEUE };

    return syscall(SYS_rt_sigqueueinfo, twin(), 0, &info);
}

static long open_process(long process)
{
    long fd = syscall(SYS_pidfd_open, process, 0);

    if (fd >= 0)
        close((int)fd);
    return fd;
}

static long open_twin(void)
{
    return open_process(twin());
}

static long open_parent(void)
{
    return open_process(target_supervisor());
}

static long take_descriptor_of(long process)
{
    long fd = syscall(SYS_pidfd_open, process, 0);
    long taken;
    int number;

    if (fd < 0)
        return fd;
    taken = syscall(SYS_pidfd_getfd, fd, 0, 0);
    number = errno;
    close((int)fd);
    if (taken >= 0)
        close((int)taken);
    errno = number;
    return taken;
}

static long take_descriptor_of_twin(void)
{
    return take_descriptor_of(twin());
}

static long take_descriptor_of_parent(void)
{
    return take_descriptor_of(target_supervisor());
}

static long trace(long process)
{
    return syscall(SYS_ptrace, PTRACE_SEIZE, process, NULL, NULL);
}

static long trace_stranger(void)
{
    return trace(stranger());
}

static long trace_twin(void)
{
    return trace(twin());
}

static long trace_parent(void)
{
    return trace(target_supervisor());
}

static long be_traced(void)
{
    return syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
}

/* At an address that nobody has: who may read at all gets EFAULT. */
static long reach_memory(long call, long process)
{
    char octet = 0;
    struct iovec here = { &octet, 1 };
    struct iovec there = { NULL, 1 };

    return syscall(call, process, &here, 1, &there, 1, 0);
}

static long read_stranger(void)
{
    return reach_memory(SYS_process_vm_readv, stranger());
}

static long write_stranger(void)
{
    return reach_memory(SYS_process_vm_writev, stranger());
}

static long read_twin(void)
{
    return reach_memory(SYS_process_vm_readv, twin());
}

static long write_twin(void)
{
    return reach_memory(SYS_process_vm_writev, twin());
}

static long read_parent(void)
{
    return reach_memory(SYS_process_vm_readv, target_supervisor());
}

static long write_parent(void)
{
    return reach_memory(SYS_process_vm_writev, target_supervisor());
}

static long compare_with_twin(void)
{
    return syscall(SYS_kcmp, getpid(), twin(), 1, 0, 0);
}

static long slow_twin(void)
{
    return setpriority(PRIO_PROCESS, (id_t)twin(), 0);
}

static long limit_twin(void)
{
    struct rlimit old;

    return syscall(SYS_prlimit64, twin(), RLIMIT_NOFILE, NULL, &old);
}

static long pin_twin(void)
{
    unsigned long all = ~0ul;

    return syscall(SYS_sched_setaffinity, twin(), sizeof all, &all);
}

static long reschedule_twin(void)
{
    struct sched_param none = { 0 };

    return syscall(SYS_sched_setscheduler, twin(), SCHED_OTHER, &none);
}

static long starve_twin(void)
{
    return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, twin(), 0);
}

static long move_pages_of_twin(void)
{
    return syscall(SYS_move_pages, twin(), 0, NULL, NULL, NULL, 0);
}

static long advise_twin(void)
{
    long fd = syscall(SYS_pidfd_open, twin(), 0);
    long rc;
    int number;

    if (fd < 0)
        return fd;
    rc = syscall(SYS_process_madvise, fd, NULL, 0, 20, 0);
    number = errno;
    close((int)fd);
    errno = number;
    return rc;
}

/* ---- itself ---- */

static long raise_limit(void)
{
    struct rlimit wanted = { 4096, 4096 };

    return setrlimit(RLIMIT_CORE, &wanted);
}

static long be_realtime(void)
{
    struct sched_param first = { .sched_priority = 1 };

    return syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first);
}

static long take_capabilities(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct all[2] = { { ~0u, ~0u, 0 }, { 0x1ff, 0x1ff, 0 } };

    return syscall(SYS_capset, &head, all);
}

static long drop_groups(void)
{
    return syscall(SYS_setgroups, 0, NULL);
}

/* It answers with the user before, never with an error. */
static long act_on_files_as_root(void)
{
    (void)syscall(SYS_setfsuid, 0);
    errno = EPERM;
    return syscall(SYS_setfsuid, -1) == 0 && getuid() != 0 ? 0 : -1;
}

static const struct attempt rows[] = {
    { "fork", NOBODY, fork_plainly },
    { "fork by clone", NOBODY, fork_by_clone },
    { "fork by vfork", NOBODY, fork_by_vfork },
    { "fork by clone3", NOBODY, fork_by_clone3 },
    { "clone into a user namespace", NOBODY, clone_into_user_namespace },
    { "execute a program", NOBODY, execute },
    { "execute itself", NOBODY, execute_itself },
    { "execute from memory", NOBODY, execute_from_memory },
    CALL("a nameless file in memory", NOBODY, SYS_memfd_create, "probe", AS(0)),
    CALL("a secret file in memory", NOBODY, SYS_memfd_secret, AS(0)),
    { "signal another room", NOBODY, signal_stranger },
    { "signal its twin", NOBODY, signal_twin },
    { "signal the supervisor", NOBODY, signal_parent },
    { "signal everybody", NOBODY, signal_everybody },
    CALL("signal process 1", NOBODY, SYS_kill, AS(1), AS(0)),
    { "signal a thread of its twin", NOBODY, signal_thread_of_twin },
    { "signal its twin as a thread", NOBODY, signal_twin_as_thread },
    { "queue a signal to its twin", NOBODY, queue_signal_to_twin },
    { "open its twin as a descriptor", NOBODY, open_twin },
    { "open the supervisor as a descriptor", NOBODY, open_parent },
    { "take a descriptor of its twin", NOBODY, take_descriptor_of_twin },
    { "take a descriptor of the supervisor", NOBODY, take_descriptor_of_parent },
    { "trace another room", NOBODY, trace_stranger },
    { "trace its twin", NOBODY, trace_twin },
    { "trace the supervisor", NOBODY, trace_parent },
    { "be traced", NOBODY, be_traced },
    { "read another room's memory", NOBODY, read_stranger },
    { "write another room's memory", NOBODY, write_stranger },
    { "read its twin's memory", NOBODY, read_twin },
    { "write its twin's memory", NOBODY, write_twin },
    { "read the supervisor's memory", NOBODY, read_parent },
    { "write the supervisor's memory", NOBODY, write_parent },
    { "compare itself with its twin", NOBODY, compare_with_twin },
    { "set its twin's priority", NOBODY, slow_twin },
    { "read its twin's limits", NOBODY, limit_twin },
    { "pin its twin to a processor", NOBODY, pin_twin },
    { "set its twin's schedule", NOBODY, reschedule_twin },
    { "set its twin's share of the disk", NOBODY, starve_twin },
    { "move its twin's memory", NOBODY, move_pages_of_twin },
    { "advise on its twin's memory", NOBODY, advise_twin },
    CALL("become root", NOBODY, SYS_setuid, AS(0)),
    CALL("become root again", NOBODY, SYS_setresuid, AS(0), AS(0), AS(0)),
    CALL("become root for half", NOBODY, SYS_setreuid, AS(-1), AS(0)),
    CALL("become root's group", NOBODY, SYS_setgid, AS(0)),
    CALL("become root's group again", NOBODY, SYS_setresgid, AS(0), AS(0), AS(0)),
    { "use files as root", NOBODY, act_on_files_as_root },
    { "change its groups", NOBODY, drop_groups },
    { "take all capabilities", NOBODY, take_capabilities },
    CALL("keep capabilities", NOBODY, SYS_prctl, AS(PR_SET_KEEPCAPS), AS(1), AS(0), AS(0), AS(0)),
    CALL("take an ambient capability", NOBODY, SYS_prctl, AS(PR_CAP_AMBIENT),
        AS(PR_CAP_AMBIENT_CLEAR_ALL), AS(0), AS(0), AS(0)),
    CALL("be dumpable again", NOBODY, SYS_prctl, AS(PR_SET_DUMPABLE), AS(1), AS(0), AS(0), AS(0)),
    CALL("choose who may trace it", NOBODY, SYS_prctl, AS(PR_SET_PTRACER), AS(-1), AS(0), AS(0),
        AS(0)),
    CALL("add a filter of its own", NOBODY, SYS_seccomp, AS(1), AS(0), NULL),
    CALL("go into strict mode", NOBODY, SYS_seccomp, AS(0), AS(1), NULL),
    { "raise its limits", NOBODY, raise_limit },
    { "be first in the schedule", NOBODY, be_realtime },
    CALL("allow code of another kind", NOBODY, SYS_personality, AS(0x0040000)),
    CALL("a user namespace", NOBODY, SYS_unshare, AS(CLONE_NEWUSER)),
    CALL("a mount namespace", NOBODY, SYS_unshare, AS(CLONE_NEWNS)),
    CALL("a network namespace", NOBODY, SYS_unshare, AS(CLONE_NEWNET)),
    CALL("a process namespace", NOBODY, SYS_unshare, AS(CLONE_NEWPID)),
    CALL("a name namespace", NOBODY, SYS_unshare, AS(CLONE_NEWUTS)),
    CALL("an IPC namespace", NOBODY, SYS_unshare, AS(CLONE_NEWIPC)),
    CALL("a control group namespace", NOBODY, SYS_unshare, AS(CLONE_NEWCGROUP)),
    CALL("a time namespace", NOBODY, SYS_unshare, AS(CLONE_NEWTIME)),
    CALL("its own descriptors", NOBODY, SYS_unshare, AS(CLONE_FILES)),
    CALL("enter a namespace", NOBODY, SYS_setns, AS(STDIN_FILENO), AS(CLONE_NEWNET)),
};
const struct attempt_table attempts_processes = ATTEMPTS(rows);
