/* conf/syntax.h: the forms that a setting's text may have, each with the words that say it. Pure.
 */
#ifndef CONF_SYNTAX_H
#define CONF_SYNTAX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "conf/conf.h"

enum syntax {
    SYNTAX_HOSTNAME, /* at least two labels */
    SYNTAX_DOMAIN,   /* the same, as a section's title */
    SYNTAX_PATTERN,  /* of a route */
    SYNTAX_MAILBOX,
    SYNTAX_SENDER, /* users/login.h's sender patterns */
    SYNTAX_NETWORK,
    SYNTAX_FILE,   /* absolute path */
    SYNTAX_ANCHOR, /* absolute path, or empty */
    SYNTAX_SOCKET, /* absolute path that fits a unix socket's address */
    SYNTAX_LISTEN, /* IP address and port */
    SYNTAX_HOP,    /* host, host:port, unix:/path or /folder; which of them, check.c decides */
    SYNTAX_SERVER, /* host or host:port */
    SYNTAX_RESOLVER,
    SYNTAX_HTTPS, /* address of a document: see syntax_https */
    SYNTAX_ACCOUNT,
    SYNTAX_LOGIN,  /* users/login.h's login names */
    SYNTAX_SHA256, /* 64 hexadecimal digits, perhaps with colons */
    SYNTAX_WORD,   /* names that we print: listeners, selectors, logins' user names */
    SYNTAX_CLASS,  /* of solicitation: RFC 3865 section 2.1 */
    SYNTAX_TEXT,   /* anything printable */
    SYNTAX_COUNT
};

enum { TEXT_MAX = 1024, SOCKET_PATH_MAX = 107 };

bool syntax_fits(enum syntax syntax, struct slice text);
/* "a path that begins with /": goes on after "allowed is". */
const char *syntax_allowed(enum syntax syntax);
/* Appends the form in which a text that fits is kept: names of domains in lower case and A-labels,
 * everything else as it is. False when there is none. */
MUST_CHECK bool syntax_canonical(enum syntax syntax, struct slice text, struct buffer *out);

/* "host", "host:port", "[2001:db8::1]:25", "[2001:db8::1]". *out_port is preset where none is
 * written. A bare IPv6 address is refused: its last group could be a port. The host is a name of at
 * least one label or an IP address. */
MUST_CHECK bool syntax_endpoint(
    struct slice text, uint16_t preset, struct slice *out_host, uint16_t *out_port);
/* "https://host/path", "https://host:8443/path?query", printable ASCII without user and fragment.
 * Host and port (443 where none is written) as of syntax_endpoint. */
MUST_CHECK bool syntax_https(struct slice text, struct slice *out_host, uint16_t *out_port);
bool syntax_is_ip(struct slice host);
/* "192.0.2.0/24", "2001:db8::/32" or one address. False also where bits behind the prefix are set.
 * text is not copied. */
MUST_CHECK bool syntax_network(struct slice text, struct conf_network *out_network);

#endif
