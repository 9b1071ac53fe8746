/* gate/external.c: fingerprints of the configuration, and mail addresses that an authority of ours
 * vouches for. */
#include "gate/external.h"

#include <stdio.h>

static bool has_fingerprint(const struct conf_certificate *row, const char *hex)
{
    for (size_t i = 0; i < row->sha256_count; i++)
        if (slice_is(row->sha256[i].text, hex))
            return true;
    return false;
}

bool external_find(const struct conf *conf, const struct tls_peer_certificate *certificate,
    struct login *out_login)
{
    char hex[2 * TLS_FINGERPRINT + 1];

    for (size_t i = 0; i < TLS_FINGERPRINT; i++)
        snprintf(hex + 2 * i, 3, "%02x", certificate->sha256[i]);
    for (size_t i = 0; i < conf->certificate_count; i++)
        if (has_fingerprint(&conf->certificates[i], hex))
            return login_prepare(conf->certificates[i].login, false, out_login);
    if (!certificate->is_verified || conf->tls.client_ca.len == 0)
        return false;
    for (size_t i = 0; i < certificate->mail_count; i++)
        if (login_prepare(slice_text(certificate->mails[i]), false, out_login))
            return true;
    return false;
}
