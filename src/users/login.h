/* users/login.h: the two names that the user file knows, login names and sender patterns: their
 * form and their preparation. Pure. */
#ifndef USERS_LOGIN_H
#define USERS_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

enum {
    LOGIN_MAX = 254,     /* octets of a login name, and of a sender pattern */
    GROUP_NAME_MAX = 64, /* octets of a group's name */
    SASL_TEXT_MAX = 255, /* octets of each PLAIN field as it came (SASL-1) */
};

/* A prepared login name, NUL-ended for the libraries that want it so. */
struct login {
    char text[LOGIN_MAX + 1];
    size_t len;
};

static inline struct slice login_slice(const struct login *login)
{
    return slice_of(login->text, login->len);
}

/* Is this a login name as the file holds it: LOCAL@DOMAIN, local part of at most 64 octets and
 * dot-atom form (RFC 5322 atext or UTF-8), domain of labels of at most 63 octets (letters, digits,
 * inner hyphens, UTF-8) with no capital ASCII letter, at most LOGIN_MAX octets in all? So it never
 * holds a blank, control, quote, comma or the separators of the file; nor does it begin with #, as
 * comments in it do. */
bool login_is_valid(struct slice text);
/* Prepares what an operator typed or a client sent: SASLprep (RFC 4013, AUTH-19), domain in lower
 * case, form checked. stored: unassigned code points are refused, as they must be in what is kept
 * (RFC 3454 section 7). False for what is no login name, NUL and more than SASL_TEXT_MAX octets
 * included; *out_login untouched. The local part keeps its case. */
MUST_CHECK bool login_prepare(struct slice raw, bool stored, struct login *out_login);

/* Is this a sender pattern as the file holds it: an address of that form (# first or not),
 * "*@DOMAIN" or "*" (SUB-6.1-2)? */
bool sender_is_valid(struct slice text);
/* As login_prepare, for a pattern. */
MUST_CHECK bool sender_prepare(struct slice raw, struct login *out_pattern);

/* Is this the name of a group, without its @: 1 to 64 letters, digits, dots, hyphens and
 * underscores, ASCII, and not "none", which says that there is no group? */
bool group_is_valid(struct slice name);

/* SASLprep alone, for names and passwords. The result is malloc'ed, NUL-ended and the caller's to
 * wipe and free; NULL when the text is empty, holds NUL, is no UTF-8, is prohibited, or prepares to
 * nothing. raw must hold at most SASL_TEXT_MAX octets. */
MUST_CHECK char *saslprep(struct slice raw, bool stored);

#endif
