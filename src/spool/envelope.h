/* spool/envelope.h: what a record says about its message: who sent it, to whom, how it came in, how
 * large it is. Packed by base/pack behind a version octet. */
#ifndef SPOOL_ENVELOPE_H
#define SPOOL_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/pack.h"
#include "base/queue_id.h"
#include "base/slice.h"

/* Versions: a later one adds fields at the end of the envelope's or the recipient's table (signing
 * tickets, …) under the next number. An older version stays readable for ever and leaves the newer
 * fields zero. Version 2 has the parameters of MAIL and RCPT. */
enum { ENVELOPE_VERSION = 2 };

/* Bounds in octets. Text above them does not pack. */
enum {
    ENVELOPE_ADDRESS_MAX = 512,
    ENVELOPE_USER_MAX = 512,
    ENVELOPE_MECHANISM_MAX = 64,
    ENVELOPE_LISTENER_MAX = 64,
    ENVELOPE_CLIENT_MAX = 64,
    ENVELOPE_EHLO_MAX = 512,
    ENVELOPE_TLS_MAX = 32,
    ENVELOPE_CIPHER_MAX = 64,
    ENVELOPE_ENVID_MAX = 100,
    ENVELOPE_CERTIFIER_MAX = 27,
    ENVELOPE_SOLICIT_MAX = 1000,
    ENVELOPE_ORCPT_MAX = 500,
    ENVELOPE_RECIPIENTS_MAX = 4096,
    ENVELOPE_MAX = 5 << 20, /* all of it, packed */
};

/* Flags of a sender or recipient. */
enum { MAILBOX_UTF8 = 1 }; /* the address has octets above 127 */

enum envelope_body { ENVELOPE_7BIT, ENVELOPE_8BITMIME, ENVELOPE_BINARYMIME };

/* What kind of message this is, and as which the queue id was derived (queue_id_derive's kind). */
enum envelope_notice { NOTICE_NONE, NOTICE_FAILURE, NOTICE_DELAY, NOTICE_SUCCESS };

/* What of the message comes back with a notice (RET, RFC 3461 section 4.3). */
enum envelope_return { ENVELOPE_RETURN_UNSTATED, ENVELOPE_RETURN_FULL, ENVELOPE_RETURN_HEADERS };

/* What becomes of it when its time is over (BY, RFC 2852 section 4). */
enum envelope_by { ENVELOPE_BY_UNSTATED, ENVELOPE_BY_NOTIFY, ENVELOPE_BY_RETURN };

/* How its release was asked for (RFC 4865 section 4.2). */
enum envelope_hold { ENVELOPE_HOLD_NONE, ENVELOPE_HOLD_FOR, ENVELOPE_HOLD_UNTIL };

/* What a next hop without RRVS means (RFC 7293 section 3.1). */
enum envelope_rrvs {
    ENVELOPE_RRVS_ABSENT,
    ENVELOPE_RRVS_UNSTATED,
    ENVELOPE_RRVS_CONTINUE,
    ENVELOPE_RRVS_REJECT
};

/* NOTIFY (RFC 3461 section 4.1) as a set; 0: it was absent. */
enum {
    ENVELOPE_NOTIFY_NEVER = 1,
    ENVELOPE_NOTIFY_SUCCESS = 2,
    ENVELOPE_NOTIFY_FAILURE = 4,
    ENVELOPE_NOTIFY_DELAY = 8,
    ENVELOPE_NOTIFY_ALL = 15,
};

/* MT-PRIORITY (RFC 6710) lies as its value and ten; 0: none. */
enum { ENVELOPE_PRIORITY_ZERO = 10, ENVELOPE_PRIORITY_MAX = 19 };

struct envelope_recipient {
    struct slice address; /* canonical mailbox text */
    uint32_t flags;
    /* From version 2 on. */
    uint8_t notify;
    struct slice orcpt; /* as given: type;xtext */
    enum envelope_rrvs rrvs;
    int64_t rrvs_since; /* wall time, seconds */
};

struct envelope {
    struct queue_id id;
    int64_t arrival_us;  /* wall clock */
    struct slice sender; /* canonical mailbox text; empty: null reverse-path */
    uint32_t sender_flags;

    struct slice user; /* login, empty without AUTH */
    struct slice mechanism;
    struct slice listener;
    struct slice client; /* address text */
    uint16_t client_port;
    struct slice ehlo;
    struct slice tls_version; /* empty: clear */
    struct slice tls_cipher;

    enum envelope_body body_kind; /* as declared at MAIL */
    bool smtputf8;                /* asked for at MAIL */
    bool eight_bit_header;        /* as found */
    bool eight_bit_body;
    uint32_t longest_line;  /* octets without CRLF */
    uint64_t header_size;   /* octets of the header block, with its empty line */
    uint64_t body_size;     /* octets of the body */
    uint64_t body_file;     /* number of the body file; 0: the body is in the record */
    uint64_t body_checksum; /* XXH3-64 over the body file's content, 0 without one */

    enum envelope_notice notice;
    struct queue_id about; /* what a notice reports on; zero for NOTICE_NONE */

    struct envelope_recipient *recipients;
    size_t recipient_count;

    /* From version 2 on. */
    enum envelope_return ret;
    struct slice envid; /* as given: xtext */
    bool require_tls;
    enum envelope_by by;
    bool by_trace;
    int64_t by_seconds; /* from the arrival on */
    uint8_t priority;
    struct slice mtrk_certifier; /* empty: not tracked */
    uint32_t mtrk_timeout;       /* seconds from the arrival on; 0: not stated */
    struct slice solicit;
    bool conperm;
    enum envelope_hold hold;
    int64_t hold_value; /* seconds from the arrival on, or wall time in seconds */
};

/* -9 to 9; 0 where none was stated. */
static inline int envelope_priority(uint8_t priority)
{
    return priority == 0 ? 0 : priority - ENVELOPE_PRIORITY_ZERO;
}

/* Seconds with which nobody calculates beyond what a number holds? */
bool envelope_is_date(int64_t seconds);

/* How long it is held, in microseconds from its arrival on; 0: not at all. */
int64_t envelope_hold_us(const struct envelope *envelope);

extern const struct shape spool_id_shape; /* struct queue_id as two U64 */
/* struct envelope_recipient as of version 2. */
extern const struct shape envelope_recipient_shape;

/* Appends version and envelope. ERR_LIMIT when a bound is broken or there is no recipient,
 * ERR_NOMEM; then what was appended is taken back. */
MUST_CHECK enum err envelope_pack(struct buffer *out, const struct envelope *envelope);

/* The reverse. Text points into bytes, the recipients lie in the arena. ERR_CORRUPT, ERR_NOMEM, or
 * ERR_INVALID for a version newer than ours: the record is then kept aside for a newer program. */
MUST_CHECK enum err envelope_unpack(
    struct slice bytes, struct arena *arena, struct envelope *out_envelope);

#endif
