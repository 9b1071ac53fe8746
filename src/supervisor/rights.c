/* supervisor/rights.c: capabilities by system call; a library for two calls is not worth its
 * place. */
#include "supervisor/rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAPABILITIES_MOST = 64 };

/* Files of the operator and of rooms' users; the rooms' users; ports below 1024; ending a room. */
static const uint64_t kept = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_SETUID |
                             1u << CAP_SETGID | 1u << CAP_NET_BIND_SERVICE | 1u << CAP_KILL;

/* What a room could get back by being executed as root. */
static void bound(void)
{
    for (int i = 0; i < CAPABILITIES_MOST; i++)
        if (!(kept >> i & 1) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static bool has_more(const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if ((data[i].permitted | data[i].inheritable) & ~(uint32_t)(kept >> (32 * i)))
            return true;
    return false;
}

static enum err keep_few(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &head, data) != 0)
        return err_from_errno(errno);
    bound();
    if (!has_more(data))
        return ERR_OK;
    for (size_t i = 0; i < LENGTH_OF(data); i++) {
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &head, data) == 0 ? ERR_OK : err_from_errno(errno);
}

enum err rights_reduce(void)
{
    static const struct rlimit none = { 0, 0 };

    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0)
        return err_from_errno(errno);
    return keep_few();
}
