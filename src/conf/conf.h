/* conf/conf.h: the typed configuration: what submitd.conf says, checked, with every default filled
 * in. Plain structs and slices, so that it travels to the rooms as one numbered snapshot. The
 * options themselves (names, defaults, limits, words of the manual) are rows of conf/options.c.
 * Nothing in here is secret: secrets are named by path. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

/* Elements of lists. */
struct conf_text {
    struct slice text;
};

struct conf_number {
    uint64_t value;
};

enum conf_log { CONF_LOG_AUTO, CONF_LOG_TEXT, CONF_LOG_JSON };

/* MT-PRIORITY by the levels of MIXER (RFC 6710): the least that is taken. */
enum conf_priority { CONF_PRIORITY_ANY, CONF_PRIORITY_NORMAL, CONF_PRIORITY_URGENT };

enum conf_listener_tls { CONF_LISTENER_IMPLICIT, CONF_LISTENER_STARTTLS };

/* listener "NAME" { … } */
struct conf_listener {
    struct slice name;
    struct slice address; /* as written: "[::]:465", "127.0.0.1:2587" */
    struct slice host;    /* the IP address without brackets */
    uint16_t port;
    enum conf_listener_tls tls;
    bool require_tls;         /* TLS-7, TLS-8; always true for implicit */
    uint64_t command_timeout; /* seconds, LSN-7, SUB-5.3-2 */
    uint64_t data_timeout;    /* seconds between two reads of a body */
};

/* tls { sni "NAME" { … } }: a certificate for clients that ask for this name (TLS-14). */
struct conf_sni {
    struct slice name; /* lower-case */
    struct slice certificate;
    struct slice key;
};

/* tls { … }. certificate is empty when there is no such section: then no listener needs it (TLS-3).
 */
struct conf_tls {
    struct slice certificate; /* path of the PEM chain */
    struct slice key;         /* path of the PEM key */
    struct slice client_ca;   /* path of PEM certificates; empty: none (TLS-15) */
    struct conf_sni *snis;
    size_t sni_count;
};

/* users "KIND" { … }. kind is empty when there is no such section: only trusted networks submit. */
struct conf_users {
    struct slice kind; /* "file" */
    struct slice path;
};

/* auth { … }: how users may log in. */
struct conf_auth {
    bool scram_sha_1; /* SASL-2 */
    /* Tokens (SASL-11) are checked against one of the next three; all empty: there are none. */
    struct slice oauth_jwks;          /* path of the key set */
    struct slice oauth_jwks_uri;      /* address of the key set */
    struct slice oauth_introspection; /* address that knows what a token is good for */
    struct slice oauth_client_id;     /* who we are there */
    struct slice oauth_client_secret_file;
    struct slice oauth_ca_file; /* trust anchors for both addresses; empty: those of the system */
    struct slice oauth_issuer;
    struct slice oauth_audience;
    struct slice oauth_scope; /* must be among the token's; empty: does not matter */
    struct slice oauth_claim;
    uint64_t oauth_leeway; /* seconds */
};

/* certificate "LOGIN" { … }: client certificates that are this user's. */
struct conf_certificate {
    struct slice login;
    struct conf_text *sha256; /* fingerprints, 64 hexadecimal digits in lower case */
    size_t sha256_count;
};

/* domain "NAME" { … } */
struct conf_domain {
    struct slice name;      /* lower-case, A-labels */
    struct conf_text *dkim; /* selectors; always empty in this version, which does not sign */
    size_t dkim_count;
    bool dkim_check;
};

enum conf_via { CONF_VIA_MX, CONF_VIA_SMTP, CONF_VIA_LMTP, CONF_VIA_MAILDIR };
enum conf_route_tls { CONF_TLS_NONE, CONF_TLS_MAY, CONF_TLS_VERIFY };

/* route "PATTERN" { … } */
struct conf_route {
    struct slice
        pattern; /* lower-case: "example.org", "*.example.org" (below it, not itself) or "*" */
    enum conf_via via;
    struct slice to; /* as written; empty for mx */
    struct slice
        host; /* smtp, and lmtp over TCP: name or IP address without brackets; else empty */
    uint16_t
        port; /* smtp, lmtp over TCP; for mx the port at which MX hosts are dialled (25); else 0 */
    struct slice path; /* lmtp over a unix socket: the socket; maildir: the folder; else empty */
    enum conf_route_tls tls;
    struct slice ca_file;  /* trust anchors for verify; empty: those of the system */
    struct slice username; /* empty: no login. With one, tls is always verify (OUT-19) */
    struct slice password_file;
    bool chunking; /* false: never BDAT on this route (OUT-24) */
    bool mx;       /* smtp: host is a domain whose MX records are looked up (OUT-18) */
};

enum conf_imap_tls { CONF_IMAP_IMPLICIT, CONF_IMAP_STARTTLS };

/* imap_server "NAME" { … }: an IMAP server that BURL may have content fetched from (EXT-BURL-6). */
struct conf_imap_server {
    struct slice name; /* as URLs write it: lower case, with a port where that is not 143 */
    struct slice url_host;
    uint16_t url_port;
    struct slice to;   /* as written; empty: name's host */
    struct slice host; /* that is called: name or IP address without brackets */
    uint16_t port;
    enum conf_imap_tls tls;
    struct slice ca_file;  /* trust anchors; empty: those of the system */
    struct slice username; /* EXT-BURL-3 */
    struct slice password_file;
};

/* queue { … }: seconds unless said otherwise. */
struct conf_queue {
    struct conf_number *retry; /* after a 4yz reply; the last repeats (QUE-3); at least one */
    size_t retry_count;
    struct conf_number *retry_connect; /* after a connection failure; at least one */
    size_t retry_connect_count;
    uint64_t lifetime; /* QUE-4 */
    uint64_t bounce_lifetime;
    uint64_t delay_notice;            /* 0: none */
    uint64_t dead_host;               /* QUE-5; 0: dead hosts are not remembered */
    uint64_t concurrency;             /* deliveries at once (QUE-9) */
    uint64_t destination_concurrency; /* of them to one destination */
};

/* limits { … }: 0 is "no limit" where the manual says so. */
struct conf_limits {
    uint64_t connections;
    uint64_t connections_per_client;    /* 0: no limit */
    uint64_t auth_failures_per_client;  /* in ten minutes (AUTH-18); 0: no limit */
    uint64_t auth_failures_per_account; /* in ten minutes; 0: no limit */
    uint64_t message_size;              /* octets */
    uint64_t recipients;                /* per transaction */
    uint64_t mails_per_session;         /* 0: no limit */
};

/* spool { … }: octets. */
struct conf_spool {
    uint64_t segment_size;
    uint64_t large_message; /* above it, a message has a body file of its own */
    uint64_t reserve;       /* free octets below which MAIL is answered 452 4.3.1 */
    uint64_t checkpoint;    /* of journal, after which the state is written down anew */
};

/* timeouts { … }: seconds, of the sending side (OUT-7). */
struct conf_timeouts {
    uint64_t connect;
    uint64_t greeting;
    uint64_t ehlo;
    uint64_t tls;
    uint64_t auth;
    uint64_t mail;
    uint64_t rcpt;
    uint64_t data;  /* reply to DATA */
    uint64_t block; /* progress while the body is sent */
    uint64_t end;   /* reply to the end of data */
    uint64_t quit;
    uint64_t idle; /* a pooled connection without work (OUT-17) */
};

/* dns { … } */
struct conf_dns {
    struct slice trust_anchor; /* path, default that of dns-root-data; empty: no validation */
    struct slice root_hints;   /* path; empty: the library's own */
    struct conf_text
        *forward; /* "192.0.2.1@53" or "2001:db8::1@53"; empty: ask the name servers ourselves */
    size_t forward_count;
};

/* accounts { … }: user names or numbers, used when started as root. */
struct conf_accounts {
    struct slice gate, vault, queue, relay, maildrop, fetch;
};

/* extensions { … }: what clients are offered beyond what always is (requirements section 16). */
struct conf_extensions {
    bool chunking;
    bool binarymime;
    bool smtputf8;
    bool dsn;
    bool limits;
    bool deliverby;
    uint64_t deliverby_least; /* seconds that mode R needs at least (EXT-DELIVERBY-3) */
    bool futurerelease;
    uint64_t futurerelease_most;     /* seconds */
    uint64_t futurerelease_messages; /* held for one user; 0: no limit (EXT-FUTURE-6) */
    uint64_t futurerelease_octets;
    bool requiretls;
    bool mt_priority;
    struct conf_text *mt_priority_users; /* who may raise it (EXT-MTPRI-2) */
    size_t mt_priority_user_count;
    enum conf_priority mt_priority_least; /* what is lower is refused (EXT-MTPRI-3) */
    bool mt_priority_later;               /* for now, not for ever */
    uint64_t mt_priority_urgent_size;     /* octets that urgent mail may have; 0: as other mail */
    bool rrvs;
    bool mtrk;
    struct conf_text *no_soliciting; /* classes that are refused; none: not offered (EXT-NOSOL-1) */
    size_t no_soliciting_count;
    bool conperm;
    bool conneg;
    bool checkpoint;
    bool burl;
    uint64_t burl_timeout; /* seconds for a URL */
};

/* trusted_networks, each as an IPv6 prefix (an IPv4 network is mapped: ::ffff:a.b.c.d and 96 more
 * bits). */
struct conf_network {
    struct slice text; /* as written */
    uint64_t high;     /* the address, host order, bits behind the prefix zero */
    uint64_t low;
    uint8_t prefix; /* 0 .. 128 */
};

struct conf {
    uint64_t number; /* of the snapshot; 0 in a freshly loaded file, set by the supervisor */
    struct conf_text *pending; /* settings that the file has changed but that wait for a restart:
                                  see conf_adopt */
    size_t pending_count;

    struct slice hostname; /* lower-case FQDN */
    struct slice state;    /* absolute path */
    struct slice control;  /* path of the operator's socket */
    struct slice postmaster;
    uint64_t gates;                        /* 0: one for each core */
    uint64_t relays;                       /* 0: accept only */
    bool allow_address_literals;           /* SUB-4.2-7 */
    bool strict_envelope;                  /* GRM-2 */
    bool postmaster_unauth;                /* SUB-6.4-1 */
    bool hide_client;                      /* MSG-12 */
    enum conf_log log;                     /* LOG-1 */
    struct conf_network *trusted_networks; /* SUB-3.3-2 */
    size_t trusted_network_count;
    struct conf_text
        *trusted_senders; /* patterns of policy/rights.h: what such a client may send as */
    size_t trusted_sender_count;

    struct conf_listener *listeners;
    size_t listener_count;
    struct conf_tls tls;
    struct conf_users users;
    struct conf_auth auth;
    struct conf_certificate *certificates;
    size_t certificate_count;
    struct conf_domain *domains;
    size_t domain_count;
    struct conf_route *routes;
    size_t route_count;
    struct conf_imap_server *imap_servers; /* their logins are numbered after those of the routes */
    size_t imap_server_count;
    struct conf_queue queue;
    struct conf_limits limits;
    struct conf_spool spool;
    struct conf_timeouts timeouts;
    struct conf_dns dns;
    struct conf_accounts accounts;
    struct conf_extensions extensions;
};

enum { CONF_FILE_MAX = 1 << 20, CONF_SNAPSHOT_MAX = 4 << 20 };

/* "FILE:LINE: what was found and what is allowed", one line, printable whatever the file held,
 * NUL-ended. */
struct conf_error {
    char text[512];
};

/* Reads, checks and completes the file. Everything comes from the arena. Blocks on the disk: for
 * the supervisor and the tool, never for a room's loop; not for two threads at once (libconfuse
 * keeps its lexer's state in globals). ERR_INVALID: the file is wrong; ERR_NOTFOUND, ERR_DENIED,
 * ERR_IO: it cannot be read; ERR_LIMIT: above CONF_FILE_MAX; ERR_NOMEM. For each of them *out_error
 * says it in words; *out_conf is untouched (OPS-1). */
MUST_CHECK enum err conf_load(
    const char *path, struct arena *arena, struct conf **out_conf, struct conf_error *out_error);

/* The same for text in memory; name stands where the file's name would in a message. */
MUST_CHECK enum err conf_parse(const char *name, struct slice text, struct arena *arena,
    struct conf **out_conf, struct conf_error *out_error);

/* Where the file sets something: the line of an option (its name) in the index-th section of that
 * kind ("" is the file as a whole, then the index is 0), or of the section itself (option NULL). 0:
 * it does not, or cannot be read. Blocks on the disk, as conf_load. */
unsigned conf_where(const char *path, const char *section, size_t index, const char *option);

/* Looks at every file that the configuration names (certificates, keys, users, passwords, trust
 * anchors, spool folder) without parsing any: missing, unreadable, not a regular file, or a secret
 * that others may read or change. Appends one sentence and LF for each; returns their number.
 * Blocks on the disk. */
size_t conf_check_files(const struct conf *conf, struct buffer *out_report);

/* Compares a fresh configuration with the running one and makes it fit to run: settings that need a
 * restart keep their running value, and their names ("state", "gates", "listener \"submission\"
 * address") are put into fresh->pending. What fresh takes over points into `running`'s memory
 * unless the arena copy succeeds; it always copies. ERR_NOMEM. */
MUST_CHECK enum err conf_adopt(const struct conf *running, struct arena *arena, struct conf *fresh);

/* Appends one line for each setting that differs between the two ("queue retry", "route \"*\""),
 * marked " (restart)" where it needs one. Returns their number. */
size_t conf_diff(const struct conf *old, const struct conf *fresh, struct buffer *out_lines);

/* The snapshot for the rooms. Errors stick to the buffer. */
void conf_pack(const struct conf *conf, struct buffer *out);
/* Copies the bytes into the arena first, so the result lives as long as the arena. ERR_CORRUPT,
 * ERR_NOMEM. */
MUST_CHECK enum err conf_unpack(struct slice bytes, struct arena *arena, struct conf **out_conf);

/* The domain's section, or NULL. Any case, A-labels. */
const struct conf_domain *conf_domain_find(const struct conf *conf, struct slice domain);
/* Are there tokens that a user could log in with? */
bool conf_takes_tokens(const struct conf *conf);
/* Is this client in a trusted network? address: 16 octets in network order, an IPv4 client as
 * ::ffff:a.b.c.d. */
bool conf_is_trusted(const struct conf *conf, const uint8_t address[16]);

#endif
