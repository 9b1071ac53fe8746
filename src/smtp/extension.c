/* smtp/extension.c: names of extensions and mechanisms. */
#include "smtp/extension.h"

#include <stddef.h>

static const char *const keywords[EXTENSION_COUNT] = {
    [EXTENSION_PIPELINING] = "PIPELINING",
    [EXTENSION_SIZE] = "SIZE",
    [EXTENSION_8BITMIME] = "8BITMIME",
    [EXTENSION_ENHANCEDSTATUSCODES] = "ENHANCEDSTATUSCODES",
    [EXTENSION_STARTTLS] = "STARTTLS",
    [EXTENSION_AUTH] = "AUTH",
    [EXTENSION_DSN] = "DSN",
    [EXTENSION_CHUNKING] = "CHUNKING",
    [EXTENSION_BINARYMIME] = "BINARYMIME",
    [EXTENSION_SMTPUTF8] = "SMTPUTF8",
    [EXTENSION_REQUIRETLS] = "REQUIRETLS",
    [EXTENSION_DELIVERBY] = "DELIVERBY",
    [EXTENSION_LIMITS] = "LIMITS",
    [EXTENSION_MT_PRIORITY] = "MT-PRIORITY",
    [EXTENSION_MTRK] = "MTRK",
    [EXTENSION_RRVS] = "RRVS",
    [EXTENSION_FUTURERELEASE] = "FUTURERELEASE",
    [EXTENSION_NO_SOLICITING] = "NO-SOLICITING",
    [EXTENSION_CONPERM] = "CONPERM",
    [EXTENSION_CONNEG] = "CONNEG",
    [EXTENSION_CHECKPOINT] = "CHECKPOINT",
    [EXTENSION_BURL] = "BURL",
    [EXTENSION_HELP] = "HELP",
};

static const char *const mechanisms[MECHANISM_COUNT] = {
    [MECHANISM_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [MECHANISM_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
    [MECHANISM_SCRAM_SHA_1] = "SCRAM-SHA-1",
    [MECHANISM_PLAIN] = "PLAIN",
    [MECHANISM_LOGIN] = "LOGIN",
    [MECHANISM_CRAM_MD5] = "CRAM-MD5",
    [MECHANISM_EXTERNAL] = "EXTERNAL",
    [MECHANISM_OAUTHBEARER] = "OAUTHBEARER",
    [MECHANISM_XOAUTH2] = "XOAUTH2",
};

static bool name_find(const char *const *names, size_t count, struct slice name, size_t *out_at)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is_nocase(name, names[i])) {
            *out_at = i;
            return true;
        }
    return false;
}

const char *extension_keyword(enum extension extension)
{
    return (unsigned)extension < EXTENSION_COUNT ? keywords[extension] : "?";
}

bool extension_find(struct slice keyword, enum extension *out_extension)
{
    size_t at;

    if (!name_find(keywords, EXTENSION_COUNT, keyword, &at))
        return false;
    *out_extension = (enum extension)at;
    return true;
}

bool mechanism_find(struct slice name, enum mechanism *out_mechanism)
{
    size_t at;

    if (!name_find(mechanisms, MECHANISM_COUNT, name, &at))
        return false;
    *out_mechanism = (enum mechanism)at;
    return true;
}

void mechanism_list(struct buffer *out, uint32_t set)
{
    bool first = true;

    for (enum mechanism m = 0; m < MECHANISM_COUNT; m++)
        if (set & MECHANISM_BIT(m)) {
            buffer_put_text(out, first ? "" : " ");
            buffer_put_text(out, mechanisms[m]);
            first = false;
        }
}
