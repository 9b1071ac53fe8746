/* users/grant.h: what a login may do, as plain data. The vault makes it from a user's record, it
 * travels to the gate with the successful login, and policy/ decides by it. */
#ifndef USERS_GRANT_H
#define USERS_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/slice.h"

struct user;

/* Longer lists stay in the vault and are asked about (RIGHTS). */
enum { GRANT_SENDERS_MAX = 32, GRANT_RECIPIENTS_MAX = 32 };

/* "local@domain", "*@domain" or "*", domain in lower case; for recipients too. */
struct sender {
    struct slice pattern;
};

struct grant {
    struct slice user; /* the login name, itself an address that the user may send as */
    bool may_submit;   /* false: the login is good, the submission is not allowed (SUB-3.3-4) */
    bool is_stranger;  /* nobody logged in: only the postmaster may be written to (SUB-6.4-1) */
    bool truncated; /* there are further patterns: what the listed ones do not allow, the vault must
                       be asked */
    struct sender *senders; /* without the user's own address */
    size_t sender_count;
    bool recipients_truncated; /* as truncated */
    struct sender *recipients; /* none: everybody (SUB-6.2-1) */
    size_t recipient_count;
    uint64_t max_recipients; /* of a message; 0: what the configuration says */
    uint64_t max_size;       /* octets of a message; 0: what the configuration says */
};

/* The grant of a user's record and of the groups it belongs to:
 *
 * - It may submit unless its own line or one of a group says submit=no.
 * - Its senders are all that those lines name, its own first, then by group.
 * - Its recipients likewise; a line that names none adds none, and where no line names any,
 *   everybody is allowed.
 * - A number in its own line counts; else the largest of its groups.
 *
 * most: how many patterns of each list it takes at most; what is cut is marked. Its texts are the
 * record's, its lists the arena's. False without memory; *out_grant untouched. */
MUST_CHECK bool grant_of(
    const struct user *user, size_t most, struct arena *arena, struct grant *out_grant);

/* Where a grant's pattern with that index stands: the place in user->groups, or group_count for the
 * user's own line. recipients: which of the two lists. */
size_t grant_origin(const struct user *user, bool recipients, size_t index);

#endif
