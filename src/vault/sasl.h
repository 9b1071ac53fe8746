/* vault/sasl.h: the server's side of one SASL conversation: what the client sent in, what to do
 * next out. Knows messages, not users: who runs it looks up the name and checks the password. Never
 * blocks; the only cost is a few HMACs. */
#ifndef VAULT_SASL_H
#define VAULT_SASL_H

#include "base/buffer.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/slice.h"
#include "users/login.h"
#include "users/password.h"

struct Gsasl;
struct Gsasl_session;
struct sasl;
struct mechanism;

enum {
    SASL_MESSAGE_MAX = 12288
}; /* octets of one message; the gate's limit is on the line (AUTH-13) */

enum sasl_result {
    SASL_CHALLENGE, /* send sasl->challenge, then sasl_step with the client's answer */
    SASL_LOOKUP,    /* find the verifier of sasl->login (or invent one), then sasl_supply */
    SASL_CHECK,     /* sasl->password is the client's word: the last thing to do is to check it */
    SASL_PROVED,    /* the client knows the password of sasl->login; when it may log in, send
                       sasl->challenge, then sasl_step */
    SASL_TOKEN,     /* sasl->password is an access token: check it, then sasl_token */
    SASL_KNOWN,     /* the client is sasl->login, on somebody else's word: nothing is missing */
    SASL_DONE,      /* nothing is missing any more, after SASL_PROVED */
    SASL_REFUSED,   /* 535 */
    SASL_UNKNOWN,   /* no such mechanism */
    SASL_FAILED,    /* our own trouble: no memory */
};

/* How a conversation begins. */
struct sasl_opening {
    struct slice mechanism; /* upper case */
    bool has_initial;       /* one that is present and empty is not the same as none (AUTH-9) */
    struct slice initial;
    struct slice exporter; /* channel binding of the connection: tls-exporter; empty: none */
    struct slice unique;   /* tls-unique; empty: none */
    struct slice external; /* EXTERNAL: who the client is; empty: nobody known */
};

/* Octets of a channel binding at most. */
enum { SASL_BINDING_MAX = 64 };

struct sasl_binding {
    size_t len; /* 0: the connection has none of this kind */
    char octets[SASL_BINDING_MAX];
};

/* Embedded in its owner. */
struct sasl {
    const struct mechanism *mechanism;
    enum sasl_result (*next)(
        struct sasl *sasl, struct slice data); /* what the client's next message is for */
    struct Gsasl *library;
    struct Gsasl_session *session;
    char name[SASL_TEXT_MAX + 1]; /* as the client gave it, once it did */
    size_t name_len;
    bool has_login; /* the name is one that a user could have; login is set */
    struct login login;
    struct secret password; /* prepared */
    struct sasl_binding exporter, unique;
    struct buffer first;              /* SCRAM: the message that waits for the lookup */
    struct scram_verifier *verifiers; /* SCRAM: all that the proof may be for; malloc'ed */
    size_t verifier_count;
    size_t proved;           /* after SASL_PROVED: which of them it was */
    struct buffer challenge; /* decoded octets; may be empty */
};

/* The library's own handle, one for the process; no callbacks, no other mechanisms. NULL without
 * memory. */
MUST_CHECK struct Gsasl *sasl_library_new(void);
void sasl_library_free(struct Gsasl **library);

/* Begins. A -PLUS mechanism without a channel binding to check is SASL_UNKNOWN (AUTH-25). */
enum sasl_result sasl_start(
    struct sasl *sasl, struct Gsasl *library, const struct sasl_opening *opening);
/* After SASL_CHALLENGE, and after SASL_PROVED. data: decoded octets. */
enum sasl_result sasl_step(struct sasl *sasl, struct slice data);
/* Which verifier SASL_LOOKUP asks for. */
enum scram_hash sasl_hash(const struct sasl *sasl);
/* After SASL_LOOKUP. One at least, all of sasl_hash, all with the first one's salt and count. */
enum sasl_result sasl_supply(
    struct sasl *sasl, const struct scram_verifier *verifiers, size_t count);
/* After SASL_PROVED: the stored key of the verifier that was proved. */
struct slice sasl_proved(const struct sasl *sasl);
/* After SASL_TOKEN. login: whose the token is; NULL: it is refused. A failure is told to the client
 * first (RFC 7628 section 3.2.3), so it may be SASL_CHALLENGE. */
enum sasl_result sasl_token(struct sasl *sasl, const struct login *login);
/* Wipes and frees. Harmless on a zeroed one. */
void sasl_clear(struct sasl *sasl);

/* Does the mechanism show the server no password (AUTH-16)? */
bool sasl_is_strong(const struct sasl *sasl);
/* The mechanism's name, "" for an unknown one. */
const char *sasl_mechanism(const struct sasl *sasl);
static inline struct slice sasl_name(const struct sasl *sasl)
{
    return slice_of(sasl->name, sasl->name_len);
}

#endif
