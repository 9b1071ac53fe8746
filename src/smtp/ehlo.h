/* smtp/ehlo.h: the EHLO reply, both ways: what a next hop lists, and what we list. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/extension.h"

struct peer_reply;

/* What a next hop offers. All zero: nothing (HELO, or before EHLO). */
struct peer_extensions {
    uint32_t set;  /* EXTENSION_BIT of each keyword listed */
    uint64_t size; /* SIZE: largest message; 0: no limit stated. One above 64 bits is UINT64_MAX */
    uint32_t mechanisms; /* AUTH: MECHANISM_BIT of each known mechanism */
    uint32_t mail_max;   /* LIMITS (RFC 9422), 0: none stated */
    uint32_t rcpt_max;
    uint32_t rcpt_domain_max;
    uint32_t deliver_by_min; /* DELIVERBY: least time for mode R, seconds; 0: none stated */
};

static inline bool peer_has(const struct peer_extensions *peer, enum extension extension)
{
    return (peer->set & EXTENSION_BIT(extension)) != 0;
}

/* Reads a positive reply to EHLO. Sets the whole struct anew: the newest EHLO wins and what it does
 * not list is gone (EXT-LIMITS-3). Cannot fail: what is malformed is not offered. A malformed limit
 * is ignored alone, a LIMITS parameter with bad base syntax whole. */
void peer_extensions_read(const struct peer_reply *reply, struct peer_extensions *out_peer);

/* What we know when a client says EHLO. */
struct ehlo_state {
    struct slice hostname; /* ours */
    struct slice client;   /* the argument of EHLO, checked by helo_is_valid */
    bool is_tls;
    bool has_certificate;  /* STARTTLS can work (TLS-3) */
    uint32_t mechanisms;   /* that may be used now: empty in clear text unless configured (AUTH-2,
                              AUTH-25) */
    uint64_t message_size; /* 0: no fixed limit */
    uint32_t recipients;   /* RCPTMAX; 0: none */
    uint32_t mails;        /* MAILMAX, mails_per_session; 0: none */
    uint32_t switched_on;  /* of the extensions that can be switched: EXTENSION_BIT of each that is
                              on */
    uint32_t deliver_by_least; /* seconds; 0: not stated */
    uint32_t hold_most;        /* FUTURERELEASE, seconds */
    int64_t now;               /* wall time, seconds */
    struct slice classes;      /* NO-SOLICITING: parted by commas */
    bool has_login;            /* BURL can be used (EXT-BURL-1) */
};

/* The extensions that the reply lists in this state; what parameters may be used after it. */
uint32_t ehlo_offered(const struct ehlo_state *state);
/* Appends the reply to EHLO, in the order of requirements section 16.3. No enhanced code (CMD-2).
 */
void ehlo_write(struct buffer *out, const struct ehlo_state *state);

#endif
