/* smtp/address.h: paths, mailboxes and domains of the envelope. The grammar of RFC 5321
 * section 4.1.2 with RFC 6531, read strictly; what was parsed is kept in one canonical form (GRM-1
 * to GRM-10, GRM-17 to GRM-19). Pure. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* Octets (GRM-8). The path counts its brackets and its source route; the local-part is counted in
 * its least quoted form. */
enum {
    ADDRESS_LOCAL_MAX = 64,
    ADDRESS_DOMAIN_MAX = 255,
    ADDRESS_PATH_MAX = 256,
    ADDRESS_LABEL_MAX = 63
};

enum address_kind {
    ADDRESS_NULL,         /* <>, only in MAIL and in AUTH= */
    ADDRESS_BARE,         /* a local-part without a domain: not fully qualified, but see
                             address_is_postmaster */
    ADDRESS_SINGLE_LABEL, /* bob@sales: not fully qualified (SUB-4.2-1, GRM-17) */
    ADDRESS_QUALIFIED,    /* two labels or more */
    ADDRESS_LITERAL,      /* bob@[192.0.2.1] (SUB-4.2-7) */
};

/* Slices point into the text that was parsed or into the arena of the parse; address_copy makes one
 * that lasts. */
struct address {
    enum address_kind kind;
    struct slice local;   /* without quotes and backslashes; octets 32-126 and UTF-8 */
    struct slice domain;  /* without the trailing dot (GRM-7); a literal with its brackets; a name
                             with U-labels in lower  case and NFC, any other as sent; empty for
                             ADDRESS_NULL and ADDRESS_BARE */
    bool non_ascii;       /* local-part or domain holds UTF-8: needs SMTPUTF8 (EXT-SMTPUTF8-4) */
    bool local_non_ascii; /* the local-part does: cannot be downgraded (EXT-SMTPUTF8-9) */
};

/* What was wrong. address_fault_text has a phrase for each. */
enum address_fault {
    ADDRESS_OK,
    ADDRESS_NOMEM,      /* the arena is at its cap: 451, not the client's fault */
    ADDRESS_KEYWORD,    /* FROM: or TO: is missing */
    ADDRESS_NO_BRACKET, /* the path does not begin with < */
    ADDRESS_UNCLOSED,   /* the path does not end with > */
    ADDRESS_TRAILING,   /* something other than a space follows the > */
    ADDRESS_EMPTY,      /* <> where an address is needed */
    ADDRESS_PATH_LONG,
    ADDRESS_ROUTE,       /* malformed source route */
    ADDRESS_LOCAL_EMPTY, /* nothing before the @, or an empty quoted string (GRM-4) */
    ADDRESS_LOCAL_DOT,   /* a dot first, last or doubled */
    ADDRESS_LOCAL_OCTET, /* an octet that needs quoting, or may not occur at all */
    ADDRESS_LOCAL_QUOTE, /* quoted string not closed, or not followed by @ */
    ADDRESS_LOCAL_LONG,
    ADDRESS_UTF8,      /* not valid UTF-8 */
    ADDRESS_NO_DOMAIN, /* mailbox_parse only: no @ */
    ADDRESS_DOMAIN_EMPTY,
    ADDRESS_DOMAIN_OCTET, /* an octet that no host name has */
    ADDRESS_DOMAIN_LABEL, /* empty label, or a hyphen at a label's end */
    ADDRESS_DOMAIN_LONG,  /* a label above 63 octets or a domain above 255, also in its A-label form
                           */
    ADDRESS_DOMAIN_IDN,   /* a label that IDNA2008 does not allow */
    ADDRESS_LITERAL_SYNTAX, /* [..] that is no IPv4 and no IPv6 literal (GRM-10) */
    ADDRESS_FAULT_COUNT
};

/* A short English phrase without full stop, fit for a reply. Never NULL. */
const char *address_fault_text(enum address_fault fault);

struct path {
    struct address address;
    bool is_spaced; /* white space between the colon and the path (GRM-2): log it, or refuse with
                       strict_envelope */
    bool is_routed; /* a source route was there and is ignored (GRM-9) */
};

/* The argument of MAIL ("FROM:<alice@example.net> SIZE=1") or RCPT ("TO:<bob@example.org>").
 * out_rest is what follows the path, without leading white space: the parameters. <> is
 * ADDRESS_EMPTY for RCPT. A bare local-part, a single label and a literal are no syntax faults:
 * look at kind. Whether UTF-8 is allowed is not known yet: look at non_ascii. On a fault *out_at is
 * the offset in argument of the octet where it was found, and nothing else is set. */
MUST_CHECK enum address_fault path_parse_from(struct arena *arena, struct slice argument,
    struct path *out_path, struct slice *out_rest, size_t *out_at);
MUST_CHECK enum address_fault path_parse_to(struct arena *arena, struct slice argument,
    struct path *out_path, struct slice *out_rest, size_t *out_at);

/* A whole mailbox without brackets: local-part "@" domain. Same faults, same positions. */
MUST_CHECK enum address_fault mailbox_parse(
    struct arena *arena, struct slice text, struct address *out_address, size_t *out_at);

/* local@domain with the least quoting (GRM-5); nothing for ADDRESS_NULL. Canonical: two equal
 * addresses give the same octets, but for the case of the domain and for U-labels against A-labels.
 */
void address_write(struct buffer *out, const struct address *address);
/* The same in angle brackets; <> for ADDRESS_NULL. */
void path_write(struct buffer *out, const struct address *address);

/* A copy whose slices live in the arena. False without memory. */
MUST_CHECK bool address_copy(
    struct arena *arena, const struct address *address, struct address *out_copy);
/* The local-part is "postmaster" in any case. With kind ADDRESS_BARE it is the name of SUB-6.4-2.
 */
bool address_is_postmaster(const struct address *address);

/* A host name: labels of letters, digits and hyphens (GRM-6), or U-labels; no trailing dot, no
 * literal. On a fault *out_at is the offset of the octet. */
MUST_CHECK enum address_fault domain_check(struct slice domain, size_t *out_at);
/* Two labels or more. */
bool domain_is_qualified(struct slice domain);
/* ASCII case-insensitive; U-labels and A-labels of the same name are equal. */
bool domain_equals(struct slice a, struct slice b);
/* Appends the domain in A-labels, ASCII in lower case: the form for DNS, maps and peers without
 * SMTPUTF8 (EXT-SMTPUTF8-8). A literal is copied. False, and nothing appended, when it is not a
 * valid domain. */
MUST_CHECK bool domain_to_ascii(struct buffer *out, struct slice domain);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (GRM-10); *out_address is the address alone, without tag. */
MUST_CHECK bool literal_parse(struct slice text, struct slice *out_address);

/* Every octet is below 128. */
bool text_is_ascii(struct slice text);
/* May the octet stand in an atom (RFC 5322 section 3.2.3)? Octets above 127 may (RFC 6532 section
 * 3.2); whether they are UTF-8 is the caller's to check. */
bool atext_is(char c);
/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool text_is_utf8(struct slice text);

#endif
