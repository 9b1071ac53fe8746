/* tests/rooms/attempts.h: the things that no room may do, as tables. */
#ifndef ROOMS_ATTEMPTS_H
#define ROOMS_ATTEMPTS_H

#include <stddef.h>
#include <sys/types.h>

#include "ipc/role.h"

/* Rooms as bits. */
enum {
    NOBODY = 0,
    GATE = 1 << ROLE_GATE,
    VAULT = 1 << ROLE_VAULT,
    QUEUE = 1 << ROLE_QUEUE,
    RELAY = 1 << ROLE_RELAY,
    MAILDROP = 1 << ROLE_MAILDROP,
    FETCH = 1 << ROLE_FETCH,
    OUTWARD = RELAY | FETCH,
};

/* What lies outside the room, named by the test through the environment (SUBMITD_PROBE_KEY and so
 * on). Everything there lives while the room probes. */
enum target {
    TARGET_KEY,      /* the file with a TLS key */
    TARGET_USERS,    /* the user file */
    TARGET_SPOOL,    /* the spool folder of a running submitd */
    TARGET_SEGMENT,  /* a segment in it */
    TARGET_CONTROL,  /* the operator's socket */
    TARGET_FILE,     /* a file that everybody may write */
    TARGET_FOLDER,   /* a folder that everybody may write */
    TARGET_SOCKET,   /* a listening unix socket that everybody may use */
    TARGET_ABSTRACT, /* the same without a file: its name */
    TARGET_PORT,     /* of a listening TCP socket on loopback */
    TARGET_STRANGER, /* the process of another room, with another user */
    TARGET_TWIN,     /* the process of a room of the same kind, with the same user */
    TARGET_COUNT,
};

/* Its text; "" when the test did not name it. */
const char *target_text(enum target target);
long target_number(enum target target);
pid_t target_supervisor(void);

/* One thing to try. It is denied when it ends below zero with EPERM, EACCES, ENOSYS or the row's
 * own errno, or when the filter kills the room for it. Success must do no harm, because without
 * walls the rows succeed. */
struct attempt {
    const char *name;
    unsigned lawful;   /* rooms that need it for their work */
    long (*try)(void); /* a result as of a system call, or NULL: then this call is made: */
    long call;
    const void *args[6];
    int refusal; /* one more errno that stands for a denial */
};

struct attempt_table {
    const struct attempt *rows;
    size_t count;
};

extern const struct attempt_table attempts_files;
extern const struct attempt_table attempts_network;
extern const struct attempt_table attempts_processes;
extern const struct attempt_table attempts_kernel;

#define ATTEMPTS(table)                                                                            \
    {                                                                                              \
        table, sizeof(table) / sizeof *(table)                                                     \
    }
/* A row that is one system call; numbers as arguments are written with AS. */
#define AS(number) (const void *)(uintptr_t)(number)
#define CALL(name, lawful, number, ...)                                                            \
    {                                                                                              \
        name, lawful, NULL, number, { __VA_ARGS__ }, 0                                             \
    }

#endif
