/* message/received.h: the one Received field that this server adds (MSG-10, TLS-12, AUTH-23). */
#ifndef MESSAGE_RECEIVED_H
#define MESSAGE_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

/* The session as the trace shows it. Everything but by, protocol and queue_id may be hostile text
 * of any length. */
struct received_facts {
    struct slice ehlo;        /* name or literal as the client gave it */
    struct slice client;      /* the client's address as text: "192.0.2.9", "2001:db8::1" */
    struct slice client_name; /* its name in DNS when known and confirmed, else empty */
    struct slice by;          /* our host name */
    const char *protocol;     /* from received_protocol */
    struct slice queue_id;
    struct slice solicit; /* SOLICIT's keywords (EXT-NOSOL-4); empty: none */
    bool has_priority;
    int priority;            /* MT-PRIORITY as it was granted (EXT-MTPRI-4) */
    struct slice tls_cipher; /* "TLS_AES_256_GCM_SHA384"; empty: no TLS */
    struct slice tls_group;  /* "x25519"; empty: not said */
    int64_t wall;            /* seconds since 1970 UTC */
    bool hide_client;        /* "from [127.0.0.1]" and no name (MSG-12) */
};

/* The `with` keyword (AUTH-23; RFC 3848, RFC 6531 section 4.3): SMTP when greeted by HELO, else
 * ESMTP or UTF8SMTP with S for TLS and A for a login. Static text. */
const char *received_protocol(bool esmtp, bool tls, bool auth, bool smtputf8);

/* Appends the whole field with its last CRLF, folded to 78 columns where words allow, no line above
 * 998. What came from outside is cut and reduced to the characters of a name or address literal;
 * others become "?". Never a FOR clause (MSG-11), never a recipient (MSG-7). */
void received_put(struct buffer *out, const struct received_facts *facts);

#endif
