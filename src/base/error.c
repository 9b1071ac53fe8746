/* base/error.c: names for the world's faults. */
#include "base/error.h"

#include <errno.h>
#include <stddef.h>

static const char *const texts[] = {
    [-ERR_OK] = "no error",
    [-ERR_NOMEM] = "out of memory",
    [-ERR_IO] = "input/output error",
    [-ERR_NOSPACE] = "no space left",
    [-ERR_CORRUPT] = "corrupt data",
    [-ERR_INVALID] = "invalid data",
    [-ERR_LIMIT] = "limit exceeded",
    [-ERR_CLOSED] = "connection closed",
    [-ERR_TIMEOUT] = "timed out",
    [-ERR_NOTFOUND] = "not found",
    [-ERR_EXISTS] = "already exists",
    [-ERR_DENIED] = "permission denied",
    [-ERR_BUSY] = "busy",
    [-ERR_NOFILES] = "too many open files",
    [-ERR_PROTOCOL] = "protocol error",
    [-ERR_TLS] = "TLS failure",
};

const char *err_text(enum err code)
{
    size_t index = (size_t)(-(int)code);

    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown error";
}

static const struct {
    int number;
    enum err code;
} errnos[] = {
    { ENOMEM, ERR_NOMEM },
    { ENOSPC, ERR_NOSPACE },
    { EDQUOT, ERR_NOSPACE },
    { EFBIG, ERR_NOSPACE },
    { ENOENT, ERR_NOTFOUND },
    { ENOTDIR, ERR_NOTFOUND },
    { EEXIST, ERR_EXISTS },
    { EACCES, ERR_DENIED },
    { EPERM, ERR_DENIED },
    { EROFS, ERR_DENIED },
    { EWOULDBLOCK, ERR_BUSY },
    { EBUSY, ERR_BUSY },
    { EMFILE, ERR_NOFILES },
    { ENFILE, ERR_NOFILES },
    { ETIMEDOUT, ERR_TIMEOUT },
    { EPIPE, ERR_CLOSED },
    { ECONNRESET, ERR_CLOSED },
    { EINVAL, ERR_INVALID },
    { EMSGSIZE, ERR_LIMIT },
    { ENOBUFS, ERR_NOMEM },
};

enum err err_from_errno(int number)
{
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
        if (errnos[i].number == number)
            return errnos[i].code;
    return ERR_IO;
}
