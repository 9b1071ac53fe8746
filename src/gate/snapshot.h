/* gate/snapshot.h: one numbered configuration with what the gate derives from it. A session keeps
 * the snapshot it was opened under; the last one to let go frees it. */
#ifndef GATE_SNAPSHOT_H
#define GATE_SNAPSHOT_H

#include "base/arena.h"
#include "base/error.h"
#include "conf/conf.h"
#include "net/tls.h"
#include "smtp/address.h"
#include "users/grant.h"

struct snapshot {
    size_t holds;
    struct arena arena; /* everything below but tls */
    struct conf *conf;
    struct tls_server *tls;    /* NULL: no certificate (TLS-3) */
    struct grant trusted;      /* of a client in a trusted network (SUB-4.3-2) */
    struct grant stranger;     /* of nobody (SUB-6.4-1) */
    struct address postmaster; /* where mail to <postmaster> goes (SUB-6.4-2) */
    uint32_t mechanisms;       /* offered under TLS (AUTH-25); 0 without users */
};

/* What the supervisor hands over ahead of a snapshot. */
enum { CERTIFICATES_MAX = 256 };

struct certificates {
    struct arena arena;
    struct tls_identity identities[CERTIFICATES_MAX];
    size_t count;
    struct slice client_ca; /* PEM */
};

void certificates_init(struct certificates *certificates);
void certificates_clear(struct certificates *certificates);
/* Copies the chain; index is its key's in the vault. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err certificates_add(
    struct certificates *certificates, uint32_t index, struct slice chain);

/* conf: conf_pack's octets. The certificates are used up. One hold is the caller's. ERR_CORRUPT,
 * ERR_NOMEM; ERR_INVALID (said in the log) for a certificate that TLS does not take or a postmaster
 * that is no address. */
MUST_CHECK enum err snapshot_new(struct slice conf, struct certificates *certificates,
    struct tls_signer *signer, struct snapshot **out_snapshot);
struct snapshot *snapshot_hold(struct snapshot *snapshot);
/* Nulls the pointer. NULL is harmless. */
void snapshot_release(struct snapshot **snapshot);

#endif
