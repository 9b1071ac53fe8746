/* net/tls.h: certificates and rules of TLS for both directions. The streams that use them are in
 * net/stream. No private key is ever here: signatures are asked for and come later (design.md
 * section 4, docs/decisions/0001-remote-key.md). */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/tls_sign.h"

struct tls_signer;
struct tls_server;
struct tls_client;

enum { TLS_WHY = 256 };

/* The wish for a signature: send it on its way (it may be put off, resent, or never answered: the
 * handshake waits). Called on the ordinary stack from the loop. request lives until it is answered.
 * From inside, call nothing of the signer and free no stream. */
typedef void tls_sign_fn(void *owner, const struct tls_sign_request *request);

/* Where a gate's handshakes get their signatures. One for a process; its streams and tls_servers
 * must be gone before it is freed. Loads what OpenSSL would load late, so it is made before the
 * walls go up. */
MUST_CHECK enum err tls_signer_new(tls_sign_fn *fn, void *owner, struct tls_signer **out_signer);
void tls_signer_free(struct tls_signer **signer);
/* The answer; the empty slice says that it failed (the handshake fails). The handshake goes on at
 * the end of the turn. False when no such request is waiting: the vault answered what was not
 * asked, or twice. An answer for a stream that has gone meanwhile is taken and gives true. */
MUST_CHECK bool tls_sign_done(struct tls_signer *signer, uint64_t number, struct slice signature);
/* The way to the vault broke: what was asked there is lost. Forgets the requests of streams that
 * have gone and calls the sign function again for all others. */
void tls_signer_resend(struct tls_signer *signer);
/* Requests not answered yet, those of streams that have gone included. */
size_t tls_signer_waiting(const struct tls_signer *signer);
/* Requests not answered yet whose stream has gone. */
size_t tls_signer_parked(const struct tls_signer *signer);

/* One certificate with its chain and the index of its key in the vault. */
struct tls_identity {
    struct slice chain_pem; /* leaf first */
    uint32_t key;
};

/* The rules of our listeners: TLS 1.2 and 1.3 (TLS-10), for 1.2 only ECDHE with AEAD (TLS-11), no
 * renegotiation, no compression, no early data, no tickets until keys are set (TLS-20). The first
 * identity is the default; the others are chosen by the names in their certificate, wildcards
 * included (TLS-14). Keys: EC P-256, P-384, P-521, RSA from 2048 bits, Ed25519. Reload makes a new
 * one: open streams keep theirs alive. ERR_INVALID with a phrase in out_why for a chain that does
 * not parse or a key kind that is not served; ERR_NOMEM. */
MUST_CHECK enum err tls_server_new(struct tls_signer *signer, const struct tls_identity *identities,
    size_t count, struct tls_server **out_server, char out_why[TLS_WHY]);
/* Drops the owner's hold; it lives on while streams use it. */
void tls_server_free(struct tls_server **server);
/* New tickets use current; tickets of previous (may be NULL) are still taken, and renewed. Copied.
 */
void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_key *current,
    const struct tls_ticket_key *previous);
/* From now on clients are asked for a certificate (TLS-16: never unless this was called); who shows
 * none, or any, is served all the same. ca_pem: authorities whose certificates count as verified,
 * and whose names are told to clients; may be empty. A ticket of a server that asked otherwise is
 * not taken. Before the first stream. ERR_INVALID with a phrase in out_why, ERR_NOMEM. */
MUST_CHECK enum err tls_server_ask_clients(
    struct tls_server *server, struct slice ca_pem, char out_why[TLS_WHY]);

enum { TLS_FINGERPRINT = 32, TLS_MAILS_MAX = 4, TLS_MAIL_MAX = 254 };

/* What a client showed, and proved to have the key of. */
struct tls_peer_certificate {
    uint8_t sha256[TLS_FINGERPRINT]; /* of the whole certificate, DER */
    bool is_verified;                /* a chain to one of our authorities, for clients, in force,
                                        also when the session is resumed */
    size_t mail_count;
    char mails[TLS_MAILS_MAX][TLS_MAIL_MAX + 1]; /* subjectAltName's mail addresses, without NUL;
                                                    longer ones and more are left out */
};

/* Seconds since 1970 when the first of its leaf certificates expires (TLS-17). */
int64_t tls_server_expiry(const struct tls_server *server);

/* How a client treats the certificate it is shown. */
enum tls_verify {
    TLS_VERIFY_ANY,  /* opportunistic: checked and the result told, but anything goes */
    TLS_VERIFY_PKIX, /* a trusted chain and the host name, else the handshake fails */
};

/* Makes OpenSSL read and load all that it would otherwise do when it is first needed: to be called
 * before the walls of a room are up. */
MUST_CHECK enum err tls_warm(void);
/* The file of roots that this system trusts, or NULL where there is none. */
const char *tls_system_roots(void);
/* Can the PEM file be used for roots? Read from its start, left open; a phrase in out_why if not.
 */
MUST_CHECK bool tls_roots_check(int roots, char out_why[TLS_WHY]);
/* roots: descriptor of a PEM file of trusted roots, read from its start and left open, or -1: it is
 * logged that nothing will verify. All is loaded here, nothing is opened later. TLS 1.2 and 1.3.
 * ERR_INVALID or ERR_IO with a phrase in out_why, ERR_NOMEM. */
MUST_CHECK enum err tls_client_new(
    int roots, struct tls_client **out_client, char out_why[TLS_WHY]);
/* Drops the owner's hold; it lives on while streams use it. */
void tls_client_free(struct tls_client **client);

/* What was agreed. The texts live as long as the stream. */
struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* the IANA name: "TLS_AES_256_GCM_SHA384" */
    const char *group;   /* "x25519", or "" when not known (a resumed TLS 1.2 session) (TLS-12) */
    bool is_resumed;
    bool has_extended_master_secret; /* always true for TLS 1.3 */
    bool is_verified;                /* client: chain and host name are good */
    const char *verify_text;         /* client: "ok", or why not; server: "" */
};

#endif
