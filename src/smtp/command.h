/* smtp/command.h: from a command line to a verb and its typed argument. Pure; slices point into the
 * line. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

struct line;

/* Those after VERB_BURL are known and not offered (CMD-19, EXT-NEG-1): 502. */
enum verb {
    VERB_UNKNOWN, /* 500 (CMD-19) */
    VERB_FOREIGN, /* another protocol: an HTTP method, or a first word that ends in a colon
                     (LSN-15): the session ends */
    VERB_EHLO,
    VERB_HELO,
    VERB_STARTTLS,
    VERB_AUTH,
    VERB_MAIL,
    VERB_RCPT,
    VERB_DATA,
    VERB_BDAT,
    VERB_RSET,
    VERB_NOOP,
    VERB_VRFY,
    VERB_EXPN,
    VERB_HELP,
    VERB_QUIT,
    VERB_BURL, /* 502 unless it is switched on */
    VERB_ETRN,
    VERB_ATRN,
    VERB_TURN,
    VERB_SEND,
    VERB_SOML,
    VERB_SAML,
    VERB_COUNT
};

/* Longest lines without CRLF (CMD-22, AUTH-13, D-30). An input buffer that holds COMMAND_BUFFER_MIN
 * holds any of them. */
enum {
    COMMAND_LINE_MAX = 1024,
    COMMAND_LINE_MAX_ENVELOPE = 4096,
    COMMAND_LINE_MAX_AUTH = 12288,
    COMMAND_BUFFER_MIN = COMMAND_LINE_MAX_AUTH + 2
};

/* The limit for the command line that begins with these octets: COMMAND_LINE_MAX_ENVELOPE for MAIL,
 * RCPT and BURL, COMMAND_LINE_MAX_AUTH for AUTH, COMMAND_LINE_MAX for everything else and as long
 * as the verb is not complete. */
size_t command_line_max(struct slice start);

struct command {
    enum verb verb;
    struct slice name;     /* the first word as sent: octets from outside, escape before showing */
    struct slice argument; /* what follows, without white space at both ends (CMD-21) */
};

/* text: a line without CRLF. Verbs in any case (CMD-20). Never fails: what is not known is
 * VERB_UNKNOWN. */
struct command command_parse(struct slice text);

/* "EHLO" and so on; "?" for VERB_UNKNOWN and VERB_FOREIGN. */
const char *verb_name(enum verb verb);

/* False when the line holds an octet that this verb may not carry: NUL, a control, and above 127
 * for all but MAIL, RCPT, VRFY and EXPN, whose own parsers judge UTF-8 (CMD-23). Reply:
 * REPLY_BAD_OCTET. */
MUST_CHECK bool command_is_clean(const struct line *line, enum verb verb);

/* The argument of EHLO or HELO: one token of printable ASCII, 1 to 255 octets; one that begins with
 * a bracket must be an address literal (CMD-6, GRM-10). Reply when false: REPLY_BAD_ARGUMENT. */
MUST_CHECK bool helo_is_valid(struct slice argument);

enum bdat_fault {
    BDAT_OK,
    BDAT_SYNTAX, /* no size at all: no chunk follows. 501, the session goes on */
    BDAT_OPTION, /* a good size and something else than LAST after it: take size octets from the
                    stream, then 501 */
    BDAT_LOST, /* a size that cannot be read or counted: 501, then 421 and close: the stream is not
                  recoverable */
};

struct bdat {
    uint64_t size; /* at most INT64_MAX, so sums of two never overflow */
    bool last;
};

/* The argument of BDAT (RFC 3030 section 2, EXT-CHUNKING-6). *out_bdat is set for BDAT_OK and
 * BDAT_OPTION. */
MUST_CHECK enum bdat_fault bdat_parse(struct slice argument, struct bdat *out_bdat);

struct auth_command {
    struct slice mechanism; /* 1 to 20 of letters, digits, '-', '_', as sent */
    bool has_initial;       /* an initial response was given; "=" is one that is empty (AUTH-9) */
    struct slice initial;   /* still base64; empty for "=" */
};

/* The argument of AUTH (RFC 4954 section 4). Reply when false: REPLY_BAD_ARGUMENT. */
MUST_CHECK bool auth_parse(struct slice argument, struct auth_command *out_auth);

/* The argument of VRFY or EXPN: the string, and whether the word SMTPUTF8 followed it (RFC 6531
 * section 3.7.4.2). False when there is no string or it is not UTF-8. */
MUST_CHECK bool vrfy_parse(struct slice argument, struct slice *out_string, bool *out_smtputf8);

#endif
