/* message/dsn.h: writes a notice about the fate of a message to its sender: multipart/report with a
 * part for people, a part for programs and the original header (RFC 6522, 3464, 3461, 6533). Pure:
 * who is told, and when, is decided elsewhere. */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

/* RFC 3464 section 2.3.3 (DSN-8). */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED, DSN_EXPANDED, DSN_ACTIONS };

/* Text in here may be hostile; times are seconds since 1970 UTC, 0 when there is none. */
struct dsn_recipient {
    struct slice final;    /* the envelope's address, ASCII or UTF-8 */
    struct slice original; /* ORCPT with the xtext undone, "rfc822;bob@example.org"; empty: none */
    enum dsn_action action;
    struct slice status;     /* "5.1.1", see dsn_status_text */
    struct slice remote_mta; /* name of the host that answered; empty when none did */
    struct slice diagnostic; /* its reply as received, lines parted by CRLF or LF; empty: none */
    int64_t last_attempt;
    int64_t retry_until; /* shown for DSN_DELAYED only */
    struct slice reason; /* a sentence of ours for people; empty: one is chosen by status */
};

struct dsn_notice {
    struct slice host;           /* our host name: Reporting-MTA */
    struct slice postmaster;     /* address without angle brackets: From */
    struct slice to;             /* the original's envelope sender, as above; never empty (DSN-2) */
    struct slice notice_id;      /* queue id of the notice itself, for its Message-ID */
    struct slice original_id;    /* queue id of the message reported about */
    struct slice envelope_id;    /* ENVID with the xtext undone; empty when none was given */
    int64_t arrival;             /* when the original was accepted */
    int64_t deliver_by;          /* the time of BY (EXT-DELIVERBY-9) */
    struct slice future_release; /* "for;600" or "until;2026-03-03T10:00:00Z" (EXT-FUTURE-5); empty:
                                    it was not asked for */
    int64_t now;
    uint64_t random; /* fresh, for Message-ID and boundary */
    const struct dsn_recipient *recipients;
    size_t recipient_count; /* at least 1 */
    struct slice header; /* the original's header block, with or without the empty line; empty: the
                            part is left out */
    struct slice body;   /* and its body */
    bool is_whole;       /* both come back, the header with its empty line; else the header alone */
};

enum {
    DSN_DIAGNOSTIC_MAX = 2048, /* octets of a reply that are quoted for programs */
    DSN_QUOTE_MAX = 512,       /* and for people */
    DSN_STATUS_TEXT = 9,       /* "5.123.456" */
};

/* Appends the header block of the notice, its empty line included, and the body. It is to go out
 * with a null reverse-path (DSN-1).
 *
 * The notice is pure 7-bit ASCII, so that it can go any way back: part 1 is quoted-printable where
 * it must be; part 2 is message/delivery-status with non-ASCII addresses as `utf-8; \x{..}`
 * (DSN-13); part 3 is text/rfc822-headers, or message/global-headers when the original header is
 * UTF-8, quoted-printable where it is not plain 7-bit lines (DSN-12). Only a sender whose own
 * address is not ASCII can be reached by SMTPUTF8 alone: then *out_utf8 becomes true, addresses
 * are written as they are, part 2 is message/global-delivery-status, and parts 2 and 3 are 8bit
 * where they need it. And a message that comes back whole (RET=FULL) is
 * message/rfc822, or message/global when its header is UTF-8, which may not be encoded: where it is
 * 8-bit the notice is too; where its lines are too long its header alone comes back.
 *
 * No line is above 998 octets; ours are within 78 where words allow. Controls and malformed UTF-8
 * become "?". Returns a buffer's sticky error (dsn_size_max is never above), or ERR_OK; *out_utf8
 * is untouched on failure. */
MUST_CHECK enum err dsn_put(struct buffer *out_header, struct buffer *out_body,
    const struct dsn_notice *notice, bool *out_utf8);

/* A cap for each of the two buffers that is enough for any content. */
size_t dsn_size_max(const struct dsn_notice *notice);

/* The Status field (DSN-9): the text as given when it has the form and a class that fits the
 * action: 2 for success, 4 for a delay, 5 or 4 for a failure (mail that expired keeps its 4.x.x);
 * otherwise that class with .0.0. */
void dsn_status_text(
    enum dsn_action action, struct slice status, char out_text[DSN_STATUS_TEXT + 1]);

#endif
