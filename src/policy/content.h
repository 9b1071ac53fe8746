/* policy/content.h: which content may go to a hop with which extensions (EXT-8BITMIME-3,
 * EXT-BINARYMIME-2, EXT-SMTPUTF8-6, EXT-SMTPUTF8-7). Pure. There is no conversion yet: what a hop
 * cannot take fails with 5.6.3, 5.6.7 or 5.6.9. */
#ifndef POLICY_CONTENT_H
#define POLICY_CONTENT_H

#include <stdbool.h>

/* What is known of the message and of this transaction's addresses. Whether the client gave
 * SMTPUTF8 does not matter: it is sent on only where something needs it (EXT-SMTPUTF8-6). */
struct content_needs {
    bool body_8bit;      /* an octet above 127 in the body */
    bool header_8bit;    /* an octet above 127 in the header block */
    bool sender_8bit;    /* in the reverse-path */
    bool recipient_8bit; /* in this recipient */
    bool binary;         /* BODY=BINARYMIME: not lines of text */
};

/* What the hop offers. */
struct content_hop {
    bool eightbitmime;
    bool smtputf8;
    bool binarymime; /* and CHUNKING, and the route lets it be used */
};

enum content_verdict {
    CONTENT_FITS,
    CONTENT_NEEDS_8BITMIME,     /* 5.6.3 */
    CONTENT_NEEDS_BINARYMIME,   /* 5.6.3 */
    CONTENT_NEEDS_UTF8_ADDRESS, /* 5.6.7 */
    CONTENT_NEEDS_UTF8_HEADER,  /* 5.6.9 */
};

/* The parameters of MAIL that follow from a fit. */
struct content_parameters {
    bool body_8bitmime; /* BODY=8BITMIME */
    bool body_binary;   /* BODY=BINARYMIME, in its place; the content goes by BDAT */
    bool smtputf8;      /* SMTPUTF8 */
};

/* The address is judged before the header, the header before the body. *out_parameters is set only
 * for CONTENT_FITS. */
enum content_verdict content_judge(const struct content_needs *needs, const struct content_hop *hop,
    struct content_parameters *out_parameters);

/* The enhanced status code of a verdict and a sentence for the bounce; NULL for CONTENT_FITS. */
const char *content_status(enum content_verdict verdict);
const char *content_reason(enum content_verdict verdict);

#endif
