/* smtp/extension.h: the SMTP extensions by name and bit, and the SASL mechanisms that AUTH lists.
 * Both directions. */
#ifndef SMTP_EXTENSION_H
#define SMTP_EXTENSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

enum extension {
    EXTENSION_PIPELINING,
    EXTENSION_SIZE,
    EXTENSION_8BITMIME,
    EXTENSION_ENHANCEDSTATUSCODES,
    EXTENSION_STARTTLS,
    EXTENSION_AUTH,
    EXTENSION_DSN,
    EXTENSION_CHUNKING,
    EXTENSION_BINARYMIME,
    EXTENSION_SMTPUTF8,
    EXTENSION_REQUIRETLS,
    EXTENSION_DELIVERBY,
    EXTENSION_LIMITS,
    EXTENSION_MT_PRIORITY,
    EXTENSION_MTRK,
    EXTENSION_RRVS,
    EXTENSION_FUTURERELEASE,
    EXTENSION_NO_SOLICITING,
    EXTENSION_CONPERM,
    EXTENSION_CONNEG,
    EXTENSION_CHECKPOINT,
    EXTENSION_BURL,
    EXTENSION_HELP,
    EXTENSION_COUNT
};

/* A set of extensions: one bit each. */
#define EXTENSION_BIT(extension) (UINT32_C(1) << (extension))

/* The EHLO keyword. */
const char *extension_keyword(enum extension extension);
/* Any case. False when it is none of ours. */
MUST_CHECK bool extension_find(struct slice keyword, enum extension *out_extension);

/* In the order in which we list and prefer them. */
enum mechanism {
    MECHANISM_SCRAM_SHA_256_PLUS,
    MECHANISM_SCRAM_SHA_256,
    MECHANISM_SCRAM_SHA_1_PLUS,
    MECHANISM_SCRAM_SHA_1,
    MECHANISM_PLAIN,
    MECHANISM_LOGIN,
    MECHANISM_CRAM_MD5,
    MECHANISM_EXTERNAL,
    MECHANISM_OAUTHBEARER,
    MECHANISM_XOAUTH2,
    MECHANISM_COUNT
};

#define MECHANISM_BIT(mechanism) (UINT32_C(1) << (mechanism))

/* Any case. False when it is none of these. */
MUST_CHECK bool mechanism_find(struct slice name, enum mechanism *out_mechanism);
/* Appends the names of a set, separated by spaces, in the order of the enum. */
void mechanism_list(struct buffer *out, uint32_t set);

#endif
