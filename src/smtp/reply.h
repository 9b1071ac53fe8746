/* smtp/reply.h: every reply the gate gives, in one table: basic code, enhanced code, text
 * (requirements section 17). */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdarg.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/status.h"

/* Longest reply line with CRLF (CMD-24). */
enum { REPLY_LINE_MAX = 512 };

/* The comment gives code, enhanced code and where it is due. The texts are in reply.c. */
enum reply_id {
    REPLY_GREETING,         /* 220: LSN-1; reply_greeting writes it */
    REPLY_STARTTLS_READY,   /* 220 2.0.0: TLS-1 */
    REPLY_HELP,             /* 214 2.0.0: CMD-18 */
    REPLY_BYE,              /* 221 2.0.0: QUIT; the text begins with the host name (CMD-13) */
    REPLY_AUTH_OK,          /* 235 2.7.0: AUTH-4 */
    REPLY_HELO,             /* 250: CMD-4; reply_helo writes it */
    REPLY_OK,               /* 250 2.0.0: NOOP, RSET */
    REPLY_CHUNK_OK,         /* 250 2.0.0: BDAT not LAST; "86 octets received" (EXT-CHUNKING-2) */
    REPLY_QUEUED,           /* 250 2.0.0: EOD; "Ok: queued as ID" (CMD-31) */
    REPLY_SENDER_OK,        /* 250 2.1.0: MAIL */
    REPLY_RECIPIENT_OK,     /* 250 2.1.5: RCPT */
    REPLY_PRIORITY_CHANGED, /* 250 2.3.6: MAIL; the text begins with the new value (EXT-MTPRI-2) */
    REPLY_URL_OK,           /* 250 2.5.0: BURL not LAST (EXT-BURL-2) */
    REPLY_VRFY_LIMITED,     /* 252 2.5.0: VRFY, EXPN (CMD-15, CMD-17, D-18) */
    REPLY_VRFY_UTF8,        /* 252 2.6.8: EXT-SMTPUTF8-5 */
    REPLY_CHALLENGE,        /* 334: AUTH-8; reply_challenge writes it */
    REPLY_DATA_READY,       /* 354: DATA-1 */
    REPLY_RESUMED,          /* 355: MAIL; the text begins with the offset (EXT-CKPT-2) */

    REPLY_SHUTDOWN,             /* 421 4.3.2: LSN-6 */
    REPLY_CONNECTIONS_TOTAL,    /* 421 4.3.2: LSN-8 */
    REPLY_IDLE,                 /* 421 4.4.2: LSN-7 */
    REPLY_CONNECTIONS_CLIENT,   /* 421 4.7.0: LSN-8 */
    REPLY_TOO_MANY_ERRORS,      /* 421 4.7.0: LSN-12, LSN-16 */
    REPLY_PREAUTH_LIMIT,        /* 421 4.7.0: LSN-14 */
    REPLY_AUTH_TOO_MANY,        /* 421 4.7.0: AUTH-17 */
    REPLY_STARTTLS_INJECTED,    /* 421 4.7.0: TLS-6 */
    REPLY_PROTOCOL_ERROR,       /* 421 4.7.0: LSN-15 */
    REPLY_BARE_LF,              /* 421 4.7.0: DATA-7 */
    REPLY_CHUNK_LOST,           /* 421 4.7.0: EXT-CHUNKING-6, after REPLY_CHUNK_SIZE */
    REPLY_TOO_MANY_MAILS,       /* 421 4.7.0: EXT-LIMITS-2 */
    REPLY_RATE_LIMITED,         /* 450 4.7.1: MAIL, RCPT (OPS-3, OPS-5) */
    REPLY_PRIORITY_LATER,       /* 450 4.7.15: EXT-MTPRI-3 */
    REPLY_INTERNAL,             /* 451 4.3.0: SUB-5.3-1 */
    REPLY_STORAGE,              /* 451 4.3.0: the disk failed; nothing was queued */
    REPLY_OTHER_TRANSACTION,    /* 451 4.3.0: not what was cut off under that TRANSID */
    REPLY_URL_UNREACHABLE,      /* 451 4.4.1: EXT-BURL-5 */
    REPLY_SENDER_DNS,           /* 451 4.4.3: OPS-7 */
    REPLY_NO_SPACE,             /* 452 4.3.1: DATA-16, EXT-SIZE-3 */
    REPLY_TOO_MANY_RECIPIENTS,  /* 452 4.5.3: CMD-27 */
    REPLY_STARTTLS_UNAVAILABLE, /* 454 4.7.0: TLS-2, TLS-3 */
    REPLY_AUTH_UNAVAILABLE,     /* 454 4.7.0: AUTH-15, AUTH-18 */

    REPLY_UNKNOWN,            /* 500 5.5.2: CMD-19 */
    REPLY_LINE_TOO_LONG,      /* 500 5.5.2: CMD-22 */
    REPLY_BAD_OCTET,          /* 500 5.5.2: CMD-23 */
    REPLY_AUTH_LINE_TOO_LONG, /* 500 5.5.6: AUTH-13 */
    REPLY_RECIPIENT_SYNTAX,   /* 501 5.1.3: SUB-5.1-1 */
    REPLY_SENDER_SYNTAX,      /* 501 5.1.7: SUB-5.1-1 */
    REPLY_BASE64,             /* 501 5.5.2: AUTH-11 */
    REPLY_BAD_PRIORITY,       /* 501 5.5.2: EXT-MTPRI-1 */
    REPLY_BAD_ARGUMENT,       /* 501 5.5.4: CMD-6 and all others */
    REPLY_NO_ARGUMENT,        /* 501 5.5.4: CMD-14, TLS-2: the command takes none */
    REPLY_BAD_PARAMETER,      /* 501 5.5.4: CMD-26 */
    REPLY_CHUNK_SIZE,         /* 501 5.5.4: EXT-CHUNKING-6 */
    REPLY_AUTH_CANCELLED,     /* 501 5.7.0: AUTH-10 */
    REPLY_AUTH_INITIAL,       /* 501 5.7.0: AUTH-12 */
    REPLY_NOT_OFFERED,        /* 502 5.5.1: CMD-19 */
    REPLY_URL_BEFORE_RCPT,    /* 503 5.5.0: EXT-BURL-2 */
    REPLY_ORDER,              /* 503 5.5.1: wrong order, when nothing below is more precise */
    REPLY_EHLO_FIRST,         /* 503 5.5.1: CMD-8, TLS-5 */
    REPLY_MAIL_FIRST,         /* 503 5.5.1: CMD-9 */
    REPLY_MAIL_NESTED,        /* 503 5.5.1: CMD-9 */
    REPLY_RCPT_FIRST,         /* 503 5.5.1: CMD-10 */
    REPLY_AUTH_TWICE,         /* 503 5.5.1: AUTH-6 */
    REPLY_AUTH_IN_MAIL,       /* 503 5.5.1: AUTH-7 */
    REPLY_STARTTLS_TWICE,     /* 503 5.5.1: TLS-4 */
    REPLY_STARTTLS_IN_MAIL,   /* 503 5.5.1 */
    REPLY_DATA_AFTER_BDAT,    /* 503 5.5.1: EXT-CHUNKING-4 */
    REPLY_DATA_BINARY,        /* 503 5.5.1: EXT-BINARYMIME-1 */
    REPLY_RSET_FIRST,         /* 503 5.5.1: EXT-CHUNKING-3: the transaction failed */
    REPLY_REFUSED_BEFORE, /* 503 5.5.1: LSN-3: after 554 in place of the greeting, all but QUIT */
    REPLY_AUTH_MECHANISM, /* 504 5.5.4: AUTH-5 */
    REPLY_PARAMETER_UNHONOURED,  /* 504 5.5.4: EXT-CONPERM-1, EXT-CONNEG-1, D-28 */
    REPLY_AUTH_DISABLED,         /* 525 5.7.13: AUTH-16 */
    REPLY_TLS_FIRST,             /* 530 5.7.0: TLS-7, AUTH-2 */
    REPLY_AUTH_FIRST,            /* 530 5.7.0: SUB-4.3-1, SUB-4.3-3 */
    REPLY_AUTH_WEAK,             /* 534 5.7.9: AUTH-16 */
    REPLY_AUTH_FAILED,           /* 535 5.7.8: AUTH-14 */
    REPLY_AUTH_NEEDS_TLS,        /* 538 5.7.11: AUTH-5, D-6 */
    REPLY_NO_SUCH_USER,          /* 550 5.1.1: CMD-34 */
    REPLY_SENDER_DOMAIN,         /* 550 5.1.8: OPS-7, SUB-3.2-3: does not exist */
    REPLY_RECIPIENT_COUNT,       /* 550 5.5.3: CMD-27, site policy */
    REPLY_EXPN_UTF8,             /* 550 5.6.8: EXT-SMTPUTF8-5 */
    REPLY_SENDER_UTF8,           /* 550 5.6.7: EXT-SMTPUTF8-4 */
    REPLY_CONTENT_POLICY,        /* 550 5.7.0: EOD */
    REPLY_SENDER_FORBIDDEN,      /* 550 5.7.1: SUB-6.1-1 */
    REPLY_RECIPIENT_FORBIDDEN,   /* 550 5.7.1: SUB-6.2-1 */
    REPLY_ACCOUNT_FORBIDDEN,     /* 550 5.7.1: SUB-3.3-4 */
    REPLY_AUTHOR_FORBIDDEN,      /* 550 5.7.1: MSG-8 */
    REPLY_SOLICITED,             /* 550 5.7.1: RCPT, EOD (EXT-NOSOL-3) */
    REPLY_PRIORITY_LOW,          /* 550 5.7.15: EXT-MTPRI-3 */
    REPLY_SENDER_NULL_MX,        /* 550 5.7.27: OUT-3 */
    REPLY_HELD_QUOTA,            /* 552 5.2.2: EXT-FUTURE-6 */
    REPLY_TOO_BIG,               /* 552 5.3.4: EXT-SIZE-2, EXT-CHUNKING-7, DATA-10 */
    REPLY_PRIORITY_SIZE,         /* 552 5.7.16: EXT-MTPRI-3 */
    REPLY_RECIPIENT_UTF8,        /* 553 5.6.7: EXT-SMTPUTF8-4 */
    REPLY_RECIPIENT_UNQUALIFIED, /* 554 5.1.2: SUB-4.2-1 */
    REPLY_RECIPIENT_LITERAL,     /* 554 5.1.2: SUB-4.2-7 */
    REPLY_RECIPIENT_DOMAIN,      /* 554 5.1.2: SUB-4.2-6: does not exist */
    REPLY_SENDER_UNQUALIFIED,    /* 554 5.1.8: SUB-4.2-1 */
    REPLY_SENDER_LITERAL,        /* 554 5.1.8: SUB-4.2-7 */
    REPLY_URL_TOO_BIG,           /* 554 5.3.4: EXT-BURL-5 */
    REPLY_LOOP,                  /* 554 5.4.6: DATA-12 */
    REPLY_IMPROPER,              /* 554 5.5.0: SUB-4.1-1, catch-all */
    REPLY_URL_NO_RECIPIENTS,     /* 554 5.5.0: EXT-BURL-2 */
    REPLY_NO_VALID_RECIPIENTS,   /* 554 5.5.1: CMD-10 */
    REPLY_MESSAGE_SYNTAX,        /* 554 5.6.0: MSG-1, MSG-3 */
    REPLY_SOLICITATION,          /* 554 5.6.0: EXT-NOSOL-2 */
    REPLY_NO_FROM,               /* 554 5.6.0: MSG-2 */
    REPLY_HEADER_LIMIT,          /* 554 5.6.0: DATA-14 */
    REPLY_BARE_NEWLINE,          /* 554 5.6.0: DATA-4, DATA-15 */
    REPLY_NUL,                   /* 554 5.6.0: DATA-8 */
    REPLY_LONG_LINE,             /* 554 5.6.0: DATA-9 */
    REPLY_URL_CONVERSION,        /* 554 5.6.3: EXT-BURL-4 */
    REPLY_URL_NOT_FETCHED,       /* 554 5.6.6: EXT-BURL-5 */
    REPLY_HEADER_UTF8,           /* 554 5.6.7: EXT-SMTPUTF8-12 */
    REPLY_TLS_WEAK,              /* 554 5.7.0: TLS-9 */
    REPLY_URL_OF_ANOTHER,        /* 554 5.7.0: EXT-BURL-3 */
    REPLY_REFUSED,               /* 554 5.7.1: in place of the greeting (LSN-3) */
    REPLY_URL_UNTRUSTED,         /* 554 5.7.14: EXT-BURL-5, D-29 */
    REPLY_PARAMETER_UNKNOWN,     /* 555 5.5.4: CMD-25 */
    REPLY_PARAMETER_BELOW,       /* 555 5.5.4: EXT-DELIVERBY-3, D-41 */
    REPLY_RECIPIENT_NULL_MX,     /* 556 5.1.10: OUT-3 */
    REPLY_COUNT
};

struct reply_info {
    unsigned code;
    struct status status; /* not set for the greeting, HELO, 334 and 354 (EXT-ESC-1) */
    const char *text;
};

/* The row of the table; for logs, counters and the error count of LSN-12. */
const struct reply_info *reply_info(enum reply_id id);

/* Appends the reply with its text. */
void reply_write(struct buffer *out, enum reply_id id);
/* The same with another text. A '\n' in it begins a new line. Whatever is not printable ASCII
 * leaves as \xHH (EXT-SMTPUTF8-5), long lines are split at a space where there is one, each line
 * carries the enhanced code (EXT-ESC-1, CMD-24). A text above 8192 octets is cut. */
PRINTF_LIKE(3, 4) void reply_printf(struct buffer *out, enum reply_id id, const char *format, ...);
PRINTF_LIKE(3, 0)
void reply_vprintf(struct buffer *out, enum reply_id id, const char *format, va_list args);

/* "220 HOST ESMTP" (LSN-1, LSN-2). */
void reply_greeting(struct buffer *out, struct slice hostname);
/* "250 HOST" (CMD-4). The EHLO reply is ehlo_write. */
void reply_helo(struct buffer *out, struct slice hostname);
/* "334 " and the challenge, already in base64, on one line of any length (AUTH-8). */
void reply_challenge(struct buffer *out, struct slice base64);

/* Appends text with every octet outside 32-126 as \xHH: for replies, notices and logs. */
void text_write_printable(struct buffer *out, struct slice text);

#endif
