/* gate/session.h: one client's connection and its dialogue: what is known of the client, where the
 * dialogue stands, and what it waits for.
 *
 * How a turn goes. The stream has input; while the session waits for nothing, the reader of its
 * phase takes one thing from the front of it (a line, a run of content) and gives an answer, and
 * session_settle does what the answer says. Nothing else writes to a client, closes a connection or
 * decides when reading goes on. Replies are sent at the end of the turn, so that those to pipelined
 * commands leave together (EXT-PIPELINING-1). */
#ifndef GATE_SESSION_H
#define GATE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/map.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "gate/answer.h"
#include "gate/ask.h"
#include "gate/conduct.h"
#include "gate/phase.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/stream.h"
#include "smtp/command.h"
#include "smtp/line.h"
#include "smtp/reply.h"
#include "users/grant.h"

struct exchange;
struct fetching;
struct gate;
struct snapshot;
struct transaction;

/* The one thing that a session waits for. Meanwhile its input is not parsed and not read. */
enum wait {
    WAIT_NOTHING,   /* for the client */
    WAIT_HANDSHAKE, /* TLS, with the vault's signature in it */
    WAIT_AUTH,      /* the vault's word on a step of a login */
    WAIT_RIGHTS,    /* the vault's word on a sender */
    WAIT_DOMAIN,    /* a relay's word on a domain */
    WAIT_HELD,      /* the queue's word on how much is held */
    WAIT_PARTIAL,   /* the queue's word on what is kept of the message */
    WAIT_BODY,      /* the disk takes the body, or a body file comes */
    WAIT_FETCH,     /* an IMAP server gives what a BURL named */
    WAIT_COMMIT,    /* the message is on the disk */
    WAIT_DELAY,     /* a reply is held back */
    WAIT_OUTPUT,    /* the client reads what it was told */
};
enum { WAIT_COUNT = WAIT_OUTPUT + 1 };

enum { SESSION_NAME = 32 };

/* For functions that look for a refusal and find none: the one reply that answers no command. */
#define NO_OBJECTION REPLY_GREETING

/* Who logged in. One piece of memory, the texts behind the list. */
struct login_grant {
    struct grant grant;
    bool is_narrowed;
    struct grant narrower; /* of an app password */
    struct slice mechanism;
    struct slice proof;      /* of the login, for what is kept of cut transactions */
    struct sender senders[]; /* and behind them the recipients, then the same of the narrower */
};

/* The octets of a BDAT that are still to come, and what follows them. */
struct chunk {
    uint64_t left;
    uint64_t size;
    int64_t since_ms;
    bool last;
    bool is_refused;     /* the octets are dropped, then: */
    enum reply_id reply; /* is said */
    enum phase after;    /* is where the session stands */
};

struct session {
    struct gate *gate;
    uint64_t id; /* never given twice by a gate */
    UT_hash_handle hh;
    struct snapshot *snapshot;
    const struct conf_listener *listener;
    struct stream *stream;
    struct timer timer; /* the bound of the wait, or of the client's silence */
    struct peer peer;
    struct log_context log;
    char name[SESSION_NAME];

    enum phase phase; /* session_move alone changes it */
    enum wait wait;   /* session_wait and session_woken alone */

    struct line_reader line;
    enum verb verb;     /* of the command under way, for the log */
    enum reply_id said; /* the last reply */
    bool is_reported;   /* that reply is in the log already, in a line of its own kind */
    struct buffer held; /* what WAIT_DELAY holds back */
    uint32_t delay_ms;  /* wanted for the reply under way */
    struct conduct conduct;
    uint32_t log_lines;
    uint32_t log_suppressed;
    unsigned remarks; /* enum report_remark, each said once */
    int64_t opened_ms;

    bool is_trusted;  /* by its address (SUB-4.3-2) */
    bool is_esmtp;    /* greeted with EHLO */
    char *ehlo;       /* its argument, NUL-ended; NULL before */
    uint32_t offered; /* extensions listed to it */
    char *external;   /* whose certificate it showed, NUL-ended; NULL: nobody's */
    struct login_grant *login;
    struct exchange *exchange;       /* PHASE_AUTH only */
    struct question question;        /* WAIT_AUTH, WAIT_RIGHTS, WAIT_DOMAIN, WAIT_HELD only */
    struct transaction *transaction; /* from MAIL, accepted or not yet, to its end */
    struct partial *said_partial;    /* was taken, and the client has said nothing since */
    struct chunk chunk;              /* PHASE_CHUNK only */
    struct fetching *fetching;       /* PHASE_FETCH only */
};

/* Takes the connected descriptor, and greets or begins with TLS. The connection has been admitted
 * (limits_enter), which the session undoes at its end, also when it fails here (said in the log).
 */
void session_open(
    struct gate *gate, const struct conf_listener *listener, int fd, const struct peer *peer);
/* What the log calls it, unlike any other of this or another gate. */
void session_name(const struct gate *gate, uint64_t id, char out_name[SESSION_NAME]);
/* The session of that id, or NULL when it is gone. */
struct session *session_find(struct gate *gate, uint64_t id);
/* Ends it at once, without a word; a message that is on its way to the disk stays there (LSN-9). */
void session_free(struct session **session);

/* The only change of phase; asserts that it is lawful. */
void session_move(struct session *session, enum phase phase);
/* Waits for that, at most ms milliseconds; what then happens is in the table in session.c. */
void session_wait(struct session *session, enum wait wait, int64_t ms);
/* What was waited for has come. What follows is settled by session_settle. */
void session_woken(struct session *session, enum wait wait);
/* Does what the answer says, and lets the dialogue go on. For the end of a wait:
 * session_woken(s, WAIT_X); session_settle(s, continuation(s, …)). */
void session_settle(struct session *session, enum answer answer);
/* Tells a client that waits for nothing to go, and ends the session (LSN-6). */
void session_dismiss(struct session *session);
/* Ends a session that is not closing yet, whatever it waits for, to make room for another: told so
 * where that can be done at once (LSN-8). */
void session_displace(struct session *session);

/* Ends a session without a word: its client is elsewhere. Not while a message is on its way to the
 * disk. */
void session_abandon(struct session *session);

/* Replies are said here, exactly one for each command (CMD-24), and sent by session_settle. */
void session_say(struct session *session, enum reply_id reply);
PRINTF_LIKE(3, 4)
void session_sayf(struct session *session, enum reply_id reply, const char *format, ...);
/* Where a reply with a writer of its own goes (EHLO, 334); reply says which it is. */
struct buffer *session_words(struct session *session, enum reply_id reply);

/* Takes octets from the front of the input, and counts them. */
void session_consume(struct session *session, size_t len);
/* The same for lines: they may hold a password, so nothing of them stays behind. */
void session_wipe(struct session *session, size_t len);
/* Drops an open transaction (RSET, EHLO, after a message); back to PHASE_READY where there was one.
 */
void session_reset(struct session *session);

/* What the client may do: by its login, else by its network; NULL: nothing. */
const struct grant *session_grant(const struct session *session);
/* The same for a mail transaction: without a login perhaps the postmaster's alone (SUB-6.4-1). */
const struct grant *session_mail_grant(const struct session *session);
/* A second grant that takes rights away from the first, that of an app password; NULL: none. */
const struct grant *session_narrower(const struct session *session);
bool session_is_tls(const struct session *session);
/* The SASL mechanisms that this client may use now, as listed to it (AUTH-2, AUTH-25): a set of
 * MECHANISM_BIT. */
uint32_t session_mechanisms(const struct session *session);
/* Its login, for records; empty without. */
struct slice session_user(const struct session *session);
struct slice session_ehlo(const struct session *session);

#endif
