/* gate/external.h: whose certificate a client has shown (TLS-15, TLS-16, SASL-13). */
#ifndef GATE_EXTERNAL_H
#define GATE_EXTERNAL_H

#include "base/macros.h"
#include "conf/conf.h"
#include "net/tls.h"
#include "users/login.h"

/* The login that the certificate is for: that of the section with its fingerprint; else, where an
 * authority of ours vouches for it, the first of its mail addresses that is a login name. False:
 * nobody's. Whether there is such a user, the vault knows. */
MUST_CHECK bool external_find(const struct conf *conf,
    const struct tls_peer_certificate *certificate, struct login *out_login);

#endif
