/* policy/rights.h: may this submitter say this MAIL, this RCPT, send that much? One decision for
 * the gate, for the vault where a list is long, and for submitctl explain (SUB-3.3-4, SUB-6.1-1,
 * SUB-6.1-2, SUB-6.2-1, SUB-6.4-1, SUB-6.4-2, SUB-4.2-1, SUB-4.2-7, EXT-SIZE-2, CMD-27). Pure.
 */
#ifndef POLICY_RIGHTS_H
#define POLICY_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "smtp/address.h"
#include "smtp/reply.h"
#include "users/grant.h"

enum rights_verdict {
    RIGHTS_ALLOWED,
    RIGHTS_REFUSED,
    RIGHTS_ASK, /* what the grant lists does not allow it, but the list was cut: the vault decides
                 */
};

/* What decided. rights_rule_text says it in words. */
enum rights_rule {
    RULE_NULL_SENDER,           /* allowed: <> is always a sender (SUB-3.2-4) */
    RULE_OWN_ADDRESS,           /* allowed: the login's own address, with or without a tag */
    RULE_SENDER_LISTED,         /* allowed: a pattern of the grant */
    RULE_SENDER_UNLISTED,       /* 550 5.7.1 */
    RULE_ACCOUNT,               /* 550 5.7.1: may not submit */
    RULE_SENDER_UNQUALIFIED,    /* 554 5.1.8 */
    RULE_SENDER_LITERAL,        /* 554 5.1.8 */
    RULE_SIZE,                  /* 552 5.3.4: above the configuration's limit */
    RULE_OWN_SIZE,              /* 552 5.3.4: above the grant's */
    RULE_POSTMASTER,            /* allowed: no list and no number keeps the postmaster out, but for
                                   strangers */
    RULE_ANY_RECIPIENT,         /* allowed: nothing restricts recipients */
    RULE_RECIPIENT_LISTED,      /* allowed: a pattern of the grant */
    RULE_RECIPIENT_UNLISTED,    /* 550 5.7.1 */
    RULE_RECIPIENT_UNQUALIFIED, /* 554 5.1.2 */
    RULE_RECIPIENT_LITERAL,     /* 554 5.1.2 */
    RULE_RECIPIENT_COUNT,       /* 550 5.5.3: more than the grant allows */
    RULE_STRANGER,              /* 530 5.7.0: without a login only to the postmaster */
    RULE_SIZE_FITS,             /* allowed: no limit is reached */
    RULE_COUNT
};

enum rights_step {
    RIGHTS_MAIL,    /* address, text and size: of MAIL */
    RIGHTS_RCPT,    /* address, text and recipients: of RCPT */
    RIGHTS_CONTENT, /* size: octets of content so far */
};

struct rights_case {
    enum rights_step step;
    const struct conf *conf;
    const struct grant *grant;
    const struct grant *narrower; /* NULL: none. A second grant that takes rights away (that of a
                                     secret with a scope of its own): allowed is what both allow */
    const struct address *address;
    struct slice text; /* the address as address_write has it; empty for <> */
    uint64_t size;     /* SIZE=, 0: not said */
    size_t recipients; /* accepted before this one */
};

struct rights_answer {
    enum rights_verdict verdict;
    enum reply_id reply;   /* RIGHTS_REFUSED: what the client hears */
    enum rights_rule rule; /* not for RIGHTS_ASK */
    bool by_narrower;      /* the second grant refuses, or has to be asked about */
    size_t pattern;        /* RULE_SENDER_LISTED, RULE_RECIPIENT_LISTED: its place in the grant */
};

/* The decision. What only DNS, the disk or the number of all recipients (CMD-27's 452) can say is
 * not asked here. */
struct rights_answer rights_decide(const struct rights_case *asked);
/* The most octets that a message may have; 0: no limit. narrower may be NULL. */
uint64_t rights_size(
    const struct conf *conf, const struct grant *grant, const struct grant *narrower);
/* A sentence without a full stop. */
const char *rights_rule_text(enum rights_rule rule);
/* "own-address": for programs. */
const char *rights_rule_name(enum rights_rule rule);

/* Does a pattern (users/login.h: "user@domain", "*@domain", "*") cover the address? The
 * address is local@domain without brackets. ASCII case is ignored on both sides of the @, and a
 * local part means the same quoted or not. "*@domain" says nothing of subdomains. An address
 * without @ or local part matches nothing, not even "*". */
bool rights_pattern_matches(struct slice pattern, struct slice address);

/* The lists of one grant alone: may its owner send as, or to, this address? An empty reverse-path
 * is the null sender. The grant's own address (grant->user) is allowed also with a tag,
 * user+anything@domain. */
enum rights_verdict rights_sender(const struct grant *grant, struct slice reverse_path);
enum rights_verdict rights_recipient(const struct grant *grant, struct slice recipient);

/* The default grant of a trusted network's client, from the configuration's trusted_senders; user
 * is empty. Its slices are the configuration's, its list the arena's. False without memory;
 * *out_grant untouched. */
MUST_CHECK bool rights_trusted(
    const struct conf *conf, struct arena *arena, struct grant *out_grant);
/* The grant of a client that did not log in, where postmaster_unauth allows it a small message to
 * the postmaster (SUB-6.4-1). */
struct grant rights_stranger(void);

#endif
