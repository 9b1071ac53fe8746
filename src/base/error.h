/* base/error.h: the world's faults (disk, network, memory) as one space of negative codes. An
 * outsider's fault is never one of these: it is an SMTP reply. Our own fault is an assertion. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum err {
    ERR_OK = 0,
    ERR_NOMEM = -1, /* an allocation failed, or an arena's or buffer's cap was reached */
    ERR_IO = -2,    /* the disk or a descriptor failed (EIO and all that has no name of its own) */
    ERR_NOSPACE = -3, /* ENOSPC, EDQUOT, EFBIG */
    ERR_CORRUPT = -4, /* bytes that we wrote earlier do not read back as a valid record */
    ERR_INVALID = -5, /* input that does not parse */
    ERR_LIMIT = -6,   /* a length, count or depth above its stated bound */
    ERR_CLOSED = -7,  /* the peer is gone */
    ERR_TIMEOUT = -8,
    ERR_NOTFOUND = -9,
    ERR_EXISTS = -10,
    ERR_DENIED = -11,   /* EACCES, EPERM, EROFS */
    ERR_BUSY = -12,     /* somebody else holds it; trying later may work */
    ERR_NOFILES = -13,  /* EMFILE, ENFILE */
    ERR_PROTOCOL = -14, /* a peer broke the rules of its protocol */
    ERR_TLS = -15,
};

/* A short English phrase for a code, for logs and messages. Never NULL. */
const char *err_text(enum err code);

/* The code for an errno value. errno 0 gives ERR_IO: a failure without a reason is still a failure.
 */
enum err err_from_errno(int number);

#endif
