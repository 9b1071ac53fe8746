/* policy/content.c: content against the extensions of a hop. */
#include "policy/content.h"

#include <stddef.h>

enum content_verdict content_judge(const struct content_needs *needs, const struct content_hop *hop,
    struct content_parameters *out_parameters)
{
    bool utf8_address = needs->sender_8bit || needs->recipient_8bit;

    if (utf8_address && !hop->smtputf8)
        return CONTENT_NEEDS_UTF8_ADDRESS;
    if (needs->header_8bit && !hop->smtputf8)
        return CONTENT_NEEDS_UTF8_HEADER;
    if (needs->binary && !hop->binarymime)
        return CONTENT_NEEDS_BINARYMIME;
    if (needs->body_8bit && !needs->binary && !hop->eightbitmime)
        return CONTENT_NEEDS_8BITMIME;
    out_parameters->smtputf8 = utf8_address || needs->header_8bit;
    /* RFC 6531 section 3.1: SMTPUTF8 content is 8-bit content, so the parameter goes with it where
     * it is known. */
    out_parameters->body_binary = needs->binary;
    out_parameters->body_8bitmime =
        hop->eightbitmime && !needs->binary && (needs->body_8bit || needs->header_8bit);
    return CONTENT_FITS;
}

static const struct {
    const char *status;
    const char *reason;
} words[] = {
    [CONTENT_FITS] = { NULL, NULL },
    [CONTENT_NEEDS_8BITMIME] = { "5.6.3", "The message holds 8-bit text, which the next hop does "
                                          "not take (no 8BITMIME), and it is not converted" },
    [CONTENT_NEEDS_BINARYMIME] = { "5.6.3",
        "The message holds binary content, which the next hop "
        "does not take (no BINARYMIME), and it is not converted" },
    [CONTENT_NEEDS_UTF8_ADDRESS] = { "5.6.7",
        "An address holds non-ASCII characters, which the next hop does not take (no SMTPUTF8)" },
    [CONTENT_NEEDS_UTF8_HEADER] = { "5.6.9",
        "The header holds non-ASCII characters, which the next hop does not take (no SMTPUTF8)" },
};

const char *content_status(enum content_verdict verdict)
{
    return words[verdict].status;
}

const char *content_reason(enum content_verdict verdict)
{
    return words[verdict].reason;
}
