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

/* Versions: a later one adds fields at the end of the envelope's or the recipient's table (RET,
 * ENVID, NOTIFY, ORCPT, BY, HOLD, REQUIRETLS, MT-PRIORITY, signing tickets) under the next number.
 * An older version stays readable for ever and leaves the newer fields zero. */
enum { ENVELOPE_VERSION = 1 };

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
    ENVELOPE_RECIPIENTS_MAX = 4096,
    ENVELOPE_MAX = 3 << 20, /* all of it, packed */
};

/* Flags of a sender or recipient. */
enum { MAILBOX_UTF8 = 1 }; /* the address has octets above 127 */

enum envelope_body { ENVELOPE_7BIT, ENVELOPE_8BITMIME };

/* What kind of message this is, and as which the queue id was derived (queue_id_derive's kind). */
enum envelope_notice { NOTICE_NONE, NOTICE_FAILURE, NOTICE_DELAY };

struct envelope_recipient {
    struct slice address; /* canonical mailbox text */
    uint32_t flags;
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
};

extern const struct shape spool_id_shape; /* struct queue_id as two U64 */

/* Appends version and envelope. ERR_LIMIT when a bound is broken or there is no recipient,
 * ERR_NOMEM; then what was appended is taken back. */
MUST_CHECK enum err envelope_pack(struct buffer *out, const struct envelope *envelope);

/* The reverse. Text points into bytes, the recipients lie in the arena. ERR_CORRUPT, ERR_NOMEM, or
 * ERR_INVALID for a version newer than ours: the record is then kept aside for a newer program. */
MUST_CHECK enum err envelope_unpack(
    struct slice bytes, struct arena *arena, struct envelope *out_envelope);

#endif
