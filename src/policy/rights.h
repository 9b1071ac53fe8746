/* policy/rights.h: may this sender use this reverse-path? (SUB-6.1-1, SUB-6.1-2, SUB-3.3-2.) Pure.
 */
#ifndef POLICY_RIGHTS_H
#define POLICY_RIGHTS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "users/grant.h"

enum rights_verdict {
    RIGHTS_ALLOWED,
    RIGHTS_REFUSED, /* 550 5.7.1 */
    RIGHTS_ASK, /* what the grant lists does not allow it, but the list was cut: the vault decides
                 */
};

/* Does a sender pattern (users/login.h: "user@domain", "*@domain", "*") cover the address? The
 * address is local@domain without brackets. ASCII case is ignored on both sides of the @, and a
 * local part means the same quoted or not. "*@domain" says nothing of subdomains. An address
 * without @ or local part matches nothing, not even "*". */
bool rights_pattern_matches(struct slice pattern, struct slice address);

/* reverse_path: as the address above; empty is the null sender, always allowed (SUB-3.2-4). The
 * grant's own address (grant->user) is allowed also with a tag, user+anything@domain. Whether the
 * grant may submit at all is not asked here (SUB-3.3-4). */
enum rights_verdict rights_check(const struct grant *grant, struct slice reverse_path);

/* The default grant of a trusted network's client, from the configuration's trusted_senders; user
 * is empty. Its slices are the configuration's, its list the arena's. False without memory;
 * *out_grant untouched. */
MUST_CHECK bool rights_trusted(
    const struct conf *conf, struct arena *arena, struct grant *out_grant);

#endif
