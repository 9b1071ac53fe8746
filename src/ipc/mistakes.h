/* ipc/mistakes.h: which clients and users make mistakes again and again, so that an operator sees
 * who is misconfigured (SUB-5.2-2): a table in shared memory with a column for each gate. A gate
 * writes its own column and nothing else, the queue reads them all for the operator.
 *
 * Bounded: a column has MISTAKES_ROWS rows; when there is no room for another client, the one of
 * its few places that has made fewest mistakes goes. Nothing here is trusted, and nothing is
 * decided by it: a gate can lie about its own clients and about those of other gates, and no more.
 */
#ifndef IPC_MISTAKES_H
#define IPC_MISTAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

enum mistake {
    MISTAKE_SENDER,      /* a sender that the user may not use */
    MISTAKE_PERMISSION,  /* another right that is lacking: recipient, number, size, submission */
    MISTAKE_UNQUALIFIED, /* single-label names and bare local parts */
    MISTAKE_LINE_END,    /* bare CR or LF */
    MISTAKE_CLEAR_TEXT,  /* mail or a login before TLS */
    MISTAKE_LOGIN,       /* a login that was refused */
    MISTAKE_SYNTAX,      /* commands, parameters and addresses that are none */
    MISTAKE_CONTENT,     /* a message that is not well formed */
    MISTAKE_OTHER,
};
enum { MISTAKE_KINDS = MISTAKE_OTHER + 1 };

enum {
    MISTAKES_ROWS = 256,      /* for each gate */
    MISTAKES_CLIENT_MAX = 48, /* octets of each text; what is longer is cut */
    MISTAKES_USER_MAX = 128,
    MISTAKES_NAME_MAX = 96,
    MISTAKES_REPLY_MAX = 96,
};

/* Of one client and user. All texts may hold any octets. */
struct mistakes_row {
    uint32_t counts[MISTAKE_KINDS];
    int64_t first_s, last_s; /* wall clock */
    uint8_t client_len, user_len, name_len, reply_len;
    char client[MISTAKES_CLIENT_MAX];
    char user[MISTAKES_USER_MAX];   /* empty: nobody logged in */
    char name[MISTAKES_NAME_MAX];   /* what it said to EHLO last */
    char reply[MISTAKES_REPLY_MAX]; /* what it was answered last: "550 5.7.1 You may not …" */
};

struct mistakes;

/* The words of a kind, for programs: "sender". */
const char *mistake_name(enum mistake kind);

/* Makes the shared memory for that many gates (as counters_create), all zero; *out_read_fd is the
 * same for reading only. ERR_LIMIT, ERR_NOMEM, ERR_NOFILES, ERR_IO. */
MUST_CHECK enum err mistakes_create(unsigned gates, int *out_fd, int *out_read_fd);
/* Maps it, to write where gates do and to read otherwise; the descriptor stays the caller's.
 * ERR_INVALID for one that mistakes_create did not make, ERR_NOMEM, ERR_DENIED. */
MUST_CHECK enum err mistakes_open(int fd, bool writes, struct mistakes **out_mistakes);
void mistakes_free(struct mistakes **mistakes);

unsigned mistakes_gates(const struct mistakes *mistakes);
/* For a gate that starts: its column is empty. */
void mistakes_wipe(struct mistakes *mistakes, unsigned gate);

/* What is known of the one who made it. */
struct mistake_maker {
    struct slice client;
    struct slice user;
    struct slice name;
    struct slice reply;
};

/* Counts one. now_s: wall clock. Costs a hash and a few comparisons. */
void mistakes_note(struct mistakes *mistakes, unsigned gate, const struct mistake_maker *maker,
    enum mistake kind, int64_t now_s);

/* A copy of a row (0 to MISTAKES_ROWS - 1); its lengths are within bounds whatever the memory
 * holds. False where nobody is, or where the gate is writing just now. */
MUST_CHECK bool mistakes_read(
    const struct mistakes *mistakes, unsigned gate, unsigned row, struct mistakes_row *out_row);

#endif
