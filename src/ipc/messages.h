/* ipc/messages.h: everything that one room may say to another, as typed structs. messages.c holds
 * the table: who may say it to whom, how large it may be and how many descriptors come with it.
 * Slices in a received message live until the handler returns. */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pack.h"
#include "base/queue_id.h"
#include "ipc/role.h"

enum message_type {
    /* supervisor to a room */
    MSG_SNAPSHOT,    /* a numbered configuration, in force from MSG_APPLY on */
    MSG_GIVE,        /* one descriptor and what it is for */
    MSG_CERTIFICATE, /* a public certificate chain, to gates and the vault */
    MSG_PEER,        /* a channel to another room; replaces an older one to the same room */
    MSG_APPLY, /* all of a snapshot has been handed over: the first starts the room, later ones
                  reload it */
    MSG_DRAIN, /* finish what is under way, then say MSG_DRAINED and end */
    /* a room to the supervisor */
    MSG_READY,   /* the snapshot of that number is in force */
    MSG_DRAINED, /* nothing is under way any more */
    /* queue and gate: the spool */
    MSG_NEED,     /* gate: how many blanks and spares it wants to hold, and how many it has */
    MSG_BLANK,    /* queue: an empty segment, its write-only descriptor locked */
    MSG_SPARE,    /* queue: an empty body file, its write-only descriptor locked */
    MSG_DOORBELL, /* gate: the segment is good up to that octet (absolute, may be repeated) */
    MSG_CUT,      /* gate: a sync failed; what lies behind that octet was refused */
    MSG_CUT_DONE, /* queue: the cut is in the synced journal */
    MSG_DISK,     /* queue: whether there is room for new mail */
    MSG_HELD_ASK, /* gate: may this user have one more message held (RFC 4865)? */
    MSG_HELD_ANSWER,
    /* gate and vault: logins and signatures */
    MSG_AUTH_START,
    MSG_AUTH_STEP,
    MSG_AUTH_CANCEL,
    MSG_AUTH_SAY,
    MSG_AUTH_DONE,
    MSG_RIGHTS,
    MSG_RIGHTS_DONE,
    MSG_SIGN,
    MSG_SIGNED,
    MSG_TICKET_KEYS,
    /* gate and relay: questions of DNS */
    MSG_DOMAIN_ASK,
    MSG_DOMAIN_ANSWER,
    /* queue and relay or maildrop: deliveries */
    MSG_IN_HAND, /* relay, first thing on a new channel and once: all jobs that the queue has not
                    acknowledged; the outcomes of those that are done follow */
    MSG_JOB,
    MSG_OUTCOME,
    MSG_OUTCOME_DONE, /* queue: the outcome is in the synced journal */
    MSG_FORGIVE,      /* queue: the operator wants everything tried: forget which hosts are dead */
    /* relay and vault: logging in to a smarthost */
    MSG_LOGIN_START,
    MSG_LOGIN_STEP,
    MSG_LOGIN_SAY,
    MSG_LOGIN_END,
    /* a room to the supervisor */
    MSG_LOST, /* the channel of that number (msg_peer) broke or ended: both rooms may live, and need
                 another one */
    /* vault and fetch: small documents from addresses that the configuration names */
    MSG_FETCH,
    MSG_FETCHED,
    MSG_FETCH_CANCEL, /* vault: nobody waits for the answer any more */
    /* gate and fetch: the content of URLs (BURL) */
    MSG_URL,        /* with one end of a socket pair, into which the content goes */
    MSG_URL_DONE,   /* all of it is in the pipe, or there will be none */
    MSG_URL_CANCEL, /* gate: nobody waits for the content any more */
    /* queue and gate: messages whose connection was cut (EXT-CKPT-2) */
    MSG_PARTIAL_ASK,   /* gate: a transaction with a TRANSID begins: is there something of it? */
    MSG_PARTIAL_STATE, /* queue: the answer; a read-only descriptor of the body file, if any */
    MSG_PARTIAL_YIELD, /* queue: the client is back: end the session that still has it */
    MSG_PARTIAL_KEEP,  /* gate: the connection was cut; this much is there */
    MSG_PARTIAL_END,   /* gate: the transaction has ended otherwise */
};
enum { MESSAGE_TYPE_COUNT = MSG_PARTIAL_END + 1 };

enum { MESSAGE_FDS_MAX = 1, FRAME_MAX = 8 << 20 };

struct msg_empty {
    uint8_t unused;
};

struct msg_snapshot {
    uint64_t number;   /* 1 for the first, then counting */
    struct slice conf; /* conf_pack's octets */
};

enum gift {
    GIFT_LISTENER,     /* index: the listener's place in the configuration */
    GIFT_CONTROL,      /* the operator's listening unix socket */
    GIFT_SPOOL,        /* directory descriptor of STATE/spool */
    GIFT_LOCK,         /* the instance lock: held open, never used */
    GIFT_COUNTERS,     /* shared memory of connection counters (memfd) */
    GIFT_KEY,          /* TLS private key, PEM; index: which certificate */
    GIFT_USERS,        /* directory descriptor of the user file; name: the file's name in it;
                          index 1: the same for the key set of access tokens */
    GIFT_PASSWORD,     /* file with a smarthost's password; index: route, or behind the routes:
                          imap_server */
    GIFT_MAILDIR,      /* directory descriptor; index: route */
    GIFT_ROOTS,        /* PEM file of trusted roots; index: route, or GIFT_ROOTS_SYSTEM */
    GIFT_MISTAKES,     /* shared memory with who makes mistakes (memfd); for the queue read-only */
    GIFT_FETCH_ROOTS,  /* PEM file of trusted roots; index: enum fetch_peer */
    GIFT_FETCH_SECRET, /* file with our secret for a server that is asked; index: enum fetch_peer */
    GIFT_IMAP_ROOTS,   /* PEM file of trusted roots; index: imap_server */
};

enum { GIFT_ROOTS_SYSTEM = 0x7fffffff };

/* Whom the fetch room asks, for each of whom it has trusted roots and perhaps a secret. */
enum fetch_peer {
    FETCH_PEER_OAUTH, /* the identity provider: auth's oauth_… */
};
enum { FETCH_PEERS = FETCH_PEER_OAUTH + 1 };

struct msg_give {
    enum gift gift;
    uint32_t index;
    struct slice name; /* what the operator calls it: a path or a title, for messages */
};

/* The index of the authorities of client certificates, which only gates get. */
enum { CERTIFICATE_CLIENT_CA = 0x7fffffff };

struct msg_certificate {
    uint32_t index;     /* 0: the default certificate; others by server name */
    struct slice name;  /* server name, empty for index 0 */
    struct slice chain; /* PEM */
};

struct msg_peer {
    enum role role;
    uint32_t index;  /* which of several gates or relays */
    uint64_t number; /* of this channel, for MSG_LOST; 0: nobody wants to hear of its end */
};

struct msg_number {
    uint64_t number; /* of a snapshot; MSG_LOST: of a channel; MSG_PARTIAL_YIELD: of a request */
};

struct msg_need {
    uint32_t blanks; /* wanted in addition to what is held */
    uint32_t spares;
};

struct msg_blank {
    uint64_t generation;
    uint64_t size;  /* octets preallocated, header block included */
    uint64_t start; /* first octet for records */
};

struct msg_spare {
    uint64_t number;
};

struct msg_doorbell {
    uint64_t generation;
    uint64_t upto;
    bool final; /* the gate is done with the segment and has closed it */
};

struct msg_cut {
    uint64_t generation;
    uint64_t upto;
};

struct msg_disk {
    bool full;
};

/* A transaction by its name (RFC 1845 section 2), and what must be the same for going on. */
struct msg_partial_key {
    struct slice user; /* login; "[address]" without one */
    struct slice ehlo;
    struct slice transid;
    struct slice proof; /* from the login (msg_auth_done); empty without one */
    struct slice mail;  /* MAIL's argument */
};

struct msg_partial_ask {
    uint64_t request; /* the gate's number for the transaction */
    struct msg_partial_key key;
};

struct msg_partial_recipient {
    struct slice address;
    uint32_t flags; /* of spool/envelope.h, as the following */
    uint8_t notify;
    struct slice orcpt;
    uint8_t rrvs;
    int64_t rrvs_since;
};

/* The content: the front, then what lies in the body file. */
struct msg_partial_content {
    struct msg_partial_recipient *recipients;
    size_t recipient_count;
    uint64_t octets; /* of all of it: the offset */
    struct slice front;
    uint64_t body_file;     /* 0: none; not told to a gate */
    uint64_t body_octets;   /* of it that are content, from its beginning on */
    uint64_t body_size;     /* octets in it; not told to a gate */
    uint64_t body_checksum; /* of these, XXH3, seed 0; not told to a gate */
};

enum partial_found {
    PARTIAL_NONE,     /* it begins anew */
    PARTIAL_RESUME,   /* the content is kept so far */
    PARTIAL_COMPLETE, /* the message was taken as that id: only the reply is missing */
};

struct msg_partial_state {
    uint64_t request;
    enum partial_found found;
    uint64_t id_high;
    uint64_t id_low;
    struct msg_partial_content content;
};

struct msg_partial_keep {
    uint64_t request;
    struct msg_partial_key key;
    struct msg_partial_content content;
};

enum partial_end {
    PARTIAL_DROPPED, /* nothing of it is wanted any more */
    PARTIAL_LEFT,    /* what was there before stays as it is */
    PARTIAL_TAKEN,   /* the message was taken, and the client may not have heard it */
};

struct msg_partial_end {
    uint64_t request;
    struct msg_partial_key key;
    enum partial_end end;
    uint64_t id_high; /* PARTIAL_TAKEN: of the message */
    uint64_t id_low;
    struct msg_partial_content content; /* PARTIAL_TAKEN: recipients and octets alone */
};

struct msg_auth_start {
    uint64_t session;       /* the gate's number for the conversation */
    struct slice mechanism; /* upper case, as the client named it */
    bool has_initial;
    struct slice initial; /* decoded octets */
    struct slice client;  /* address text, for fairness and limits */
    bool tls;
    struct slice channel_binding; /* tls-exporter octets, empty without */
    struct slice tls_unique;      /* the same for tls-unique (TLS 1.2), empty without */
    struct slice external;        /* whose certificate the client showed, empty without */
};

struct msg_auth_step {
    uint64_t session;
    struct slice data; /* decoded octets from the client; from the vault: the challenge */
};

struct msg_session {
    uint64_t session;
};

enum auth_result {
    AUTH_OK,
    AUTH_REFUSED,    /* 535 5.7.8 */
    AUTH_TEMPORARY,  /* 454 4.7.0: back end, overload or rate limit */
    AUTH_DISABLED,   /* 525 5.7.13, only after right credentials */
    AUTH_TOO_WEAK,   /* 534 5.7.9 */
    AUTH_UNKNOWN,    /* 504 5.5.4: no such mechanism */
    AUTH_NO_INITIAL, /* 501 5.7.0: initial response not allowed (AUTH-12) */
};

struct msg_sender {
    struct slice pattern;
};

/* What an app password leaves of the user's rights. */
struct msg_scope {
    bool may_submit;
    struct msg_sender *senders;
    size_t sender_count;
    struct msg_sender *recipients; /* none: everybody */
    size_t recipient_count;
    uint64_t max_recipients; /* 0: not said */
    uint64_t max_size;
};

struct msg_auth_done {
    uint64_t session;
    enum auth_result result;
    struct slice user; /* AUTH_OK: whose grant this is */
    bool may_submit;
    struct msg_sender *senders; /* addresses and patterns the user may send as */
    size_t sender_count;
    bool more_senders;             /* the list was too long: ask with MSG_RIGHTS */
    struct msg_sender *recipients; /* patterns the user may send to; none: everybody */
    size_t recipient_count;
    bool more_recipients;
    uint64_t max_recipients; /* of a message; 0: not said */
    uint64_t max_size;
    bool is_narrowed; /* by the scope: allowed is what both allow */
    struct msg_scope scope;
    struct slice proof; /* AUTH_OK: that this gate has seen the user log in, for msg_partial_key */
};

enum rights_question { ASK_SENDER, ASK_RECIPIENT };

struct msg_rights {
    uint64_t session;
    struct slice user;
    struct slice address;
    enum rights_question question; /* as, or to this address? */
};

struct msg_rights_done {
    uint64_t session;
    bool allowed;
};

/* Names the key of one certificate of one snapshot, in msg_sign and in net/tls.h's struct
 * tls_identity: while a reload is under way a gate may still shake hands with the certificate of
 * the old one, or already with that of the new. */
static inline uint32_t key_number(uint64_t snapshot, uint32_t certificate)
{
    return (uint32_t)(snapshot << 12) | (certificate & 0xfff);
}

struct msg_sign {
    uint64_t request;
    uint32_t key;       /* key_number */
    uint32_t algorithm; /* enum tls_sign_algorithm of net/tls_sign.h */
    struct slice input;
};

struct msg_signed {
    uint64_t request;
    bool ok;
    struct slice signature;
};

struct msg_ticket_key {
    struct slice octets; /* 16 name, 32 HMAC, 32 AES */
};

struct msg_ticket_keys {
    struct msg_ticket_key *keys; /* the first encrypts, all decrypt */
    size_t key_count;
};

enum domain_verdict {
    DOMAIN_EXISTS,
    DOMAIN_MISSING,   /* NXDOMAIN */
    DOMAIN_NULL_MX,   /* RFC 7505 */
    DOMAIN_TEMPORARY, /* SERVFAIL, bogus */
    DOMAIN_SILENT,    /* no answer in time */
};

struct msg_domain_ask {
    uint64_t request;
    struct slice domain; /* ASCII form */
};

struct msg_domain_answer {
    uint64_t request;
    enum domain_verdict verdict;
};

struct msg_held_ask {
    uint64_t request;
    struct slice user; /* empty: nobody logged in */
    uint64_t size;     /* as declared; 0: not declared */
};

struct msg_held_answer {
    uint64_t request;
    bool has_room;
};

struct msg_job_ref {
    uint64_t job;
    uint64_t id_high; /* MSG_IN_HAND: the message's queue id, so that a queue that has restarted
                         leaves it in peace; else 0 */
    uint64_t id_low;
};

struct msg_in_hand {
    struct msg_job_ref *jobs;
    size_t job_count;
};

/* What was asked for at RCPT; numbers as in spool/envelope.h. */
struct msg_recipient {
    uint32_t index; /* in the envelope */
    struct slice address;
    uint8_t notify;
    struct slice orcpt; /* as given */
    uint8_t rrvs;       /* enum envelope_rrvs */
    int64_t rrvs_since; /* wall time, seconds */
};

struct msg_job {
    uint64_t job;      /* the queue's number, unique in its life and above those of earlier lives */
    uint64_t snapshot; /* the configuration the route belongs to */
    uint32_t route;
    uint64_t id_high; /* queue id */
    uint64_t id_low;
    int64_t arrival_us;       /* wall clock */
    struct slice destination; /* domain for via mx, otherwise the route's own text: the key of the
                                 connection pool */
    struct slice sender;      /* empty: null reverse-path */
    bool eight_bit;           /* body has octets above 127 */
    bool eight_bit_header;
    bool binary;   /* BODY=BINARYMIME: the body is not lines of text */
    bool smtputf8; /* asked for at MAIL */
    struct msg_recipient *recipients;
    size_t recipient_count;
    struct slice header; /* final header block with its empty line */
    struct slice body;   /* inline; empty when a descriptor comes with the message */
    uint64_t body_size;  /* octets of the body, inline or in the descriptor */
    /* What was asked for at MAIL; numbers as in spool/envelope.h. */
    uint8_t ret;        /* enum envelope_return */
    struct slice envid; /* as given */
    bool require_tls;
    uint8_t by; /* enum envelope_by */
    bool by_trace;
    int64_t by_time; /* wall time, seconds */
    uint8_t priority;
    struct slice mtrk_certifier; /* empty: not tracked */
    int64_t mtrk_until;          /* wall time, seconds; 0: not stated */
    struct slice solicit;
    bool conperm;
};

enum delivery_result {
    DELIVERY_DONE,     /* 2yz: the next hop took it */
    DELIVERY_DEFERRED, /* try again later */
    DELIVERY_FAILED,   /* permanent */
    DELIVERY_RETURNED, /* not tried (reload, drain): schedule again at once */
};

enum delivery_cause {
    CAUSE_REPLY,   /* the next hop said so */
    CAUSE_CONNECT, /* no connection, no greeting, connection lost before MAIL */
    CAUSE_LOST,    /* connection lost inside the transaction */
    CAUSE_DNS,
    CAUSE_TLS,
    CAUSE_CONTENT, /* the next hop lacks an extension the content needs */
    CAUSE_LOCAL,   /* our own trouble: disk, memory, configuration */
};

/* DELIVERY_DONE: who tells the sender what becomes of it, where he asked for that (EXT-DSN-8). */
enum delivery_end {
    END_RELAYED,   /* the next hop does not report: this is the last that is known */
    END_REPORTED,  /* the next hop has taken that over with the mail */
    END_DELIVERED, /* it is where it was to go */
};

struct msg_result {
    uint32_t index; /* recipient */
    enum delivery_result result;
    enum delivery_cause cause;
    uint16_t code;       /* basic code, 0 when nobody replied */
    struct slice status; /* "5.1.1" */
    struct slice
        text; /* the reply or our reason: printable, lines separated by LF, at most 1024 octets */
    enum delivery_end end;
};

struct msg_outcome {
    uint64_t job;
    uint64_t id_high;
    uint64_t id_low;
    int64_t started_us;
    int64_t finished_us;
    struct slice remote_host;    /* name of the next hop, empty when none was reached */
    struct slice remote_address; /* "192.0.2.1:25" */
    struct slice tls_version;
    struct slice tls_cipher;
    struct msg_result *results;
    size_t result_count;
};

struct msg_login_start {
    uint64_t login; /* the relay's number for the conversation */
    uint64_t snapshot;
    uint32_t route; /* from a relay; from the fetch room: an imap_server, counted behind the routes
                     */
    bool verified;  /* TLS is up and the peer's certificate was verified: required (OUT-19) */
    struct slice host;
    struct slice mechanisms; /* as offered in EHLO, separated by spaces */
};

struct msg_login_step {
    uint64_t login;
    struct slice data; /* decoded challenge from the server */
};

struct msg_login_say {
    uint64_t login;
    bool failed; /* no usable mechanism, no password, or the server's proof is wrong; text says
                    which */
    struct slice mechanism; /* set in the first answer */
    bool has_data;
    struct slice data; /* decoded octets to send */
    struct slice text;
};

struct msg_login {
    uint64_t login;
};

/* What can be asked for. The address, and whatever goes there besides, is the fetch room's to take
 * from the configuration: who asks cannot name one. */
enum fetch_target {
    FETCH_KEYS,  /* auth's oauth_jwks_uri: the key set */
    FETCH_TOKEN, /* auth's oauth_introspection: what the token is good for (RFC 7662) */
};

enum { FETCH_DOCUMENT_MAX = 256 << 10, FETCH_TOKEN_MAX = 12288, FETCH_SECRET_MAX = 1024 };

struct msg_fetch {
    uint64_t request;  /* the asker's number, unique on a channel */
    uint64_t snapshot; /* the configuration in whose name is asked */
    enum fetch_target target;
    struct slice token; /* FETCH_TOKEN: it; else empty */
};

enum fetch_result {
    FETCH_DONE,   /* answered 200 with JSON */
    FETCH_FAILED, /* no such answer in time; why is in the fetch room's log */
};

struct msg_fetched {
    uint64_t request;
    enum fetch_result result;
    struct slice document; /* FETCH_DONE: as it came, at most FETCH_DOCUMENT_MAX octets */
    bool has_age;
    uint64_t age_most; /* has_age: seconds for which the answer may be kept (RFC 9111) */
};

struct msg_request {
    uint64_t request;
};

struct msg_url {
    uint64_t request;    /* the gate's number, unique on a channel */
    uint64_t snapshot;   /* of the configuration that the asker has */
    struct slice server; /* the name of an imap_server of the configuration */
    struct slice url;    /* on that server */
    uint64_t most;       /* octets of content that are wanted at most; 0: any number */
};

enum url_result {
    URL_FETCHED,
    URL_REFUSED,     /* the server gives no such content */
    URL_UNREACHABLE, /* no server, or none in good order, now */
    URL_TOO_BIG,
    URL_UNTRUSTED, /* no such server here, or it does not let us log in */
};

struct msg_url_done {
    uint64_t request;
    enum url_result result;
    uint64_t octets; /* written to the pipe */
};

struct message_row {
    enum message_type type;
    const char *name;
    unsigned from; /* bits 1 << enum role */
    unsigned to;
    unsigned fds_min;
    unsigned fds_max;
    const struct shape *shape;
    bool is_secret; /* holds credentials: its octets are wiped as soon as they have been used */
};

/* The row of a type; NULL for a number that is none. */
const struct message_row *message_row(unsigned type);

#endif
