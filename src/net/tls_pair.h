/* net/tls_pair.h: do a certificate chain and a private key belong together? Asked by the supervisor
 * and `submitd --check` before any socket is bound. */
#ifndef NET_TLS_PAIR_H
#define NET_TLS_PAIR_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/slice.h"

/* chain_pem: leaf first. key_fd: a readable file with the PEM key; its position is left at the
 * start; the key is wiped before return. out_why: a phrase, set when the answer is no. */
MUST_CHECK bool tls_pair_check(struct slice chain_pem, int key_fd, char out_why[256]);

/* The same for two paths, for a tool that opens files itself. Blocks on the disk. */
MUST_CHECK bool tls_pair_check_files(struct slice certificate, struct slice key, char out_why[256]);

#endif
