/* relay/wishes.h: what the sender asked for at MAIL and RCPT, as parameters for the next hop: each
 * only where its keyword is listed. What a hop must not get without it is judged here too. */
#ifndef RELAY_WISHES_H
#define RELAY_WISHES_H

#include "base/buffer.h"
#include "relay/verdict.h"
#include "smtp/ehlo.h"

struct job_recipient;
struct msg_job;

/* How the hop was reached, and what it lists. */
struct wishes_hop {
    const struct peer_extensions *peer;
    bool is_lmtp; /* the mail's way ends there */
    bool is_tls;
    bool utf8;   /* the transaction has SMTPUTF8 */
    int64_t now; /* wall time, seconds */
};

/* Appends the parameters of MAIL, each with a space before it (EXT-DSN-7, EXT-DELIVERBY-6,
 * EXT-MTPRI-4, EXT-MTRK-4). Nothing that was not asked for. */
void wishes_put_mail(struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop);
/* The same for RCPT (EXT-DSN-7, EXT-RRVS-3). */
void wishes_put_rcpt(
    struct buffer *out, const struct job_recipient *recipient, const struct wishes_hop *hop);

/* Can the hop be trusted with what was asked for (EXT-DELIVERBY-7, EXT-CONPERM-2, EXT-RRVS-2)? */
enum wishes_fit {
    WISHES_FIT,
    WISHES_NOT_HERE, /* another host of the destination may be */
    WISHES_NOWHERE,  /* and no other is looked for (RFC 2852 section 4.1.4.1) */
};

/* With the reason, unless it fits. */
MUST_CHECK enum wishes_fit wishes_judge(const struct msg_job *job,
    const struct job_recipient *recipient, const struct wishes_hop *hop, struct verdict *out_why);

/* What a 2yz of this hop means for who asked for a notice of success (EXT-DSN-8). */
enum delivery_end wishes_end(const struct wishes_hop *hop);

#endif
