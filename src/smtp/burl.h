/* smtp/burl.h: the argument of BURL (RFC 4468): an IMAP URL (RFC 5092) with or without URLAUTH (RFC
 * 4467). Pure; slices point into the argument. What was accepted holds only characters of a URL, so
 * it can stand inside quotes in a command to an IMAP server as it is. */
#ifndef SMTP_BURL_H
#define SMTP_BURL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { BURL_HOST_MAX = 255, BURL_USER_MAX = 512, BURL_SECTION_MAX = 255, BURL_IMAP_PORT = 143 };

/* On whose behalf a URL with URLAUTH may be fetched. */
enum burl_access {
    BURL_ACCESS_NONE,      /* no URLAUTH: a plain IMAP URL */
    BURL_ACCESS_SUBMIT,    /* submit+user: by a submission server for that user */
    BURL_ACCESS_USER,      /* user+user */
    BURL_ACCESS_AUTHUSER,  /* any user */
    BURL_ACCESS_ANONYMOUS, /* anybody */
};

/* enc-… : may hold %XX, see burl_equals. */
struct imap_url {
    struct slice user;     /* enc-user; empty: none */
    struct slice host;     /* as given, an IPv6 literal with its brackets */
    uint16_t port;         /* BURL_IMAP_PORT where none is given */
    struct slice mailbox;  /* enc-mailbox, at least one octet */
    uint64_t uid_validity; /* 0: none */
    uint64_t uid;          /* from 1 */
    struct slice section;  /* enc-section; empty: the whole message */
    bool is_partial;       /* there is a PARTIAL */
    enum burl_access access;
    struct slice access_user; /* enc-user of SUBMIT and USER */
};

struct burl {
    struct slice url; /* all of it, as it goes to the IMAP server */
    struct imap_url imap;
    bool last; /* the message ends with this URL's content */
};

enum burl_fault {
    BURL_OK,
    BURL_SYNTAX,  /* no absolute URI, or something else than LAST behind it: 501 */
    BURL_FOREIGN, /* a URI of another scheme, *out_burl has url and last */
    BURL_UNFIT,   /* an IMAP URL that is malformed or names no message, likewise */
};

/* The argument of BURL (RFC 4468 section 3.5, EXT-BURL-2); its length is the command line's
 * (CMD-22). */
MUST_CHECK enum burl_fault burl_parse(struct slice argument, struct burl *out_burl);

/* Does the URL name this server? host: a name or an address without brackets. */
bool burl_is_at(const struct imap_url *url, struct slice host, uint16_t port);
/* Is what the encoded text stands for these octets? */
bool burl_equals(struct slice encoded, struct slice plain);

#endif
